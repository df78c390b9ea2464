"""The daily reconciliation: billing's books against the store, by kind of movement and fee: count, sum and hash.

Both sides are cut at billing's own read positions, so what it has not read yet is no difference. Where a group differs
it is gone through item by item, and each difference is a row with a number of its own, open until somebody settles it
by name and reason. One that is still there the next day is found again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import msgspec
import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from consumers.billing import statement
from consumers.billing.books import live_build
from consumers.billing.statement import StatementItem
from infra.kafka.cluster import BusRefusal, Partition
from infra.settings import Settings
from infra.sql import sql

What = Literal["missing", "unknown", "doubled", "other"]
ItemGroup = tuple[str, str]
"""Kind and fee."""
_MODULUS = 1 << 128


class GroupTotals(NamedTuple):
    """Of a group of items. The hash is a sum over the items' own, so it depends on no order and needs no memory."""

    number: int = 0
    total: int = 0
    hash: int = 0

    def with_item(self, item: StatementItem) -> GroupTotals:
        """With one item more."""
        digest = int.from_bytes(sha256("|".join(map(str, item)).encode()).digest()[:16])
        return GroupTotals(self.number + 1, self.total + item.amount, (self.hash + digest) % _MODULUS)


@dataclass(frozen=True, slots=True)
class BooksDifference:
    """``what``: missing in the books, unknown to the store, doubled in the books, or other there than in the store."""

    kind: str
    fee: str
    item: str
    what: What
    store_says: str | None
    books_say: str | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Group → figures by the store and by the books, and every difference."""

    build: int
    groups: Mapping[ItemGroup, tuple[GroupTotals, GroupTotals]]
    differences: Sequence[BooksDifference]

    @property
    def items(self) -> int:
        """How many items the store has."""
        return sum(store.number for store, _ in self.groups.values())


# ---- compare


def reconcile(connection: psycopg.Connection[Any], settings: Settings, build: int | None = None) -> Reconciled:
    """Compare in one snapshot and write nothing; None: the live build. ``connection``: in no transaction."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return compare(connection, settings, live_build(connection) if build is None else build)


def compare(connection: psycopg.Connection[Any], settings: Settings, build: int) -> Reconciled:
    """As ``reconcile``, in the caller's transaction."""
    read_positions = _read_positions(connection, build)
    stored = _figures(statement.items(connection, settings, read_positions))
    booked = _figures(items(connection, build))
    groups = {
        group: (stored.get(group, GroupTotals()), booked.get(group, GroupTotals()))
        for group in sorted(stored.keys() | booked.keys())
    }
    unequal = {group for group, (store, books) in groups.items() if store != books}
    found: list[BooksDifference] = []
    if unequal:
        theirs = _of(statement.items(connection, settings, read_positions), unequal)
        ours = _of(items(connection, build), unequal)
        found = sorted(_differences(theirs, ours), key=lambda one: (one.kind, one.fee, one.item))
    return Reconciled(build, groups, found)


def items(connection: psycopg.Connection[Any], build: int) -> Iterator[StatementItem]:
    """Every item by the books. What a row says twice comes twice."""
    for movement, reference, fee, ledger, fen, case_id in _rows(connection, "billing_postings_all", build):
        # An entry has two sides; the one that is not the receivable says what moved.
        if ledger != "receivable" and movement in statement.MONEY:
            yield StatementItem(movement, fee, f"{case_id}/{reference}", _moved(movement, fen), "")
    for case_id, fee, fen in _rows(connection, "billing_claims_all", build):
        yield StatementItem("claim", fee, str(case_id), int(fen), "")
    for case_id, point, meter, initial in _rows(connection, "billing_accounts_all", build):
        yield StatementItem("account", "", f"{case_id}/{point}", 0, f"{meter} {initial:.3f}")
    for case_id, point, old, new, final, initial in _rows(connection, "billing_meters_all", build):
        yield StatementItem("meter", "", f"{case_id}/{point}/{old}/{new}", 0, f"{final:.3f} {initial:.3f}")
    for case_id, point, change, split, household, since, reading in _rows(connection, "billing_classes_all", build):
        key = f"{case_id}/{point}/{change}"
        yield StatementItem("class", "", key, 0, statement.class_detail(split, household, since, reading))
    for case_id, point, change, who, revision, contract, since, reading in _rows(
        connection, "billing_customers_all", build
    ):
        key = f"{case_id}/{point}/{change}"
        yield StatementItem("customer", "", key, 0, statement.customer_detail(who, revision, contract, since, reading))
    for case_id, hold, meter, litres, held_at, released_at, cause in _rows(connection, "billing_holds_all", build):
        if held_at is not None:
            yield StatementItem("hold", "", f"{case_id}/{hold}", litres, meter)
        if released_at is not None:
            yield StatementItem("release", "", f"{case_id}/{hold}", litres, f"{meter} {cause}")
    for meter, read_at, litres in _rows(connection, "billing_readings_all", build):
        yield StatementItem("reading", "", f"{meter}/{read_at.astimezone(UTC).isoformat()}", litres, "")


def _moved(movement: str, fen: int) -> int:
    """Money as the event tells it: income is credited, and reversals and refunds are the other way round."""
    return -fen if movement in ("quote", "payment-reversed", "refund") else fen


def _rows(connection: psycopg.Connection[Any], name: str, build: int) -> Iterator[Any]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        yield from cursor.stream(sql(name), {"build": build}, size=1_000)


def _read_positions(connection: psycopg.Connection[Any], build: int) -> dict[Partition, int]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(sql("billing_read_positions"), {"build": build}).fetchall()
    return {Partition(topic, partition): position for topic, partition, position, _ in rows}


def _figures(found: Iterable[StatementItem]) -> dict[ItemGroup, GroupTotals]:
    groups: dict[ItemGroup, GroupTotals] = {}
    for item in found:
        group = (item.kind, item.fee)
        groups[group] = groups.get(group, GroupTotals()).with_item(item)
    return groups


def _of(found: Iterable[StatementItem], groups: set[ItemGroup]) -> dict[tuple[str, str, str], Counter[str]]:
    """Kind, fee and key → what is said of it, how often."""
    said: dict[tuple[str, str, str], Counter[str]] = {}
    for item in found:
        if (item.kind, item.fee) in groups:
            what = f"{item.amount} {item.detail}".strip()
            said.setdefault((item.kind, item.fee, item.key), Counter())[what] += 1
    return said


def _differences(
    theirs: Mapping[tuple[str, str, str], Counter[str]], ours: Mapping[tuple[str, str, str], Counter[str]]
) -> Iterator[BooksDifference]:
    for name in theirs.keys() | ours.keys():
        store, books = theirs.get(name, Counter()), ours.get(name, Counter())
        if store == books:
            continue
        what: What = "other"
        if not books:
            what = "missing"
        elif not store:
            what = "unknown"
        elif books.total() > store.total():
            what = "doubled"
        yield BooksDifference(*name, what, _text(store), _text(books))


def _text(said: Counter[str]) -> str | None:
    return "; ".join(f"{what} × {often}" if often > 1 else what for what, often in sorted(said.items())) or None


# ---- keep


def reconcile_and_keep(connection: psycopg.Connection[Any], settings: Settings) -> Reconciled:
    """Reconcile the live build and write down figures and differences. Raises BusRefusal "reconciling-already"."""
    found = reconcile(connection, settings)
    with connection.transaction():
        if connection.execute(sql("billing_lock_reconciliation")).fetchone() == (False,):
            raise BusRefusal(
                "reconciling-already",
                found="another reconciliation that writes its figures at this moment",
                needed="one at a time",
                next_step="look at `tongshui billing differences` in a moment 对账正在进行，请稍候",
            )
        since = connection.execute(sql("billing_now")).fetchone()
        rows = msgspec.to_builtins(list(found.differences))
        connection.execute(sql("billing_save_differences"), {"rows": Jsonb(rows)})
        connection.execute(sql("billing_gone_differences"), {"since": since[0] if since is not None else None})
        groups = [
            {"kind": kind, "fee": fee, "store": _shown(store), "books": _shown(books)}
            for (kind, fee), (store, books) in found.groups.items()
        ]
        connection.execute(
            sql("billing_save_reconciliation"),
            {
                "build": found.build,
                "items": found.items,
                "groups": Jsonb(groups),
                "differences": len(found.differences),
            },
        )
    return found


def reconcile_if_due(connection: psycopg.Connection[Any], settings: Settings) -> Reconciled | None:
    """Reconcile where the last time is longer ago than settings say; None: it is not due."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        last = cursor.execute(sql("billing_last_reconciliation")).fetchone()
    if last is not None and last[4] < settings.billing_reconcile_s:
        return None
    return reconcile_and_keep(connection, settings)


def resolve(connection: psycopg.Connection[Any], number: int, *, by: str, reason: str) -> None:
    """Settle a difference by name and reason. Raises BusRefusal "no-such-difference"."""
    values = {"number": number, "by": by, "reason": reason}
    if connection.execute(sql("billing_resolve_difference"), values).fetchone() is None:
        raise BusRefusal(
            "no-such-difference",
            found=f"no open difference DZ-{number}",
            needed="the number of an open one",
            next_step="see `tongshui billing differences` 请核对差异编号",
        )


def _shown(figures: GroupTotals) -> dict[str, Any]:
    return {"count": figures.number, "sum": figures.total, "hash": f"{figures.hash:032x}"}


def _line(figures: GroupTotals) -> str:
    return f"{figures.number} / {figures.total} / {figures.hash:032x}"


def lines(found: Reconciled) -> Iterator[str]:
    """A line for each group, and for each difference."""
    yield f"build {found.build}, {found.items} items by the store 存储侧项目数"
    for (kind, fee), (store, books) in found.groups.items():
        verdict = "agrees 一致" if store == books else "DIFFERS 不一致"
        yield (
            f"{NAMES.get(kind, kind):<14} {kind:<16} {fee or '–':<14} "
            f"store {_line(store)}  books {_line(books)}  {verdict}"
        )
    for one in found.differences:
        yield f"{one.what}: {one.kind} {one.fee or '–'} {one.item}: store {one.store_says}, books {one.books_say}"


NAMES = {
    "quote": "报价",
    "payment": "收款",
    "payment-reversed": "收款冲正",
    "refund": "退款",
    "refund-reversed": "退款冲正",
    "claim": "应收",
    "account": "开户",
    "meter": "换表",
    "class": "用水性质",
    "customer": "用户",
    "hold": "暂缓计费",
    "release": "恢复计费",
    "reading": "入账读数",
}
