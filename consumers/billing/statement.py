"""What the store says billing's books must hold: figured out a second time, from the stored events alone.

Nothing here knows the ledger, the inbox or the reader: it goes through the events in the order of the log with plain
dictionaries. What both arrive at in two ways is right, or wrong twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import tuple_row

from infra.kafka.cluster import Partition, case_key, partition_of
from infra.settings import Settings
from infra.sql import sql

AT_ONCE = 2_000
MONEY = ("quote", "payment", "payment-reversed", "refund", "refund-reversed", "claim")
POINTS = ("account", "meter", "class", "customer", "hold", "release", "reading")
_FACTS = (
    "connection.QuoteIssued",
    "connection.PaymentReceived",
    "connection.PaymentReversed",
    "connection.RefundMade",
    "connection.RefundReversed",
    "connection.ApplicationWithdrawn",
    "connection.ApplicationRefused",
    "connection.CaseEnded",
    "connection.CaseResumed",
    "connection.WaterTurnedOn",
    "connection.MeterReplaced",
    "connection.UsageClassChanged",
    "connection.CustomerChanged",
    "connection.CustomerRenamed",
    "usage.ReadingHeld",
    "usage.ReadingReleased",
    "usage.ReadingAudited",
)
TYPES = tuple(f"water.{fact}.v1" for fact in _FACTS)


class StatementItem(NamedTuple):
    """One thing that books and store must both have. ``amount``: fen, litres of a reading or a hold, else 0."""

    kind: str
    fee: str
    key: str
    amount: int
    detail: str


def items(
    connection: psycopg.Connection[Any], settings: Settings, places: Mapping[Partition, int]
) -> Iterator[StatementItem]:
    """Every item by the store, of what lies up to these places."""
    return items_of(_events(connection, settings, places))


def items_of(events: Iterable[tuple[str, str, Mapping[str, Any]]]) -> Iterator[StatementItem]:
    """Every item of events: type name, case, JSON; in the order of the log. Pure."""
    known: set[str] = set()
    cases: dict[str, _Case] = {}
    for type_name, case, event in events:
        for item in _said(type_name.split(".")[2], case, event, cases):
            # Said twice, in two forms or in two rounds, it is one thing all the same.
            name = f"{item.kind}|{item.fee}|{item.key}"
            if name not in known:
                known.add(name)
                yield item
    for case, kept in cases.items():
        if not kept.stopped:
            for fee, fen in kept.quoted.items():
                if fen:
                    yield StatementItem("claim", fee, case, fen, "")


class _Case:
    """Of a case: its last quote, whether it stopped, and what moved under which number."""

    def __init__(self) -> None:
        self.quoted: dict[str, int] = {}
        self.stopped = False
        self.moved: dict[str, dict[str, int]] = {}


def _events(
    connection: psycopg.Connection[Any], settings: Settings, places: Mapping[Partition, int]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    after = 0
    with connection.cursor(row_factory=tuple_row) as cursor:
        while True:
            rows = cursor.execute(
                sql("billing_events"), {"after": after, "types": list(TYPES), "most": AT_ONCE}
            ).fetchall()
            if not rows:
                return
            for position, case_id, type_name, state in rows:
                topic = settings.home_topic(type_name.split(".")[1])
                partition = Partition(topic, partition_of(case_key(case_id), settings.partitions))
                if position <= places.get(partition, 0):
                    yield type_name, str(case_id), json.loads(bytes(state))
            after = rows[-1][0]


def _said(fact: str, case: str, event: Mapping[str, Any], cases: dict[str, _Case]) -> Iterator[StatementItem]:
    data = event["data"]
    if fact in ("UsageClassChanged", "CustomerChanged", "CustomerRenamed"):
        yield from _terms(fact, case, event)
        return
    if fact in ("WaterTurnedOn", "MeterReplaced", "ReadingHeld", "ReadingReleased", "ReadingAudited"):
        yield from _point(fact, case, data)
        return
    kept = cases.setdefault(case, _Case())
    match fact:
        case "QuoteIssued":
            kept.quoted = _sums(data["lines"])
            yield from _money("quote", case, str(data["quote"]), kept.quoted)
        case "PaymentReceived" | "RefundMade":
            kind = "payment" if fact == "PaymentReceived" else "refund"
            kept.moved[f"{kind}/{data[kind]}"] = _sums(data["lines"])
            yield from _money(kind, case, data[kind], kept.moved[f"{kind}/{data[kind]}"])
        case "PaymentReversed" | "RefundReversed":
            kind = "payment" if fact == "PaymentReversed" else "refund"
            lines = kept.moved.get(f"{kind}/{data[kind]}", {})
            yield from _money(f"{kind}-reversed", case, data[kind], lines)
        case "CaseResumed":
            kept.stopped = False
        case _:
            kept.stopped = True


def _point(fact: str, case: str, data: Mapping[str, Any]) -> Iterator[StatementItem]:
    match fact:
        case "WaterTurnedOn":
            meter = data["meter"]
            yield StatementItem("account", "", f"{case}/{data['point']}", 0, f"{meter['number']} {_m3(meter)}")
        case "MeterReplaced":
            final, first = f"{Decimal(data['final_reading_m3']):.3f}", _m3(data["meter"])
            swap = f"{case}/{data['point']}/{data['old_meter']}/{data['meter']['number']}"
            yield StatementItem("meter", "", swap, 0, f"{final} {first}")
        case "ReadingHeld":
            yield StatementItem("hold", "", f"{case}/{data['hold']}", int(data["litres"]), data["meter"])
        case "ReadingReleased":
            yield StatementItem(
                "release", "", f"{case}/{data['hold']}", int(data["litres"]), f"{data['meter']} {data['cause']}"
            )
        case _:
            at = _at(data["read_at"]).astimezone(UTC).isoformat()
            yield StatementItem("reading", "", f"{data['meter']}/{at}", int(data["litres"]), "")


def _terms(fact: str, case: str, event: Mapping[str, Any]) -> Iterator[StatementItem]:
    data = event["data"]
    if fact == "UsageClassChanged":
        detail = class_detail(
            data["usage_split"], data["household_size"], _at(data["effective_at"]), data["reading_m3"]
        )
        yield StatementItem("class", "", f"{case}/{data['point']}/{data['change']}", 0, detail)
        return
    subject = data["subject"]
    renamed = fact == "CustomerRenamed"
    contract, reading = (None, None) if renamed else (data["contract"], data["reading_m3"])
    since = _at(event["time"] if renamed else data["effective_at"])
    for point in data["points"] if renamed else [data["point"]]:
        detail = customer_detail(subject["id"], subject["revision"], contract, since, reading)
        yield StatementItem("customer", "", f"{case}/{point}/{data['change']}", 0, detail)


def class_detail(split: Mapping[str, int], household: int | None, since: datetime, reading: Any) -> str:
    """What is said of a class of use, in one form for both sides."""
    parts = ",".join(f"{name}:{percent}" for name, percent in sorted(split.items()))
    return f"{parts} {household or '-'} {since.astimezone(UTC).isoformat()} {_dial(reading)}"


def customer_detail(subject: Any, revision: int, contract: str | None, since: datetime, reading: Any) -> str:
    """What is said of a customer, in one form for both sides."""
    return f"{subject}/{revision} {contract or '-'} {since.astimezone(UTC).isoformat()} {_dial(reading)}"


def _dial(reading: Any) -> str:
    return "-" if reading is None else f"{Decimal(reading):.3f}"


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _money(kind: str, case: str, number: str, lines: Mapping[str, int]) -> Iterator[StatementItem]:
    for fee, fen in lines.items():
        if fen:
            yield StatementItem(kind, fee, f"{case}/{number}", fen, "")


def _sums(lines: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        found[line["fee"]] = found.get(line["fee"], 0) + int(line["amount_fen"])
    return found


def _m3(meter: Mapping[str, Any]) -> str:
    return f"{Decimal(meter['initial_reading_m3']):.3f}"
