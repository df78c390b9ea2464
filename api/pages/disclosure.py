"""What is public 信息公开: promises, steps, documents, limits, fees with their law, figures; and guides to print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi.responses import Response
from starlette.routing import Route

from api.pages.english import in_both
from api.pages.page import PageOf, page
from domain.kernel.facts import Name
from projections import names

routes: list[Route] = []

Row = tuple[str, str]


@page("/disclosure", into=routes)
async def show(opened: PageOf) -> Response:
    """Everything that is public."""
    found = await opened.calls.get("/disclosure")
    law = {each["code"]: each["cited"] for each in found["law"]}
    return opened.render(
        "disclosure.html",
        found=found,
        limits=[
            (each, limit_of(opened, each), [law[code] for code in each["basis"] if code in law])
            for each in found["limits"]
        ],
        works_kinds={each["code"]: each["name_zh"] for each in found["works_kinds"]},
        figures=list(_figures(opened, found)),
    )


@page("/guide", into=routes)
async def guides(opened: PageOf) -> Response:
    """Which guides there are."""
    return opened.render("guides.html", found=await opened.calls.get("/disclosure"))


@page("/guide/{category}", into=routes)
async def guide(opened: PageOf) -> Response:
    """What one kind of applicant brings, does, waits for and pays, on one sheet."""
    found = await opened.calls.get("/disclosure")
    wanted = opened.request.path_params["category"]
    chosen = next((each for each in found["documents"] if each["category"] == wanted), None)
    if chosen is None:
        return opened.render("not_found.html", status=404)
    due = await opened.calls.get("/due", **{"from": opened.today.isoformat()})
    link = f"{opened.address}/apply?category={wanted}"
    return opened.render("guide.html", found=found, chosen=chosen, due=due, link=link)


def limit_of(opened: PageOf, limit: Mapping[str, Any]) -> str:
    """How long a limit is, in words."""
    if limit["working_days"] is not None:
        days = limit["working_days"]
        return opened.say(f"{days} 个工作日", f"{days} working day{'' if days == 1 else 's'}")
    if limit["minutes"] is None:
        return opened.say("不设终限，连续作业至通水", "no end limit: worked on until water flows")
    hours, rest = divmod(limit["minutes"], 60)
    if hours >= 2 and not rest:
        return opened.say(f"{hours} 小时", f"{hours} hours")
    return opened.say(f"{limit['minutes']} 分钟", f"{limit['minutes']} minutes")


def _figures(opened: PageOf, found: Mapping[str, Any]) -> Iterator[Row]:
    counted = found["figures"]
    categories = {each["category"]: in_both(each["name_zh"], each["category"]) for each in found["documents"]}
    reasons = names.REASONS

    def row(zh: str, en: str, value: Any) -> Row:
        return opened.say(zh, en), "—" if value is None else str(value)

    def each_of(zh: str, en: str, counts: Mapping[str, Any], named: Mapping[str, Name]) -> Iterator[Row]:
        for code, count in counts.items():
            name = named.get(code, Name(code, code))
            yield row(f"{zh}：{name.zh}", f"{en}: {name.en}", count)

    def days(spread: Mapping[str, int | None]) -> str:
        return " / ".join("—" if each is None else f"{each / 1440:.1f}" for each in (spread["median"], spread["p90"]))

    def percent(value: float | None) -> str | None:
        return None if value is None else f"{value:g} %"

    yield row("报装申请", "applications", counted["applications"])
    yield from each_of("类别", "category", counted["by_category"], categories)
    yield from each_of("渠道", "channel", counted["by_channel"], names.CHANNELS)
    yield from each_of("受理", "admitted", counted["by_basis"], names.BASES)
    yield from each_of("结果", "outcome", counted["by_outcome"], names.OUTCOMES)
    yield row("按时通水率", "water on in time", percent(counted["on_time_percent"]))
    yield row("总用时（天），中位 / 九成", "days from receipt, median / p90", days(counted["gross"]))
    yield row("净用时（天），中位 / 九成", "days without pauses, median / p90", days(counted["net"]))
    yield from each_of("中止", "pauses", counted["pauses"], reasons)
    yield row("上门服务（次）", "home visits made", counted["home_visits"])
    yield row("容缺受理（户）", "with papers outstanding", counted["papers_outstanding"])
    yield row("其中上门服务（户）", "of these, served at home", counted["papers_outstanding_at_home"])
    for each in counted["channels"]:
        channel = names.CHANNELS.get(each["channel"], Name(each["channel"], each["channel"]))
        if each["kept_percent"] is not None:
            kept = percent(each["kept_percent"])
            yield row(f"容缺承诺兑现率：{channel.zh}", f"papers commitments kept, {channel.en}", kept)
        trips = f"{each['no_trip']} / {each['one_trip']} / {each['more_trips']}"
        yield row(f"跑腿 0 / 1 / 更多：{channel.zh}", f"trips 0 / 1 / more, {channel.en}", trips)
    yield row("技术咨询", "consultations", counted["consultations"])
    yield row("服务前置（户）", "served ahead of building", counted["preservices_given"])
    yield row("被拒绝的违规收费", "charges refused", counted["charges_refused"])
    yield row("被拒绝的再次补正", "further requests refused", counted["further_requests_refused"])
    repairs = counted["repairs"]
    yield row("报修（起）", "faults", repairs["incidents"])
    yield row("抢修按时到场率", "crews there in time", percent(repairs["arrival"]["on_time_percent"]))
    yield row("到场用时（分钟），中位 / 九成", "minutes to arrival, median / p90", _pair(repairs))
    yield row("计划停水（次）", "planned outages", counted["outages"]["planned"])
    yield row("突发停水（次）", "emergency outages", counted["outages"]["emergency"])


def _pair(repairs: Mapping[str, Any]) -> str:
    both = (repairs["arrival_median_minutes"], repairs["arrival_p90_minutes"])
    return " / ".join("—" if each is None else str(each) for each in both)
