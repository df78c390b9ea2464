"""Become another program, as another user if asked, that dies when its parent does.

``python -I -S become.py PARENT_PID DEATH_SIGNAL UID GID PROGRAM [ARGUMENT...]``; UID and GID -1: stay who you are.
A program of its own rather than a ``preexec_fn``, because Python code between fork and exec may deadlock in a process
with threads. PROGRAM is a path. Nothing is imported after the change of user: that user may not be able to read Python.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
CANNOT_RUN = 127
"""The exit code of a program that cannot be executed, as shells have it."""


def main(arguments: list[str]) -> None:
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    if uid >= 0:
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # Only now, because a change of user clears it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("become: the parent was gone before the program began")
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execv(arguments[4], arguments[4:])
    except OSError as error:
        os.write(2, f"become: {arguments[4]}: {error.strerror}\n".encode())
        sys.exit(CANNOT_RUN)


if __name__ == "__main__":
    main(sys.argv[1:])
