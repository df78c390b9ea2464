"""A standard is read in sections and published as one flat document: both say the same, each field in one place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.refusals import Refusal
from domain.standard.flat import SECTIONS, StandardPublished, as_published, in_sections, with_changes
from domain.standard.sections.alerting import AlertPolicy
from domain.standard.sections.common import CommonSection
from domain.standard.sections.metering import ReadingPolicy
from domain.standard.standards import Standard
from domain.standard.values import Between, Codes
from infra.eventstore.documents import trial_standard_of
from infra.eventstore.shipped_rules import shipped_standards, shipped_trials

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "api" / "contract" / "v1" / "schemas" / "water.public.StandardPublished.v1.json"
NEWEST = shipped_standards()[-1]
SHIPPED = (
    *shipped_standards(),
    *(trial_standard_of(raw, {NEWEST.version: NEWEST}, NEWEST.version) for raw in shipped_trials().values()),
)
FLAT_FIELDS = [each.name for each in fields(StandardPublished)]
TYPES = get_type_hints(StandardPublished)
# Some fields of any value at all, the others as they are shipped.
changes = st.lists(st.sampled_from(FLAT_FIELDS), min_size=5, max_size=15, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.from_type(TYPES[name]) for name in names})
)


def test_each_field_of_the_document_belongs_to_exactly_one_section() -> None:
    found = Counter(each.name for section in (CommonSection, *SECTIONS.values()) for each in fields(section))
    assert found == Counter(FLAT_FIELDS)


NAMES_OF_THE_PROGRAM = {"ladders", "notify_on_lapse", "escalations", "powers"}
"""Tables by promise or power: what is in them is compared with what the program knows."""
OF_OTHERS = {"order_sources"}
"""Tables by a name that others gave: 12345 is no code of ours."""
BY_OTHER_FIELDS = {"compared_at_least"}
"""Numbers whose bounds are not fixed."""


def parts() -> Iterator[type]:
    """The sections, and the dataclasses that are the value of a field of theirs."""
    for section in (CommonSection, *SECTIONS.values()):
        yield section
        for hint in get_type_hints(section).values():
            for one in get_args(hint) if get_origin(hint) is UnionType else (hint,):
                if is_dataclass(one) and isinstance(one, type):
                    yield one


def said(form: type, name: str) -> tuple[Any, ...]:
    """What the annotation of a field says beside its type."""
    return getattr(get_type_hints(form, include_extras=True)[name], "__metadata__", ())


def test_every_number_has_its_bounds_and_every_table_of_codes_is_known_as_one() -> None:
    unbounded, unnamed = set(), set()
    for form in {*parts()}:
        for name, hint in get_type_hints(form).items():
            marks = {type(each) for each in said(form, name)}
            is_table = get_origin(hint) is Mapping and get_args(hint)[0] is str
            if hint in (int, int | None) and Between not in marks:
                unbounded.add(name)
            if is_table and Codes not in marks and form is not AlertPolicy:
                unnamed.add(name)
    assert unbounded == BY_OTHER_FIELDS, "say the least and the most in the annotation: Between(least, most)"
    assert unnamed == NAMES_OF_THE_PROGRAM | OF_OTHERS, "say in the annotation that its keys are codes: Codes()"


def test_each_section_looks_at_itself() -> None:
    shipped = shipped_standards()[0]
    for section, change, code in (
        ("repair", {"geofence_metres": 0}, "out-of-range"),
        ("connection", {"applicant_categories": {}}, "table-empty"),
        ("metering", {"readings": ReadingPolicy(zero_hours=-1)}, "out-of-range"),
        ("outages", {"notice_ways": {"Pigeon": "信鸽"}}, "bad-code"),
        ("alerting", {"notify_on_lapse": {"repair.arrival": ("king",)}}, "unknown-role"),
        ("crews", {"squads": {}}, "table-empty"),
    ):
        own = getattr(shipped, section)
        own.require_sound()
        with pytest.raises(Refusal, match=f"^{code}: "):
            replace(own, **change).require_sound()
        with pytest.raises(Refusal, match=f"^{code}: "):
            with_changes(shipped, **change).require_sound()
    with pytest.raises(Refusal, match=r"^bad-day: "):
        replace(shipped, calendar_warning_from="11-31").require_sound()


def test_the_document_has_each_field_as_its_section_says_it() -> None:
    flat = get_type_hints(StandardPublished, include_extras=True)
    whole: dict[str, Any] = {}
    for section in (CommonSection, *SECTIONS.values()):
        whole |= get_type_hints(section, include_extras=True)
    assert flat == whole
    for section in (CommonSection, *SECTIONS.values()):
        for each in fields(section):
            published = next(other for other in fields(StandardPublished) if other.name == each.name)
            assert (published.default, published.default_factory) == (each.default, each.default_factory), each.name


def test_the_fields_stand_in_the_order_in_which_they_are_published() -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))["properties"]["data"]["properties"]
    assert list(published) == FLAT_FIELDS


@pytest.mark.parametrize("standard", SHIPPED, ids=lambda standard: standard.version)
def test_a_shipped_standard_is_the_same_in_sections_and_flat(standard: Standard) -> None:
    document = as_published(standard)
    assert in_sections(document) == standard
    assert msgspec.json.encode(as_published(in_sections(document))) == msgspec.json.encode(document)


@given(st.sampled_from(SHIPPED), changes)
def test_any_document_is_the_same_after_it_was_in_sections(standard: Standard, changed: dict[str, Any]) -> None:
    document = replace(as_published(standard), **changed)
    assert as_published(in_sections(document)) == document
    assert with_changes(standard, **changed) == in_sections(document)
    assert {name: getattr(document, name) for name in changed} == changed


def test_a_field_that_the_document_does_not_have_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="connection_days"):
        with_changes(NEWEST, connection_days=4)
