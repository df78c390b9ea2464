"""Ask, as another user: may I enter this directory, may I read this tree?

``python -I -S reach.py UID GID enter|read PATH`` ends with 0 for yes and 1 for no. Asking the kernel as that user is
right also for access lists and mounts, where reading permission bits is not. Standard library only, and run as a file,
because the other user may not be able to reach the interpreter itself.
"""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> bool:
    uid, gid = int(arguments[0]), int(arguments[1])
    os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)
    return may_enter(arguments[3]) if arguments[2] == "enter" else may_read(arguments[3])


def may_enter(directory: str) -> bool:
    return os.access(directory, os.X_OK)


def may_read(tree: str) -> bool:
    """Whether every directory of the tree may be entered and listed and every file read."""
    if not os.access(tree, os.R_OK | os.X_OK):
        return False
    for directory, folders, files in os.walk(tree):
        paths = [(os.path.join(directory, name), os.R_OK | os.X_OK) for name in folders]  # noqa: PTH118
        paths += [(os.path.join(directory, name), os.R_OK) for name in files]  # noqa: PTH118
        if not all(os.access(path, mode) for path, mode in paths):
            return False
    return True


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
