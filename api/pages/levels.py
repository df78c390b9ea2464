"""Names of reminders and escalation levels, which a standard names by codes alone."""

from __future__ import annotations

import re

from domain.kernel.facts import Name

_KNOWN = {
    "half": Name("时限过半", "half of the time is over"),
    "three-quarters": Name("时限已过四分之三", "three quarters of the time are over"),
    "nine-tenths": Name("时限已过九成", "nine tenths of the time are over"),
    "half-again": Name("超时又过半个时限", "over by half of the time again"),
    "third-working-day": Name("第三个工作日", "third working day"),
    "fourth-working-day": Name("第四个工作日", "fourth working day"),
}
_SINCE = {
    "after": Name("超时已", "since the lapse"),
    "unacknowledged": Name("未接单已", "not acknowledged"),
    "no-arrival": Name("未到场已", "no arrival"),
}
_UNITS = {"min": Name("分钟", "min"), "hour": Name("小时", "hour"), "working-day": Name("个工作日", "working day")}
_BUILT = re.compile(r"(after|unacknowledged|no-arrival)-(\d+)-(min|hour|working-day)s?")


def level_name(code: str) -> Name | None:
    """The name of a level by its code; None where the code is built otherwise."""
    if (built := _BUILT.fullmatch(code)) is None:
        return _KNOWN.get(code)
    since, unit = _SINCE[built[1]], _UNITS[built[3]]
    plural = "s" if int(built[2]) > 1 and built[3] != "min" else ""
    return Name(f"{since.zh} {built[2]} {unit.zh}", f"{built[2]} {unit.en}{plural} {since.en}")
