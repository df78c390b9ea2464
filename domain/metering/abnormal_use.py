"""Abnormal use 用量异常: a reading stands out, somebody looks again, the user is told at the door, the leak is sought.

Sources: the user is told at once, at the door (第一时间上门告知), and the utility helps to find the leak, as published.
One hour from the audited reading, another proof of delivery in place of the door, and the limit for looking at it at
all are our decision, as is that billing holds the reading from the moment it stands out until the outcome is known.
A case is one reading of one meter. Facts come in any order; what the processor of readings says of its reading carries
a revision, and the highest counts: a late reading may make it fall away, and another one bring it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from domain.crews.register import require_formed
from domain.deadlines.relief import eases_late
from domain.deadlines.windows import Obligation, Term, WindowFact, WindowLedger, record
from domain.kernel.copies import changed
from domain.kernel.facts import EventToAppend, Fact, Moment, Name, Recorded, fact
from domain.kernel.fields import (
    CaseNumber,
    CrewCode,
    EvidenceDigest,
    Flags,
    Litres,
    MeterNumber,
    ReadAt,
    ReasonCode,
    SecondPerson,
    Way,
)
from domain.kernel.refusals import UnknownWay
from domain.metering.meters import Meter
from domain.metering.refusals import (
    EvidenceMissing,
    UnknownDismissal,
    UnknownLeakFinding,
    UnknownUsageOutcome,
    UsageClosed,
    UserNotTold,
)
from domain.repairs.checks import UNRECORDED, early, late, require_credible, require_other_person
from domain.standard.context import CommandContext, require_power
from domain.standard.ladders import counted, obligation, reminders
from domain.standard.standards import Rules, Standard
from domain.standard.values import require_known

AUDIT = "usage.audit"
NOTICE = "usage.notice"
PROMISES: Mapping[str, Name] = {
    AUDIT: Name("异常核实", "look at abnormal use"),
    NOTICE: Name("上门告知", "user told of abnormal use"),
}

ConfirmedBy = Literal["re-read", "photo", "audit"]
"""How it was looked at again: the dial itself, a photo of it, or a second person in a reading round."""

STAGES: Mapping[str, Name] = {
    "found": Name("已发现", "found"),
    "confirmed": Name("已核实", "confirmed"),
    "notified": Name("已告知", "user told"),
    "help_started": Name("查漏中", "leak sought"),
    "help_finished": Name("查漏完成", "search over"),
    "settled": Name("已办结", "settled"),
}
"""The stages of such a case, in order."""

STOPS: Mapping[str, Name] = {
    "explained": Name("已排除", "explained"),
    "withdrawn": Name("已撤回", "withdrawn"),
}
"""What it is at instead of a stage while it stands still, or once it is over."""


# ---- facts


@fact("用量异常", "abnormal use found", topic="usage", stage="found")
class UsageAnomalyFound:
    """A reading stands out. ``signs``: what about it (high, zero, falling, dial-over, never-still); ``used_litres``
    None: it cannot be told. ``connection`` and ``point``: where the meter is in service, if it is."""

    case_number: CaseNumber
    meter: MeterNumber
    read_at: ReadAt
    litres: Litres
    used_litres: Annotated[int | None, "Use since the reading before, in litres; null where it cannot be told."]
    signs: Annotated[
        tuple[str, ...], "What about the reading stands out: high, zero, falling, dial-over or never-still."
    ]
    connection: Annotated[
        UUID | None, "Id of the connection case where the meter is in service; null where it is in none."
    ]
    point: Annotated[
        int | None, "Number of the supply point where the meter is in service, from 1; null where it is in none."
    ]


@fact("异常更新", "judged anew", topic="usage")
class AnomalyRevised:
    """With what became known later the reading stands out otherwise, or again. The highest ``revision`` counts."""

    revision: Annotated[int, "Which revision of the finding this is, from 1."]
    used_litres: Annotated[int | None, "Use since the reading before, in litres; null where it cannot be told."]
    signs: Annotated[
        tuple[str, ...], "What about the reading stands out: high, zero, falling, dial-over or never-still."
    ]


@fact("异常消除", "no longer abnormal", topic="usage")
class AnomalyWithdrawn:
    """With what became known later the reading does not stand out. The highest ``revision`` counts."""

    revision: Annotated[int, "Which revision of the finding this is, from 1."]


@fact("异常核实", "confirmed", topic="usage", stage="confirmed")
class AnomalyConfirmed:
    """Somebody looked again, and it is so. ``evidence_digest``: of the photo or the record of the re-reading."""

    by: Annotated[
        ConfirmedBy,
        "How it was looked at again: re-read at the dial, by a photo, or by a second person in the audit of a round.",
    ]
    evidence_digest: EvidenceDigest
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("异常排除", "dismissed", topic="usage")
class AnomalyDismissed:
    """It is nothing that the user need be told of; ``reason``: the standard's."""

    reason: ReasonCode
    evidence_digest: EvidenceDigest


@fact("告知用户", "user told", topic="usage", stage="notified")
class UserNotified:
    """The user was told, at the door or otherwise with proof. ``proof_digest``: of the signed slip or the receipt."""

    way: Way
    proof_digest: Annotated[str, "SHA-256 of the proof that the user was told, as sha256: and 64 hex digits."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("提供查漏", "leak help offered", topic="usage")
class LeakHelpOffered:
    """The user was offered help with finding the leak. ``accepted`` False: it was declined."""

    accepted: Annotated[bool, "Whether the user accepts the help."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("开始查漏", "leak sought", topic="usage", stage="help_started")
class LeakHelpStarted:
    """A crew looks for the leak with the user."""

    crew: CrewCode
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("查漏完成", "search over", topic="usage", stage="help_finished")
class LeakHelpFinished:
    """The search is over; ``finding``: the standard's word for what was found."""

    finding: Annotated[str, "What was found, as a code of the standard."]
    flags: Flags = ()
    confirmed_by: SecondPerson = None


@fact("处理结果", "outcome", topic="usage", stage="settled")
class UsageOutcomeRecorded:
    """What came of it, by the standard's word: billing goes by it."""

    outcome: Annotated[str, "What came of it, as a code of the standard."]


@fact("暂缓计费", "reading held", topic="usage")
class ReadingHeld:
    """Billing is to hold the reading's line. ``hold`` counts the holds of the case."""

    hold: Annotated[int, "Number of the hold of that reading, from 1."]
    meter: MeterNumber
    read_at: ReadAt
    litres: Litres
    connection: Annotated[
        UUID | None, "Id of the connection case where the meter is in service; null where it is in none."
    ]
    point: Annotated[
        int | None, "Number of the supply point where the meter is in service, from 1; null where it is in none."
    ]


@fact("恢复计费", "reading released", topic="usage")
class ReadingReleased:
    """Billing may go on with the reading; ``cause``: outcome, dismissed or withdrawn."""

    hold: Annotated[int, "Number of the hold of that reading, from 1."]
    meter: MeterNumber
    read_at: ReadAt
    litres: Litres
    connection: Annotated[
        UUID | None, "Id of the connection case where the meter is in service; null where it is in none."
    ]
    point: Annotated[
        int | None, "Number of the supply point where the meter is in service, from 1; null where it is in none."
    ]
    cause: Annotated[str, "Why the reading is released: outcome, dismissed or withdrawn."]


# ---- state


@dataclass(frozen=True, slots=True)
class Usage:
    """The case as its facts have it. ``judged``: revision → when it was said, and whether the reading stood out."""

    number: str
    meter: str
    read_at: datetime
    litres: int
    connection: UUID | None
    point: int | None
    found: Moment
    used_litres: int | None
    signs: tuple[str, ...]
    judged: dict[int, tuple[Moment, bool]] = field(default_factory=dict)
    confirmed: tuple[Moment, ...] = ()
    dismissed: tuple[Moment, ...] = ()
    notified: tuple[Moment, ...] = ()
    offered: tuple[Moment, ...] = ()
    helping: tuple[Moment, ...] = ()
    helped: tuple[Moment, ...] = ()
    outcome: str | None = None
    holds: int = 0
    held: bool = False
    ledger: WindowLedger = field(default_factory=dict)

    @property
    def revision(self) -> int:
        """The highest revision that is on record; the finding itself is the first."""
        return max(self.judged, default=1)

    @property
    def stands(self) -> bool:
        """Whether the reading stands out, by what is known now."""
        return self.judged[self.revision][1] if self.judged else True

    @property
    def is_dismissed(self) -> bool:
        """Whether the last word of those who looked at it was that it is nothing."""
        if not self.dismissed:
            return False
        return not self.confirmed or max(self.dismissed) > max(self.confirmed)

    @property
    def over(self) -> str | None:
        """Why nothing more is to be done: outcome, withdrawn or dismissed; None: it is open."""
        if self.outcome is not None:
            return "outcome"
        if not self.stands:
            return "withdrawn"
        return "dismissed" if self.is_dismissed else None


def evolve(state: Usage | None, recorded: Recorded) -> Usage | None:
    """The case after a fact of its stream; never refuses."""
    fact = recorded.fact
    moment = Moment(recorded.happened_at, recorded.event_id)
    if isinstance(fact, UsageAnomalyFound):
        return state or Usage(
            number=fact.case_number,
            meter=fact.meter,
            read_at=fact.read_at,
            litres=fact.litres,
            connection=fact.connection,
            point=fact.point,
            found=moment,
            used_litres=fact.used_litres,
            signs=fact.signs,
        )
    if state is None:
        return None
    if isinstance(fact, WindowFact):
        return changed(state, ledger=record(state.ledger, fact))
    return _happened(state, fact, moment)


def _happened(case: Usage, fact: object, moment: Moment) -> Usage:
    match fact:
        case AnomalyRevised(revision, used, signs):
            newest = revision > case.revision
            after = replace(case, judged={**case.judged, revision: (moment, True)})
            return replace(after, used_litres=used, signs=signs) if newest else after
        case AnomalyWithdrawn(revision):
            return replace(case, judged={**case.judged, revision: (moment, False)})
        case AnomalyConfirmed():
            return replace(case, confirmed=(*case.confirmed, moment))
        case AnomalyDismissed():
            return replace(case, dismissed=(*case.dismissed, moment))
        case UserNotified():
            return replace(case, notified=(*case.notified, moment))
        case LeakHelpOffered():
            return replace(case, offered=(*case.offered, moment))
        case LeakHelpStarted():
            return replace(case, helping=(*case.helping, moment))
        case LeakHelpFinished():
            return replace(case, helped=(*case.helped, moment))
        case UsageOutcomeRecorded(outcome):
            return replace(case, outcome=outcome)
        case ReadingHeld(hold):
            return replace(case, holds=hold, held=True)
        case ReadingReleased():
            return replace(case, held=False)
        case _:
            return case


# ---- what follows by rule


def consequences(state: Usage | None, rules: Rules, at: datetime) -> tuple[EventToAppend, ...]:
    """Billing holds the reading as long as the case is open, and no longer."""
    if state is None or state.held == (state.over is None):
        return ()
    line = (state.meter, state.read_at, state.litres, state.connection, state.point)
    if state.over is None:
        return (EventToAppend(ReadingHeld(state.holds + 1, *line), at),)
    return (EventToAppend(ReadingReleased(state.holds, *line, cause=state.over), at),)


# ---- promises


def obligations(case: Usage | None, rules: Rules) -> tuple[Obligation, ...]:
    """What the case promises: that somebody looks at it, and that the user is told. A number that the standard in force
    when it was found does not have promises nothing."""
    if case is None:
        return ()
    standard = rules.in_force(case.found.at)
    found = (_audit(case, standard), _notice(case, standard))
    return tuple(each for each in found if each is not None)


def _audit(case: Usage, standard: Standard) -> Obligation | None:
    """Confirmed or dismissed in time, so that none escapes by never being looked at (our decision)."""
    if standard.metering.usage_audit_minutes is None:
        return None
    span = timedelta(minutes=standard.metering.usage_audit_minutes)
    met = min(counted((*case.confirmed, *case.dismissed), case.found.at, standard), default=None)
    terms = [Term(case.found.at, case.found.at + span, (case.found.by,))]
    for moment, stands in _standing(case):
        if met is None or moment < met:
            terms.append(_term(moment, span) if stands else _ended(moment, "withdrawn"))
    return _obligation(AUDIT, standard, tuple(terms), met)


def _notice(case: Usage, standard: Standard) -> Obligation | None:
    """Told within the hour from the first look that confirmed it. What was dismissed or fell away before the user was
    told is owed no more; confirmed again, it is owed anew."""
    if standard.metering.usage_notice_minutes is None:
        return None
    span = timedelta(minutes=standard.metering.usage_notice_minutes)
    looks = sorted(_looks(case), key=lambda look: look[0])
    begun = next((moment.at for moment, owed, _ in looks if owed), None)
    met = min(counted(case.notified, begun, standard), default=None) if begun is not None else None
    terms: list[Term] = []
    for moment, owed, reason in looks:
        running = bool(terms) and terms[-1].due_at is not None
        if owed and not running:
            terms.append(_term(moment, span))
        elif not owed and running and (met is None or moment < met):
            terms.append(_ended(moment, reason))
    return _obligation(NOTICE, standard, tuple(terms), met) if terms else None


def _standing(case: Usage) -> list[tuple[Moment, bool]]:
    """Each change between standing out and not, in the order of revisions."""
    changes: list[tuple[Moment, bool]] = []
    before = True
    for _, (moment, stands) in sorted(case.judged.items()):
        if stands != before:
            changes.append((moment, stands))
            before = stands
    return changes


def _looks(case: Usage) -> Iterator[tuple[Moment, bool, str]]:
    """What begins or ends that the user is owed a word: the moment, which of the two, and why it ends."""
    yield from ((moment, True, "") for moment in case.confirmed)
    yield from ((moment, False, "dismissed") for moment in case.dismissed)
    for moment, stands in _standing(case):
        if not stands:
            yield moment, False, "withdrawn"
        elif any(confirmed < moment for confirmed in case.confirmed):
            yield moment, True, ""


def _term(moment: Moment, span: timedelta) -> Term:
    return Term(moment.at, moment.at + span, (moment.by,))


def _ended(moment: Moment, reason: str) -> Term:
    return Term(moment.at, None, (moment.by,), reason=reason)


def _obligation(commitment: str, standard: Standard, terms: tuple[Term, ...], met: Moment | None) -> Obligation:
    last = terms[-1]
    due_reminders = reminders(standard, commitment, last.since, last.due_at) if last.due_at is not None else ()
    return obligation(commitment, standard, terms[0].since, terms, met, due_reminders, "judged-anew")


# ---- decisions: what the processor of readings says


def find(
    state: Usage | None,
    ctx: CommandContext,
    *,
    number: str,
    meter: str,
    in_service: Meter | None,
    read_at: datetime,
    litres: int,
    used_litres: int | None,
    signs: tuple[str, ...],
    revision: int,
) -> tuple[Fact, ...]:
    """A reading stands out, as of that revision: opens its case, revises it, or says nothing that is not known.

    Refuses ``wrong-role``.
    """
    require_power(ctx, "usage.find")
    if state is None:
        # A meter that is out by now was in there when it was read.
        connection, point = (in_service.case_id, in_service.point) if in_service is not None else (None, None)
        found = UsageAnomalyFound(number, meter, read_at, litres, used_litres, signs, connection, point)
        # Judged anew before the case was opened: the case begins at that revision.
        return (found, AnomalyRevised(revision, used_litres, signs)) if revision > 1 else (found,)
    return (AnomalyRevised(revision, used_litres, signs),) if revision > state.revision else ()


def withdraw(state: Usage | None, ctx: CommandContext, *, revision: int) -> tuple[Fact, ...]:
    """The reading does not stand out, as of that revision; nothing where no case was opened. Refuses ``wrong-role``."""
    require_power(ctx, "usage.find")
    return (AnomalyWithdrawn(revision),) if state is not None and revision > state.revision else ()


# ---- decisions: what people say


def confirm(
    state: Usage, ctx: CommandContext, *, by: ConfirmedBy, evidence_digest: str | None = None
) -> AnomalyConfirmed:
    """Somebody looked again, and it is so. Only an audit of the round needs no evidence of its own.

    Refuses ``wrong-role``, ``evidence-missing`` and what a fact from the field may be refused for.
    """
    case = _from_the_field(state, ctx, "usage.inspect")
    if by != "audit" and evidence_digest is None:
        raise EvidenceMissing(by)
    return AnomalyConfirmed(by, evidence_digest, _flags(case, ctx, case.confirmed), _second(ctx))


def dismiss(state: Usage, ctx: CommandContext, *, reason: str, evidence_digest: str | None = None) -> AnomalyDismissed:
    """It is nothing. Once most of the time has run in which the user is to be told, another person confirms it (our
    decision: nobody would else have to be told). Refuses ``wrong-role``, ``usage-closed``, ``unknown-dismissal``,
    ``second-person-needed``."""
    case = _open(state, ctx, "usage.dismiss")
    require_known(UnknownDismissal, reason, ctx.standard.metering.usage_dismissals)
    fact = AnomalyDismissed(reason, evidence_digest)
    told = evolve(case, Recorded(fact, UNRECORDED, 0, ctx.happened_at))
    share = ctx.standard.repair.reassessment_second_person_percent / 100
    if eases_late(obligations(case, ctx.rules), obligations(told, ctx.rules), ctx.at, share):
        require_other_person(ctx, ctx.confirmed_by, "a dismissal late in the window", "X-Confirmed-By")
    return fact


def notify(state: Usage, ctx: CommandContext, *, way: str, proof_digest: str) -> UserNotified:
    """The user was told. Refuses ``wrong-role``, ``unknown-way`` and what a fact from the field may
    be refused for."""
    case = _from_the_field(state, ctx, "usage.notify")
    require_known(UnknownWay, way, ctx.standard.metering.usage_ways)
    return UserNotified(way, proof_digest, _flags(case, ctx, case.notified), _second(ctx))


def offer_help(state: Usage, ctx: CommandContext, *, accepted: bool) -> LeakHelpOffered:
    """The user was offered help. Refuses ``wrong-role`` and what a fact from the field may be."""
    case = _from_the_field(state, ctx, "usage.help")
    return LeakHelpOffered(accepted, _flags(case, ctx, case.offered), _second(ctx))


def start_help(state: Usage, ctx: CommandContext, *, crew: str) -> LeakHelpStarted:
    """A crew looks for the leak. Refuses ``wrong-role``, ``unknown-crew`` and what a fact from the field may be."""
    case = _from_the_field(state, ctx, "usage.help")
    flags = _flags(case, ctx, case.helping) + (() if case.offered else ("not-offered",)) + require_formed(ctx, crew)
    return LeakHelpStarted(crew, flags, _second(ctx))


def finish_help(state: Usage, ctx: CommandContext, *, finding: str) -> LeakHelpFinished:
    """The search is over. Refuses ``wrong-role``, ``unknown-leak-finding`` and what a fact from the
    field may be refused for."""
    case = _from_the_field(state, ctx, "usage.help")
    require_known(UnknownLeakFinding, finding, ctx.standard.metering.leak_findings)
    flags = _flags(case, ctx, case.helped) + (() if case.helping else ("not-started",))
    return LeakHelpFinished(finding, flags, _second(ctx))


def conclude(state: Usage, ctx: CommandContext, *, outcome: str) -> UsageOutcomeRecorded:
    """What came of it; billing goes on. The user must have been told first (our decision): no outcome in silence.

    Refuses ``wrong-role``, ``usage-closed``, ``unknown-usage-outcome``, ``user-not-told``.
    """
    case = _open(state, ctx, "usage.conclude")
    require_known(UnknownUsageOutcome, outcome, ctx.standard.metering.usage_outcomes)
    if not case.notified:
        raise UserNotTold(case)
    return UsageOutcomeRecorded(outcome)


# ---- helpers


def _known(state: Usage, ctx: CommandContext, power: str) -> Usage:
    require_power(ctx, power)
    return state


def _from_the_field(state: Usage, ctx: CommandContext, power: str) -> Usage:
    """Refuses ``future-time``, and ``second-person-needed`` for what is told later than the channel allows."""
    case = _known(state, ctx, power)
    require_credible(ctx)
    return case


def _open(state: Usage, ctx: CommandContext, power: str) -> Usage:
    case = _known(state, ctx, power)
    if case.over is not None:
        raise UsageClosed(case)
    return case


def _flags(case: Usage, ctx: CommandContext, before: tuple[Moment, ...]) -> tuple[str, ...]:
    """What is odd about a fact from the field."""
    flags = late(ctx) + (("after-close",) if case.over is not None else ())
    if ctx.happened_at < case.read_at:
        flags += ("before-the-reading",)
    flags += early(ctx, case.found.at)
    return flags + (("repeated",) if before else ())


def _second(ctx: CommandContext) -> str | None:
    return ctx.confirmed_by if ctx.is_late else None
