"""The installation's master key: it seals what PostgreSQL keeps and must not be able to read by itself.

The key lies in a file beside the database, not in it, and only its owner may read it. The file holds one key a line, as
``<id> <base64 of 32 bytes>``, the newest first: that one seals, every one opens. A new line at the top turns the key
over; an old line goes once nothing is sealed with it any more.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.secret_files import make_once, replace
from infra.settings import Settings

FORMAT = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32
ID_BYTES = 4
FILE_NAME = "master.key"


class KeyFileError(RuntimeError):
    """The key file cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True, repr=False)
class MasterKey:
    """The keys by their ids. AES-256-GCM; ``context`` says what a sealed text is of, and must be the same to open it:
    a text of one row opens in no other."""

    newest: bytes
    keys: Mapping[bytes, bytes]

    def seal(self, text: bytes, context: bytes) -> bytes:
        """The sealed text: format, key id, nonce, ciphertext with its tag."""
        nonce = os.urandom(NONCE_BYTES)
        head = FORMAT + self.newest
        return head + nonce + AESGCM(self.keys[self.newest]).encrypt(nonce, text, head + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The text. Raises KeyError where its key is gone, ValueError where it was sealed otherwise or changed."""
        head, rest = sealed[: 1 + ID_BYTES], sealed[1 + ID_BYTES :]
        if head[:1] != FORMAT:
            raise ValueError("sealed in a form that this program does not know")
        key = self.keys[head[1:]]
        try:
            return AESGCM(key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], head + context)
        except InvalidTag as error:
            raise ValueError("sealed for something else, or changed since") from error

    def is_newest(self, sealed: bytes) -> bool:
        """Whether it is sealed with the newest key."""
        return sealed[1 : 1 + ID_BYTES] == self.newest


def key_file(settings: Settings) -> Path:
    """Where the master key lies."""
    return settings.master_key_file or settings.data_dir / FILE_NAME


def master_key(settings: Settings) -> MasterKey:
    """The installation's key; the first who asks makes it. Raises KeyFileError."""
    path = key_file(settings)
    make_once(path, new_line())
    if path.stat().st_mode & 0o077:
        raise KeyFileError(f"{path} can be read by others; run `chmod 600 {path}`")
    return read_keys(path.read_text(encoding="ascii"), str(path))


def read_keys(text: str, name: str) -> MasterKey:
    """The keys of a file's text. Raises KeyFileError."""
    keys: dict[bytes, bytes] = {}
    for line in text.splitlines():
        try:
            id_, key = line.split()
            keys[bytes.fromhex(id_)] = b64decode(key, validate=True)
        except ValueError:
            raise KeyFileError(f"{name}: a line is not `<id> <base64>`; restore the file from its backup") from None
    if not keys or any(len(id_) != ID_BYTES or len(key) != KEY_BYTES for id_, key in keys.items()):
        raise KeyFileError(f"{name}: no key of {KEY_BYTES} bytes; restore the file from its backup")
    return MasterKey(next(iter(keys)), keys)


def new_line() -> str:
    """A new key as a line of the file."""
    return f"{os.urandom(ID_BYTES).hex()} {b64encode(os.urandom(KEY_BYTES)).decode()}\n"


def add_key(settings: Settings) -> None:
    """Put a new key at the top of the file: it seals from now on. The file is whole at every instant. Raises
    KeyFileError."""
    path = key_file(settings)
    master_key(settings)  # made, or refused where it is not as it should be
    replace(path, new_line() + path.read_text(encoding="ascii"))
