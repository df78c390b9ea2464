"""The one exception of the embedded parts and of the supervisor."""

from __future__ import annotations

import errno

OF_DISKS = frozenset({errno.ENOSPC, errno.EDQUOT})
OF_RESOURCES = OF_DISKS | {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EIO}
"""Numbers of OSErrors that say that something is used up for now, and nothing about what we may do."""


class EmbeddedError(Exception):
    """A part on this machine cannot run as asked.

    ``code`` is stable and meant for programs; ``found``, ``needed`` and ``next_step`` are sentences for people.
    ``may_pass``: another try may help without anybody's doing; else a person must put something right.
    """

    def __init__(self, code: str, *, found: str, needed: str, next_step: str, may_pass: bool = False) -> None:
        super().__init__(f"{code}: found {found}; needed {needed}; next: {next_step}")
        self.code = code
        self.found = found
        self.needed = needed
        self.next_step = next_step
        self.may_pass = may_pass


def unwritable(error: OSError) -> EmbeddedError:
    """The error for a file or directory that this program could not make or write."""
    found = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if error.errno in OF_DISKS:
        return EmbeddedError(
            "disk-full",
            found=found,
            needed="room on the disk of the data directory",
            next_step="make room; it goes on by itself then",
            may_pass=True,
        )
    return EmbeddedError(
        "data-directory-unwritable",
        found=found,
        needed="a directory this user may create and write",
        next_step="choose another one with TONGSHUI_DATA_DIR, or correct its owner or permissions",
        may_pass=error.errno in OF_RESOURCES,
    )
