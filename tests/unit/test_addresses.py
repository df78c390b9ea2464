"""An address that is looked for is the same however it is written, and another one is another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.vault.addresses import plain_address

SAME = (
    "人民北路1号2栋3单元401室",
    "人民北路 1 号 2 栋 3 单元 401 室",
    "人民北路１号２栋３单元４０１",
    "人民北路1号2幢3单元401房",
    "人民北路1号，二栋，三单元，401",
    "人民北路1号2-3-401",
    "人民北路 1-2-3-401",
    "人民北路一号2号楼3单元401户",
)


@pytest.mark.parametrize("written", SAME)
def test_one_door_is_found_however_it_is_written(written: str) -> None:
    assert plain_address(written) == "人民北路1-2-3-401"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("人民北路1号23栋", "人民北路12号3栋"),
        ("人民北路1 2", "人民北路12"),
        ("人民北路十二号", "人民北路二号"),
        ("人民南路1号", "人民北路1号"),
        ("1号A座", "1号B座"),
    ],
)
def test_two_doors_stay_two(one: str, other: str) -> None:
    assert plain_address(one) != plain_address(other)


@pytest.mark.parametrize(
    ("spelled", "digits"),
    [
        ("鼓楼路八号", "鼓楼路8"),
        ("和平里一百零三号", "和平里103"),
        ("石家冲二〇号", "石家冲20"),
        ("鼓楼路10号院A座", "鼓楼路10-a"),
    ],
)
def test_numerals_and_names_are_told_apart(spelled: str, digits: str) -> None:
    assert plain_address(spelled) == digits


_NUMBERS = st.lists(st.integers(1, 2_000), min_size=1, max_size=4)


@given(_NUMBERS)
def test_every_way_to_write_the_same_numbers_is_one(numbers: list[int]) -> None:
    pairs = list(zip(numbers, ("号", "栋", "单元", "室"), strict=False))
    in_full = "人民北路" + "".join(f"{number}{unit}" for number, unit in pairs)
    with_blanks = "人民北路 " + "，".join(f"{number} {unit}" for number, unit in pairs)
    wide = in_full.translate({ord(digit): 0xFF10 + int(digit) for digit in "0123456789"})
    short = "人民北路" + "-".join(map(str, numbers))
    assert len({plain_address(each) for each in (in_full, with_blanks, wide, short)}) == 1


@given(_NUMBERS, _NUMBERS)
def test_other_numbers_are_another_door(one: list[int], other: list[int]) -> None:
    written = ["人民北路" + "-".join(map(str, each)) for each in (one, other)]
    assert (plain_address(written[0]) == plain_address(written[1])) is (one == other)
