"""The published figures of the reform's first period, as data: a news report of 2021-11-09.

The parts sum to 240; the same report gives 238 as their total. Both are shown, neither is asserted as a sum of ours.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """One published number, and our codes that it stands for. ``published`` None: not in the report."""

    code: str
    name: str
    name_zh: str
    members: tuple[str, ...]
    published: int | None = None


REPORTED_TOTAL = 238
CATEGORIES = (
    Group("business", "business", "商企", ("business",), 37),
    Group("institution", "institution", "单位", ("institution",), 14),
    Group("prefecture-platform", "prefecture platform", "州工改系统", ("prefecture-platform",), 2),
    Group("private", "private", "私人", ("private",), 187),
)
CHANNELS = (
    Group("online", "online", "线上", ("website", "wechat"), 20),
    Group("hotline", "hotline", "热线", ("hotline",), 10),
    Group("platform", "platform", "平台", ("platform",), 2),
    Group("counter", "counter", "窗口", ("counter",), 208),
)
OTHERS = ("other", "other", "其他")


def parts_sum() -> int:
    """240: what the published parts come to."""
    return sum(group.published or 0 for group in CATEGORIES)
