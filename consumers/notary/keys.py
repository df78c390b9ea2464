"""The notary's key files: outside the database, made at the first start, readable by the notary alone.

``key`` signs; ``key.next``, where somebody laid it down, is handed over to at the notary's next round; ``key.pub`` is
what auditors keep; ``last`` is the note signed last, so that a database set back or rewritten is noticed.
"""

from __future__ import annotations

import os
from pathlib import Path

from consumers.notary.note import Note, NoteError, Signer, read_note
from infra.embedded.files import write_whole
from infra.kafka.cluster import BusRefusal
from infra.settings import Settings


class NotaryRefusal(BusRefusal):
    """The notary must not sign until an operator has looked."""


class Keys:
    """The key folder of one installation."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.notary_dir or settings.data_dir / "notary"
        self._name = settings.notary_name

    @property
    def key_file(self) -> Path:
        return self.folder / "key"

    @property
    def next_file(self) -> Path:
        return self.folder / "key.next"

    def current(self) -> Signer | None:
        """The key that signs; None where there is none. Raises NotaryRefusal "key-open" and "bad-key"."""
        return self._read(self.key_file)

    def following(self) -> Signer | None:
        """The key to hand over to; None where none was laid down."""
        return self._read(self.next_file)

    def make(self) -> Signer:
        """The first key of an installation."""
        signer = self._write(self.key_file)
        write_whole(self.folder / "key.pub", f"{signer.public}\n")
        return signer

    def lay_down_next(self) -> Signer:
        """Make the key that the notary takes up at its next round. Raises NotaryRefusal where one lies there."""
        return self._write(self.next_file)

    def take_up_next(self) -> None:
        """The next key is the key from here on; of the old one only its public half stays, in the notes it signed."""
        following = self.following()
        assert following is not None
        self.next_file.replace(self.key_file)
        write_whole(self.folder / "key.pub", f"{following.public}\n")

    def last(self) -> Note | None:
        """The note signed last; None before the first."""
        try:
            return read_note((self.folder / "last").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except NoteError as error:
            raise NotaryRefusal(
                "bad-last-note",
                found=f"{self.folder / 'last'}: {error.found}",
                needed="the note as the notary wrote it",
                next_step="compare with the newest checkpoint on the topic, and put that one there",
            ) from error

    def remember(self, note: str) -> None:
        """Keep the note signed last."""
        write_whole(self.folder / "last", note)

    def _read(self, path: Path) -> Signer | None:
        try:
            mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        if mode & 0o077:
            raise NotaryRefusal(
                "key-open",
                found=f"{path} with mode {mode & 0o777:04o}",
                needed="a private key that only the notary can read",
                next_step=f"find out who has read it, `chmod 600 {path}`, and `tongshui audit rotate-key`",
            )
        try:
            return Signer.read(text)
        except NoteError as error:
            raise NotaryRefusal(
                "bad-key", found=f"{path}: {error.found}", needed=error.needed, next_step="restore it from its backup"
            ) from error

    def _write(self, path: Path) -> Signer:
        signer = Signer.new(self._name)
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(signer.secret())
                file.flush()
                os.fsync(file.fileno())
            # A link, not a rename: it fails where the file is there already, and no key is ever overwritten.
            os.link(part, path)
        except FileExistsError as error:
            raise NotaryRefusal(
                "key-exists",
                found=f"{path}",
                needed="no such file: keys are never overwritten",
                next_step="wait until the notary has taken up the one that lies there",
            ) from error
        finally:
            part.unlink(missing_ok=True)
        return signer
