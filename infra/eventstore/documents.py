"""Documents that people hand over as JSON files: standards, fee catalogues, holiday notices, law. Read strictly.

msgspec leaves out what it does not know; a misspelt table of a standard would then be empty without anybody noticing.
So a document is refused where it has a field that its form does not, or lacks one of a standard's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from domain.deadlines.calendar import Day
from domain.kernel.law import Law
from domain.publication.calendars import HolidayNotice
from domain.standard.fees import Catalogue
from domain.standard.flat import StandardPublished, as_published, in_sections
from domain.standard.standards import Standard
from infra.decoders import converter

T = TypeVar("T")
D = TypeVar("D", Standard, Catalogue)
FILE_LIMIT_BYTES = 1024 * 1024
# What the holiday-cn data set says about itself; nothing of it moves a day.
_ABOUT_THE_FILE = frozenset({"$schema", "$id", "papers", "source", "region"})


class DocumentError(Exception):
    """A document that does not have the form it needs; says where, and never what is written there."""


def standard_of(raw: bytes) -> Standard:
    """A whole standard, in the form of infra/data/standard-0225.json. Raises DocumentError."""
    parsed = _object(raw)
    absent = [field.name for field in fields(StandardPublished) if field.name not in parsed]
    if absent:
        raise DocumentError(f"a standard is published whole; it lacks {', '.join(absent)}")
    return _with_offset(in_sections(_strict(parsed, StandardPublished, _STANDARD)))


def trial_standard_of(raw: bytes, published: Mapping[str, Standard], in_force: str) -> Standard:
    """A standard to be tried: a whole one or, where it has a ``based_on``, what differs from a published version
    (``in-force``: the one in force). Tables are merged key by key, everything else is replaced; ``about`` is for
    whoever reads the file. Raises DocumentError."""
    parsed = _object(raw)
    about = parsed.pop("about", "")
    if not isinstance(about, str):
        raise DocumentError("Expected `str` - at `$.about`")
    if "based_on" not in parsed:
        return standard_of(json.dumps(parsed).encode())
    base = parsed.pop("based_on")
    base = in_force if base == "in-force" else base
    if not isinstance(base, str) or base not in published:
        known = ", ".join(["in-force", *sorted(published)])
        raise DocumentError(f"based_on names no published standard, found {str(base)[:40]!r}; needed one of {known}")
    whole = msgspec.to_builtins(as_published(published[base]))
    return standard_of(json.dumps(_merged(whole, parsed)).encode())


def _merged(whole: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The document with its changes; None is a value like any other."""
    made = dict(whole)
    for name, value in changes.items():
        known = made.get(name)
        made[name] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return made


def catalogue_of(raw: bytes) -> Catalogue:
    """A fee catalogue, in the form of infra/data/fees-0225.json. Raises DocumentError."""
    return _with_offset(_strict(_object(raw), Catalogue, _CATALOGUE))


def _with_offset(document: D) -> D:
    """The document, which says from which instant on it is in force, not from which hour of some place."""
    if document.effective_from.tzinfo is None:
        raise DocumentError("Expected an offset from UTC, as in 2027-01-01T00:00:00+08:00 - at `$.effective_from`")
    return document


def law_of(raw: bytes) -> Law:
    """A version of the law, in the form of infra/data/law.json. Raises DocumentError."""
    return _strict(_object(raw), Law, _LAW)


def notice_of(raw: bytes) -> HolidayNotice:
    """A year's notice in the form of the holiday-cn data set. Raises DocumentError."""
    parsed = _object(raw)
    found = {name: value for name, value in parsed.items() if name not in _ABOUT_THE_FILE}
    return notice_from(_strict(found, HolidayFile, _HOLIDAYS))


class HolidayDay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One day of a notice, as the data set writes it."""

    name: str
    date: date
    isOffDay: bool  # noqa: N815 the data set's own spelling


class HolidayFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A year's notice, as the data set writes it; ``time_zone`` is ours, for a country that is not on China's."""

    year: int
    days: tuple[HolidayDay, ...]
    time_zone: str | None = None


_STANDARD = converter(StandardPublished)
_CATALOGUE = converter(Catalogue)
_LAW = converter(Law)
_HOLIDAYS = converter(HolidayFile)


def notice_from(file: HolidayFile) -> HolidayNotice:
    """The notice that a file of the data set is of."""
    days = tuple(Day(day.date, day.isOffDay, day.name) for day in file.days)
    return HolidayNotice(file.year, days, file.time_zone)


def _object(raw: bytes) -> dict[str, Any]:
    if len(raw) > FILE_LIMIT_BYTES:
        raise DocumentError(f"more than {FILE_LIMIT_BYTES} bytes")
    try:
        parsed = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"not one JSON object in UTF-8: {type(error).__name__}") from None
    if not isinstance(parsed, dict):
        raise DocumentError("not one JSON object")
    return parsed


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a field that is given twice")
    return made


def _strict(parsed: dict[str, Any], form: type[T], read: Callable[[Any], T]) -> T:
    _require_known_fields(parsed, form, "")
    try:
        return read(parsed)
    except msgspec.ValidationError as error:
        raise DocumentError(str(error)) from None


def _require_known_fields(value: Any, form: Any, where: str) -> None:
    """Refuse a field that the dataclass at that place does not have."""
    if is_dataclass(form) and isinstance(form, type) and isinstance(value, dict):
        hints = get_type_hints(form)
        for name, inner in value.items():
            if name not in hints:
                raise DocumentError(f"an unknown field {where + name[:40]!r}")
            _require_known_fields(inner, hints[name], f"{where}{name}.")
    elif isinstance(value, dict) and _is_mapping(form):
        for inner in value.values():
            _require_known_fields(inner, get_args(form)[1], where)
    elif isinstance(value, list):
        for inner in value:
            _require_known_fields(inner, get_args(form)[0] if get_args(form) else form, where)
    else:
        for option in get_args(form):
            if is_dataclass(option):
                _require_known_fields(value, option, where)


def _is_mapping(form: Any) -> bool:
    origin = get_origin(form)
    return isinstance(origin, type) and issubclass(origin, Mapping)
