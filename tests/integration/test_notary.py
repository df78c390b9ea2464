"""The notary on a real store and a real Kafka: what it signs, publishes, refuses; and the whole way of an auditor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from consumers.notary import notary as notary_module
from consumers.notary.bundle import bundle
from consumers.notary.bundle_verify import verify_bundle
from consumers.notary.export import KEEP, export, gather
from consumers.notary.keys import Keys, NotaryRefusal
from consumers.notary.merkle import Tree, leaf_hash
from consumers.notary.notary import Notary
from consumers.notary.note import Note, Signer, read_note
from consumers.notary.published import PublishedLog, Trust, read_logs
from consumers.notary.verify import AuditEvidence, AuditReport, verify, with_cases
from infra.kafka.cluster import admin_client, ensure_topics
from infra.settings import Settings
from infra.status import collect
from tests.audited import WORDING
from tests.contracted import records_on, require_promised
from tests.integration.relaying import CASES, QUICK, Running, all_out, during, relaying, store_events, wait_until

SHORT: dict[str, Any] = {**QUICK, "notary_every_s": 0.1}


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return settings.model_copy(update=SHORT)


def signing(settings: Settings) -> AbstractContextManager[Running]:
    """A notary for as long as the block lasts. An error that it ended with is the test's."""
    return during(Notary(settings).run)


def signed_up_to(settings: Settings, position: int) -> Callable[[], bool]:
    return lambda: any(log.newest.checkpoint.position >= position for log in read_logs(settings))


def on_topic(settings: Settings) -> PublishedLog:
    return read_logs(settings)[-1]


def execute(settings: Settings, text: str, *values: object) -> None:
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(text.encode(), values)


def rows(settings: Settings) -> list[Note]:
    with psycopg.connect(settings.database_url) as connection:
        found = connection.execute("SELECT note FROM notary.checkpoints ORDER BY number").fetchall()
    return [read_note(note) for (note,) in found]


def refused(settings: Settings) -> str:
    error = Running(Notary(settings).run).ended()
    assert isinstance(error, NotaryRefusal), error
    return error.code


def sign(settings: Settings, number: int) -> int:
    """Store events, and have them relayed and signed. Returns the last position."""
    last = store_events(settings, number)
    with relaying(settings), signing(settings):
        wait_until(all_out(settings, last), what="the relay")
        wait_until(signed_up_to(settings, last), what="the checkpoint")
    return last


def audit(settings: Settings, folder: Path, kept: Note, *, key: Signer | None = None) -> AuditReport:
    """Export and verify, as an auditor who kept a checkpoint and a key; left out: the one in use."""
    export(settings, folder)
    found = gather([folder])
    key = key or Keys(settings).current()
    assert key is not None
    return with_cases(verify(found.files, AuditEvidence([kept], found.notes, found.leaves, [key.public])), found.files)


# ---- signing and publishing


def test_what_is_stored_is_signed_published_exported_and_verified_offline(quick: Settings, tmp_path: Path) -> None:
    sign(quick, 40)
    log = on_topic(quick)
    assert log.newest.checkpoint.size == 40
    assert len(log.leaves) == 40 * 32
    require_promised("water.checkpoint.Checkpoint.v1", records_on(quick, quick.checkpoint_topic))
    key = Keys(quick).current()
    assert key is not None
    assert all(note.signed_by(key.public) for note in log.notes)
    kept = log.newest

    last = sign(quick, 25)  # another start: the log goes on
    report = audit(quick, tmp_path / "export", kept)
    assert report.findings == []
    assert (report.proven, report.uncovered) == (40, 0)
    assert on_topic(quick).newest.checkpoint.position == last
    assert (tmp_path / "export" / KEEP).read_text(encoding="utf-8") == on_topic(quick).newest.whole


def test_nothing_is_signed_again_where_nothing_was_added(quick: Settings) -> None:
    sign(quick, 5)
    before = len(rows(quick))
    with signing(quick):
        wait_until(signed_up_to(quick, 5), what="the checkpoint")
    assert len(rows(quick)) == before


def test_a_topic_made_anew_is_filled_from_the_rows(quick: Settings) -> None:
    sign(quick, 20)
    sign(quick, 20)
    before = [note.whole for note in on_topic(quick).notes]
    with admin_client(quick) as admin:
        admin.delete_topics([quick.checkpoint_topic], timeout_ms=10_000)
    wait_until(lambda: not read_logs(quick), what="the end of the topic")
    with signing(quick):
        wait_until(signed_up_to(quick, 40), what="the refill")
    assert [note.whole for note in on_topic(quick).notes] == before


def test_of_two_notaries_one_signs_and_the_other_goes_on_where_it_ends(quick: Settings) -> None:
    ensure_topics(quick)
    first = Running(Notary(quick).run)
    store_events(quick, 10)
    wait_until(signed_up_to(quick, 10), what="the first checkpoint")
    with signing(quick):
        first.stop()
        store_events(quick, 10)
        wait_until(signed_up_to(quick, 20), what="the second notary")
    sizes = [note.checkpoint.size for note in rows(quick)]
    assert sizes == sorted(set(sizes))
    assert first.error is None


@pytest.mark.slow
def test_without_kafka_it_signs_and_publishes_later(quick: Settings) -> None:
    store_events(quick, 10)
    away = quick.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    with signing(away):
        wait_until(lambda: bool(rows(quick)), what="the row")
    with signing(quick):
        wait_until(signed_up_to(quick, 10), what="the publication")


def test_an_export_waits_for_what_is_signed_and_not_yet_published(quick: Settings, tmp_path: Path) -> None:
    ensure_topics(quick)
    last = store_events(quick, 20)
    with signing(quick):
        wait_until(signed_up_to(quick, last), what="the checkpoint")
    audits: list[AuditReport] = []
    exporting = Running(lambda stop: audits.append(audit(quick, tmp_path / "export", on_topic(quick).newest)))
    wait_until((tmp_path / "export" / "topics").exists, what="the export's begin")
    with relaying(quick):
        assert exporting.ended() is None
    assert [report.findings for report in audits] == [[]]


# ---- keys


def test_a_key_is_handed_over_and_who_kept_the_old_one_trusts_the_new(quick: Settings) -> None:
    sign(quick, 10)
    old = Keys(quick).current()
    following = Keys(quick).lay_down_next()
    sign(quick, 10)
    assert Keys(quick).current() == following
    assert not Keys(quick).next_file.exists()
    sign(quick, 10)
    notes = on_topic(quick).notes
    assert old is not None
    assert [note.checkpoint.next_key is not None for note in notes].count(True) == 1
    assert not notes[-1].signed_by(old.public)
    trust = Trust([old.public], notes)
    assert all(trust.has_signed(note) for note in notes)


def test_a_lost_key_is_never_replaced_in_silence(quick: Settings) -> None:
    sign(quick, 10)
    Keys(quick).key_file.unlink()
    assert refused(quick) == "key-lost"
    Keys(quick).lay_down_next()
    sign(quick, 1)
    following = Keys(quick).current()
    assert following is not None
    assert on_topic(quick).newest.signed_by(following.public)


# ---- a store that is not what was signed


def test_it_does_not_sign_a_store_in_which_an_event_was_changed(quick: Settings) -> None:
    sign(quick, 10)
    execute(quick, "UPDATE store.stored_events SET state = state || ' ' WHERE notification_id = 4")
    assert refused(quick) == "log-rewritten"
    with psycopg.connect(quick.database_url, row_factory=psycopg.rows.dict_row) as connection:
        found = collect(connection, quick, figures=False).notary
    assert found is not None
    assert (found.position, found.unsigned) == (10, 0)
    assert str(found.refusal).startswith("log-rewritten: found other bytes than were signed")


def test_it_does_not_sign_a_store_out_of_which_an_event_was_taken(quick: Settings) -> None:
    sign(quick, 10)
    execute(quick, "DELETE FROM store.stored_events WHERE notification_id = 4")
    assert refused(quick) == "log-has-a-hole"


def test_it_does_not_sign_a_store_that_was_set_back_although_its_own_rows_were_too(quick: Settings) -> None:
    sign(quick, 10)
    execute(quick, "DELETE FROM store.stored_events WHERE notification_id > 6")
    execute(quick, "DELETE FROM notary.checkpoints")
    execute(quick, "UPDATE store.log_head SET position = 6")
    assert refused(quick) == "store-behind"


def test_checkpoints_that_a_restored_database_lost_are_made_again(quick: Settings, tmp_path: Path) -> None:
    sign(quick, 10)
    execute(quick, "DELETE FROM notary.checkpoints")
    kept = on_topic(quick).newest
    sign(quick, 5)
    with psycopg.connect(quick.database_url) as connection:
        leaves = connection.execute("SELECT leaves FROM notary.checkpoints ORDER BY number").fetchall()
    assert b"".join(each for (each,) in leaves) == bytes(on_topic(quick).leaves)
    assert audit(quick, tmp_path / "export", kept).findings == []


def test_a_new_generation_is_a_log_of_its_own_that_says_what_it_never_had(quick: Settings, tmp_path: Path) -> None:
    sign(quick, 10)
    before = on_topic(quick)
    generation = uuid4()
    execute(quick, "DELETE FROM store.stored_events WHERE notification_id > 6")
    execute(quick, "UPDATE store.log_head SET position = 20, generation = %s", generation)
    store_events(quick, 5)
    with signing(quick):
        wait_until(lambda: len(read_logs(quick)) == 2 and signed_up_to(quick, 25)(), what="the new log")
    after = on_topic(quick)
    assert after.origin == f"tongshui/{generation}" != before.origin
    assert after.newest.checkpoint.without == ((7, 20),)
    assert (after.newest.checkpoint.size, after.newest.checkpoint.position) == (11, 25)
    with signing(quick):  # and the next start finds it as it is
        wait_until(signed_up_to(quick, 25), what="the log")


# ---- an auditor against whoever can write everything else


def test_who_rewrites_store_topics_and_checkpoints_with_the_real_key_is_found_by_what_the_auditor_kept(
    quick: Settings, tmp_path: Path
) -> None:
    sign(quick, 30)
    kept = on_topic(quick).newest
    execute(
        quick,
        "UPDATE store.stored_events SET state = convert_to(replace(convert_from(state, 'UTF8'), '\"note\":\"\"',"
        " '\"note\":\"x\"'), 'UTF8') WHERE notification_id = 17",
    )
    # All of it: the notary's rows and memory, the relay's, and every topic under this prefix, made anew.
    execute(quick, "TRUNCATE notary.checkpoints; DELETE FROM store.relay_checkpoint; DELETE FROM store.relay_state")
    (Keys(quick).folder / "last").unlink()
    rewritten = quick.model_copy(update={"topic_prefix": f"{quick.topic_prefix}anew.water."})
    with relaying(rewritten), signing(rewritten):
        wait_until(all_out(rewritten, 30), what="the relay")
        wait_until(signed_up_to(rewritten, 30), what="the checkpoint")
    report = audit(rewritten, tmp_path / "export", kept)
    assert [(each.kind, each.position, each.last) for each in report.findings] == [("rewritten", 1, 30)]
    assert report.proven == 0


def test_a_bundle_of_a_case_is_made_from_kafka_and_verified_with_nothing_running(
    quick: Settings, tmp_path: Path
) -> None:
    sign(quick, 30)
    kept = on_topic(quick).newest
    case: UUID = CASES[0]
    sign(quick, 30)
    # The events of these tests begin a case at any version, which a bundle must not hide.
    bundle(quick, str(case), tmp_path / "case.zip", wording=WORDING, since=kept)
    key = Keys(quick).current()
    assert key is not None
    report = verify_bundle(tmp_path / "case.zip", WORDING, kept=kept, keys=[key.public])
    assert len(report.wrong) == 1
    assert "version 1 is missing" in report.wrong[0]
    assert report.unproven == []


def test_the_notary_ends_when_it_is_told_to(quick: Settings) -> None:
    stop = threading.Event()
    stop.set()
    Notary(quick).run(stop)


# ---- the frontier that is kept


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions that notaries hash before they sign anything, in their order."""
    found: list[int] = []
    take, look = notary_module._Session.take, notary_module._Session.look_behind
    behind: list[bool] = [False]

    def counted(self: Any, most: int) -> int:
        before = self.position
        taken = take(self, most)
        if not behind[0]:
            found.extend(range(before + 1, self.position + 1))
        return taken

    def looking(self: Any, most: int) -> Iterator[None]:
        steps = look(self, most)
        while True:
            behind[0] = True
            try:
                next(steps)
            except StopIteration:
                return
            finally:
                behind[0] = False
            yield

    monkeypatch.setattr(notary_module._Session, "take", counted)
    monkeypatch.setattr(notary_module._Session, "look_behind", looking)
    return found


def roots(settings: Settings) -> list[bytes]:
    """The roots that were signed, held against a tree over the store's bytes."""
    with psycopg.connect(settings.database_url) as connection:
        states = connection.execute("SELECT state FROM store.stored_events ORDER BY notification_id").fetchall()
    tree = Tree(b"".join(leaf_hash(bytes(state)) for (state,) in states))
    found = roots_signed(settings)
    assert found == [tree.root(note.checkpoint.size) for note in rows(settings)]
    return found


def roots_signed(settings: Settings) -> list[bytes]:
    return [note.checkpoint.root for note in rows(settings)]


def test_a_start_reads_only_what_came_since_and_then_the_whole_store_in_its_own_time(
    quick: Settings, reads: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    assert sign(quick, 37) == 37
    assert reads == list(range(1, 38))
    reads.clear()
    store_events(quick, 6)
    with caplog.at_level("INFO"):
        sign(quick, 4)
        with signing(quick):
            wait_until(lambda: "the whole store stands, 47 events" in caplog.text, what="the look at everything")
    assert reads == list(range(38, 48))
    assert len(roots(quick)) >= 2
    assert "thrown away" not in caplog.text


TAMPERED = {
    "its peaks": ("UPDATE notary.frontiers SET peaks = sha256(peaks) || substring(peaks FROM 33)", "the root"),
    "its size": ("UPDATE notary.frontiers SET size = size - 1", "thrown away"),
    "size and peaks": ("UPDATE notary.frontiers SET size = 4, peaks = sha256('x')", "no checkpoint of that size"),
    "its last event": ("UPDATE notary.frontiers SET last_leaf = sha256('x')", "is not in the store at position 37"),
}


@pytest.mark.parametrize("what", sorted(TAMPERED))
def test_a_frontier_that_is_not_what_was_signed_is_thrown_away_and_the_store_read_again(
    quick: Settings, reads: list[int], caplog: pytest.LogCaptureFixture, what: str
) -> None:
    sign(quick, 37)
    reads.clear()
    statement, said = TAMPERED[what]
    execute(quick, statement)
    sign(quick, 5)
    assert reads == list(range(1, 43))
    assert said in caplog.text
    assert "it is thrown away and the whole store is read" in caplog.text
    roots(quick)
    reads.clear()
    with signing(quick):  # and the next start has one again
        wait_until(signed_up_to(quick, 42), what="the log")
    assert reads == []


def test_the_roots_are_those_of_a_notary_that_keeps_no_frontier(quick: Settings) -> None:
    for number in (1, 6, 9, 16):
        sign(quick, number)
    found = roots(quick)
    execute(quick, "DELETE FROM notary.frontiers")
    sign(quick, 3)
    assert roots(quick)[: len(found)] == found


def test_a_key_that_is_handed_over_leaves_a_frontier_that_counts(quick: Settings, reads: list[int]) -> None:
    sign(quick, 9)
    Keys(quick).lay_down_next()
    with signing(quick):
        wait_until(lambda: Keys(quick).following() is None, what="the hand-over")
    reads.clear()
    sign(quick, 2)
    assert reads == [10, 11]


def test_an_old_event_that_was_changed_while_it_was_away_ends_it_and_is_never_signed(quick: Settings) -> None:
    sign(quick, 10)
    store_events(quick, 3)
    execute(quick, "UPDATE store.stored_events SET state = state || ' ' WHERE notification_id = 4")
    assert refused(quick) == "log-rewritten"
    signed_then = roots_signed(quick)
    store_events(quick, 3)
    assert refused(quick) == "log-rewritten", "and nothing is signed by a start after one that refused"
    assert roots_signed(quick) == signed_then
    execute(quick, "UPDATE store.stored_events SET state = rtrim(state, ' ') WHERE notification_id = 4")
    sign(quick, 1)
    assert roots(quick)[: len(signed_then)] == signed_then
