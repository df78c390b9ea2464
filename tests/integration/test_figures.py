"""What is counted from applications: the read models, the figures, the charges, each against the history it tells."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from domain.connections.facts import SurveyMade
from infra.clock import ManualClock
from infra.eventstore.consistency_check import actual_rows, disagreements
from infra.eventstore.service import Service
from infra.kafka.cluster import Record
from infra.readers.faust_app import ModelStream
from infra.sql import sql
from infra.sql.bounds import bounds_of
from projections.read_models.charges import CHARGES
from projections.read_models.connections import CONNECTIONS
from projections.read_models.views import VIEWS
from projections.reports import published
from projections.reports.figures import PeriodFigures, bounds, figures
from tests.connection_history import Told, tell_all
from tests.published import records, topic_ids


class _Stream(ModelStream):
    """The stream shell without Kafka: topic ids are made up."""

    def feed(self, batch: Sequence[Record]) -> None:
        self._topic_ids = topic_ids(self.settings)
        self.until_stored(batch, stopping=lambda: False)


@pytest.fixture
def told(service: Service, clock: ManualClock) -> dict[str, Told]:
    return tell_all(service, clock)


@pytest.fixture
def connection(service: Service) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(service.settings.database_url, autocommit=True, row_factory=dict_row) as opened:
        yield opened


@pytest.fixture
def stream(service: Service, told: dict[str, Told]) -> Iterator[_Stream]:
    made = _Stream(service.settings, "views", VIEWS)
    yield made
    made.close()


@pytest.fixture
def shown(stream: _Stream, connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The read models with the whole history in them."""
    stream.feed(records(stream.settings))
    return connection


# ---- the models


def test_live_replayed_and_rebuilt_are_the_same(stream: _Stream, connection: psycopg.Connection[Any]) -> None:
    for record in records(stream.settings):
        stream.feed([record])
    live = [actual_rows(connection, model) for model in VIEWS]
    assert disagreements(stream.settings, connection, VIEWS) == []
    stream.feed(records(stream.settings))
    assert [actual_rows(connection, model) for model in VIEWS] == live


@pytest.mark.parametrize("seed", range(3))
def test_any_batches_with_any_redelivery_give_the_same_rows(
    stream: _Stream, connection: psycopg.Connection[Any], seed: int
) -> None:
    rng, everything, place = random.Random(seed), records(stream.settings), 0
    while place < len(everything):
        back = rng.randrange(place + 1)
        place = min(len(everything), place + rng.randrange(1, 15))
        stream.feed(everything[back:place])
    assert disagreements(stream.settings, connection, VIEWS) == []


def test_the_agreement_check_sees_a_wrong_row_of_every_new_model(
    shown: psycopg.Connection[Any], stream: _Stream
) -> None:
    shown.execute("UPDATE views.connections SET paid_fen = paid_fen + 1 WHERE channel = 'website'")
    shown.execute("DELETE FROM views.charges WHERE kind = 'refused'")
    shown.execute("UPDATE views.visits SET state = 'made' WHERE state = 'cancelled'")
    shown.execute("UPDATE views.ahead SET deliverables = 1 WHERE deliverables = 2")
    shown.execute("UPDATE views.works SET completed_at = NULL WHERE completed_at IS NOT NULL")
    found = disagreements(stream.settings, shown, VIEWS)
    assert sorted(difference.split(":")[0] for difference in found) == [
        "ahead",
        "charges",
        "connections",
        "visits",
        "works",
    ]


def row(connection: psycopg.Connection[Any], case: Told) -> dict[str, Any]:
    return actual_rows(connection, CONNECTIONS)[(case.case_id,)]


def stage(connection: psycopg.Connection[Any], case: Told) -> tuple[str, bool]:
    found = connection.execute("SELECT stage, open FROM views.cases WHERE case_id = %s", [case.case_id]).fetchone()
    assert found is not None
    return found["stage"], found["open"]


def test_net_time_is_without_the_pauses_that_count(shown: psycopg.Connection[Any], told: dict[str, Told]) -> None:
    paused = row(shown, told["outstanding_at_home"])
    assert (paused["paused_minutes"], paused["net_minutes"], paused["gross_minutes"]) == (21 * 60, 2 * 60, 23 * 60)
    revoked = row(shown, told["late"])
    assert revoked["paused_minutes"] == 0
    assert revoked["net_minutes"] == revoked["gross_minutes"] == 9 * 24 * 60 + 1


def test_a_commitment_is_kept_or_broken_and_the_case_says_so(
    shown: psycopg.Connection[Any], told: dict[str, Told]
) -> None:
    kept, broken = row(shown, told["outstanding_at_home"]), row(shown, told["paper_not_kept"])
    assert (kept["promise"], kept["basis"], kept["outstanding"], kept["stopped"]) == (
        "kept",
        "papers-outstanding",
        1,
        None,
    )
    assert (broken["promise"], broken["stopped"]) == ("broken", "ended")
    assert stage(shown, told["paper_not_kept"]) == ("ended", False)


def test_money_is_what_stands_after_reversals(shown: psycopg.Connection[Any], told: dict[str, Told]) -> None:
    back = row(shown, told["withdrawn"])
    assert (back["quoted_fen"], back["paid_fen"], back["refunded_fen"]) == (166_625, 166_625, 160_625)
    assert stage(shown, told["withdrawn"]) == ("withdrawn", False)


def test_on_time_is_the_verdict_on_record(shown: psycopg.Connection[Any], told: dict[str, Told]) -> None:
    assert [row(shown, told[name])["on_time"] for name in ("in_time", "late", "withdrawn")] == [True, False, None]
    assert row(shown, told["late"])["lapses"] == 1
    assert stage(shown, told["late"]) == ("water_on", False)


def test_a_second_trip_is_one_too_many(shown: psycopg.Connection[Any], told: dict[str, Told]) -> None:
    assert [row(shown, told[name])["excess_trips"] for name in ("withdrawn", "outstanding_at_home")] == [1, 0]


def test_a_late_survey_does_not_take_a_case_back(service: Service, stream: _Stream, told: dict[str, Told]) -> None:
    told["in_time"].say(SurveyMade(True, ()))
    told["withdrawn"].say(SurveyMade(True, ()))
    stream.feed(records(stream.settings))
    with service.connection() as connection:
        assert stage(connection, told["in_time"]) == ("water_on", False)
        assert stage(connection, told["withdrawn"]) == ("withdrawn", False)


# ---- the figures


def test_every_figure_is_counted_from_the_history(shown: psycopg.Connection[Any]) -> None:
    found = figures(shown)
    assert found.applications == 5
    assert found.by_category == {"business": 1, "institution": 1, "private": 3}
    assert found.by_channel == {"counter": 2, "hotline": 1, "platform": 1, "website": 1}
    assert found.online == 1
    assert found.by_basis == {"not-admitted": 1, "papers": 2, "papers-outstanding": 2}
    assert found.by_outcome == {"ended": 1, "water_on": 3, "withdrawn": 1}
    assert (found.home_visits, found.users_visited) == (1, 1)
    assert (found.papers_outstanding, found.papers_outstanding_at_home) == (2, 1)
    assert (found.water_on, found.on_time, found.on_time_percent, found.lapsed) == (3, 2, 66.7, 1)
    assert found.pauses == {"government-permit": 1}
    assert (found.charges_refused, found.further_requests_refused) == (1, 1)
    assert (found.quoted_fen, found.paid_fen, found.refunded_fen) == (4 * 166_625, 4 * 166_625, 160_625)


def test_what_was_done_besides_is_counted(shown: psycopg.Connection[Any]) -> None:
    found = figures(shown)
    assert (found.consultations, found.preservices, found.preservices_given) == (1, 2, 1)
    (works,) = found.works
    assert (works.kind, works.registered, works.completed) == ("pump-room", 2, 1)
    assert (works.communities, works.households) == (1, 356)


def test_commitments_and_trips_are_told_by_channel(shown: psycopg.Connection[Any]) -> None:
    by_channel = {one.channel: one for one in figures(shown).channels}
    assert (by_channel["counter"].kept_percent, by_channel["hotline"].kept_percent) == (100.0, 0.0)
    assert by_channel["website"].kept_percent is None
    counter = by_channel["counter"]
    assert (counter.no_trip, counter.one_trip, counter.more_trips, counter.too_many_trips) == (0, 1, 1, 1)


def test_a_period_takes_the_days_in_china_both_included(shown: psycopg.Connection[Any]) -> None:
    # Received on 16, 17 (four of them, in China) and later; the clock of the history starts at 9:00 in China.
    everything = figures(shown)
    days = [figures(shown, day, day).applications for day in (date(2026, 9, n) for n in range(14, 22))]
    assert sum(days) == everything.applications
    assert days[2] == 1
    assert figures(shown, date(2027, 1, 1), None) == _nothing(figures(shown, date(2027, 1, 1), None))


def _nothing(found: PeriodFigures) -> PeriodFigures:
    assert (found.applications, found.home_visits, found.paid_fen, found.gross.median) == (0, 0, 0, None)
    return found


def test_the_published_figures_stand_beside_ours_and_what_cannot_be_right_is_said(
    shown: psycopg.Connection[Any],
) -> None:
    beside = {line.code: (line.ours, line.published) for line in published.beside(figures(shown))}
    assert beside["applications"] == (5, "238")
    assert beside["category:private"] == (3, "187")
    assert beside["channel:online"] == (1, "20")
    assert beside["home-visits"] == (1, "30+")
    total, documents = published.contradictions()
    assert "37+14+2+187 = 240" in total.text
    assert "20+10+2+208 = 240" in total.text
    assert "66.7 %" in documents.text


# ---- the charges


def charges(connection: psycopg.Connection[Any], **wanted: Any) -> list[dict[str, Any]]:
    query = {**bounds(None, None), "kind": None, "after": 0, "limit": 500, **wanted}
    return connection.execute(sql("list_charges"), query | bounds_of()).fetchall()


def test_every_charge_is_listed_and_a_reversal_with_the_amounts_it_takes_back(
    shown: psycopg.Connection[Any], told: dict[str, Told]
) -> None:
    mine = [line for line in charges(shown) if line["case_id"] == told["withdrawn"].case_id]
    assert [(line["kind"], line["fee"], line["amount_fen"]) for line in mine] == [
        ("quoted", "water-loss", 6_000),
        ("quoted", "installation", 160_625),
        ("paid", "water-loss", 6_000),
        ("paid", "installation", 160_625),
        ("payment-reversed", "water-loss", 6_000),
        ("payment-reversed", "installation", 160_625),
        ("paid", "water-loss", 6_000),
        ("paid", "installation", 160_625),
        ("refunded", "water-loss", 6_000),
        ("refund-reversed", "water-loss", 6_000),
        ("refunded", "installation", 160_625),
    ]


def test_a_refused_charge_is_seen_with_the_name_that_forbids_it(shown: psycopg.Connection[Any]) -> None:
    (refused,) = charges(shown, kind="refused")
    assert (refused["banned"], refused["why"], refused["amount_fen"]) == ("开户费", "banned-charge", 5_000)
    assert refused["actor"] == "counter-1"


def test_charges_balance_with_what_the_applications_say(shown: psycopg.Connection[Any]) -> None:
    sums = {
        row["kind"]: row["amount_fen"]
        for row in shown.execute(sql("sum_charges"), {**bounds(None, None), **bounds_of(), "kind": None})
    }
    found = figures(shown)
    assert sums["paid"] - sums["payment-reversed"] == found.paid_fen
    assert sums["refunded"] - sums["refund-reversed"] == found.refunded_fen
    assert len(actual_rows(shown, CHARGES)) > 0


def test_a_model_whose_place_was_forgotten_is_read_anew_beside_the_others(
    stream: _Stream, shown: psycopg.Connection[Any]
) -> None:
    """What a migration does to a model whose rows say more from now on."""
    shown.execute("TRUNCATE views.cases")
    shown.execute("DELETE FROM views.places WHERE reader = 'cases'")
    assert disagreements(stream.settings, shown, VIEWS) != []
    stream.feed(records(stream.settings))
    assert disagreements(stream.settings, shown, VIEWS) == []
