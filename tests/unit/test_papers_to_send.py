"""Which paper an applicant is sent, with which words, and what is on record of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from domain import kinds
from domain.connections.case import Connection
from domain.connections.facts import PaperNotSent, PaperSent
from domain.evidence import sending
from domain.evidence.papers import TITLES, Paper, papers_of
from domain.evidence.sending import Proof, Sending
from domain.kernel.facts import Recorded
from domain.kernel.messages import Message
from domain.kernel.refusals import Refusal
from domain.kinds import Kind, folded
from domain.standard.flat import with_changes
from infra.eventstore.envelope import read
from infra.eventstore.shipped_rules import shipped_rules
from tests.unit.cases import context
from tests.unit.test_histories import FOLDER

RULES = shipped_rules()
NOON = datetime(2026, 9, 16, 4, 0, tzinfo=UTC)
PROOF = Proof("r-1", "delivered", "sha256:" + "1" * 64)
SYSTEM = context(RULES, NOON, role="system")


def history(name: str) -> list[Recorded]:
    return [read(line)[1] for line in (FOLDER / f"{name}.jsonl").read_bytes().splitlines()]


def messages(name: str, kind: Kind = kinds.CONNECTION) -> dict[UUID, Message]:
    """The event of each paper that is sent → its message."""
    found, state = {}, None
    for recorded in history(name):
        state = kind.evolve(state, recorded)
        message = sending.message_of(recorded, state, RULES, NOON)
        if message is not None:
            found[recorded.event_id] = message
    return found


ALL = sorted(path.stem for path in FOLDER.glob("connection-*.jsonl"))


@pytest.mark.parametrize("name", ALL)
def test_every_paper_of_an_application_is_sent_and_nothing_else(name: str) -> None:
    papers = {paper.event_id: paper for paper in papers_of(kinds.CONNECTION, history(name), RULES)}
    sent = messages(name)
    assert sent.keys() == papers.keys()
    for event, message in sent.items():
        paper = papers[event]
        assert message.title == f"{paper.title.zh} {paper.case_number}"
        assert sending.kind_of_paper(next(r.fact for r in history(name) if r.event_id == event)) == paper.kind
        assert message.to == paper.subject
        assert message.text.count("{") == message.text.count("{link}") == 1


def test_the_histories_have_every_paper_that_is_sent() -> None:
    made = {paper.kind for name in ALL for paper in papers_of(kinds.CONNECTION, history(name), RULES)}
    assert made == set(TITLES) - {"outage-notice"}


def test_history_that_is_imported_sends_nothing_and_a_standard_without_way_or_text_neither() -> None:
    recorded, before = history("connection-papers-sent"), kinds.CONNECTION
    place = next(n for n, each in enumerate(recorded) if sending.kind_of_paper(each.fact) == "one-time-notice")
    state, notice = folded(before, recorded[: place + 1]), recorded[place]
    assert sending.message_of(notice, state, RULES, NOON) is not None
    assert sending.message_of(replace(notice, channel="import"), state, RULES, NOON) is None
    without: list[dict[str, Any]] = [{"paper_way": ""}, {"paper_texts": {}}]
    for changes in without:
        silent = replace(RULES, standards=tuple(with_changes(each, **changes) for each in RULES.standards))
        assert sending.message_of(notice, state, silent, NOON) is None


@pytest.fixture
def case() -> Connection:
    found = folded(kinds.CONNECTION, history("connection-lapsed"))
    assert isinstance(found, Connection)
    return found


@pytest.fixture
def paper() -> Paper:
    return papers_of(kinds.CONNECTION, history("connection-papers-sent"), RULES)[0]


def test_what_was_sent_is_on_record_once_with_the_digest_of_the_words(case: Connection, paper: Paper) -> None:
    sent = sending.deliver(case, SYSTEM, paper, way="sms", proof=PROOF)
    assert isinstance(sent, PaperSent)
    assert (sent.paper, sent.number, sent.event_id) == (paper.kind, paper.number, paper.event_id)
    assert (sent.receipt, sent.status, sent.proof_digest) == ("r-1", "delivered", PROOF.digest)
    after = replace(case, papers_sent=frozenset({paper.event_id}))
    assert sending.deliver(after, SYSTEM, paper, way="sms", proof=PROOF) is None
    assert sending.fail(after, SYSTEM, paper, way="sms", reason="no-address") is None
    failed = sending.fail(case, SYSTEM, paper, way="sms", reason="no-address")
    assert failed == PaperNotSent(paper.kind, 1, paper.event_id, "sms", "no-address")


def test_nobody_but_the_program_says_that_a_paper_was_sent(case: Connection, paper: Paper) -> None:
    manager = context(RULES, NOON, role="manager")
    with pytest.raises(Refusal) as refused:
        sending.deliver(case, manager, paper, way="sms", proof=PROOF)
    assert refused.value.code == "wrong-role"
    with pytest.raises(Refusal):
        sending.fail(case, manager, paper, way="sms", reason="no-address")


def test_a_standard_of_before_has_the_program_tell_it_all_the_same(case: Connection, paper: Paper) -> None:
    """The power came later than standards that are in force in installations."""
    standard = RULES.standards[0]
    powers = {name: roles for name, roles in standard.powers.items() if name != "connection.tell-applicant"}
    older = replace(RULES, standards=(with_changes(standard, powers=powers),))
    assert sending.deliver(case, context(older, NOON, role="system"), paper, way="sms", proof=PROOF) is not None


def test_the_newest_of_what_became_of_a_paper_counts(paper: Paper) -> None:
    found = sending.sendings_of(history("connection-papers-sent"))
    assert found[paper.event_id].failed is None
    assert found[paper.event_id].way == "sms"
    before = [each for each in history("connection-papers-sent") if not isinstance(each.fact, PaperSent)]
    assert sending.sendings_of(before)[paper.event_id] == Sending(
        next(each.happened_at for each in before if isinstance(each.fact, PaperNotSent)), "sms", "gateway-http-422"
    )


def test_of_an_outage_it_is_what_became_of_each_notice_that_was_ordered() -> None:
    recorded = history("outage-told")
    papers = papers_of(kinds.OUTAGE, recorded, RULES)
    found = sending.sendings_of(recorded)
    assert [(found[each.event_id].way, found[each.event_id].failed) for each in papers] == [
        ("sms", "gateway-http-503"),
        ("sms", None),
    ]
