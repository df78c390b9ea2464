"""The indicators of a month, for the city or a district, with what they were in the months before: as a page for
everybody, and as a workbook or a PDF for who has an account."""

from __future__ import annotations

import asyncio
import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import xlsxwriter
from fastapi.responses import Response
from starlette.routing import Route

from api.pages.case import codes_of
from api.pages.page import HEADERS, PageOf, at_time, page
from domain.kernel.facts import Name
from domain.standard.refusals import UnknownDistrict
from infra.evidence.pdf import printed

routes: list[Route] = []

MONTHS = 12
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
UNITS: Mapping[str, Name] = {
    "cases": Name("件", ""),
    "percent": Name("%", "%"),
    "days": Name("天", "days"),
    "minutes": Name("分钟", "minutes"),
    "trips": Name("次", "trips"),
    "yuan": Name("元", "yuan"),
    "steps": Name("个", "steps"),
    "documents": Name("份", "documents"),
}
BAR_WIDTH, BAR_HEIGHT = 8, 24


@dataclass(frozen=True, slots=True)
class Line:
    """One indicator of the chosen month. ``before``: the month before. ``bars``: a bar for each month, its height of
    ``BAR_HEIGHT``; None where there is no number. ``href``: the list of the cases behind it, where there is one."""

    name: str
    meaning: str
    unit: str
    value: float | None
    before: float | None
    bars: tuple[float | None, ...]
    said: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was asked for, and the API's answer."""

    month: str
    district: str | None
    found: Mapping[str, Any]

    @property
    def months(self) -> list[str]:
        """The months of the answer, oldest first."""
        return sorted({row["month"] for row in self.found["rows"]})

    @property
    def districts(self) -> list[str]:
        """The districts of the answer."""
        return sorted({row["district"] for row in self.found["rows"] if row["district"] is not None})

    def values(self, month: str) -> Mapping[str, float | None]:
        """The numbers of a month in the chosen place; none where nothing was there."""
        rows = (row for row in self.found["rows"] if (row["month"], row["district"]) == (month, self.district))
        return next((row["values"] for row in rows), {})


@page("/indicators", into=routes)
async def indicators(opened: PageOf) -> Response:
    """The page. ``month``: as 2026-11; ``district``: a code, or left out for the whole city."""
    chosen = await _chosen(opened)
    given = {"month": chosen.month, **({"district": chosen.district} if chosen.district else {})}
    return opened.render(
        "indicators.html",
        chosen=chosen,
        lines=list(_lines(opened, chosen)),
        number=_number,
        districts={code: opened.named(codes_of(opened)["district"], code) for code in chosen.districts},
        bar=(BAR_WIDTH, BAR_HEIGHT),
        query=urlencode(given),
    )


@page("/indicators.xlsx", into=routes)
async def workbook(opened: PageOf) -> Response:
    """Every month and place of the period as a workbook, and what each indicator means."""
    if not opened.signed_in:
        return opened.to_login()
    chosen = await _chosen(opened)
    content = await asyncio.to_thread(_workbook, opened, chosen)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return _file(content, kind, f"indicators-{chosen.months[0]}-{chosen.month}.xlsx")


@page("/indicators.pdf", into=routes)
async def report(opened: PageOf) -> Response:
    """The chosen month as a PDF: the city, and every district beside it."""
    if not opened.signed_in:
        return opened.to_login()
    chosen = await _chosen(opened)
    content = await asyncio.to_thread(_pdf, opened, chosen)
    return _file(content, "application/pdf", f"indicators-{chosen.month}.pdf")


async def _chosen(opened: PageOf) -> Chosen:
    asked = opened.param("month")
    now = f"{opened.today:%Y-%m}"
    month = asked if _MONTH.fullmatch(asked) and "2015" <= asked <= now else now
    found = await opened.calls.get("/indicators", to=f"{month}-01", months=MONTHS)
    district = opened.param("district") or None
    # A district in which nothing happened has no numbers, and one that there is not is never the whole city.
    known = {*opened.standard.districts, *(row["district"] for row in found["rows"])}
    if district and district not in known:
        raise UnknownDistrict(opened.standard)
    return Chosen(month, district, found)


def _lines(opened: PageOf, chosen: Chosen) -> Iterator[Line]:
    now, months = chosen.values(chosen.month), chosen.months
    before = chosen.values(months[-2]) if len(months) > 1 else {}
    for each in chosen.found["indicators"]:
        if chosen.district is not None and not each["by_district"]:
            continue
        run = [chosen.values(month).get(each["code"]) for month in months]
        most = max((value for value in run if value is not None), default=0) or 1
        unit = opened.name(UNITS[each["unit"]])
        yield Line(
            name=opened.say(each["name_zh"], each["name_en"]),
            meaning=opened.say(each["meaning_zh"], each["meaning_en"]),
            unit=unit,
            value=now.get(each["code"]),
            before=before.get(each["code"]),
            bars=tuple(None if value is None else round(BAR_HEIGHT * value / most, 1) for value in run),
            said="; ".join(f"{month} {_number(value)}" for month, value in zip(months, run, strict=True)),
            href=_cases(opened, chosen, each["cases"]),
        )


def _cases(opened: PageOf, chosen: Chosen, kind: str | None) -> str | None:
    """The list of the cases of a kind that began in the month, for who may read it."""
    if kind is None or not opened.may("case.read"):
        return None
    first = date.fromisoformat(f"{chosen.month}-01")
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    asked = {"kind": kind, "from": first.isoformat(), "to": last.isoformat()}
    return f"/audit?{urlencode(asked | ({'district': chosen.district} if chosen.district else {}))}"


def _number(value: float | None) -> str:
    """As it stands, with groups of thousands; no digit is lost."""
    return "—" if value is None else f"{value:,}".removesuffix(".0")


def _workbook(opened: PageOf, chosen: Chosen) -> bytes:
    file = BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    made_at = datetime.fromisoformat(chosen.found["at"]).replace(tzinfo=None)
    book.set_properties({"title": opened.say("服务指标", "Indicators"), "created": made_at})
    bold, wrap = book.add_format({"bold": True, "text_wrap": True}), book.add_format({"text_wrap": True})
    known = chosen.found["indicators"]
    sheet = book.add_worksheet(opened.say("月度", "months"))
    heads = [_head(opened, each) for each in known]
    sheet.write_row(0, 0, [opened.say("月份", "month"), opened.say("区域", "district"), *heads], bold)
    for number, row in enumerate(chosen.found["rows"], start=1):
        sheet.write_row(number, 0, [row["month"], _place(opened, row["district"])])
        for column, each in enumerate(known, start=2):
            value = row["values"].get(each["code"])
            if value is not None:
                sheet.write_number(number, column, value)
    sheet.freeze_panes(1, 2)
    sheet.set_column(0, 1, 14)
    sheet.set_column(2, 1 + len(known), 12)
    meanings = book.add_worksheet(opened.say("口径", "meanings"))
    for number, each in enumerate(known):
        meanings.write(number, 0, opened.say(each["name_zh"], each["name_en"]), bold)
        meanings.write(number, 1, opened.say(each["meaning_zh"], each["meaning_en"]), wrap)
    for number, line in enumerate(_proof(opened, chosen), start=len(known) + 1):
        meanings.write(number, 1, line, wrap)
    meanings.set_column(0, 0, 24)
    meanings.set_column(1, 1, 80)
    book.close()
    return file.getvalue()


def _pdf(opened: PageOf, chosen: Chosen) -> bytes:
    places: Sequence[str | None] = [None, *chosen.districts]
    columns = [Chosen(chosen.month, place, chosen.found).values(chosen.month) for place in places]
    rows = [
        [
            _head(opened, each),
            *(_number(values.get(each["code"])) for values in columns),
        ]
        for each in chosen.found["indicators"]
    ]
    at = datetime.fromisoformat(chosen.found["at"])
    said = {
        "title": opened.say(f"服务指标 {chosen.month}", f"Indicators {chosen.month}"),
        "issuer": opened.say("通水", "tongshui"),
        "language": opened.language,
        "instant": {name: getattr(at, name) for name in ("year", "month", "day", "hour", "minute", "second")},
        "head": [opened.say("指标", "indicator"), *(_place(opened, place) for place in places)],
        "table": rows,
        "meanings": [
            [opened.say(each["name_zh"], each["name_en"]), opened.say(each["meaning_zh"], each["meaning_en"])]
            for each in chosen.found["indicators"]
        ],
        "proof": list(_proof(opened, chosen)),
    }
    return printed("indicators.typ", said)


def _head(opened: PageOf, indicator: Mapping[str, Any]) -> str:
    """The name of an indicator with its unit."""
    unit = opened.name(UNITS[indicator["unit"]])
    return f"{opened.say(indicator['name_zh'], indicator['name_en'])} {unit}".strip()


def _place(opened: PageOf, district: str | None) -> str:
    return (
        opened.say("全市", "whole city") if district is None else opened.named(codes_of(opened)["district"], district)
    )


def _proof(opened: PageOf, chosen: Chosen) -> Iterator[str]:
    """When and from what it was counted."""
    at, position = at_time(chosen.found["at"]), chosen.found["position"]
    yield opened.say(
        f"统计时间 {at}；计入至事件位置 {position}", f"counted at {at}; holds events up to position {position}"
    )
    yield opened.say(
        "案件按开始月份统计；涉及多个区域的案件在各区域分别计入，全市只计一次。",
        "A case counts in the month in which it began; one of several districts in each of them, and once in the city.",
    )


def _file(content: bytes, media_type: str, name: str) -> Response:
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)
