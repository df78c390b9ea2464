"""Errors become answers here. Every answer is ``application/problem+json`` with a stable code, and a
page for a browser that asked for one.

A code says which rule said no; its class gives the status and the words in English and Chinese (``domain`` for the
rules, ``api.http.refusals`` for the edge). No answer and no log line repeats a value of a request's body that may be
personal: bodies are answered with the field's name alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Annotated, Any

import psycopg
from eventsourcing.persistence import PersistenceError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.routing import Match, Mount
from starlette.types import Scope

from api.http.language import language_of
from api.http.refusals import (
    BadBody,
    BadHeader,
    BadParameter,
    BadRequest,
    Busy,
    EdgeRefusal,
    EvidenceStoreUnavailable,
    FieldProblem,
    IdempotencyKeyReused,
    MethodNotAllowed,
    NaiveTime,
    NoSuchPath,
    StoreCannotWrite,
    StoreUnavailable,
    VaultClosed,
)
from api.http.trace import note_outcome
from domain.kernel.law import Citation
from domain.kernel.personal import KIND_NAMES
from domain.kernel.refusals import Refusal
from infra.eventstore.commands import BusyError, KeyReusedError, StoreUnavailableError
from infra.eventstore.service import Service
from infra.evidence.objects import ObjectsUnavailableError
from infra.failures import why_it_cannot_write
from infra.keys import KeyFileError

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
FIELDS_SHOWN = 20
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,40}(?:[0-9]{1,3}[A-Za-z_-]{0,40}){0,3}")


class Problem(BaseModel):
    """RFC 9457 problem details, with what was found, what was needed and the next step, in English and Chinese."""

    type: str = Field(examples=["urn:tongshui:error:no-such-case"], description="URN of the kind of error.")
    title: Annotated[str, Field(description="The kind of error, in English.")]
    status: Annotated[int, Field(description="The HTTP status.")]
    code: Annotated[str, Field(description="The stable code of the error.")]
    detail: Annotated[str, Field(description="What was found, what was needed and the next step, in one English text.")]
    detail_zh: Annotated[str, Field(description="The error and the next step, in one Chinese text.")]
    found: Annotated[str, Field(description="What was found, in English.")]
    needed: Annotated[str, Field(description="What was needed, in English.")]
    next_step: Annotated[str, Field(description="What to do next, in English.")]
    next_step_zh: Annotated[str, Field(description="What to do next, in Chinese.")]
    basis: list[Citation] | None = Field(
        default=None,
        description="The articles of law in force when it was refused, where the refusal rests on any.",
    )
    fields: list[FieldProblem] | None = Field(default=None, description="with bad-body, naive-time, bad-parameter")
    incident: str | None = Field(default=None, description="with internal-error: what to quote to the operator")


def citing(refused: Refusal, service: Service) -> Refusal:
    """The refusal with the articles of law that it rests on. Of a command the writer has looked them up."""
    if refused.basis or isinstance(refused, EdgeRefusal):
        return refused
    return service.rules.citing(refused, service.clock.now())


def answer(refused: Refusal) -> JSONResponse:
    """The problem+json answer."""
    by_law = f" By law: {', '.join(map(str, refused.basis))}." if refused.basis else ""
    by_law_zh = f"依据：{'、'.join(each.zh for each in refused.basis)}。" if refused.basis else ""
    edge = refused if isinstance(refused, EdgeRefusal) else None
    problem = Problem(
        type=f"urn:tongshui:error:{refused.code}",
        title=refused.title,
        status=refused.status,
        code=refused.code,
        detail=f"{refused.title}: found {refused.found}; needed {refused.needed}. Next: {refused.next_step}.{by_law}",
        detail_zh=f"{refused.title_zh}。{refused.next_step_zh}。{by_law_zh}",
        found=refused.found,
        needed=refused.needed,
        next_step=refused.next_step,
        next_step_zh=refused.next_step_zh,
        basis=list(refused.basis) or None,
        fields=list(edge.fields) or None if edge is not None else None,
        incident=edge.incident if edge is not None else None,
    )
    headers = {"Cache-Control": "no-store", **(edge.headers if edge is not None else {})}
    if refused.retry_after_seconds is not None:
        headers["Retry-After"] = str(refused.retry_after_seconds)
    return JSONResponse(problem.model_dump(exclude_none=True), refused.status, headers, media_type=PROBLEM_JSON)


def answer_in(scope: Scope, refused: Refusal) -> Response:
    """The answer to whoever asked: a page for a browser that asked for one, problem+json for everybody else."""
    accepted = Headers(scope=scope).get("accept", "")
    if "text/html" not in accepted or scope["path"].startswith("/api/"):
        return answer(refused)
    return page_answer(HTTPConnection(scope), refused)


def page_answer(
    request: HTTPConnection, refused: Refusal, back: str = "/", words: tuple[str, str] = ("首页", "first page")
) -> HTMLResponse:
    """A refusal as a page in the language that the browser's owner chose, without anything else that a request could
    say. ``back``: where its link leads, and ``words`` what it is called."""
    incident = refused.incident if isinstance(refused, EdgeRefusal) else None
    english = language_of(request) == "en"
    needed = f"Found {refused.found}; needed {refused.needed}. Next: {refused.next_step}."
    told = (refused.title, needed, words[1]) if english else (refused.title_zh, refused.next_step_zh, words[0])
    language = "en" if english else "zh-CN"
    title, step, leads, code, quoted = (escape(each) for each in (*told, refused.code, incident or ""))
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": _PAGE_POLICY}
    if refused.retry_after_seconds is not None:
        headers["Retry-After"] = str(refused.retry_after_seconds)
    return HTMLResponse(
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title}</title><link rel="stylesheet" href="/static/site.css"></head><body><main class="narrow">'
        f"<h1>{title}</h1><p>{step}</p>"
        f'<p class="small quiet"><code id="refused" data-code="{code}">{code}</code> {quoted}</p>'
        f'<p><a class="button" href="{back}">{leads}</a></p></main></body></html>',
        refused.status,
        headers,
    )


_PAGE_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


# ---- what each kind of exception is


def _store_away(error: Exception) -> EdgeRefusal:
    if why := why_it_cannot_write(error):
        log.warning("the store cannot write: %s", why)
        return StoreCannotWrite(why)
    log.warning("the store is away: %s", type(error).__name__)
    return StoreUnavailable()


def _vault_closed(error: KeyFileError) -> EdgeRefusal:
    log.error("the vault cannot be opened: %s", error)
    return VaultClosed()


def _objects_away(error: ObjectsUnavailableError) -> EdgeRefusal:
    log.error("the evidence store does not answer: %s", error)
    return EvidenceStoreUnavailable()


def _http(error: HTTPException) -> EdgeRefusal:
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            return NoSuchPath()
        case 405:
            return MethodNotAllowed(headers)
        case _:
            return BadRequest(error.status_code, headers)


_ZH = {
    "missing": "缺少该字段",
    "extra_forbidden": "没有该字段",
    "string_type": "应为文本",
    "int_type": "应为整数",
    "bool_type": "应为 true 或 false",
    "string_too_long": "过长",
    "string_too_short": "过短",
    "string_pattern_mismatch": "格式不符",
    "greater_than_equal": "过小",
    "less_than_equal": "过大",
    "literal_error": "不在可选值之内",
    "naive_time": "时间须带时区，例如 2026-02-13T09:00:00+08:00",
    "empty_text": "不能为空",
    "control_character": "含有不可见字符",
    "day_only": "只有日期，须写明时刻，例如 2026-02-13T09:00:00+08:00",
    "bad_time": "时间格式应为 RFC 3339",
    "bad_date": "日期格式应为 年-月-日",
    "bad_amount": "数量格式不符",
    "long_number": "不得含有超过五位的数字",
    "reading_beyond_dial": "初始读数超出表盘量程",
    **{f"personal-{kind}": f"疑似含有{name_zh}" for kind, (_, name_zh) in KIND_NAMES.items()},
}


def field_path(location: Sequence[Any]) -> str:
    """``reporter.phone``, ``rows.3.meter`` of the third row. A name that is none of ours is not repeated:
    it may hold anything."""
    return ".".join(_part(part) for part in location)


def _part(part: Any) -> str:
    if isinstance(part, int):
        return str(part + 1)
    return part if isinstance(part, str) and FIELD_NAME.fullmatch(part) else "(not repeated)"


def _validation(error: RequestValidationError) -> EdgeRefusal:
    errors = error.errors()[:FIELDS_SHOWN]
    fields = tuple(
        FieldProblem(
            field=field_path(e["loc"][1:]) or "(whole body)",
            problem=str(e["msg"]).removeprefix("Value error, "),
            problem_zh=_ZH.get(str(e["type"]), "不符合要求"),
        )
        for e in errors
    )
    naive = all(e["type"] == "naive_time" for e in errors)
    kinds = {"body": NaiveTime if naive else BadBody, "header": BadHeader}
    refused = kinds.get(str(errors[0]["loc"][0]), BadParameter)(
        found=", ".join(dict.fromkeys(f"{each.field} ({each.problem})" for each in fields)),
        next_step_zh="请更正：" + "，".join(dict.fromkeys(f"{each.field}（{each.problem_zh}）" for each in fields)),
    )
    refused.fields = fields
    return refused


AS_REFUSAL: tuple[tuple[type[Exception], Callable[[Any], Refusal]], ...] = (
    (Refusal, lambda refused: refused),
    (KeyReusedError, lambda _: IdempotencyKeyReused()),
    (BusyError, lambda _: Busy()),
    (StoreUnavailableError, _store_away),
    (psycopg.OperationalError, _store_away),
    (psycopg.InterfaceError, _store_away),
    (PersistenceError, _store_away),
    (KeyFileError, _vault_closed),
    (ObjectsUnavailableError, _objects_away),
    (HTTPException, _http),
    (RequestValidationError, _validation),
)
"""Which exception is answered how. What is not listed is ours to mend: ``api.http.access_log`` answers it with
internal-error."""


def as_refusal(error: Exception) -> Refusal | None:
    """The row of the table above for an exception, or that of a disk that takes nothing; None where it is neither."""
    if row := next((shaped for kind, shaped in AS_REFUSAL if isinstance(error, kind)), None):
        return row(error)
    return _store_away(error) if why_it_cannot_write(error) else None


def install(app: FastAPI) -> None:
    """Answer by the same table what is raised outside of our routes: unknown paths, methods, files."""
    for kind in (Refusal, HTTPException):
        app.add_exception_handler(kind, _handle)


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _handle(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405 and (allowed := _methods(request)):
        # The framework names those of the first route with the path only.
        error.headers = {**(error.headers or {}), "Allow": ", ".join(allowed)}
    refused = as_refusal(error)
    assert refused is not None, "installed for kinds that the table lists"
    note_outcome(request.scope, refused.code)
    return answer_in(request.scope, citing(refused, request.app.state.service))


def _methods(request: Request) -> list[str]:
    """The methods that the request's path has, over all routes; none where a mounted application answers for it."""
    routes = [route for route in request.app.router.routes if not isinstance(route, Mount)]
    asked = request.scope
    return [
        method
        for method in METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in routes)
    ]
