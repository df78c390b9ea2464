"""Documents from files: whole, without a field that nobody knows, and said where they are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest

from app.admin import calendar_wanted
from infra.eventstore.documents import FILE_LIMIT_BYTES, DocumentError, catalogue_of, notice_of, standard_of
from infra.eventstore.shipped_rules import shipped_catalogue, shipped_standard


def shipped(name: str) -> bytes:
    return (resources.files("infra") / "data" / name).read_bytes()


STANDARD: dict[str, Any] = json.loads(shipped("standard-0225.json"))
CATALOGUE: dict[str, Any] = json.loads(shipped("fees-0225.json"))
NOTICE: dict[str, Any] = json.loads(shipped("holiday-cn/2026.json"))


def test_the_shipped_files_are_read() -> None:
    assert standard_of(shipped("standard-0225.json")) == shipped_standard()
    assert catalogue_of(shipped("fees-0225.json")).items == shipped_catalogue().items
    assert notice_of(shipped("holiday-cn/2026.json")).year == 2026
    assert notice_of(shipped("regions/CN-Xiangxi.json")).days[0].name == "州庆"


@pytest.mark.parametrize("table", sorted(STANDARD))
def test_a_standard_is_published_whole(table: str) -> None:
    lacking = {name: value for name, value in STANDARD.items() if name != table}
    with pytest.raises(DocumentError, match=table):
        standard_of(json.dumps(lacking).encode())


@pytest.mark.parametrize(
    ("read", "document"),
    [
        (standard_of, STANDARD | {"ladder": {}}),
        (standard_of, STANDARD | {"promise": STANDARD["promise"] | {"trips": 1}}),
        (standard_of, STANDARD | {"documents": {"private": [{**STANDARD["documents"]["private"][0], "mian": True}]}}),
        (catalogue_of, CATALOGUE | {"items": [CATALOGUE["items"][0] | {"cap": 1}]}),
        (notice_of, NOTICE | {"holidays": []}),
        (notice_of, NOTICE | {"days": [NOTICE["days"][0] | {"off": True}]}),
    ],
)
def test_a_field_that_nobody_knows_is_not_passed_over(read: Callable[[bytes], object], document: Any) -> None:
    with pytest.raises(DocumentError, match="unknown field"):
        read(json.dumps(document).encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"year": 2026, "year": 2027, "days": []}',
        b"[" * 100_000,
        b'{"year": "2026", "days": []}',
        b'{"year": 2026, "days": [{"name": "x", "date": "2026-02-30", "isOffDay": true}]}',
        b'{"year": 2026, "days": [{"name": "x", "date": "2026-02-03", "isOffDay": "yes"}]}',
        b" " * (FILE_LIMIT_BYTES + 1),
    ],
    ids=lambda raw: f"{len(raw)}-{raw[:12]!r}",
)
def test_what_is_no_notice_is_refused_and_not_repeated(raw: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        notice_of(raw)
    assert len(str(caught.value)) < 300


def test_the_source_of_a_notice_is_its_papers_unless_somebody_says_otherwise() -> None:
    raw = shipped("holiday-cn/2026.json")
    assert calendar_wanted(raw, "2026.json", region="CN", source=None, version=None).source == NOTICE["papers"][0]
    assert calendar_wanted(raw, "2026.json", region="CN", source="通知", version=None).source == "通知"
    bare = json.dumps({"year": 2027, "days": []}).encode()
    assert calendar_wanted(bare, "next.json", region="CN", source=None, version=None).source == "next.json"


def test_a_file_of_another_region_is_not_loaded_into_this_one() -> None:
    with pytest.raises(DocumentError, match="CN-Xiangxi"):
        calendar_wanted(shipped("regions/CN-Xiangxi.json"), "x.json", region="CN", source=None, version=None)
