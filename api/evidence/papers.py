"""Papers of a case 文书, made as PDF from its events: listed, and given with the person masked or as far as needed.

A paper in plain follows the rules of the vault: only what the asker's work on the case needs, with a reason, on record.
For thirty days it may be made by how the case stood before it: a refusal ends the work, and is still to be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.http import described
from api.http.answers import CASE_ERRORS, COMMAND_ERRORS, documented
from api.http.caller import CallerDep, context_now
from api.http.dependencies import CaseId, ServiceDep
from api.http.identity import Identity, identified
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.vault.bodies import Unmasking
from domain import kinds, particulars
from domain.evidence.papers import TITLES, Paper, digest_of_words, papers_of
from domain.evidence.refusals import NoSuchPaper
from domain.evidence.sending import Sending, sendings_of
from domain.kernel.facts import Recorded
from domain.kernel.refusals import NoSuchCase
from domain.kinds import Kind, folded
from domain.particulars import Asker
from domain.standard.context import require_power
from domain.standard.powers import roles_with
from domain.vault import vault
from domain.vault.masks import masked
from infra.eventstore.commands import Command, Snapshot, Stream, StreamEvent
from infra.eventstore.service import Service
from infra.evidence.pdf import made
from infra.vault.vault import Reading

router = APIRouter(prefix="/api/v1/cases", tags=["evidence 凭证"], route_class=StrictRoute)

IdentityDep = Annotated[Identity, Depends(identified)]
KindOfPaper = Annotated[str, Path(max_length=64, description="kind of paper: " + ", ".join(TITLES))]
Number = Annotated[
    int | None, Query(ge=1, le=100_000, description="which one of its kind, from 1; left out: the newest")
]
STILL_TOLD = timedelta(days=30)
PDF = {
    200: {
        "description": "The paper.",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class PaperView(BaseModel):
    """A paper that the case has."""

    kind: Annotated[str, Field(examples=["one-time-notice"], description="Kind of paper, as a code.")]
    number: Annotated[int, Field(description="Which one of its kind in the case, from 1.")]
    name_zh: described.ChineseName
    event_id: described.EventId
    at: described.HappenedAt
    digest: Annotated[str, Field(description="SHA-256 of its words, which stands on it and in its QR code.")]
    file_digest: Annotated[
        str | None, Field(description="SHA-256 of the signed file that the event names; null: none.")
    ]
    sent_at: Annotated[
        datetime | None,
        Field(description="When the program sent the applicant its link, or users a notice; null: it did not."),
    ] = None
    sent_by: Annotated[str | None, Field(examples=["sms"], description="By which way; null: it was not sent.")] = None
    not_sent: Annotated[
        str | None,
        Field(description="Why the program gave up sending it, as a code; null: it did not give up."),
    ] = None


class PaperList(BaseModel):
    """The papers of a case, in the order of the events that they follow from."""

    case_id: described.CaseId
    papers: Annotated[list[PaperView], Field(description="The papers.")]


@router.get(
    "/{case_id}/papers",
    summary="The papers of a case 案件文书清单",
    responses=CASE_ERRORS,
    openapi_extra=needs("case.read"),
)
def papers(case_id: CaseId, service: ServiceDep) -> PaperList:
    """Notices, acceptance, refusal, quotes, contract; of an outage its notices. Each can be made as PDF at any time."""
    kind, recorded = _history(service, case_id)
    sendings = sendings_of(recorded)
    found = papers_of(kind, recorded, service.rules)
    return PaperList(case_id=case_id, papers=[_view(each, sendings.get(each.event_id)) for each in found])


@router.get(
    "/{case_id}/papers/{kind}.pdf",
    summary="A paper as PDF, the person masked 文书 PDF（脱敏）",
    response_class=Response,
    responses=CASE_ERRORS
    | PDF
    | documented(_404="no-such-case, no-such-paper", _503="store-unavailable, vault-closed"),
    openapi_extra=needs("case.read"),
)
def masked_paper(
    case_id: CaseId, kind: KindOfPaper, service: ServiceDep, who: IdentityDep, number: Number = None
) -> Response:
    """Without the person where the asker's role may not read particulars. Who sees them masked is on record."""
    paper, _ = _paper(service, case_id, kind, number)
    now = service.clock.now()
    may_read = who.role in roles_with(service.rules.in_force(now), "vault.read")
    return _pdf(service, who, case_id, paper, particulars.NOTHING if may_read else None, None)


@router.post(
    "/{case_id}/papers/{kind}.pdf",
    summary="A paper as PDF, the person as far as your work needs 文书 PDF",
    response_class=Response,
    responses=COMMAND_ERRORS
    | PDF
    | documented(_404="no-such-case, no-such-paper", _503="store-unavailable, store-cannot-write, vault-closed"),
    openapi_extra=needs("vault.unmask"),
)
async def unmasked_paper(
    case_id: CaseId,
    kind: KindOfPaper,
    body: Unmasking,
    service: ServiceDep,
    caller: CallerDep,
    who: IdentityDep,
    number: Number = None,
) -> Response:
    """As `POST /api/v1/cases/{case_id}/particulars`: what is shown in plain is an event, with the reason."""
    require_power(context_now(caller, service), "vault.unmask")
    paper, plain = await run_in_threadpool(_paper, service, case_id, kind, number, Asker(who.role, who.work))
    subject = paper.subject
    if subject is not None and plain:
        stream = Stream(kinds.VAULT, subject.id)

        def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
            ctx = snapshot.context(caller.stamp)
            fact = vault.unmask(snapshot.of(stream), ctx, case_id=case_id, subject=subject.id, reason=body.reason)
            return [(stream, ctx.event(fact))]

        # Shielded: a client that goes away must not cancel a future that the writer is about to fulfil.
        await asyncio.shield(asyncio.wrap_future(service.submit(Command(stream, caller.stamp, decide))))
    return await run_in_threadpool(_pdf, service, who, case_id, paper, plain, body.reason)


# ---- parts


def _history(service: Service, case_id: UUID) -> tuple[Kind, list[Recorded]]:
    """The case's kind and facts. Refuses ``no-such-case``."""
    history = service.history(case_id)
    kind = kinds.opened_as(history[0][0].type) if history else None
    if kind is None:
        raise NoSuchCase()
    return kind, [each for _, each in history]


def _paper(
    service: Service, case_id: UUID, kind: str, number: int | None, asker: Asker | None = None
) -> tuple[Paper, frozenset[str]]:
    """The paper, and what of its person the asker needs. Refuses ``no-such-case``, ``no-such-paper``."""
    case_kind, recorded = _history(service, case_id)
    found = [each for each in papers_of(case_kind, recorded, service.rules) if each.kind == kind]
    chosen = [each for each in found if number in (None, each.number)]
    if not chosen:
        raise NoSuchPaper()
    paper = chosen[-1]
    if asker is None or paper.subject is None:
        return paper, particulars.NOTHING
    now: datetime = service.clock.now()
    needed = particulars.needed_fields(folded(case_kind, recorded), paper.subject, asker, now)
    if now - paper.at <= STILL_TOLD:
        place = next(n for n, each in enumerate(recorded) if each.event_id == paper.event_id)
        before = folded(case_kind, recorded[:place])
        needed |= particulars.needed_fields(before, paper.subject, asker, paper.at)
    return paper, needed


def paper_of_applicant(service: Service, who: Identity, case_id: UUID, kind: str, number: int | None) -> Response:
    """A paper for whoever has the secret link of the application: the link may be in other hands than the person's, so
    the person is masked. Refuses ``no-such-paper``."""
    paper, _ = _paper(service, case_id, kind, number)
    return _pdf(service, who, case_id, paper, particulars.NOTHING, None)


def _pdf(
    service: Service,
    who: Identity,
    case_id: UUID,
    paper: Paper,
    plain: frozenset[str] | None,
    reason: str | None,
) -> Response:
    """The answer. ``plain``: the fields of the person that are not masked; None: nothing of the person at all."""
    person: Mapping[str, str] = {}
    if paper.subject is not None and plain is not None:
        reading = Reading(service.clock.now(), who.actor, who.role, case_id, reason)
        service.vault.note(reading, {paper.subject.id: not plain})
        kept = service.vault.particulars([paper.subject]).get(paper.subject)
        person = {name: text for name, text in masked(kept or {}, None, plain).items() if text is not None}
    pdf = made(paper, person, issuer=service.settings.utility_name, is_masked=not plain)
    headers = {
        "Content-Disposition": f'attachment; filename="{paper.case_number}-{paper.kind}-{paper.number}.pdf"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(pdf, media_type="application/pdf", headers=headers)


def _view(paper: Paper, sending: Sending | None) -> PaperView:
    sent = sending if sending is not None and sending.failed is None else None
    return PaperView(
        kind=paper.kind,
        number=paper.number,
        name_zh=paper.title.zh,
        event_id=paper.event_id,
        at=paper.at,
        digest=digest_of_words(paper),
        file_digest=paper.file_digest,
        sent_at=sent.at if sent is not None else None,
        sent_by=sent.way if sent is not None else None,
        not_sent=sending.failed if sending is not None else None,
    )
