"""A file sealed in chunks: each can be opened as it is read, none can be changed, moved, left out or cut off.

AES-256-GCM with a key that seals one file only. The nonce counts the chunks and marks the last one; what a chunk is of
(``context``) is authenticated with it. The same key and bytes give the same sealed bytes, so two who store a file at
once write the same object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEAD = b"tongshui-evidence\x01"
CHUNK_BYTES = 256 * 1024
TAG_BYTES = 16


class DamagedError(ValueError):
    """The sealed bytes were changed, cut off, or are of another file."""


def sealed_size(plain_bytes: int) -> int:
    """How many bytes ``sealed`` gives for so many plain ones."""
    chunks = max(1, -(-plain_bytes // CHUNK_BYTES))
    return len(HEAD) + plain_bytes + chunks * TAG_BYTES


def sealed(key: bytes, context: bytes, plain: Iterable[bytes]) -> Iterator[bytes]:
    """The sealed bytes, piece by piece. ``key``: 32 bytes that seal nothing else."""
    cipher = AESGCM(key)
    yield HEAD
    for number, (chunk, is_last) in enumerate(_with_last(_regrouped(plain, CHUNK_BYTES))):
        yield cipher.encrypt(_nonce(number, is_last=is_last), chunk, HEAD + context)


def opened(key: bytes, context: bytes, sealed_bytes: Iterable[bytes]) -> Iterator[bytes]:
    """The plain bytes, piece by piece. Raises DamagedError at the first piece that is not as it was sealed."""
    cipher = AESGCM(key)
    pieces = iter(sealed_bytes)
    start = bytearray()
    while len(start) < len(HEAD):
        piece = next(pieces, None)
        if piece is None:
            raise DamagedError("cut off before its first chunk")
        start += piece
    if start[: len(HEAD)] != HEAD:
        raise DamagedError("sealed in a form that this program does not know")
    rest = _chained(bytes(start[len(HEAD) :]), pieces)
    for number, (chunk, is_last) in enumerate(_with_last(_regrouped(rest, CHUNK_BYTES + TAG_BYTES))):
        try:
            yield cipher.decrypt(_nonce(number, is_last=is_last), chunk, HEAD + context)
        except InvalidTag as error:
            raise DamagedError(f"chunk {number + 1} was changed, or the file was cut off behind it") from error


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _chained(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def _regrouped(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of that size, the last one as long as what is left; one empty piece of nothing."""
    held, given = bytearray(), False
    for piece in pieces:
        held += piece
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
            given = True
    if held or not given:
        yield bytes(held)


def _with_last(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each piece, and whether it is the last."""
    held: bytes | None = None
    for piece in pieces:
        if held is not None:
            yield held, False
        held = piece
    if held is not None:
        yield held, True
