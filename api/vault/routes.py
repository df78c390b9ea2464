"""Particulars of persons: who may see what of them, who is found by a telephone, who is erased.

Whoever reads is written down before anything is given. What their work does not need is masked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response
from starlette.concurrency import run_in_threadpool

from api.http.answers import CASE_ERRORS, COMMAND_ERRORS, documented
from api.http.caller import CallerDep, context_now
from api.http.dependencies import CaseId, ServiceDep
from api.http.identity import Identity, identified
from api.http.powers import needs
from api.http.scoping import ScopeDep, where
from api.http.strict import StrictRoute
from api.vault import bodies
from api.vault.bodies import CaseOfSubject, CaseParticulars, Erased, FoundSubject, FoundSubjects, SubjectView
from domain import kinds, particulars
from domain.kernel.refusals import NoSuchCase
from domain.kernel.subjects import Subject
from domain.kinds import Kind, State
from domain.particulars import Asker
from domain.people.scope import Scope
from domain.repairs.case import Repair
from domain.standard.context import require_power
from domain.vault import vault
from domain.vault.masks import masked
from domain.vault.refusals import SubjectRestricted
from infra.eventstore.commands import Command, Receipt, Snapshot, Stream, StreamEvent
from infra.eventstore.service import Service
from infra.vault.vault import Reading

router = APIRouter(prefix="/api/v1", tags=["vault 个人信息"], route_class=StrictRoute)

IdentityDep = Annotated[Identity, Depends(identified)]
SubjectId = Annotated[UUID, Path(description="id of the person's entry in the vault")]
SEARCH = "phone-search"
"""The reason on record of who looked for a telephone."""
ADDRESS_SEARCH = "address-search"
"""The same, for an address."""


@router.get(
    "/cases/{case_id}/particulars",
    summary="The persons of a case, masked 案件个人信息（脱敏）",
    responses=CASE_ERRORS | documented(_503="store-unavailable, vault-closed"),
    openapi_extra=needs("vault.read"),
)
def masked_particulars(case_id: CaseId, service: ServiceDep, who: IdentityDep, response: Response) -> CaseParticulars:
    """Names, telephones and addresses with what tells them apart hidden. Who asks is on record."""
    response.headers["Cache-Control"] = "no-store"
    _, state, subjects = _the_case(service, case_id)
    return _answer(service, who, case_id, state, dict.fromkeys(subjects, particulars.NOTHING), None)


@router.post(
    "/cases/{case_id}/particulars",
    summary="The persons of a case, as far as your work needs them 查看案件个人信息",
    responses=COMMAND_ERRORS | documented(_503="store-unavailable, store-cannot-write, vault-closed"),
    openapi_extra=needs("vault.unmask"),
)
async def unmasked_particulars(
    case_id: CaseId,
    body: bodies.Unmasking,
    caller: CallerDep,
    service: ServiceDep,
    who: IdentityDep,
    response: Response,
) -> CaseParticulars:
    """A crew sees the place and the telephone of its own incident until it is closed; a squad whom it visits today;
    hotline, counter and case owner whoever waits for their answer. All else is masked, and so is who asked
    for a restriction; where nobody else is left it is refused ``subject-restricted``. Each person who is shown in
    plain is an event, with the reason."""
    response.headers["Cache-Control"] = "no-store"
    require_power(context_now(caller, service), "vault.unmask")
    _, state, subjects = await run_in_threadpool(_the_case, service, case_id)
    asker, at = Asker(who.role, who.work), service.clock.now()
    shown = {each: particulars.needed_fields(state, each, asker, at) for each in subjects}
    withheld = await run_in_threadpool(_withheld, service, [each for each in subjects if shown[each]], who, body.reason)
    if withheld and all(each in withheld for each in subjects if shown[each]):
        raise SubjectRestricted()
    shown |= dict.fromkeys(withheld, particulars.NOTHING)
    streams = {each: Stream(kinds.VAULT, each.id) for each in subjects if shown[each]}

    why = body.reason

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp)
        return [
            (stream, ctx.event(vault.unmask(snapshot.of(stream), ctx, case_id=case_id, subject=each.id, reason=why)))
            for each, stream in streams.items()
        ]

    if streams:
        # Without the request's key: who asks again is shown again, and that is another event.
        first, *others = streams.values()
        await _run(service, Command(first, caller.stamp, decide, tuple(others)))
    return await run_in_threadpool(_answer, service, who, case_id, state, shown, body.reason)


@router.post(
    "/subjects/search",
    summary="Persons and their cases by a telephone 按电话查找",
    responses=COMMAND_ERRORS | documented(_503="store-unavailable, store-cannot-write, vault-closed"),
    openapi_extra=needs("vault.read"),
)
def search(
    body: bodies.PhoneSearch,
    caller: CallerDep,
    service: ServiceDep,
    scope: ScopeDep,
    who: IdentityDep,
    response: Response,
) -> FoundSubjects:
    """Changes nothing, and is sent as POST because a telephone must not be in an address. Who asks is on record."""
    response.headers["Cache-Control"] = "no-store"
    require_power(context_now(caller, service), "vault.read")
    return _found(service, who, scope, service.vault.with_phone(body.phone), SEARCH)


@router.post(
    "/subjects/search/address",
    summary="Persons and their cases by an address 按地址查找",
    responses=COMMAND_ERRORS | documented(_503="store-unavailable, store-cannot-write, vault-closed"),
    openapi_extra=needs("vault.read"),
)
def search_address(
    body: bodies.AddressSearch,
    caller: CallerDep,
    service: ServiceDep,
    scope: ScopeDep,
    who: IdentityDep,
    response: Response,
) -> FoundSubjects:
    """Changes nothing, and is sent as POST because an address of a person must not be in one of ours. Who asks is on
    record."""
    response.headers["Cache-Control"] = "no-store"
    require_power(context_now(caller, service), "vault.read")
    return _found(service, who, scope, service.vault.with_address(body.address), ADDRESS_SEARCH)


@router.post(
    "/subjects/{subject_id}/erasure",
    summary="Erase a person for good 删除个人信息",
    responses=COMMAND_ERRORS,
    openapi_extra=needs("vault.erase"),
)
async def erase(subject_id: SubjectId, body: bodies.Erasure, caller: CallerDep, service: ServiceDep) -> Erased:
    """Needs a second person. The particulars cannot be brought back; histories, proofs and figures stay."""
    stream = Stream(kinds.VAULT, subject_id)
    require_power(context_now(caller, service), "vault.erase")
    is_known = await run_in_threadpool(service.vault.knows, subject_id)

    def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
        ctx = snapshot.context(caller.stamp, confirmed_by=body.confirmed_by)
        fact = vault.erase(snapshot.of(stream), ctx, subject=subject_id, is_known=is_known, reason=body.reason)
        return [(stream, ctx.event(fact))]

    receipt = await _run(service, Command(stream, caller.stamp, decide, (), caller.key))
    return Erased(subject=subject_id, position=receipt.position)


# ---- parts


def _found(
    service: Service, who: Identity, scope: Scope, named: Mapping[UUID, Sequence[UUID]], reason: str
) -> FoundSubjects:
    """The persons that were looked for, with their cases; put on record before it is told."""
    # The cases of others are not shown, and neither is who has no other cases.
    seen = {each: _cases_of(service, each, cases, scope) for each, cases in named.items()}
    found = {subject: cases for subject, cases in seen.items() if cases or scope.is_all}
    reading = Reading(service.clock.now(), who.actor, who.role, None, reason)
    service.vault.note(reading, dict.fromkeys(found, True) if found else {None: True})
    return FoundSubjects(subjects=[FoundSubject(subject=subject, cases=cases) for subject, cases in found.items()])


def _withheld(service: Service, subjects: Sequence[Subject], who: Identity, reason: vault.Reason) -> list[Subject]:
    """Those that a restriction keeps from who asks."""
    return [
        each for each in subjects if vault.is_withheld(service.load(Stream(kinds.VAULT, each.id))[0], who.role, reason)
    ]


def _the_case(service: Service, case_id: UUID) -> tuple[Kind, State, tuple[Subject, ...]]:
    """The case with the persons that it names. Refuses ``no-such-case``."""
    history = service.history(case_id)
    kind = particulars.kind_with_subjects(history[0][0].type) if history else None
    if kind is None:
        raise NoSuchCase()
    recorded = [each for _, each in history]
    return kind, kinds.folded(kind, recorded), particulars.subjects_of(recorded)


def _answer(
    service: Service,
    who: Identity,
    case_id: UUID,
    state: State,
    shown: Mapping[Subject, frozenset[str]],
    reason: str | None,
) -> CaseParticulars:
    at = service.clock.now()
    reading = Reading(at, who.actor, who.role, case_id, reason)
    service.vault.note(reading, {each.id: not plain for each, plain in shown.items()})
    kept = service.vault.particulars(list(shown))
    district = _district(service, state)
    return CaseParticulars(
        case_id=case_id,
        at=at,
        subjects=[_view(each, kept.get(each), district, plain) for each, plain in shown.items()],
    )


def _view(subject: Subject, kept: Mapping[str, str] | None, district: str | None, plain: frozenset[str]) -> SubjectView:
    known = kept or {}
    return SubjectView(
        subject=subject.id,
        revision=subject.revision,
        erased=kept is None,
        unmasked=sorted(plain & known.keys()),
        **{name: text for name, text in masked(known, district, plain).items() if name in SubjectView.model_fields},
    )


def _district(service: Service, state: State) -> str | None:
    if not isinstance(state, Repair):
        return None
    found = service.rules.in_force(service.clock.now()).districts.get(state.district)
    return found.name_zh if found is not None else None


def _cases_of(service: Service, subject: UUID, cases: Sequence[UUID], scope: Scope) -> list[CaseOfSubject]:
    """The cases in scope that still name the subject."""
    found = []
    for case_id in cases:
        kind, state, subjects = _the_case(service, case_id)
        if not scope.is_all and not scope.reaches(where(service, case_id), case_id):
            continue
        if any(each.id == subject for each in subjects):
            found.append(CaseOfSubject(case_id=case_id, case_number=state.number, kind=kind.name))
    return found


async def _run(service: Service, command: Command) -> Receipt:
    # Shielded: a client that goes away must not cancel a future that the writer is about to fulfil.
    return await asyncio.shield(asyncio.wrap_future(service.submit(command)))
