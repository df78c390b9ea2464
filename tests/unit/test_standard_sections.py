"""A standard is read in sections and published as one flat document: both say the same, each field in one place."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.standard.flat import SECTIONS, StandardPublished, as_published, in_sections, with_changes
from domain.standard.sections.common import CommonSection
from domain.standard.standards import Standard
from infra.eventstore.documents import trial_standard_of
from infra.eventstore.shipped_rules import shipped_standard, shipped_standards, shipped_trials

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
changes = st.lists(st.sampled_from(FLAT_FIELDS), max_size=6, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.from_type(TYPES[name]) for name in names})
)


def test_each_field_of_the_document_belongs_to_exactly_one_section() -> None:
    found = Counter(each.name for section in (CommonSection, *SECTIONS.values()) for each in fields(section))
    assert found == Counter(FLAT_FIELDS)


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
