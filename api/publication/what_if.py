"""What would have become of a period's cases under another standard: the counts of ``tongshui what-if``, as JSON."""

from __future__ import annotations

import json
from datetime import date, datetime
from heapq import nsmallest
from threading import Lock
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.http.answers import COMMAND_ERRORS, documented
from api.http.dependencies import ServiceDep
from api.http.fields import Body, CivilDay, Code
from api.http.powers import needs
from api.http.refusals import TrialRuns, TrialTooLong
from api.http.strict import StrictRoute
from domain.publication.refusals import UnreadableStandard
from domain.what_if import DIMENSIONS, OUTCOMES
from infra.eventstore.documents import DocumentError
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import shipped_trials
from projections.reports.what_if import Both, Changed, Period, trial
from projections.reports.what_if_text import lapsed_by

router = APIRouter(prefix="/api/v1", tags=["publication 公开"], route_class=StrictRoute)

LONGEST_S = 20.0
"""How long a trial may take: the process answers others meanwhile, and slower."""
CHANGES_SHOWN = 50
_running = Lock()
"""Held while a trial runs: it takes a processor for itself."""


class WhatIf(Body):
    """Which standard is tried, on which cases."""

    standard: Annotated[
        dict[str, Any] | None,
        Field(description="A whole standard or, with `based_on`, what differs from a published one or `in-force`."),
    ] = None
    example: Annotated[
        Code | None,
        Field(
            examples=["four-days"],
            description="In place of it one that is shipped: " + ", ".join(sorted(shipped_trials())) + ".",
        ),
    ] = None
    first: Annotated[
        CivilDay | None, Field(description="First day in China on which a case began; null: the beginning.")
    ] = None
    last: Annotated[CivilDay | None, Field(description="Last such day, included; null: until now.")] = None


class PromiseSums(BaseModel):
    """How many promises of one kind became what, before: under the standards in force, after: under the tried one."""

    commitment: Annotated[str, Field(description="Code of the promise.")]
    lapsed_before: Annotated[int, Field(description="Ran out unmet.")]
    lapsed_after: Annotated[int, Field(description="The same under the tried standard.")]
    met_before: Annotated[int, Field(description="Were met in time.")]
    met_after: Annotated[int, Field(description="The same under the tried standard.")]
    open_before: Annotated[int, Field(description="Still run.")]
    open_after: Annotated[int, Field(description="The same under the tried standard.")]
    other_before: Annotated[int, Field(description="Have no end, are not owed, or nobody can say.")]
    other_after: Annotated[int, Field(description="The same under the tried standard.")]
    changed: Annotated[int, Field(description="Have another verdict.")]
    moved: Annotated[int, Field(description="Are due at another time, with the same verdict.")]


class LapsesOfValue(BaseModel):
    """The lapsed promises of the cases with one value in one dimension."""

    dimension: Annotated[str, Field(description="channel, district, class or crew.")]
    value: Annotated[str, Field(description="The value, as a code; none where the case has none.")]
    before: Annotated[int, Field(description="Promises that lapsed under the standards in force.")]
    after: Annotated[int, Field(description="Promises that lapsed under the tried standard.")]
    promises: Annotated[int, Field(description="Promises in all.")]


class ChangedPromise(BaseModel):
    """A promise of a case that would have become something else."""

    case_id: Annotated[UUID, Field(description="Id of the case.")]
    case_number: Annotated[str, Field(description="Number of the case.")]
    commitment: Annotated[str, Field(description="Code of the promise.")]
    before: Annotated[str, Field(description="What became of it, as a code.")]
    after: Annotated[str, Field(description="What would have become of it, as a code.")]
    due_before: Annotated[datetime | None, Field(description="When it was due; null: no end.")]
    due_after: Annotated[datetime | None, Field(description="When it would have been due; null: no end.")]


class WhatIfAnswer(BaseModel):
    """The difference. Nothing was written."""

    standard: Annotated[str, Field(description="Version of the standard that was tried.")]
    first: Annotated[date | None, Field(description="First day of the period; null: the beginning.")]
    last: Annotated[date | None, Field(description="Last day of the period; null: until now.")]
    at: Annotated[datetime, Field(description="The instant at which everything was judged.")]
    governed: Annotated[dict[str, int], Field(description="Version of a standard in force → cases that it held for.")]
    cases: Annotated[int, Field(description="Cases that began in the period.")]
    changed_cases: Annotated[int, Field(description="Cases of which a verdict would be another one.")]
    changed: Annotated[int, Field(description="Verdicts that would be other ones.")]
    unrecorded: Annotated[
        int, Field(description="Verdicts under the standards in force that are not, or not yet, on record so.")
    ]
    promises: Annotated[list[PromiseSums], Field(description="By promise.")]
    values: Annotated[list[LapsesOfValue], Field(description="By dimension and value, the largest difference first.")]
    changes: Annotated[list[ChangedPromise], Field(description="The first that change, by the case's number.")]


@router.post(
    "/standards/what-if",
    summary="What would have been under another standard 假如执行另一份标准",
    responses=COMMAND_ERRORS | documented(_409="trial-runs", _413="trial-too-long", _422="unreadable-standard"),
    openapi_extra=needs("standard.draft"),
)
def what_if(body: WhatIf, service: ServiceDep) -> WhatIfAnswer:
    """The cases that began in the period are judged once more, by the tried standard as if it had always held. One at a
    time, and for at most 20 seconds: `tongshui what-if` has the rest."""
    raw = _document(body)
    if not _running.acquire(blocking=False):
        raise TrialRuns()
    try:
        return _judged(service, raw, Period(body.first, body.last))
    except TimeoutError:
        raise TrialTooLong(LONGEST_S) from None
    except DocumentError as error:
        raise UnreadableStandard(str(error)) from None
    finally:
        _running.release()


def _document(body: WhatIf) -> bytes:
    """The standard that is tried: what was written before what was chosen. Refuses ``unreadable-standard`` for an
    example that there is not, and for a request without either."""
    if body.standard is not None:
        return json.dumps(body.standard).encode()
    known = shipped_trials()
    if body.example is None or body.example not in known:
        found = "no example of that name" if body.example is not None else "neither a standard nor an example"
        raise UnreadableStandard(f"{found}; there are {', '.join(sorted(known))}")
    return known[body.example]


def _judged(service: Service, raw: bytes, period: Period) -> WhatIfAnswer:
    with trial(service.settings, raw, period, service.clock.now(), longest_s=LONGEST_S) as found:
        changes = nsmallest(CHANGES_SHOWN, found.changes(), key=lambda each: (each.case_number, each.commitment))
        sums = found.sums
        return WhatIfAnswer(
            standard=found.standard.version,
            first=period.first,
            last=period.last,
            at=found.at,
            governed=dict(sums.governed),
            cases=sums.cases,
            changed_cases=sums.changed_cases,
            changed=sum(each.changed for each in sums.by_commitment.values()),
            unrecorded=sums.unrecorded,
            promises=[_sums(code, both) for code, both in sorted(sums.by_commitment.items())],
            values=[
                LapsesOfValue(dimension=dimension, value=value, before=before, after=after, promises=promises)
                for dimension in DIMENSIONS
                for value, before, after, promises in lapsed_by(sums, dimension)
            ],
            changes=[_changed(each) for each in changes],
        )


def _sums(commitment: str, both: Both) -> PromiseSums:
    other = [each for each in OUTCOMES if each not in ("lapsed", "met", "open")]
    return PromiseSums(
        commitment=commitment,
        lapsed_before=both.before["lapsed"],
        lapsed_after=both.after["lapsed"],
        met_before=both.before["met"],
        met_after=both.after["met"],
        open_before=both.before["open"],
        open_after=both.after["open"],
        other_before=sum(both.before[each] for each in other),
        other_after=sum(both.after[each] for each in other),
        changed=both.changed,
        moved=both.moved,
    )


def _changed(each: Changed) -> ChangedPromise:
    return ChangedPromise(
        case_id=each.case_id,
        case_number=each.case_number,
        commitment=each.commitment,
        before=each.before.outcome,
        after=each.after.outcome,
        due_before=each.before.due_at,
        due_after=each.after.due_at,
    )
