"""A checkpoint as a signed note: the forms of C2SP signed-note and tlog-checkpoint, with Ed25519.

    tongshui/<generation>
    <size of the log>
    <root, base64>
    position <of the last event in it>
    at <when it was signed>
    without <first>-<last>        positions that this generation of the store never had
    follows <log> <size> <root, base64> <position> shares <position>
                                  the log before this one, as it was signed last, and up to where both have the same
    next-key <verifier key>       from here on the log is signed with another key

    — tongshui/<generation> <signature, base64>

Any tool that reads such notes can check ours; lines below the root are extensions, and unknown ones are passed over.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from infra.kafka.auxiliary_topics import CHECKPOINT

ED25519 = b"\x01"
DASH = "— "
NOTE_LIMIT = 16 * 1024
_NAME = re.compile(r"[^\s+]{1,200}")
_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")


@dataclass(eq=False)
class NoteError(Exception):
    """A text is no checkpoint or no key of ours."""

    found: str
    needed: str

    def __str__(self) -> str:
        return f"bad-note: found {self.found}; needed {self.needed}"


# ---- keys


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key under the name of the log that it signs."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """What a signature names its key by: the first four bytes of a hash over name, algorithm and key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_text(ED25519 + self.public)}"

    def named(self, name: str) -> VerifyKey:
        """The same key for another log: each generation of a store is a log of its own."""
        return VerifyKey(name, self.public)

    def has_signed(self, text: str, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def verify_key(text: str) -> VerifyKey:
    """Read a key as it prints. Raises NoteError."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = _bytes(encoded)
    if not _NAME.fullmatch(name) or len(raw) != 33 or raw[:1] != ED25519:
        raise NoteError(
            "a text that is no Ed25519 verifier key", "<name>+<id>+<base64>, as `tongshui audit keys` prints"
        )
    key = VerifyKey(name, raw[1:])
    if key.id.hex() != key_id:
        raise NoteError(f"a key whose id is not {key_id[:8]}", "the key as it was printed")
    return key


def verify_keys(text_or_path: str) -> list[VerifyKey]:
    """A key, or the keys of a file, one a line. Raises NoteError."""
    path = Path(text_or_path)
    if "+" in text_or_path and not path.is_file():
        return [verify_key(text_or_path)]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NoteError(f"no file {text_or_path[:80]}", "a verifier key, or a file with one a line") from error
    return [verify_key(line) for line in lines if line.strip()]


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key. ``str`` of it is what the key file holds, and goes nowhere else."""

    name: str
    seed: bytes

    @classmethod
    def new(cls, name: str) -> Signer:
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def read(cls, text: str) -> Signer:
        """From the text of a key file. Raises NoteError, which never repeats it."""
        parts = text.strip().split("+", 4)
        raw = _bytes(parts[4]) if len(parts) == 5 and parts[:2] == ["PRIVATE", "KEY"] else b""
        if len(raw) != 33 or raw[:1] != ED25519:
            raise NoteError("a file that is no private key", "the key file as the notary wrote it")
        return cls(parts[2], raw[1:])

    @property
    def public(self) -> VerifyKey:
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        return VerifyKey(self.name, private.public_key().public_bytes_raw())

    def secret(self) -> str:
        """The text of the key file."""
        return f"PRIVATE+KEY+{self.name}+{self.public.id.hex()}+{_text(ED25519 + self.seed)}\n"

    def sign(self, name: str, text: str) -> str:
        """The signature line of a note's text, for the log of that name."""
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return f"{DASH}{name} {_text(self.public.named(name).id + signature)}\n"

    def __repr__(self) -> str:
        return f"Signer({self.public})"


# ---- checkpoints


def generation_of(origin: str) -> UUID | None:
    """The store's generation that a log is of; None for a name that is not of our making."""
    try:
        return UUID(origin.rpartition("/")[2])
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Follows:
    """A store was restored behind what was published, and began a new generation: the log that this one follows, as it
    was signed last. What that one has above ``shares`` and up to ``position`` was given up."""

    origin: str
    size: int
    root: bytes
    position: int
    shares: int
    """Up to this position both logs have the same events."""

    def __str__(self) -> str:
        return f"{self.origin} {self.size} {_text(self.root)} {self.position} shares {self.shares}"


def follows(text: str) -> Follows:
    """Read it as it prints. Raises ValueError."""
    origin, size, root, position, word, shares = text.split(" ")
    found = Follows(origin, int(size), _bytes(root), int(position), int(shares))
    if word != "shares" or len(found.root) != 32 or not (0 <= found.size <= found.position and found.shares >= 0):
        raise ValueError(text)
    return found


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """What is signed: a log of ``size`` events, up to ``position``, has this root. ``without``: ranges of positions,
    both ends included, that the log never had. ``next_key``: signs from here on. ``follows``: a log before it."""

    origin: str
    size: int
    root: bytes
    position: int
    at: datetime
    without: tuple[tuple[int, int], ...] = ()
    next_key: str | None = None
    follows: Follows | None = None

    def text(self) -> str:
        lines = [self.origin, str(self.size), _text(self.root), f"position {self.position}"]
        lines.append(f"at {self.at.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}")
        lines += [f"without {first}-{last}" for first, last in self.without]
        lines += [f"follows {self.follows}"] if self.follows else []
        lines += [f"next-key {self.next_key}"] if self.next_key else []
        return "".join(f"{line}\n" for line in lines)

    def index_of(self, position: int) -> int | None:
        """The leaf that the event at a position is; None where it is not in this log, or not yet."""
        if not 0 < position <= self.position:
            return None
        skipped = 0
        for first, last in self.without:
            if first <= position <= last:
                return None
            skipped += last - first + 1 if last < position else 0
        return position - 1 - skipped

    def positions(self) -> Iterable[range]:
        """The positions of the log's events, as ranges in order."""
        begin = 1
        for first, last in self.without:
            if first > self.position:
                break
            yield range(begin, first)
            begin = last + 1
        yield range(begin, self.position + 1)


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint with its signatures."""

    checkpoint: SignedCheckpoint
    text: str
    """What is signed."""
    whole: str
    """With its signatures, as it was read."""
    signatures: tuple[tuple[str, bytes, bytes], ...]
    """(name, key id, signature)"""

    def signed_by(self, key: VerifyKey) -> bool:
        """Whether it has a good signature of that key for its own log."""
        wanted = key.named(self.checkpoint.origin)
        return any(
            (name, key_id) == (wanted.name, wanted.id) and wanted.has_signed(self.text, signature)
            for name, key_id, signature in self.signatures
        )


def signed(checkpoint: SignedCheckpoint, signers: Iterable[Signer]) -> str:
    """The whole note."""
    text = checkpoint.text()
    return f"{text}\n" + "".join(signer.sign(checkpoint.origin, text) for signer in signers)


def read_note(note: str) -> Note:
    """Read a note; its signatures are not checked here. Raises NoteError."""
    text, _, rest = note.rpartition("\n\n")
    if len(note) > NOTE_LIMIT or not CHECKPOINT.match(note):
        raise NoteError("a text that is no signed note", "a checkpoint: text, an empty line, signature lines")
    text += "\n"
    return Note(
        _checkpoint(text.split("\n")[:-1]), text, note, tuple(_signature(line) for line in rest[:-1].split("\n"))
    )


def _checkpoint(lines: Sequence[str]) -> SignedCheckpoint:
    said: dict[str, list[str]] = {}
    for line in lines[3:]:
        word, _, value = line.partition(" ")
        said.setdefault(word, []).append(value)
    try:
        origin, size, root = lines[0], int(lines[1]), _bytes(lines[2])
        position, at = int(said["position"][0]), datetime.fromisoformat(said["at"][0])
        without = tuple(_range(each) for each in said.get("without", ()))
        before = next((follows(each) for each in said.get("follows", ())), None)
    except (IndexError, KeyError, ValueError) as error:
        raise NoteError("a note whose lines are no checkpoint", "origin, size, root, position and time") from error
    found = SignedCheckpoint(
        origin, size, root, position, at, without, next(iter(said.get("next-key", ())), None), before
    )
    # The lines say the same thing twice, and must agree: the size is what the ranges of positions hold.
    if len(root) != 32 or at.tzinfo is None or size != sum(len(each) for each in found.positions()):
        raise NoteError("a checkpoint that contradicts itself", "a size that its positions have, a root of 32 bytes")
    return found


def _range(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if match is None or not int(match[1]) <= int(match[2]):
        raise ValueError(text)
    return int(match[1]), int(match[2])


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    raw = _bytes(encoded)
    if not line.startswith(DASH) or len(raw) < 5:
        raise NoteError("a line that is no signature", f"“{DASH}<name> <base64>”")
    return name, raw[:4], raw[4:]


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    """The bytes of a base64 text; none where it is not the one text that says them."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if _text(raw) == text else b""
