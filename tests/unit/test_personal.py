"""The screen: what looks personal is found in every form in which people write it, and the numbers of work are not."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.personal import PersonalValue, PersonalValueFound, find, kind_in, require_impersonal
from tests.planted import FORMS, identity_number, luhn_digit

HISTORIES = Path(__file__).parent / "histories"
SHIPPED = Path(__file__).parents[2] / "infra" / "data"
FULL_WIDTH = str.maketrans("0123456789X-+@. ", "０１２３４５６７８９Ｘ－＋＠．　")
AROUND = st.text("的在和号码人电话abcdefg：:，,。;# ", max_size=12)


@pytest.mark.parametrize("form", FORMS)
@given(chance=st.randoms(use_true_random=False), before=AROUND, after=AROUND)
def test_every_form_is_found_wherever_it_stands(form: str, chance: random.Random, before: str, after: str) -> None:
    kind, make = FORMS[form]
    value = make(chance)
    if kind == "email":
        # Letters before or behind an address belong to it, and it is one all the same.
        before, after = before + " ", " " + after
    # Digits of a card may happen to be an identity number too.
    kinds = {kind, "identity-number"} if kind == "bank-card" else {kind}
    assert kind_in(before + value + after) in kinds
    assert kind_in((before + value + after).translate(FULL_WIDTH)) in kinds


@given(
    st.integers(0, 10**9 - 1), st.sampled_from(" -.·/ ‑–—－　\u200b"), st.lists(st.booleans(), min_size=10, max_size=10)
)
def test_a_mobile_is_found_with_any_separators_but_ten_digits_and_one(
    number: int, mark: str, where: list[bool]
) -> None:
    digits = f"13{number:09d}"
    written = digits[0] + "".join((mark if gap else "") + each for gap, each in zip(where, digits[1:], strict=True))
    is_serial = where == [False] * 9 + [True] and mark != "\u200b"
    assert kind_in(written) == (None if is_serial else "mobile")


@given(st.dates(date(1900, 1, 1), date(2030, 12, 31)), st.integers(0, 999), st.booleans())
def test_an_identity_number_is_known_by_its_check_digit_or_by_a_day_of_birth(
    born: date, serial: int, wrong: bool
) -> None:
    number = identity_number("433101", born, serial)
    if wrong:
        number = number[:17] + ("1" if number[17] != "1" else "2")
    assert kind_in(number) == kind_in(number.lower()) == "identity-number"


@pytest.mark.parametrize(
    "text",
    [
        "JS20260916-00123",
        "BX-2026-000001",
        "HT-2026-0001",
        "示例停水批复〔2026〕7号",
        "国办函〔2020〕129号",
        "JJG 162-2019",
        "LXS-20E-000001",
        "r-20260916-1",
        "14155:54869",
        "2026-11-30T12:34:56.123456+08:00",
        "2026-06-01 to 2026-12-31",
        "2015–2026, 2026-2027",
        "123456789.125",
        "1732970000-1",
        "1732970000000",
        "1732970000000000",
        "20260916000123",
        "202609160000123",
        "0000123456789",
        "12345678901234567890",
        "5f0c3a52-6a0b-4d53-9d5e-138001380001",
        "sha256:" + "13800138000a" * 5 + "1380",
        "91433101MA4L000000",
        "@dispatch",
        "",
    ],
)
def test_numbers_of_work_are_nobodys(text: str) -> None:
    assert kind_in(text) is None


@given(st.uuids(), st.binary(min_size=32, max_size=32), st.datetimes(), st.integers(0, 10**9), st.dates())
def test_ids_digests_times_amounts_and_case_numbers_are_nobodys(
    id_: UUID, digest: bytes, at: Any, position: int, day: date
) -> None:
    for text in (str(id_), f"sha256:{digest.hex()}", f"{at.isoformat()}+08:00", str(position), day.isoformat()):
        assert kind_in(text) is None, text
    assert kind_in(f"case BX-{day.year}-{position % 10**6:06d} of {day} until {day + timedelta(days=1)}") is None


@given(st.integers(0, 10**15 - 1))
def test_a_number_of_a_card_whose_check_digit_is_wrong_is_no_card(number: int) -> None:
    digits = f"62{number:015d}"
    right = digits + luhn_digit(digits)
    assert kind_in(right) in ("bank-card", "identity-number")
    wrong = digits + str((int(right[-1]) + 1) % 10)
    assert kind_in(wrong) != "bank-card"


def _stored() -> Iterator[tuple[str, Any]]:
    for file in sorted(HISTORIES.glob("*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            yield f"{file.stem} {number}", json.loads(line)
    for file in sorted(SHIPPED.rglob("*.json")):
        yield file.name, json.loads(file.read_text(encoding="utf-8"))


def test_no_id_of_histories_and_shipped_documents_is_a_false_alarm() -> None:
    looked = 0
    for where, document in _stored():
        looked += 1
        assert list(find(document, where)) == []
    assert looked > 500


@dataclass(frozen=True)
class Place:
    note: str
    table: dict[str, tuple[str, ...]]
    count: int


def test_a_finding_names_the_kind_and_the_place_and_never_the_value() -> None:
    place = Place("电话 138 0013 8000", {"x": ("fine", "a@example.com"), "0743-8220000": ("fine",)}, 13800138000)
    found = list(find(place, "site"))
    assert found == [
        PersonalValue("mobile", "site.note"),
        PersonalValue("email", "site.table.x[1]"),
        PersonalValue("landline", "site.table key 1"),
    ]
    with pytest.raises(PersonalValueFound) as refused:
        require_impersonal({"0743-8220000": "13800138000"}, "table")
    said = f"{refused.value} {refused.value.__reduce__()}"
    assert "8220000" not in said
    assert "13800138000" not in said
    assert "a telephone number with its area code" in said
    assert "8220000" not in str(list(find({"0743-8220000": "13800138000"}, "table")))
