"""Repair crews 抢修班组: formed, on shift, where last seen; and which one to send."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from api.http import described
from api.http.answers import COMMAND_ERRORS, QUERY_ERRORS, Accepted
from api.http.commanding import CommandRunner, runner_of
from api.http.dependencies import Limit, ServiceDep
from api.http.fields import Body, Code, CrewCode, HappenedAt, When
from api.http.identity import CaseScopeDep
from api.http.powers import needs
from api.http.scoping import ScopeDep
from api.http.strict import StrictRoute
from api.publication.bodies import PublicName, StaffId
from domain import kinds
from domain.crews import crews
from infra.eventstore.shipped_rules import crew_stream
from infra.sql import sql
from infra.sql.bounds import bounds_of

router = APIRouter(tags=["crews 班组"])
_commands = APIRouter(prefix="/api/v1/crews", route_class=StrictRoute, responses=COMMAND_ERRORS)
_queries = APIRouter(prefix="/api/v1/crews", route_class=StrictRoute, responses=QUERY_ERRORS)

Runner = Annotated[CommandRunner, Depends(runner_of(kinds.CREW))]
CrewPath = Annotated[CrewCode, Path(description="the crew's code")]
MOST_SUGGESTED = 20


class CrewForm(Body):
    """A crew: its name, what it can do, who leads it."""

    crew: CrewCode
    name_zh: Annotated[PublicName, Field(description="Its Chinese name, as people are shown it.")]
    skills: Annotated[
        list[Code],
        Field(max_length=32, examples=[["pipes"]], description="What the crew can do, as codes of the standard."),
    ]
    lead: Annotated[StaffId, Field(description="Actor id of who leads the crew.")]


class CrewFix(Body):
    """The district of the crew's last fix: no coordinates."""

    district: Annotated[Code, Field(examples=["zhenxi"], description="Code of the district.")]
    happened_at: HappenedAt = None


class Suggested(BaseModel):
    """A crew that is free and at work. ``district`` and the age of its fix in seconds, where it was ever seen."""

    crew: Annotated[str, Field(description="The crew's code.")]
    name_zh: described.ChineseName
    skills: Annotated[list[str], Field(description="What the crew can do, as codes of the standard.")]
    district: Annotated[
        str | None, Field(description="Code of the district where the crew was last seen; null where it never was.")
    ]
    seen_seconds_ago: Annotated[
        int | None, Field(description="Seconds since the last fix of the crew's phone; null where there never was one.")
    ]


class Suggestions(BaseModel):
    """Free crews, the nearest first."""

    crews: Annotated[list[Suggested], Field(description="The free crews, the nearest first.")]


class CrewRow(BaseModel):
    """A crew as it stands; read from Kafka's read model, so a moment behind the store."""

    crew: Annotated[str, Field(description="The crew's code.")]
    name_zh: Annotated[
        str, Field(description="Its Chinese name, as people are shown it; empty where nobody formed it.")
    ]
    skills: Annotated[list[str], Field(description="What the crew can do, as codes of the standard.")]
    formed: Annotated[
        bool, Field(description="Whether somebody put it together; else it was only ever sent, before any crew was.")
    ]
    on_shift: Annotated[bool | None, Field(description="Whether the crew is at work; null where it was never told.")]
    district: Annotated[
        str | None, Field(description="Code of the district where the crew was last seen; null where it never was.")
    ]
    seen_seconds_ago: Annotated[
        int | None, Field(description="Seconds since the last fix of the crew's phone; null where there never was one.")
    ]
    busy: Annotated[bool, Field(description="Whether the crew is on an incident.")]
    on_case: Annotated[
        UUID | None,
        Field(description="Id of the incident that the crew is on; null where it is free, or may not be read."),
    ]
    case_number: Annotated[
        str | None, Field(description="The number that people know that incident by; null where its id is.")
    ]


class Crews(BaseModel):
    """Every crew, by its code."""

    at: described.AnsweredAt
    crews: Annotated[list[CrewRow], Field(description="The crews, by their codes.")]
    more: described.More


@_commands.post("", status_code=201, summary="Form a crew, or change it 组建班组", openapi_extra=needs("crew.form"))
async def form(body: CrewForm, runner: Runner) -> Accepted:
    return await runner.instruct(
        crew_stream(body.crew),
        lambda crew, ctx: crews.form(
            crew, ctx, crew=body.crew, name_zh=body.name_zh, skills=body.skills, lead=body.lead
        ),
    )


@_commands.post("/{crew}/shift/start", summary="The crew begins work 上班", openapi_extra=needs("crew.shift"))
async def start_shift(crew: CrewPath, body: When, runner: Runner) -> Accepted:
    return await runner.field(crew_stream(crew), body, lambda state, ctx: crews.start_shift(state, ctx, crew=crew))


@_commands.post("/{crew}/shift/end", summary="The crew goes home 下班", openapi_extra=needs("crew.shift"))
async def end_shift(crew: CrewPath, body: When, runner: Runner) -> Accepted:
    return await runner.field(crew_stream(crew), body, lambda state, ctx: crews.end_shift(state, ctx, crew=crew))


@_commands.post(
    "/{crew}/position", summary="The district of the crew's last fix 位置", openapi_extra=needs("crew.locate")
)
async def locate(crew: CrewPath, body: CrewFix, runner: Runner) -> Accepted:
    return await runner.field(
        crew_stream(crew),
        body,
        lambda state, ctx: crews.locate(state, ctx, crew=crew, district_code=body.district),
        names_crew=True,
    )


@_queries.get(
    "", summary="The crews: skills, shift, where last seen, free or busy 班组", openapi_extra=needs("crew.read")
)
def every(service: ServiceDep, scope: ScopeDep, cases: CaseScopeDep, limit: Limit = 500) -> Crews:
    now = service.clock.now()
    with service.connection() as connection:
        asked = {"limit": limit + 1, "crew": scope.crew, **bounds_of(cases)}
        rows = connection.execute(sql("list_crews"), asked).fetchall()
    return Crews(at=now, crews=[_row(row, now) for row in rows[:limit]], more=len(rows) > limit)


@_queries.get("/suggestions", summary="The nearest free crews 派单建议", openapi_extra=needs("crew.read"))
def suggestions(
    service: ServiceDep,
    scope: ScopeDep,
    district: Annotated[str, Query(max_length=64, description="where the incident is")],
    skill: Annotated[str | None, Query(max_length=64, description="a skill that is needed")] = None,
) -> Suggestions:
    now = service.clock.now()
    with service.connection() as connection:
        rows = {row["crew"]: row for row in connection.execute(sql("free_crews")).fetchall()}
    free = [
        crews.Free(
            code,
            tuple(row["skills"]),
            row["district"],
            now - row["located_at"] if row["located_at"] is not None else None,
        )
        for code, row in rows.items()
        if scope.reaches_crew(code)
    ]
    ranked = crews.nearest(free, service.rules.in_force(now), to=district, skill=skill)
    return Suggestions(crews=[_suggested(crew, rows[crew.crew]["name_zh"]) for crew in ranked[:MOST_SUGGESTED]])


def _suggested(crew: crews.Free, name_zh: str) -> Suggested:
    return Suggested(
        crew=crew.crew,
        name_zh=name_zh,
        skills=list(crew.skills),
        district=crew.district,
        seen_seconds_ago=_seconds(crew.age),
    )


def _row(row: Mapping[str, Any], now: datetime) -> CrewRow:
    located_at = row["located_at"]
    age = now - located_at if located_at is not None else None
    known = {name: row[name] for name in CrewRow.model_fields if name != "seen_seconds_ago"}
    return CrewRow(**known, seen_seconds_ago=_seconds(age))


def _seconds(age: timedelta | None) -> int | None:
    return max(0, round(age.total_seconds())) if age is not None else None


router.include_router(_commands)
router.include_router(_queries)
