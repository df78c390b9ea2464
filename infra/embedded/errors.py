"""The one exception of the embedded parts and of the supervisor."""

from __future__ import annotations


class EmbeddedError(Exception):
    """A part on this machine cannot run as asked.

    ``code`` is stable and meant for programs; ``found``, ``needed`` and ``next_step`` are sentences for people.
    """

    def __init__(self, code: str, *, found: str, needed: str, next_step: str) -> None:
        super().__init__(f"{code}: found {found}; needed {needed}; next: {next_step}")
        self.code = code
        self.found = found
        self.needed = needed
        self.next_step = next_step


def unwritable(error: OSError) -> EmbeddedError:
    """The error for a directory that this program may not write."""
    return EmbeddedError(
        "data-directory-unwritable",
        found=f"{error.filename}: {error.strerror}",
        needed="a directory this user may create and write",
        next_step="choose another one with TONGSHUI_DATA_DIR, or correct its owner or permissions",
    )
