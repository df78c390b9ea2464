"""Stages of a connection during which a standard may let the clock stand.

None does in our own standard: a stage is our work, and the published five days cover it (our decision). The dial is for
asking what another standard would have meant, and for a utility that publishes its promise without a stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

from domain.connections.case import Connection
from domain.deadlines.limits import ClockStop
from domain.kernel.facts import Moment, Name
from domain.standard.standards import Standard

STAGES: Mapping[str, Name] = {
    "survey": Name("勘察", "survey"),
    "design": Name("设计", "design"),
    "payment": Name("待缴费", "payment"),
    "construction": Name("施工", "construction"),
    "inspection": Name("验收", "inspection"),
}
"""From admission to the first survey; from there to the design; while a quote is unpaid; while it
is built; from completion to the passed final inspection."""


def stage_stops(case: Connection, standard: Standard) -> tuple[ClockStop, ...]:
    """The stretches of the case's uncounted stages, in order of the stages' table."""
    return tuple(
        ClockStop(
            since.at, until.at if until else None, standard.connection.uncounted_stages[stage], _by(since, until), stage
        )
        for stage in STAGES
        if stage in standard.connection.uncounted_stages
        for since, until in _stretches(case, stage)
        if until is None or until.at > since.at
    )


def _stretches(case: Connection, stage: str) -> Iterator[tuple[Moment, Moment | None]]:
    if stage == "payment":
        yield from case.unpaid
        return
    surveyed = min((moment for moment, _ in case.surveys), default=None)
    passed = min((moment for moment, is_passed in case.inspections if is_passed), default=None)
    begun, ended = {
        "survey": (case.admitted, surveyed),
        "design": (surveyed, case.design),
        "construction": (case.construction_started, case.construction_completed),
        "inspection": (case.construction_completed, passed),
    }[stage]
    if begun is not None:
        yield begun, ended


def _by(since: Moment, until: Moment | None) -> tuple[UUID, ...]:
    return (since.by, until.by) if until is not None else (since.by,)
