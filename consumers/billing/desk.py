"""What a billing engineer looks at: how the books stand, accounts, a case's ledger and use, differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from consumers.billing.books import live_build
from consumers.billing.reconcile import NAMES
from infra.kafka.cluster import BusRefusal
from infra.sql import sql

LOCAL = ZoneInfo("Asia/Shanghai")
LEDGERS = {"receivable": "应收", "income": "收入", "cash": "资金"}
MOVEMENTS = NAMES | {"quote-replaced": "报价替换", "quote-void": "终止冲回", "quote-again": "恢复计入"}
DIFFERS = {
    "missing": "账上缺失 missing in the books",
    "unknown": "存储没有 unknown to the store",
    "doubled": "重复记账 doubled",
    "other": "内容不符 other",
}
TERMS = {"payer_class": "缴费类别", "owner": "责任人", "stopped": "终止原因"}
DIALS = {"accepted": "accepted 入账", "final": "final reading 拆表止码", "handed-over": "handed over 变更抄码"}
BooksRow = dict[str, Any]
MOST_SHOWN = 20


def _rows(connection: psycopg.Connection[Any], name: str, **values: Any) -> list[BooksRow]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql(name), values).fetchall()


# ---- the books as a whole


def status(connection: psycopg.Connection[Any]) -> tuple[list[str], bool]:
    """How the books stand, and whether all is well: they balance, nothing is odd, no difference is open, and they met
    the store within two days."""
    build = live_build(connection)
    (counts,) = _rows(connection, "billing_counts", build=build)
    last = _rows(connection, "billing_last_reconciliation")
    open_ = _rows(connection, "billing_differences", every=False, most=1000)
    lines = [
        f"build      {build} 当前账套",
        f"accounts   {counts['accounts']} 户, cases {counts['cases']} 案件, readings {counts['readings']} 入账读数, "
        f"held {counts['held']} 暂缓计费",
        f"inbox      booked {counts['booked']}, duplicates {counts['duplicates']} 重复, odd {counts['odd']} 异常",
    ]
    for row in _rows(connection, "billing_ledgers", build=build):
        name = LEDGERS[row["ledger"]]
        lines.append(f"ledger     {name} {row['ledger']:<11} {row['fee']:<16} {yuan(row['amount_fen']):>16}")
    balanced = counts["balance_fen"] == 0
    lines.append(f"balance    {yuan(counts['balance_fen'])} {'平 balances' if balanced else '不平 DOES NOT BALANCE'}")
    for row in _rows(connection, "billing_read_positions", build=build):
        lines.append(f"place      {row['topic']}/{row['partition']} position {row['position']}")
    for row in _rows(connection, "billing_odd", build=build, most=MOST_SHOWN):
        note = row["note"] or "the same thing was booked before 同一事项已入账"
        lines.append(f"{row['outcome']:<10} position {row['position']} {row['type']} case {row['case_id']}: {note}")
    fresh = bool(last) and last[0]["age_s"] < 2 * 86_400
    if last:
        lines.append(
            f"reconciled {_at(last[0]['at'])} 对账, {last[0]['items']} items, {last[0]['differences']} differences"
            + ("" if fresh else " LONG AGO 已逾两日")
        )
    else:
        lines.append("reconciled never 尚未对账: `tongshui billing reconcile`")
    lines.append(
        f"open       {len(open_)} differences 未结差异" + (": `tongshui billing differences`" if open_ else "")
    )
    # Before the first meeting with the store there is nothing to say of it.
    return lines, balanced and not counts["odd"] and not open_ and (fresh or not last)


def differences(connection: psycopg.Connection[Any], *, every: bool = False, most: int = 100) -> list[str]:
    """A line for each difference, the newest first; ``every``: the settled ones too."""
    found = _rows(connection, "billing_differences", every=every, most=most)
    return [_difference(row) for row in found] or ["no differences 无差异"]


def _difference(row: BooksRow) -> str:
    state = "open 未结"
    if row["resolved_at"] is not None:
        state = f"resolved 已结 {_at(row['resolved_at'])} by {row['resolved_by']}: {row['resolution']}"
    elif row["gone_at"] is not None:
        state = f"open 未结, not found any more since 已不再出现自 {_at(row['gone_at'])}"
    return (
        f"DZ-{row['number']}  {DIFFERS[row['what']]}  {NAMES.get(row['kind'], row['kind'])} {row['kind']} "
        f"{row['fee'] or '–'}  {row['item']}  store 存储 {row['store_says'] or '–'}, books 账上 "
        f"{row['books_say'] or '–'}  found 发现 {_at(row['found_at'])}  {state}"
    )


# ---- accounts and cases


def accounts(connection: psycopg.Connection[Any], *, most: int = 50) -> list[str]:
    """The newest accounts, a line each."""
    found = _rows(connection, "billing_accounts", build=live_build(connection), account=None, most=most)
    return [_account(row) for row in found] or ["no accounts 尚无账户"]


def _account(row: BooksRow) -> str:
    split = _split(row["usage_split"]) + _since(row["class_from"], row["water_on_at"])
    return (
        f"{row['account_number']}  {row['case_number'] or row['case_id']}/{row['point']}  表 {row['meter']}  "
        f"通水 {_at(row['water_on_at'])}  合同 {row['contract'] or '–'}"
        f"{_since(row['customer_from'], row['water_on_at'])}  类别 {row['payer_class'] or '–'}"
        f"{f' ({split})' if split else ''}  责任人 {row['owner'] or '–'}  应收 {yuan(row['receivable_fen'])}"
        + (f"  held 暂缓 {row['held']}" if row["held"] else "")
    )


def _split(split: dict[str, int]) -> str:
    return ", ".join(f"{name} {percent} %" for name, percent in sorted(split.items()))


def _since(begin: datetime, opened: datetime) -> str:
    """From when on, where it is not what the account was opened with."""
    return "" if begin == opened else f" 自 {_at(begin)}"


def case_ledger(connection: psycopg.Connection[Any], case: str) -> list[str]:
    """Every posting of a case by its id, number or account number, with the balance of each ledger and fee, and what
    of its terms changed. Raises BusRefusal "unknown-case"."""
    build = live_build(connection)
    case_id = _case(connection, build, case)
    lines = []
    sums: dict[tuple[str, str], int] = {}
    for row in _rows(connection, "billing_ledger", build=build, case_id=case_id):
        key = (row["ledger"], row["fee"])
        sums[key] = sums.get(key, 0) + row["amount_fen"]
        lines.append(
            f"{_at(row['happened_at'])}  {MOVEMENTS[row['movement']]} {row['movement']} {row['reference']}  "
            f"{LEDGERS[row['ledger']]} {row['ledger']:<10} {row['fee']:<16} {yuan(row['amount_fen']):>14}  "
            f"event {row['event_id']} position {row['position']}"
        )
    lines += [
        f"balance 余额  {LEDGERS[ledger]} {ledger:<10} {fee:<16} {yuan(fen):>14}"
        for (ledger, fee), fen in sorted(sums.items())
    ]
    lines += [
        f"{_at(row['happened_at'])}  {TERMS[row['what']]} {row['what']}: {row['old'] or '–'} → {row['new'] or '–'}  "
        f"position {row['position']}"
        for row in _rows(connection, "billing_case_changes", build=build, case_id=case_id)
    ]
    lines += [_term(row) for row in _rows(connection, "billing_terms", build=build, case_id=case_id)]
    return lines or ["nothing is booked 尚无记账"]


def _term(row: BooksRow) -> str:
    until = _at(row["valid_until"]) if row["valid_until"] is not None else ""
    if row["what"] == "class":
        size = f", {row['household_size']} 人" if row["household_size"] else ""
        said = f"用水性质 class {_split(row['usage_split']) or '–'}{size}  价格 {row['price_version'] or '–'}"
    else:
        said = f"用户 customer {row['subject_id']} r{row['subject_revision']}  合同 {row['contract'] or '–'}"
    return f"{_at(row['valid_from'])} … {until}  用水点 {row['point']}  {said}"


def use(connection: psycopg.Connection[Any], account: int) -> list[str]:
    """What there is to bill of an account, a line for each accepted reading. Raises BusRefusal "unknown-account"."""
    build = live_build(connection)
    found = _rows(connection, "billing_accounts", build=build, account=account, most=1)
    if not found:
        raise BusRefusal(
            "unknown-account",
            found=f"account {account}",
            needed="one that billing opened",
            next_step="see `tongshui billing accounts` 请核对户号",
        )
    return [_account(found[0]), *_uses(_rows(connection, "billing_use", build=build, account=account))]


def _uses(rows: Sequence[BooksRow]) -> Iterator[str]:
    for row in rows:
        what = DIALS[row["dial"]]
        if row["held"]:
            state = "HELD 暂缓计费"
        elif row["used"] < 0:
            # The dial fell or went over its end: the utility's own figure counts, where it gives one.
            told = "–" if row["used_litres"] is None else row["used_litres"]
            state = f"falls 读数回落, by the utility 按水司 {told} L"
        else:
            state = "to bill 可计费"
        yield (
            f"  {_at(row['since'])} … {_at(row['read_at'])}  表 {row['meter']}  {row['litres'] / 1000:.3f} m³  "
            f"used 用量 {row['used'] / 1000:.3f} m³  {what}  {state}  {_split(row['usage_split']) or '–'}  "
            f"用户 {row['subject_id']} r{row['subject_revision']}"
        )


def _case(connection: psycopg.Connection[Any], build: int, case: str) -> Any:
    found = _rows(connection, "billing_find_case", build=build, case=case)
    if len(found) != 1:
        raise BusRefusal(
            "unknown-case",
            found=case[:60] if not found else f"{case[:60]}, which is the number of {len(found)} cases",
            needed="the id or number of a connection case, or an account number, that billing knows",
            next_step="see `tongshui billing accounts` 请核对案件编号或户号",
        )
    return found[0]["case_id"]


def yuan(fen: int) -> str:
    """Fen as yuan, to the fen."""
    sign = "-" if fen < 0 else ""
    return f"{sign}¥{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def _at(when: datetime) -> str:
    return f"{when.astimezone(LOCAL):%Y-%m-%d %H:%M}"
