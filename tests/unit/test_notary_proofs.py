"""The Merkle log: its hashes, roots and proofs, against the definitions written out."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notary.merkle import EMPTY_ROOT, Frontier, Tree, is_consistent, is_included, leaf_hash

LARGEST = 70


def leaves(number: int) -> list[bytes]:
    return [leaf_hash(f"event {each}".encode()) for each in range(number)]


LEAVES = leaves(LARGEST)
TREE = Tree(b"".join(LEAVES))


def root_by_definition(hashes: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, as it stands there."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = root_by_definition(hashes[:split]), root_by_definition(hashes[split:])
    return sha256(b"\1" + left + right).digest()


def flipped(data: bytes, bit: int) -> bytes:
    bit %= len(data) * 8
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_published_test_vectors_of_certificate_transparency_come_out() -> None:
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    tree = Tree(b"".join(leaf_hash(bytes.fromhex(entry)) for entry in entries))
    assert tree.root(0).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.root(1).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree.root(3).hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    assert tree.root(8).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_root_frontier_and_definition_agree(size: int) -> None:
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.add(leaf)
    assert frontier.root() == TREE.root(size) == root_by_definition(LEAVES[:size])
    assert frontier.size == size


def test_a_frontier_that_was_kept_grows_as_if_it_had_never_been_put_away() -> None:
    frontier = Frontier()
    for number in range(40):
        again = Frontier.of(frontier.size, frontier.peaks)
        assert (again.size, again.root()) == (frontier.size, frontier.root())
        for each in (again, frontier):
            each.add(leaf_hash(b"%d" % number))
        assert again.root() == frontier.root()


@pytest.mark.parametrize(("size", "peaks"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (2, bytes(31)), (-1, bytes(32))])
def test_peaks_that_a_log_of_that_size_does_not_have_are_no_frontier(size: int, peaks: bytes) -> None:
    with pytest.raises(ValueError, match="peaks"):
        Frontier.of(size, peaks)


@given(st.data())
def test_every_event_is_shown_to_be_in_every_log_that_has_it(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    proof, root = TREE.inclusion(index, size), TREE.root(size)
    assert is_included(LEAVES[index], index, size, proof, root)
    assert len(proof) <= size.bit_length()


@given(st.data())
def test_no_proof_of_inclusion_survives_a_flipped_bit_or_another_place(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    proof, root, bit = TREE.inclusion(index, size), TREE.root(size), data.draw(st.integers(0, 10_000))
    assert not is_included(flipped(LEAVES[index], bit), index, size, proof, root)
    assert not is_included(LEAVES[index], index, size, proof, flipped(root, bit))
    for each in range(len(proof)):
        assert not is_included(
            LEAVES[index], index, size, [*proof[:each], flipped(proof[each], bit), *proof[each + 1 :]], root
        )
        assert not is_included(LEAVES[index], index, size, proof[:each] + proof[each + 1 :], root)
    assert not is_included(LEAVES[index], index, size, [*proof, root], root)
    other = data.draw(st.integers(-1, LARGEST).filter(lambda wrong: wrong != index))
    assert not is_included(LEAVES[index], other, size, proof, root)


@pytest.mark.parametrize("new", range(LARGEST + 1))
def test_every_log_is_shown_to_be_the_beginning_of_every_later_one(new: int) -> None:
    for old in range(new + 1):
        assert is_consistent(old, TREE.root(old), new, TREE.root(new), TREE.consistency(old, new))


@given(st.data())
def test_no_proof_of_consistency_survives_a_flipped_bit(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, LARGEST))
    old = data.draw(st.integers(1, new - 1))
    proof, bit = TREE.consistency(old, new), data.draw(st.integers(0, 10_000))
    before, after = TREE.root(old), TREE.root(new)
    assert not is_consistent(old, flipped(before, bit), new, after, proof)
    assert not is_consistent(old, before, new, flipped(after, bit), proof)
    for each in range(len(proof)):
        assert not is_consistent(
            old, before, new, after, [*proof[:each], flipped(proof[each], bit), *proof[each + 1 :]]
        )
        assert not is_consistent(old, before, new, after, proof[:each] + proof[each + 1 :])
    assert not is_consistent(old, before, new, after, [*proof, before])


@given(st.integers(1, LARGEST - 1), st.integers(0, LARGEST - 1), st.integers(0, 255))
def test_a_log_with_one_event_changed_is_no_continuation(old: int, at: int, bit: int) -> None:
    changed = [flipped(leaf, bit) if each == at % old else leaf for each, leaf in enumerate(LEAVES)]
    other = Tree(b"".join(changed))
    proof = other.consistency(old, LARGEST)
    assert not is_consistent(old, TREE.root(old), LARGEST, other.root(LARGEST), proof)


def test_what_cannot_be_asked_is_refused_and_what_cannot_be_is_not_shown() -> None:
    assert (Tree(b"").root(0), TREE.consistency(0, 5), TREE.consistency(5, 5)) == (EMPTY_ROOT, [], [])
    for ask in (lambda: TREE.root(LARGEST + 1), lambda: TREE.inclusion(5, 5), lambda: TREE.consistency(6, 5)):
        with pytest.raises(IndexError):
            ask()
    assert not is_consistent(6, TREE.root(6), 5, TREE.root(5), [])
    assert not is_consistent(0, TREE.root(1), 5, TREE.root(5), [])
    assert not is_consistent(3, TREE.root(3), 5, TREE.root(5), [])
    assert not is_consistent(5, TREE.root(5), 5, TREE.root(6), [])
