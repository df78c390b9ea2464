"""A trial of another standard as a table for a terminal, and as JSON lines for a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import nsmallest
from typing import Any
from unicodedata import east_asian_width

import msgspec

from domain.deadlines.calendar import LOCAL
from domain.kernel.facts import Name
from domain.what_if import DIMENSIONS, OUTCOMES
from projections.names import CHANNELS, COMMITMENTS, SEVERITIES, STATES, name
from projections.reports.what_if import Both, Changed, Sums, Trial

OUTCOME_NAMES = {
    **STATES,
    "open": Name("运行中", "running"),
    "no-end": Name("不设截止", "no end limit"),
    "not-owed": Name("无此承诺", "not owed"),
}
DIMENSION_NAMES = {"channel": "渠道", "district": "片区", "class": "等级", "crew": "班组"}
VALUE_NAMES = {**CHANNELS, **SEVERITIES, "none": Name("无", "none")}
WIDTH = 46
MOST_VALUES = 12


def as_lines(trial: Trial, *, listed: int, by: Sequence[str] = DIMENSIONS) -> Iterator[str]:
    """The difference as tables, and the first ``listed`` promises that change, by case number."""
    changes = nsmallest(listed + 1, trial.changes(), key=lambda each: (each.case_number, each.commitment))
    sums = trial.sums
    yield from _head(trial)
    yield ""
    yield _row("承诺 by commitment", ("lapsed", "then", "±", "met", "then", "open", "then", "other", "then"))
    for commitment, both in sorted(sums.by_commitment.items()):
        yield _row(name(COMMITMENTS, commitment), _outcomes(both))
    for dimension in by:
        yield ""
        yield from _dimension(sums, dimension)
    yield ""
    changed = sum(both.changed for both in sums.by_commitment.values())
    yield (
        f"{changed} verdicts would change, in {sums.changed_cases} of {sums.cases} cases "
        f"结论变化 {changed} 项，涉及 {sums.changed_cases} 件"
    )
    for each in changes[:listed]:
        yield f"  {_changed(each)}"
    if changed > listed:
        yield f"  … and {changed - listed} more (--json has them all) 其余见 --json"


def json_lines(trial: Trial) -> Iterator[str]:
    """Each promise that changes as one JSON object, as it is found; what was counted last."""
    for each in trial.changes():
        yield msgspec.json.encode(each).decode()
    yield msgspec.json.encode({"sums": summary(trial)}).decode()


def summary(trial: Trial) -> dict[str, Any]:
    """Everything that was counted, as one object for JSON."""
    period = trial.period
    return {
        "standard": trial.standard.version,
        "from": period.first,
        "to": period.last,
        "at": trial.at,
        **msgspec.to_builtins(trial.sums),
    }


def _head(trial: Trial) -> Iterator[str]:
    sums, period = trial.sums, trial.period
    first, last = period.first or "the beginning 起始", period.last or "now 当前"
    yield (
        f"if {trial.standard.version} had been in force 假如当时执行 {trial.standard.version}: "
        f"cases that began 开始于 {first} … {last}, judged at 判定时刻 {_at(trial.at)}"
    )
    governed = ", ".join(f"{version} ({cases})" for version, cases in sorted(sums.governed.items())) or "none"
    yield f"instead of 实际执行 {governed}"
    speed = f", {sums.cases / sums.seconds:,.0f} cases/s" if sums.seconds > 0 else ""
    yield f"{sums.cases} cases 件, {sums.events} events 事件, {sums.seconds:.1f} s{speed}; nothing was written 未作改动"
    if sums.unrecorded:
        yield (
            f"{sums.unrecorded} verdicts under the standards in force are not, or not yet, on record so "
            f"{sums.unrecorded} 项与记录不同或尚未记录; `tongshui verify`"
        )


def _outcomes(both: Both) -> list[str]:
    before, after = both.before, both.after
    other = [outcome for outcome in OUTCOMES if outcome not in ("lapsed", "met", "open")]
    cells: list[object] = [before["lapsed"], after["lapsed"], f"{after['lapsed'] - before['lapsed']:+d}"]
    cells += [before["met"], after["met"], before["open"], after["open"]]
    cells += [sum(before[each] for each in other), sum(after[each] for each in other)]
    return [str(cell) for cell in cells]


def _dimension(sums: Sums, dimension: str) -> Iterator[str]:
    """The lapsed promises of each value, those that differ most first."""
    rows = lapsed_by(sums, dimension)
    yield _row(f"{DIMENSION_NAMES[dimension]} by {dimension}", ("lapsed", "then", "±", "promises"))
    for value, before, after, promises in rows[:MOST_VALUES]:
        yield _row(name(VALUE_NAMES, value), [str(before), str(after), f"{after - before:+d}", str(promises)])
    if len(rows) > MOST_VALUES:
        yield f"… and {len(rows) - MOST_VALUES} more (--json has them all) 其余见 --json"


def lapsed_by(sums: Sums, dimension: str) -> list[tuple[str, int, int, int]]:
    """Value, lapsed promises before and after, promises; those that differ most first."""
    rows = []
    for value, commitments in sums.by[dimension].items():
        before = sum(both.before["lapsed"] for both in commitments.values())
        after = sum(both.after["lapsed"] for both in commitments.values())
        rows.append((value, before, after, sum(both.before.total() for both in commitments.values())))
    return sorted(rows, key=lambda row: (-abs(row[2] - row[1]), -row[3], row[0]))


def _changed(each: Changed) -> str:
    old, new = each.before, each.after
    due = (
        f"due 截止 {_at(old.due_at)} → {_at(new.due_at)}" if old.due_at != new.due_at else f"due 截止 {_at(old.due_at)}"
    )
    met = f", met 兑现 {_at(new.met_at or old.met_at)}" if (new.met_at or old.met_at) is not None else ""
    return (
        f"{each.case_number} {name(COMMITMENTS, each.commitment)}: {name(OUTCOME_NAMES, old.outcome)} → "
        f"{name(OUTCOME_NAMES, new.outcome)}, {due}{met} [{_where(each.where)}]"
    )


def _where(where: Mapping[str, str]) -> str:
    return ", ".join(where[dimension] for dimension in DIMENSIONS)


def _row(what: str, cells: Iterable[str]) -> str:
    # A Chinese character takes two columns of a terminal.
    columns = sum(2 if east_asian_width(character) in "WF" else 1 for character in what)
    return f"{what}{' ' * max(1, WIDTH - columns)}{''.join(f'{cell:>9}' for cell in cells)}"


def _at(at: datetime | None) -> str:
    return at.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M") if at is not None else "none 无"
