"""Why a promise's verdict stands as it does: a bar of what counts and what does not, the same in words, and the law
behind it; now, or as it was known at an instant.

Nothing is counted here: the API tells the parts of the verdict, and the bar is drawn from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from fastapi.responses import Response
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.calls import ApiRefused, at
from api.pages.case import chosen_instant
from api.pages.language import split_title
from api.pages.page import CHINA, PageOf, page
from domain.connections.stages import STAGES
from domain.kernel.facts import Name
from domain.kernel.law import LEGAL_RULES
from projections import names
from projections.reports.explain import OUTCOMES, RULES, VERDICTS

routes: list[Route] = []

RULE_NAMES: Mapping[str, Name] = {code: split_title(words) for code, words in RULES.items()}
OUTCOME_NAMES: Mapping[str, Name] = {code: split_title(words) for code, words in OUTCOMES.items()}
VERDICT_NAMES: Mapping[str, Name] = {code: Name(zh, code) for code, zh in VERDICTS.items()}
VERDICT_TONES: Mapping[str, str] = {"lapsed": "bad", "escalated": "bad", "nearing": "near", "met": "good"}
MOST_OVER = 0.5
"""How much of the limit's own length is drawn beyond its end: a limit of 30 minutes may be over by days."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a limit that is counted, or is not. ``number``: the first and the last working day that it is, where it
    is some; ``by``: ids of the events that made it so."""

    since: datetime
    until: datetime
    rule: str
    counted: bool
    numbers: tuple[int, int] | None = None
    name: str | None = None
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A rectangle of the bar: from ``x``, ``width`` wide, both in percent of the bar. ``tone``: counted, uncounted or
    over; ``label``: which working day it is."""

    x: float
    width: float
    tone: str
    to_come: bool
    label: str
    since: datetime
    until: datetime
    rule: str

    @property
    def middle(self) -> float:
        """Where its label stands, in percent of the bar."""
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Bar:
    """A term as a picture. ``marks``: what ("due", "met", "as-of") → where, in percent; ``cut``: it was over for longer
    than is drawn."""

    segments: Sequence[Segment]
    marks: Mapping[str, float]
    cut: bool


@page("/cases/{case_id:uuid}/promises/{commitment}", into=routes)
async def promise(opened: PageOf) -> Response:
    """Why a window of a case stands as it does, or stood at an instant."""
    case_id, commitment = str(opened.request.path_params["case_id"]), opened.request.path_params["commitment"]
    path = at("cases", case_id, "windows", commitment)
    newest = await opened.calls.get(path)
    instants = instants_of(newest["window"])
    wanted = chosen_instant(opened, instants)
    found, problem = newest, None
    if wanted:
        try:
            found = await opened.calls.get(path, as_of=wanted)
        except ApiRefused as refused:
            note_outcome(opened.request.scope, refused.code)
            found, problem = newest, refused
    window = found["window"]
    return opened.render(
        "explained.html",
        status=problem.status if problem is not None else 200,
        problem=problem.problem if problem is not None else None,
        case_id=case_id,
        found=found,
        window=window,
        newest=newest["window"],
        as_of=wanted if problem is None else "",
        instants=instants,
        terms=[
            {
                "term": each,
                "bar": bar_of(each, window),
                "rows": [(one, one.since >= reached_in(each, window)) for one in merged(each)],
            }
            for each in window["terms"]
        ],
        events={each["event_id"]: each for each in window["events"]},
        rules=RULE_NAMES,
        outcomes=OUTCOME_NAMES,
        verdicts=VERDICT_NAMES,
        verdict_tones=VERDICT_TONES,
        legal={**LEGAL_RULES, **names.COMMITMENTS},
        pauses=_pauses(opened),
        one_second=timedelta(seconds=1),
    )


def instants_of(window: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The instants at which what is known of the window changed, the latest first: ``at`` in ISO 8601, exactly as it is
    on record, and the ``facts``, ``verdicts`` and ``calendars`` that came then."""
    found: dict[str, dict[str, Any]] = {}

    def entry(instant: str) -> dict[str, Any]:
        return found.setdefault(instant, {"at": instant, "facts": [], "verdicts": [], "calendars": []})

    for each in window["events"]:
        entry(each["recorded_at"])["facts"].append(each["fact"])
    for each in window["verdicts"]:
        entry(each["recorded_at"])["verdicts"].append(each["verdict"])
    first = min((datetime.fromisoformat(each) for each in found), default=None)
    for step in (step for term in window["terms"] for step in term["calendars"]):
        if first is not None and datetime.fromisoformat(step["published_at"]) > first:
            calendars = entry(step["published_at"])["calendars"]
            calendars += [] if step["calendar"] in calendars else [step["calendar"]]
    return sorted(found.values(), key=lambda each: datetime.fromisoformat(each["at"]), reverse=True)


# ---- the bar


def stretches(term: Mapping[str, Any]) -> Iterator[Stretch]:
    """The parts of a term, day by day or span by span, as the API has them."""
    for each in term["days"]:
        start = datetime.combine(date.fromisoformat(each["day"]), time(), CHINA)
        number = each["number"]
        yield Stretch(
            start,
            start + timedelta(days=1),
            each["rule"],
            number is not None,
            (number, number) if number is not None else None,
            each["name"],
            tuple(each["by"]),
        )
    for each in term["spans"]:
        since, until = datetime.fromisoformat(each["since"]), datetime.fromisoformat(each["until"])
        yield Stretch(since, until, each["rule"], each["counted"], by=tuple(each["by"]))


def merged(term: Mapping[str, Any]) -> list[Stretch]:
    """The same with days that follow each other and are alike in one, to be said in words."""
    found = []
    for _, group in groupby(stretches(term), key=lambda each: (each.rule, each.counted, each.name, each.by)):
        same = list(group)
        first, last = same[0], same[-1]
        numbers = (first.numbers[0], last.numbers[1]) if first.numbers and last.numbers else None
        if term["spans"] and len(same) > 1:
            found += same
        else:
            found.append(Stretch(first.since, last.until, first.rule, first.counted, numbers, first.name, first.by))
    return found


def bar_of(term: Mapping[str, Any], window: Mapping[str, Any]) -> Bar | None:
    """The bar of a term; None where it had no end, so that nothing was counted."""
    parts = list(stretches(term))
    if not parts or term["due_at"] is None:
        return None
    as_of, due_at = datetime.fromisoformat(window["as_of"]), datetime.fromisoformat(term["due_at"])
    met_at, reached = _instant(window["met_at"]), reached_in(term, window)
    start, end = parts[0].since, max(parts[-1].until, due_at)
    over = _instant(term["overrun_until"])
    most = due_at + (due_at - start) * MOST_OVER
    cut = over is not None and over > most
    shown = min(over, most) if over is not None else None
    end = max(end, shown) if shown is not None else end
    whole = (end - start) / timedelta(seconds=1) or 1.0

    def place(instant: datetime) -> float:
        return round(max(0.0, min(100.0, (instant - start) / timedelta(seconds=1) / whole * 100)), 3)

    segments = [
        Segment(
            place(since),
            round(place(until) - place(since), 3),
            "counted" if each.counted else "uncounted",
            since >= reached,
            str(each.numbers[0]) if each.numbers and since == each.since else "",
            since,
            until,
            each.rule,
        )
        for each in parts
        for since, until in _cut(each, reached)
    ]
    if shown is not None and over is not None:
        width = round(place(shown) - place(due_at), 3)
        segments.append(Segment(place(due_at), width, "over", False, "", due_at, over, "over"))
    marks = {"due": place(due_at)}
    if met_at is not None and start <= met_at and term["replaced_at"] is None:
        marks["met"] = place(met_at)
    if start <= as_of <= end and reached == as_of:
        marks["as-of"] = place(as_of)
    return Bar(segments, marks, cut)


def reached_in(term: Mapping[str, Any], window: Mapping[str, Any]) -> datetime:
    """Until when time went by in a term: until it was replaced, met, or until the instant that is asked about."""
    ends = [_instant(window["as_of"]), _instant(term["replaced_at"])]
    ends += [_instant(window["met_at"])] if term["replaced_at"] is None else []
    return min(each for each in ends if each is not None)


def _cut(part: Stretch, instant: datetime) -> list[tuple[datetime, datetime]]:
    """The stretch, in two where the instant lies within it."""
    if not part.since < instant < part.until:
        return [(part.since, part.until)]
    return [(part.since, instant), (instant, part.until)]


def _instant(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value is not None else None


def _pauses(opened: PageOf) -> Mapping[str, Name]:
    """Why the clock may stand: the standard's reasons, and stages of the work that are not counted."""
    reasons = opened.standard.connection.pause_reasons
    return {**{code: Name(each.name_zh, code) for code, each in reasons.items()}, **STAGES}
