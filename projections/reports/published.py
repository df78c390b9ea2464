"""The published figures of the reform's first period, as data: a news report of 2021-11-09.

Ours are counted from events and shown beside them; none of theirs is asserted as a sum of ours. Two of theirs cannot
be right together with the rest: the total of 238 beside parts that sum to 240, twice, and "60 % fewer documents" beside
six that became two. The period's start is not given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from projections.reports.figures import PeriodFigures


@dataclass(frozen=True, slots=True)
class PublishedNumber:
    """One published number, and our codes that it stands for. ``published`` None: not in the report."""

    code: str
    name: str
    name_zh: str
    members: tuple[str, ...]
    published: int | None = None


REPORTED_TOTAL = 238
CATEGORIES = (
    PublishedNumber("business", "business", "商企", ("business",), 37),
    PublishedNumber("institution", "institution", "单位", ("institution",), 14),
    PublishedNumber("prefecture-platform", "prefecture platform", "州工改系统", ("prefecture-platform",), 2),
    PublishedNumber("private", "private", "私人", ("private",), 187),
)
CHANNELS = (
    PublishedNumber("online", "online", "线上", ("website", "wechat"), 20),
    PublishedNumber("hotline", "hotline", "热线", ("hotline",), 10),
    PublishedNumber("platform", "platform", "平台", ("platform",), 2),
    PublishedNumber("counter", "counter", "窗口", ("counter",), 208),
)
OTHERS = ("other", "other", "其他")
HOME_VISITS = "30+"
PAPERS_OUTSTANDING = 27
PRE_SERVICES = 4
PUMP_ROOMS = 5
PUMP_ROOM_COMMUNITIES = 5
FEWER_DOCUMENTS_PERCENT = 60
DOCUMENTS_BEFORE, DOCUMENTS_NOW = 6, 2


def parts_sum() -> int:
    """240: what the published parts come to."""
    return sum(group.published or 0 for group in CATEGORIES)


@dataclass(frozen=True, slots=True)
class Beside:
    """One number of ours beside the published one (as it was printed; None: not published)."""

    code: Annotated[str, "The code."]
    name: Annotated[str, "Its English name, as people are shown it."]
    name_zh: Annotated[str, "Its Chinese name, as people are shown it."]
    ours: Annotated[int, "Our own number."]
    published: Annotated[str | None, "The published number as it was printed; null where none was published."]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Published numbers that cannot both be right."""

    code: Annotated[str, "The code."]
    text: Annotated[str, "What contradicts what, in English."]
    text_zh: Annotated[str, "What contradicts what, in Chinese."]


def beside(figures: PeriodFigures) -> tuple[Beside, ...]:
    """Our counts beside the published ones."""
    return (
        Beside("applications", "applications", "报装申请", figures.applications, str(REPORTED_TOTAL)),
        *_grouped("category", CATEGORIES, figures.by_category),
        *_grouped("channel", CHANNELS, figures.by_channel),
        Beside("home-visits", "home visits made", "上门服务（次）", figures.home_visits, HOME_VISITS),
        Beside(
            "papers-outstanding",
            "users with papers outstanding",
            "容缺受理（户）",
            figures.papers_outstanding,
            str(PAPERS_OUTSTANDING),
        ),
        Beside(
            "papers-outstanding-at-home",
            "of these, served at home",
            "其中上门服务（户）",
            figures.papers_outstanding_at_home,
            str(PAPERS_OUTSTANDING),
        ),
        Beside("pre-services", "served ahead of building", "服务前置", figures.preservices_given, str(PRE_SERVICES)),
        *_pump_rooms(figures),
    )


def _grouped(what: str, groups: tuple[PublishedNumber, ...], counts: Mapping[str, int]) -> Iterator[Beside]:
    for group in groups:
        ours = sum(counts.get(member, 0) for member in group.members)
        yield Beside(f"{what}:{group.code}", group.name, group.name_zh, ours, str(group.published))
    known = {member for group in groups for member in group.members}
    others = sum(count for code, count in counts.items() if code not in known)
    if others:
        code, name, name_zh = OTHERS
        yield Beside(f"{what}:{code}", name, name_zh, others, None)


def _pump_rooms(figures: PeriodFigures) -> tuple[Beside, ...]:
    built = [works for works in figures.works if works.kind == "pump-room"]
    rooms, communities = sum(w.completed for w in built), sum(w.communities for w in built)
    return (
        Beside("pump-rooms", "booster pump rooms", "标准化加压泵房（座）", rooms, str(PUMP_ROOMS)),
        Beside("pump-room-communities", "in communities", "覆盖小区（个）", communities, str(PUMP_ROOM_COMMUNITIES)),
    )


def contradictions() -> tuple[Contradiction, ...]:
    """The two published figures that cannot be right beside their own parts."""
    by_category = "+".join(str(group.published) for group in CATEGORIES)
    by_channel = "+".join(str(group.published) for group in CHANNELS)
    fewer = 100 * (DOCUMENTS_BEFORE - DOCUMENTS_NOW) / DOCUMENTS_BEFORE
    return (
        Contradiction(
            "total",
            f"the report's total of {REPORTED_TOTAL} is not the sum of its parts: by category {by_category} = "
            f"{parts_sum()}, by channel {by_channel} = {parts_sum()}",
            f"报道总数 {REPORTED_TOTAL} 与分项之和不符：按类别 {by_category} = {parts_sum()}，"
            f"按渠道 {by_channel} = {parts_sum()}",
        ),
        Contradiction(
            "documents",
            f'"{FEWER_DOCUMENTS_PERCENT} % fewer documents" is not {DOCUMENTS_BEFORE} → {DOCUMENTS_NOW}, '
            f"which is {fewer:.1f} % fewer",
            f"“材料压减 {FEWER_DOCUMENTS_PERCENT}%”与由 {DOCUMENTS_BEFORE} 项减至 {DOCUMENTS_NOW} 项不符，"
            f"后者为 {fewer:.1f}%",
        ),
    )
