"""Papers are handed to the applicant by the program: a message with a link to the paper, and the proof in the case.

Our decision: the message says that there is a paper and where it can be read, and nothing of what is in it. A paper
counts as sent once its way has taken the message. What is on record is the digest of the paper's words, when and by
which way it was sent, and the way's receipt; the person's telephone and the link are in no event and in no table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.connections import facts as connection
from domain.connections.case import Connection
from domain.connections.facts import PaperNotSent, PaperSent
from domain.evidence.papers import TITLES, Paper, digest_of_words
from domain.kernel.facts import Recorded
from domain.kernel.messages import Message, filled, to_subject
from domain.kinds import State
from domain.outages.facts import OutageNoticeFailed, OutageNoticeOrdered, OutageNoticeSent
from domain.standard.context import CommandContext, require_power
from domain.standard.standards import Rules

KIND = "paper"
"""Of its messages."""
LINK = "link"
"""The word of a text in whose place the sender puts the link: it opens the case, so it is kept nowhere."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That a way took a message: its receipt and word for it, and the digest of its whole answer."""

    receipt: str
    status: str
    digest: str


_TOLD_BY_PAPER = frozenset(
    {
        connection.OneTimeNoticeGiven,
        connection.FurtherRequestMade,
        connection.ApplicationAdmitted,
        connection.ApplicationRefused,
        connection.QuoteIssued,
        connection.ContractSigned,
    }
)


def kind_of_paper(fact: object) -> str | None:
    """The kind of the paper that an application's fact is told by; None: it has none."""
    match fact:
        case connection.OneTimeNoticeGiven() | connection.FurtherRequestMade():
            return "one-time-notice"
        case connection.ApplicationAdmitted(basis="papers-outstanding"):
            return "acceptance-outstanding"
        case connection.ApplicationAdmitted():
            return "acceptance"
        case connection.ApplicationRefused():
            return "refusal"
        case connection.QuoteIssued():
            return "quote"
        case connection.ContractSigned():
            return "contract"
    return None


def message_of(recorded: Recorded, state: State, rules: Rules, at: datetime) -> Message | None:
    """The message that hands the applicant the paper of a fact; ``state``: the case after it. None where the fact has
    no paper, the standard in force at ``at`` has no way or no text for it, or the history was imported."""
    if type(recorded.fact) not in _TOLD_BY_PAPER:  # nearly every fact of the store
        return None
    kind = kind_of_paper(recorded.fact)
    if kind is None or not isinstance(state, Connection) or recorded.channel == "import":
        return None
    standard = rules.in_force(at)
    way, text = standard.connection.paper_way, standard.connection.paper_texts.get(kind)
    if not way or text is None:
        return None
    title = TITLES[kind].zh
    words = {"number": state.number, "paper": title}
    return to_subject(KIND, way, f"{title} {state.number}", filled(text, words), state.subject)


def deliver(case: Connection, ctx: CommandContext, paper: Paper, *, way: str, proof: Proof) -> PaperSent | None:
    """The message with a paper was taken by its way. None where that is on record. Refuses ``wrong-role``."""
    require_power(ctx, "connection.tell-applicant")
    if paper.event_id in case.papers_sent:
        return None
    words = digest_of_words(paper)
    return PaperSent(paper.kind, paper.number, paper.event_id, words, way, proof.receipt, proof.status, proof.digest)


def fail(case: Connection, ctx: CommandContext, paper: Paper, *, way: str, reason: str) -> PaperNotSent | None:
    """The message with a paper was given up. None where it was sent. Refuses ``wrong-role``."""
    require_power(ctx, "connection.tell-applicant")
    if paper.event_id in case.papers_sent:
        return None
    return PaperNotSent(paper.kind, paper.number, paper.event_id, way, reason)


@dataclass(frozen=True, slots=True)
class Sending:
    """What became of a paper that the program was to send: sent ``at`` (``failed`` None), or given up for a reason."""

    at: datetime
    way: str
    failed: str | None = None


def sendings_of(history: Iterable[Recorded]) -> dict[UUID, Sending]:
    """What became of each paper that the program was to send, an outage's notices among them: the event that the paper
    follows from → the newest that is on record."""
    found: dict[UUID, Sending] = {}
    ways: dict[UUID, str] = {}
    for recorded in history:
        match recorded.fact:
            case PaperSent(event_id=of, way=way):
                found[of] = Sending(recorded.happened_at, way)
            case PaperNotSent(event_id=of, way=way, reason=reason):
                found[of] = Sending(recorded.happened_at, way, reason)
            case OutageNoticeOrdered(way=way):
                ways[recorded.event_id] = way
            case OutageNoticeSent(way=way, order=UUID() as of):
                found[of] = Sending(recorded.happened_at, way)
            case OutageNoticeFailed(order=of, reason=reason):
                found[of] = Sending(recorded.happened_at, ways.get(of, ""), reason)
    return found
