"""Complaints: somebody is not content with the utility, is answered, and may go to the authority.

Each complaint has a stream. Source: 《供水条例》(国务院令第831号) §27 for the duty to deal with complaints, to tell the
outcome, and for the way to the authority; the topics, outcomes and days are our decision. No text and no particulars
are in these events: what it is about are codes, persons are named by the ids of the vault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal, get_args
from uuid import UUID

from domain.complaints.refusals import (
    ComplainantNotTold,
    ComplaintIsAnswered,
    ComplaintIsEscalated,
    ComplaintIsWithdrawn,
    NoSuchComplaint,
    RemedyMissing,
)
from domain.deadlines.limits import WorkingDays, end
from domain.kernel.facts import Recorded, fact
from domain.kernel.refusals import UnknownWay
from domain.standard.context import CommandContext, Person, require_power
from domain.standard.values import require_known
from domain.vault.refusals import SubjectRestricted
from domain.vault.vault import ParticularsUnmasked, Reason, VaultSubject, is_withheld

WHY: Reason = "complaint"
"""What particulars are shown for."""
TAKES = "complaint.take"
ANSWERS = "complaint.answer"
READS = "complaint.read"
ComplaintTopic = Literal["late", "quality", "charge", "conduct", "water-quality", "other"]
Door = Literal["own-link", "own-phone", "taken-down"]
"""How it came: by the secret link of the person's case, by their telephone and a code, or taken down by a clerk."""
Outcome = Literal["upheld", "partly-upheld", "not-upheld"]
Remedy = Literal["none", "apology", "work-repeated", "charge-corrected", "staff-instructed", "procedure-changed"]
EscalationGround = Literal["not-satisfied", "answer-overdue", "directly"]
State = Literal["open", "answered", "withdrawn"]
TOPICS: tuple[str, ...] = get_args(ComplaintTopic)
OUTCOMES: tuple[str, ...] = get_args(Outcome)
REMEDIES: tuple[str, ...] = get_args(Remedy)


@fact("收到投诉", "complaint made", topic="office")
class ComplaintMade:
    """Somebody is not content. Who took it down is its actor; a session's or a link's where the person did."""

    number: Annotated[str, "The number that people know the complaint by."]
    topic: Annotated[str, "What it is about, as a code: late, quality, charge, conduct, water-quality or other."]
    case_id: Annotated[UUID | None, "Id of the case that it is about; null: about none."]
    subjects: Annotated[
        tuple[UUID, ...], "Ids of the person's entries in the vault; empty: who complained is not known."
    ]
    door: Annotated[str, "How it came, as a code: own-link, own-phone or taken-down."]
    due_at: Annotated[datetime, "Until when it is to be answered."]


@fact("答复投诉", "complaint answered", topic="office")
class ComplaintAnswered:
    """The utility looked into it, and whoever complained is told the outcome."""

    outcome: Annotated[str, "As a code: upheld, partly-upheld or not-upheld."]
    remedy: Annotated[
        str,
        "What is done about it, as a code: none, apology, work-repeated, charge-corrected, staff-instructed or "
        "procedure-changed.",
    ]
    way: Annotated[
        str | None,
        "By which way they were told, as a code of the standard; null: they see it at their own door, or are not "
        "known.",
    ]


@fact("投诉转主管部门", "complaint escalated", topic="office")
class ComplaintEscalated:
    """Whoever complained takes it to the authority."""

    ground: Annotated[
        str,
        "Why, as a code: not-satisfied with the answer, answer-overdue, or directly, before the answer was due.",
    ]


@fact("撤回投诉", "complaint withdrawn", topic="office")
class ComplaintWithdrawn:
    """Whoever complained does not want it answered any more."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A complaint as its stream has it."""

    number: str
    topic: str
    case_id: UUID | None
    subjects: tuple[UUID, ...]
    door: str
    made_at: datetime
    made_by: Person
    due_at: datetime
    outcome: str | None = None
    remedy: str | None = None
    way: str | None = None
    answered_at: datetime | None = None
    escalated_at: datetime | None = None
    escalated_because: str | None = None
    withdrawn_at: datetime | None = None

    @property
    def state(self) -> State:
        """Whether an answer is owed, was given, or is not wanted any more."""
        if self.withdrawn_at is not None:
            return "withdrawn"
        return "open" if self.answered_at is None else "answered"

    def is_overdue(self, at: datetime) -> bool:
        """Whether the limit has passed and it is not answered. That it went to the authority answers nothing."""
        return self.state == "open" and at > self.due_at

    @property
    def was_late(self) -> bool:
        """Whether the answer came after the limit."""
        return self.answered_at is not None and self.answered_at > self.due_at


def evolve(state: Complaint | None, recorded: Recorded) -> Complaint | None:
    """The complaint after a fact."""
    at = recorded.happened_at
    match recorded.fact:
        case ComplaintMade(number, topic, case_id, subjects, door, due_at):
            by = Person(recorded.actor, recorded.role)
            return Complaint(number, topic, case_id, tuple(subjects), door, at, by, due_at)
        case ComplaintAnswered(outcome, remedy, way) if state is not None:
            return replace(state, outcome=outcome, remedy=remedy, way=way, answered_at=at)
        case ComplaintEscalated(ground) if state is not None:
            return replace(state, escalated_at=at, escalated_because=ground)
        case ComplaintWithdrawn() if state is not None:
            return replace(state, withdrawn_at=at)
        case _:
            return state


@dataclass(frozen=True, slots=True)
class Grievance:
    """What somebody says: the topic, the case that it is about (None: none), and who they are in the vault (empty: not
    known)."""

    topic: ComplaintTopic
    case_id: UUID | None
    subjects: Sequence[UUID]


def make(
    state: Complaint | None, ctx: CommandContext, said: Grievance, *, number: str, door: Door
) -> tuple[ComplaintMade, ...]:
    """Take a complaint down: a person's own, or by a clerk for them. Nothing where it was, under the same key. Refuses
    ``wrong-role`` to a clerk."""
    if door == "taken-down":
        require_power(ctx, TAKES)
    if state is not None:
        return ()
    limit = WorkingDays(ctx.at, ctx.standard.complaints.complaint_answer_working_days, ctx.standard.close_of_business)
    due_at = end(limit, ctx.rules.calendars_of(ctx.standard), None).due_at
    subjects = tuple(dict.fromkeys(said.subjects))
    return (ComplaintMade(number, said.topic, said.case_id, subjects, door, due_at),)


def answer(
    state: Complaint | None, ctx: CommandContext, *, outcome: Outcome, remedy: Remedy, way: str | None
) -> ComplaintAnswered:
    """Answer a complaint; one that went to the authority before is still answered. ``way``: by which the person was
    told. Refuses ``wrong-role``, ``no-such-complaint``, ``complaint-answered``, ``complaint-withdrawn``,
    ``remedy-missing``, ``unknown-way``, ``complainant-not-told``."""
    require_power(ctx, ANSWERS)
    complaint = _open(state)
    if outcome != "not-upheld" and remedy == "none":
        raise RemedyMissing()
    if way is not None:
        require_known(UnknownWay, way, ctx.standard.repair.answer_ways)
    elif complaint.subjects and complaint.door == "taken-down":
        raise ComplainantNotTold()
    return ComplaintAnswered(outcome, remedy, way)


def show(
    state: Complaint | None, ctx: CommandContext, *, complaint: UUID, kept: Mapping[UUID, VaultSubject | None]
) -> dict[UUID, ParticularsUnmasked]:
    """Show whoever answers how to reach the person, while the complaint waits for its answer. ``complaint``: its id;
    ``kept``: its subjects as their streams have them. Refuses ``wrong-role``, ``no-such-complaint``,
    ``complaint-answered``, ``complaint-withdrawn``, and ``subject-restricted`` where nobody is left to be shown."""
    require_power(ctx, ANSWERS)
    subjects = _open(state).subjects
    shown = [each for each in subjects if not is_withheld(kept.get(each), ctx.by.role, WHY)]
    if subjects and not shown:
        raise SubjectRestricted()
    return {each: ParticularsUnmasked(complaint, each, WHY) for each in shown}


def escalate(state: Complaint | None, ctx: CommandContext, *, by_person: bool) -> ComplaintEscalated:
    """Whoever complained goes to the authority: not satisfied, not answered in time, or at once. ``by_person``: at
    their own door. Refuses ``wrong-role`` to a clerk, ``no-such-complaint``, ``complaint-withdrawn``,
    ``complaint-escalated``."""
    complaint = _not_withdrawn(state, ctx, by_person=by_person)
    if complaint.escalated_at is not None:
        raise ComplaintIsEscalated(complaint.escalated_at)
    if complaint.state == "answered":
        return ComplaintEscalated("not-satisfied")
    return ComplaintEscalated("answer-overdue" if complaint.is_overdue(ctx.at) else "directly")


def withdraw(state: Complaint | None, ctx: CommandContext, *, by_person: bool) -> ComplaintWithdrawn:
    """Whoever complained wants no answer any more. ``by_person``: as of ``escalate``. Refuses ``wrong-role`` to a
    clerk, ``no-such-complaint``, ``complaint-answered``, ``complaint-withdrawn``."""
    _not_withdrawn(state, ctx, by_person=by_person)
    _open(state)
    return ComplaintWithdrawn()


def _not_withdrawn(state: Complaint | None, ctx: CommandContext, *, by_person: bool) -> Complaint:
    if not by_person:
        require_power(ctx, TAKES)
    if state is None:
        raise NoSuchComplaint()
    if state.withdrawn_at is not None:
        raise ComplaintIsWithdrawn()
    return state


def _open(state: Complaint | None) -> Complaint:
    if state is None:
        raise NoSuchComplaint()
    if state.withdrawn_at is not None:
        raise ComplaintIsWithdrawn()
    if state.answered_at is not None:
        raise ComplaintIsAnswered(state.answered_at)
    return state
