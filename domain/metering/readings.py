"""Meter readings (抄表): what was used between two of them, and whether that is out of the ordinary.

Pure and a fold: a meter's readings in the order of their times, whatever the order in which they came. Volumes are
whole litres (0.001 m³), so that nothing is rounded. The rule is the default rule of the service model (our decision):
at least twice the median of the last six consumptions and 5 m³ more; none; a dial that falls or starts anew; a smart
meter at which water never stood still for 24 hours. All of its numbers are policy, published with the standard.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from domain.standard.context import CommandContext, require_power
from domain.standard.sections.metering import ReadingPolicy
from domain.standard.standards import require_not_future

LITRES_IN_M3 = 1000

Flag = Literal["high", "zero", "falling", "dial-over", "never-still"]
FLAGS_ZH: dict[Flag, str] = {
    "high": "用量突增",
    "zero": "零用量",
    "falling": "读数倒走",
    "dial-over": "表盘翻转",
    "never-still": "持续小流量",
}


Aside = Literal["unknown-meter", "contradicts", "meter-out", "before-meter", "above-dial"]
ASIDE_ZH: dict[Aside, str] = {
    "unknown-meter": "水表未建档",
    "contradicts": "与已收读数矛盾",
    "meter-out": "水表已拆除",
    "before-meter": "水表未装",
    "above-dial": "超出表盘量程",
}
"""Why a reading was kept and not judged."""


@dataclass(frozen=True, slots=True)
class Dial:
    """What is known of a meter: its reading when it was put in, and the largest that its dial can show, in m³."""

    initial_litres: int
    dial_max_m3: int

    @property
    def turn_litres(self) -> int:
        """What it takes for the dial to start anew: one m³ more than it can show, in litres."""
        return (self.dial_max_m3 + 1) * LITRES_IN_M3


@dataclass(frozen=True, slots=True, order=True)
class DialReading:
    """What the dial showed at that time."""

    read_at: datetime
    litres: int


@dataclass(frozen=True, slots=True)
class JudgedReading:
    """The consumption since the reading before (None: it cannot be told), and what is out of the ordinary about it."""

    litres: int | None
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class History:
    """What of a meter's earlier readings the next one is judged by.

    ``recent``: the last consumptions, oldest first. ``flowing_since``: from then on water was never seen to stand
    still.
    """

    last: DialReading
    recent: tuple[int, ...] = ()
    flowing_since: datetime | None = None


def require_sender(ctx: CommandContext) -> None:
    """Refuse ``wrong-role`` where the role may not send readings."""
    require_power(ctx, "readings.send")


def require_looker(ctx: CommandContext) -> None:
    """Refuse ``wrong-role`` where the role may not see what was used: it tells how somebody lives."""
    require_power(ctx, "readings.read")


def require_read(ctx: CommandContext, read_at: datetime) -> None:
    """Refuse ``future-time``: no dial was read later than now."""
    require_not_future(ctx.standard, read_at, ctx.at)


def aside(dial: Dial, reading: DialReading, first_in_at: datetime, out_at: datetime | None) -> Aside | None:
    """Why a reading of a known meter is kept and not judged; None where nothing speaks against it.

    A dial cannot show more than it has digits for; a meter measures nothing before it is put in for the first time
    (``first_in_at``: a clock that was set back to 2000, last year's reading), and nothing after it is taken out
    (``out_at``; None: it is in). Such a reading is no base for the next one, and billing never sees it.
    """
    if reading.litres >= dial.turn_litres:
        return "above-dial"
    if reading.read_at < first_in_at:
        return "before-meter"
    return "meter-out" if out_at is not None and reading.read_at > out_at else None


def judge_reading(history: History | None, reading: DialReading, dial: Dial, policy: ReadingPolicy) -> JudgedReading:
    """The consumption that a reading shows, and its flags. ``reading`` comes after all that ``history`` knows.

    The first reading of a meter counts from the one it was put in with: a meter swap begins a history of its own.
    """
    used, over = _used(history.last.litres if history else dial.initial_litres, reading.litres, dial, policy)
    if used is None:
        return JudgedReading(None, ("falling",))
    flags: list[Flag] = ["dial-over"] if over else []
    if used == 0 and _is_long(history, reading, policy):
        flags.append("zero")
    if history is not None and _is_high(used, history.recent, policy):
        flags.append("high")
    if _has_never_stood_still(history, reading, used, policy):
        flags.append("never-still")
    return JudgedReading(used, tuple(flags))


def after(history: History | None, reading: DialReading, judged: JudgedReading, policy: ReadingPolicy) -> History:
    """The history with that reading. A falling reading shows no consumption; the next one counts from it."""
    recent = history.recent if history else ()
    if judged.litres is not None:
        recent = (*recent, judged.litres)[-policy.compared_with :]
    return History(reading, recent, _flowing_since(history, reading, judged.litres, policy))


def judge_all(
    readings: Iterable[DialReading], dial: Dial, policy: ReadingPolicy
) -> tuple[list[tuple[DialReading, JudgedReading]], History | None]:
    """Every reading of a meter judged in the order of their times; one that is there twice counts once."""
    history: History | None = None
    found: list[tuple[DialReading, JudgedReading]] = []
    for reading in sorted(set(readings)):
        judged = judge_reading(history, reading, dial, policy)
        found.append((reading, judged))
        history = after(history, reading, judged, policy)
    return found, history


def _used(before: int, now: int, dial: Dial, policy: ReadingPolicy) -> tuple[int | None, bool]:
    """The litres used, and whether the dial started anew."""
    if now >= before:
        return now - before, False
    turn = dial.turn_litres
    near = turn * policy.dial_over_percent // 100
    if turn - near <= before < turn and now <= near:
        return turn - before + now, True
    return None, False


def _is_long(history: History | None, reading: DialReading, policy: ReadingPolicy) -> bool:
    """Whether nobody using water since the reading before is odd: in a night it is not."""
    return history is None or reading.read_at - history.last.read_at >= timedelta(hours=policy.zero_hours)


def _is_high(used: int, recent: tuple[int, ...], policy: ReadingPolicy) -> bool:
    if len(recent) < policy.compared_at_least:
        return False
    twice = _twice_the_median(recent)
    return used * 200 >= twice * policy.high_percent and used * 2 - twice >= policy.high_more_m3 * LITRES_IN_M3 * 2


def _twice_the_median(values: tuple[int, ...]) -> int:
    """Twice, so that the median of an even number stays whole."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return 2 * ordered[half] if len(ordered) % 2 else ordered[half - 1] + ordered[half]


def _flowing_since(
    history: History | None, reading: DialReading, used: int | None, policy: ReadingPolicy
) -> datetime | None:
    """From when on each of an unbroken row of close readings showed some use."""
    if history is None or not used:
        return None
    before = history.last.read_at
    if reading.read_at - before > timedelta(minutes=policy.still_gap_minutes):
        return None
    return history.flowing_since or before


def _has_never_stood_still(history: History | None, reading: DialReading, used: int, policy: ReadingPolicy) -> bool:
    """Said once of an unbroken stretch, by the reading that completes the hours: it is one anomaly, not one an hour."""
    since = _flowing_since(history, reading, used, policy)
    if since is None or history is None:
        return False
    hours = timedelta(hours=policy.never_still_hours)
    return history.last.read_at - since < hours <= reading.read_at - since
