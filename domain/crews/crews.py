"""Repair crews 抢修班组: skills, shifts, where one was last, and the incident that it is on: one at a time.

That a crew is never on two incidents at once is our decision. Each crew is a stream of its own, written in the
transaction that dispatches it; so of dispatchers who send it at the same instant one is first. Before any crew was
formed every crew may be sent: its stream begins with the incident (``domain.crews.register``). Of where a crew is only
the district is kept, never a position.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from domain.crews.refusals import CrewBusy, CrewNotFormed, CrewUnchanged, NoShiftRunning, ShiftRunning, UnknownSkill
from domain.crews.register import require_formed
from domain.kernel.facts import Recorded, fact
from domain.kernel.fields import CaseId, CaseNumber, ChineseName, CrewCode, Flags
from domain.standard.context import CommandContext, require_power
from domain.standard.standards import Standard, district, require_not_future
from domain.standard.values import require_clean, require_codes, require_known, require_said

Freed = Literal["completed", "declined", "reassigned", "closed", "handed-over"]
"""Why a crew is free of an incident."""


# ---- facts


@fact("组建班组", "crew formed", topic="crew")
class CrewFormed:
    """The crew is put together, or changed. ``skills``: codes of the standard; ``lead``: a staff id."""

    crew: CrewCode
    name_zh: ChineseName
    skills: Annotated[tuple[str, ...], "What the crew can do, as codes of the standard."]
    lead: Annotated[str, "Actor id of who leads the crew."]


@fact("上班", "shift started", topic="crew")
class ShiftStarted:
    """The crew is at work."""

    crew: CrewCode


@fact("下班", "shift ended", topic="crew")
class ShiftEnded:
    """The crew is off work."""

    crew: CrewCode


@fact("班组位置", "crew located", topic="crew")
class CrewLocated:
    """The crew's last fix lay in that district; no coordinates are kept."""

    crew: CrewCode
    district: Annotated[str, "Code of the district."]
    flags: Flags = ()


@fact("班组派往", "crew assigned", topic="crew")
class CrewAssigned:
    """The crew is on that incident, and on no other."""

    crew: CrewCode
    case_id: CaseId
    case_number: CaseNumber


@fact("班组返回", "crew released", topic="crew")
class CrewReleased:
    """The crew is free of that incident."""

    case_id: CaseId
    reason: Annotated[Freed, "Why the crew is free: completed, closed, reassigned, declined or handed-over."]


# ---- state


@dataclass(frozen=True, slots=True)
class Assignment:
    """The incident that a crew is on."""

    case_id: UUID
    case_number: str


@dataclass(frozen=True, slots=True)
class Crew:
    """A crew as it stands. ``number`` is its code; ``on_shift`` None: never told; ``district``: of the latest fix."""

    number: str
    name_zh: str = ""
    skills: tuple[str, ...] = ()
    lead: str = ""
    on_shift: bool | None = None
    district: str | None = None
    located_at: datetime | None = None
    assignment: Assignment | None = None

    @property
    def formed(self) -> bool:
        """Whether somebody put it together; else it was only ever sent."""
        return self.lead != ""


def evolve(state: Crew | None, recorded: Recorded) -> Crew | None:
    """The crew after a fact of its stream; never refuses."""
    fact = recorded.fact
    match fact:
        case CrewFormed(crew, name_zh, skills, lead):
            return replace(state or Crew(crew), name_zh=name_zh, skills=skills, lead=lead)
        case ShiftStarted(crew):
            return replace(state or Crew(crew), on_shift=True)
        case ShiftEnded(crew):
            return replace(state or Crew(crew), on_shift=False)
        case CrewLocated(crew, where):
            return _located(state or Crew(crew), where, recorded.happened_at)
        case CrewAssigned(crew, case_id, case_number):
            return replace(state or Crew(crew), assignment=Assignment(case_id, case_number))
        case CrewReleased(case_id) if is_on(state, case_id):
            return _free(state)
        case _:
            return state


def _located(crew: Crew, where: str, at: datetime) -> Crew:
    # A phone that was without a net tells an old fix late: it does not replace a newer one.
    if crew.located_at is not None and at < crew.located_at:
        return crew
    return replace(crew, district=where, located_at=at)


def is_on(state: Crew | None, case_id: UUID) -> bool:
    """Whether the crew is on that incident."""
    return state is not None and state.assignment is not None and state.assignment.case_id == case_id


def is_elsewhere(state: Crew | None, case_id: UUID) -> bool:
    """Whether the crew is on another incident than that one."""
    return state is not None and state.assignment is not None and state.assignment.case_id != case_id


def _free(state: Crew | None) -> Crew | None:
    return replace(state, assignment=None) if state is not None else None


# ---- decisions: the crew itself


def form(
    state: Crew | None, ctx: CommandContext, *, crew: str, name_zh: str, skills: Sequence[str], lead: str
) -> CrewFormed:
    """Put a crew together, or change it.

    Refuses ``wrong-role``, ``unknown-skill``, ``code-twice``, ``bad-text``, ``crew-unchanged``.
    """
    require_power(ctx, "crew.form")
    for skill in skills:
        require_known(UnknownSkill, skill, ctx.standard.crews.crew_skills)
    require_codes("the skills", skills)
    fact = CrewFormed(crew, name_zh, tuple(skills), lead)
    require_clean(fact)
    require_said("the crew's name", name_zh)
    if state is not None and (state.name_zh, state.skills, state.lead) == (name_zh, fact.skills, lead):
        raise CrewUnchanged(crew)
    return fact


def start_shift(state: Crew | None, ctx: CommandContext, *, crew: str) -> ShiftStarted:
    """The crew begins work. Refuses ``wrong-role``, ``crew-not-formed``, ``future-time``, ``shift-running``."""
    if _for_shift(state, ctx, crew).on_shift:
        raise ShiftRunning(crew)
    return ShiftStarted(crew)


def end_shift(state: Crew | None, ctx: CommandContext, *, crew: str) -> ShiftEnded:
    """The crew goes home; what it is on stays its own until somebody else is sent.

    Refuses ``wrong-role``, ``crew-not-formed``, ``future-time``, ``no-shift-running``.
    """
    if not _for_shift(state, ctx, crew).on_shift:
        raise NoShiftRunning(crew)
    return ShiftEnded(crew)


def _for_shift(state: Crew | None, ctx: CommandContext, crew: str) -> Crew:
    require_power(ctx, "crew.shift")
    require_not_future(ctx.standard, ctx.happened_at, ctx.at)
    if state is None or not state.formed:
        raise CrewNotFormed(crew)
    return state


def locate(state: Crew | None, ctx: CommandContext, *, crew: str, district_code: str) -> CrewLocated:
    """Where the crew's phone had its last fix. Refuses ``wrong-role``, ``future-time``, ``unknown-district``,
    ``unknown-crew``."""
    require_power(ctx, "crew.locate")
    require_not_future(ctx.standard, ctx.happened_at, ctx.at)
    district(ctx.standard, district_code)
    return CrewLocated(crew, district_code, require_formed(ctx, crew))


# ---- decisions: one incident at a time


def assign(state: Crew | None, *, crew: str, case_id: UUID, case_number: str) -> CrewAssigned:
    """Put the crew on an incident. Refuses ``crew-busy``, naming the other incident."""
    if state is not None and state.assignment is not None and is_elsewhere(state, case_id):
        other = state.assignment
        raise CrewBusy(crew, other)
    return CrewAssigned(crew, case_id, case_number)


def release(state: Crew | None, *, case_id: UUID, reason: Freed) -> CrewReleased | None:
    """Free the crew of an incident; None where it is not on that one."""
    return CrewReleased(case_id, reason) if is_on(state, case_id) else None


def without(state: Crew | None, case_id: UUID) -> Crew | None:
    """The crew as if it were free of that incident: what one that is taken away from there is assigned against."""
    return _free(state) if is_on(state, case_id) else state


# ---- suggestions


@dataclass(frozen=True, slots=True)
class Free:
    """A crew that could be sent. ``district``: of its last fix, taken ``age`` ago; None: never known."""

    crew: str
    skills: tuple[str, ...]
    district: str | None
    age: timedelta | None


def nearest(free: Iterable[Free], standard: Standard, *, to: str, skill: str | None = None) -> list[Free]:
    """Free crews with the skill, the nearest first: last seen in the district itself, then in its zone, then elsewhere,
    then nowhere; of equals the one whose fix is fresher. Our decision: nobody's track is kept to do better.

    Refuses ``unknown-district``, ``unknown-skill``.
    """
    zone = district(standard, to).zone
    if skill is not None:
        require_known(UnknownSkill, skill, standard.crews.crew_skills)

    def distance(crew: Free) -> tuple[int, timedelta, str]:
        known = standard.districts.get(crew.district or "")
        step = 3 if known is None else 0 if crew.district == to else 1 if known.zone == zone else 2
        return step, crew.age if crew.age is not None else timedelta.max, crew.crew

    return sorted((crew for crew in free if skill is None or skill in crew.skills), key=distance)
