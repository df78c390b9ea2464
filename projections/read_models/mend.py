"""How read models are mended: a row is a fold over one case's events, so it can be folded anew from them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from psycopg import Cursor

from infra.readers.dead_letter_desk import Mender
from infra.readers.dead_letters import BAD_CONTENT, kept_or_dead
from infra.readers.record import Event
from infra.readers.rule import DeadLetter
from infra.sql import sql
from projections.read_models.model import Journal, Model
from projections.read_models.views import VIEWS
from projections.watch.due import DueIndex


def view_menders() -> dict[str, Mender]:
    """Read model → how its rows of a case are folded anew."""
    return {model.name: Mender("views.places", partial(_fold_anew, model)) for model in VIEWS}


def due_menders() -> dict[str, Mender]:
    """The watch's index: the case is asked about, which tells every instant anew."""
    return {DueIndex.name: Mender("watch.places", _ask_anew)}


def _fold_anew(model: Model[Any] | Journal[Any], cursor: Cursor[Any], events: Sequence[Event]) -> list[DeadLetter]:
    rows: dict[tuple[Any, ...], Any] = {}
    dead = kept_or_dead(
        cursor,
        events,
        lambda part: _fold_on(model, cursor, rows, part),
        lambda event, error: model.dead(event, error, {}),
    )
    cursor.execute(sql("announce_views"))
    return dead


def _fold_on(
    model: Model[Any] | Journal[Any], cursor: Cursor[Any], rows: dict[tuple[Any, ...], Any], events: Sequence[Event]
) -> list[DeadLetter]:
    """Fold events on in memory and keep what came of them; ``rows`` stay as they were where a table refuses it."""
    after = dict(rows)
    dead: list[DeadLetter] = []
    for event in events:
        try:
            model.take(after, event)
        except BAD_CONTENT as error:
            dead.append(model.dead(event, error, {}))
    model.store(cursor, [row for row in after.values() if row is not None])
    rows.update(after)
    return dead


def _ask_anew(cursor: Cursor[Any], events: Sequence[Event]) -> list[DeadLetter]:
    index = DueIndex()
    dead = index.step(cursor, events, {})
    cases = {event.case_id: event.topic.split(".")[-2] for event in events}
    cursor.execute(sql("watch_ask_now"), {"ids": list(cases), "families": list(cases.values())})
    cursor.execute(sql("announce_due"))
    return dead
