"""Charging, for the authorities that supervise it: every charge quoted, paid, refunded or refused, with sums; and what
there is about the books of the billing consumer."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Mapping
from datetime import date
from io import StringIO
from typing import Any
from urllib.parse import urlencode

from fastapi.responses import Response, StreamingResponse
from starlette.routing import Route

from api.http.trace import note_outcome
from api.pages.calls import ApiRefused
from api.pages.page import HEADERS, PageOf, at_time, page
from domain.kernel.facts import Name

routes: list[Route] = []

CHARGE_KINDS: Mapping[str, Name] = {
    "quoted": Name("报价", "quoted"),
    "paid": Name("已缴", "paid"),
    "payment-reversed": Name("缴费冲正", "payment reversed"),
    "refunded": Name("退款", "refunded"),
    "refund-reversed": Name("退款冲正", "refund reversed"),
    "refused": Name("拒收", "refused"),
}
CHARGE_TONES: Mapping[str, str] = {"refused": "bad", "paid": "good", "refunded": "near"}
ROWS, ROWS_OF_CSV = 100, 500
COLUMNS = (
    "recorded_at",
    "happened_at",
    "case_number",
    "category",
    "kind",
    "number",
    "fee",
    "fee_name",
    "quantity",
    "amount_yuan",
    "catalogue",
    "banned",
    "why",
    "reason",
    "actor",
    "role",
    "position",
)
"""The columns of the CSV, one line for each line of a charge."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@page("/charges", into=routes)
async def charges(opened: PageOf) -> Response:
    """Charges of a period in order of recording, with the sums of the whole period."""
    if not opened.signed_in:
        return opened.to_login()
    wanted = _wanted(opened)
    found: Mapping[str, Any] = {"charges": [], "sums": [], "next": None}
    problem: ApiRefused | None = None
    try:
        found = await opened.calls.get("/charges", **wanted, after=_after(opened), limit=ROWS)
    except ApiRefused as refused:
        if refused.status in (401, 403):
            raise
        note_outcome(opened.request.scope, refused.code)
        problem = refused
    given = {name: value for name, value in wanted.items() if value}
    return opened.render(
        "charges.html",
        status=problem.status if problem is not None else 200,
        problem=problem.problem if problem is not None else None,
        found=found,
        wanted=wanted,
        kinds=CHARGE_KINDS,
        tones=CHARGE_TONES,
        fees=await _fees(opened),
        csv_href=f"/charges.csv?{urlencode(given)}",
        next_href=f"/charges?{urlencode({**given, 'after': found['next']})}" if found["next"] else None,
        first_page=not _after(opened),
        categories=opened.standard.connection.applicant_categories,
    )


@page("/charges.csv", into=routes)
async def charges_csv(opened: PageOf) -> Response:
    """The same as a table for a spreadsheet: every line of the period, UTF-8 with a mark by which Excel knows it."""
    if not opened.signed_in:
        return opened.to_login()
    wanted, fees = _wanted(opened), await _fees(opened)
    # Before the answer begins, so that what the API refuses is told as a page.
    first = await opened.calls.get("/charges", **wanted, limit=ROWS_OF_CSV)

    async def lines() -> AsyncIterator[str]:
        yield "\ufeff" + _csv([COLUMNS])
        found = first
        while True:
            yield _csv([_row(each, fees) for each in found["charges"]])
            if found["next"] is None:
                return
            found = await opened.calls.get("/charges", **wanted, after=found["next"], limit=ROWS_OF_CSV)

    name = "-".join(["charges", *(str(wanted[each]) for each in ("from", "to") if wanted[each])])
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


@page("/billing", into=routes)
async def billing(opened: PageOf) -> Response:
    """How the books of the billing consumer are asked: they are its own, and their commands read them."""
    return opened.render("billing.html")


def _wanted(opened: PageOf) -> dict[str, str | None]:
    kind = opened.param("kind") if opened.param("kind") in CHARGE_KINDS else None
    return {"from": day(opened.param("from")), "to": day(opened.param("to")), "kind": kind}


def day(text: str) -> str | None:
    """A civil day of the address; None where it is none."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _after(opened: PageOf) -> int:
    return int(opened.param("after")) if opened.param("after").isdecimal() and len(opened.param("after")) < 19 else 0


async def _fees(opened: PageOf) -> Mapping[str, str]:
    """Code of a fee → its Chinese name, in the catalogue in force."""
    found: Mapping[str, str] = (await opened.calls.get("/labels"))["fees"]
    return found


def _row(line: Mapping[str, Any], fees: Mapping[str, str]) -> list[str]:
    amount = line["amount_fen"]
    told = {
        **line,
        "recorded_at": at_time(line["recorded_at"]),
        "happened_at": at_time(line["happened_at"]),
        "fee_name": fees.get(line["fee"] or "", ""),
        "amount_yuan": f"{amount / 100:.2f}" if amount is not None else "",
    }
    return [_cell(told[name]) for name in COLUMNS]


def _cell(value: object) -> str:
    """A cell as text. One that a spreadsheet would take for a formula is marked as text by an apostrophe."""
    text = "" if value is None else str(value)
    negative = text.startswith("-") and text[1:].replace(".", "", 1).isdecimal()
    return f"'{text}" if text.startswith(_FORMULA) and not negative else text


def _csv(rows: Any) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
