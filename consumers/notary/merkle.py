"""The Merkle log of RFC 9162 over SHA-256: the hashes, a tree that answers with proofs, and the checks of those proofs.

Pure. A leaf is an event's bytes as stored; a tree of size n has the log's first n events for leaves. That a log of size
m is the beginning of one of size n, and that an event is in one, is shown by some log2(n) hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: never that of a node, whatever its bytes are."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """A log that grows and knows its root, and keeps only the roots of its perfect subtrees: some log2(n) hashes."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    @classmethod
    def of(cls, size: int, peaks: bytes) -> Frontier:
        """One that was kept: its size and its ``peaks``. Raises ValueError where a log of that size has others."""
        if size < 0 or len(peaks) != size.bit_count() * HASH_BYTES:
            raise ValueError(f"{len(peaks)} bytes of peaks, and a log of {size} leaves has {size.bit_count()} peaks")
        made = cls()
        made.size = size
        made._peaks = [peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES)]
        return made

    @property
    def peaks(self) -> bytes:
        """The roots of its perfect subtrees, the largest first, one behind the other."""
        return b"".join(self._peaks)

    def add(self, leaf: bytes) -> None:
        """Append a leaf, by its hash."""
        ones = self.size
        while ones & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            ones >>= 1
        self._peaks.append(leaf)
        self.size += 1

    def copy(self) -> Frontier:
        """Another one that stands here."""
        other = Frontier()
        other.size, other._peaks = self.size, list(self._peaks)
        return other

    def root(self) -> bytes:
        """The root of what was appended so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


class Tree:
    """A whole log in memory, 64 bytes an event: roots of any earlier size, and proofs."""

    def __init__(self, leaves: bytes) -> None:
        """``leaves``: the leaf hashes, one behind the other."""
        # Level k holds the roots of the perfect subtrees of 2^k leaves, one behind the other.
        self._levels = [bytes(leaves)]
        while len(self._levels[-1]) >= 2 * HASH_BYTES:
            self._levels.append(_level_above(self._levels[-1]))

    @property
    def size(self) -> int:
        return len(self._levels[0]) // HASH_BYTES

    def leaf(self, index: int) -> bytes:
        """The leaf hash at an index, from 0."""
        return self._levels[0][index * HASH_BYTES : (index + 1) * HASH_BYTES]

    def root(self, size: int) -> bytes:
        """The root of the log's first ``size`` leaves. Raises IndexError beyond the log."""
        if not 0 <= size <= self.size:
            raise IndexError(f"a tree of {self.size} leaves has no root of size {size}")
        return self._hash(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that the leaf at ``index`` is in the log of that size (RFC 9162, 2.1.3.1). Raises IndexError."""
        if not 0 <= index < size <= self.size:
            raise IndexError(f"a tree of {self.size} leaves has no leaf {index} of {size}")
        return self._path(index, 0, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the log of size ``old`` is the beginning of the one of size ``new`` (2.1.4.1)."""
        if not 0 <= old <= new <= self.size:
            raise IndexError(f"a tree of {self.size} leaves has no proof from {old} to {new}")
        return self._proof(old, 0, new, whole=True) if 0 < old < new else []

    def _hash(self, start: int, end: int) -> bytes:
        size = end - start
        if size & (size - 1) == 0:
            at = start // size * HASH_BYTES
            return self._levels[size.bit_length() - 1][at : at + HASH_BYTES]
        split = start + _split(size)
        return node_hash(self._hash(start, split), self._hash(split, end))

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        split = start + _split(end - start)
        if index < split:
            return [*self._path(index, start, split), self._hash(split, end)]
        return [*self._path(index, split, end), self._hash(start, split)]

    def _proof(self, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if old == end:
            return [] if whole else [self._hash(start, end)]
        split = start + _split(end - start)
        if old <= split:
            return [*self._proof(old, start, split, whole=whole), self._hash(split, end)]
        return [*self._proof(old, split, end, whole=False), self._hash(start, split)]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof shows that the leaf is at ``index`` in the log of that size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, found = index, size - 1, leaf
    for each in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found = node_hash(each, found)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, each)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and found == root


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that the one log is the beginning of the other (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == new or old == 0:
        return not proof and old_root == (new_root if old == new else EMPTY_ROOT)
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    before = after = path[0]
    for each in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            before, after = node_hash(each, before), node_hash(each, after)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            after = node_hash(after, each)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and before == old_root and after == new_root


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _level_above(level: bytes) -> bytes:
    pairs = range(0, len(level) - 2 * HASH_BYTES + 1, 2 * HASH_BYTES)
    return b"".join([sha256(b"\1" + level[at : at + 2 * HASH_BYTES]).digest() for at in pairs])
