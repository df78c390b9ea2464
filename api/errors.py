"""Errors become answers here, in one table. Every answer is ``application/problem+json`` with a stable code.

A code says which rule said no; ``MEANINGS`` gives its status and its words in English and Chinese. No answer and no log
line repeats a value of a request's body that may be personal: bodies are answered with the field's name alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from eventsourcing.persistence import PersistenceError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.trace import note_outcome
from domain.refusals import Refusal
from infra.store.commands import BusyError, KeyReusedError, StoreUnavailableError

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
FIELDS_SHOWN = 20
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,40}(?:[0-9]{1,3}[A-Za-z_-]{0,40}){0,3}")


class FieldProblem(BaseModel):
    """What is wrong with one field; names the field, never its value."""

    field: str = Field(examples=["reporter.phone"])
    problem: str
    problem_zh: str


class Problem(BaseModel):
    """RFC 9457 problem details, with what was found, what was needed and the next step, in English and Chinese."""

    type: str = Field(examples=["urn:tongshui:error:no-such-case"])
    title: str
    status: int
    code: str
    detail: str
    detail_zh: str
    found: str
    needed: str
    next_step: str
    next_step_zh: str
    fields: list[FieldProblem] | None = Field(default=None, description="with bad-body, naive-time, bad-parameter")
    incident: str | None = Field(default=None, description="with internal-error: what to quote to the operator")


@dataclass(frozen=True, slots=True)
class Meaning:
    """The HTTP status of a code, and its words."""

    status: int
    title: str
    title_zh: str
    retry_after_seconds: int | None = None


MEANINGS: Mapping[str, Meaning] = {
    # The rulebook's refusals: an instruction in the wrong state, or something that is taken.
    "case-exists": Meaning(409, "The case exists already", "该案件已存在"),
    "case-closed": Meaning(409, "The case is closed", "工单已关闭"),
    "repair-completed": Meaning(409, "The repair is completed", "抢修已完成"),
    "already-dispatched": Meaning(409, "The crew is on this incident already", "该班组已在本工单"),
    "repair-not-completed": Meaning(409, "The repair is not completed", "抢修尚未完成"),
    "water-not-restored": Meaning(409, "Water is not restored", "尚未恢复供水"),
    "already-admitted": Meaning(409, "The application is admitted already", "该申请已受理"),
    "not-admitted": Meaning(409, "The application is not admitted", "该申请尚未受理"),
    "already-on": Meaning(409, "The supply point has water already", "该用水点已通水"),
    "meter-already-in-service": Meaning(
        409, "The meter is in service at another supply point", "该水表已在其他用水点使用"
    ),
    # The rulebook's refusals: nothing there.
    "no-such-case": Meaning(404, "No such case", "没有该案件"),
    "no-such-supply-point": Meaning(404, "No such supply point", "没有该用水点"),
    # The rulebook's refusals: a value that the rules do not know or allow.
    "unknown-fault-kind": Meaning(422, "Unknown kind of fault", "未知的故障类型"),
    "unknown-district": Meaning(422, "Unknown district", "未知的片区"),
    "unknown-applicant-category": Meaning(422, "Unknown category of applicant", "未知的申请人类别"),
    "supply-points-out-of-range": Meaning(422, "Number of supply points out of range", "用水点数量超出范围"),
    "future-time": Meaning(422, "A time in the future", "时间晚于当前时间"),
    "dates-out-of-order": Meaning(422, "Dates out of order", "日期先后颠倒"),
    "meter-not-verified": Meaning(422, "The meter has no valid verification", "水表检定不在有效期内"),
    "event-too-large": Meaning(413, "The event would be too large", "事件内容过大"),
    # The edge's own.
    "not-json": Meaning(400, "The body is not JSON", "请求内容不是有效的 JSON"),
    "bad-header": Meaning(400, "A header is not acceptable", "请求头不符合要求"),
    "bad-cursor": Meaning(400, "The place in the stream is not readable", "无法识别的读取位置"),
    "bad-request": Meaning(400, "The request cannot be read", "无法识别的请求"),
    "not-loopback": Meaning(403, "Only this machine may ask", "仅允许本机访问"),
    "no-such-path": Meaning(404, "No such path", "没有该路径"),
    "method-not-allowed": Meaning(405, "Method not allowed", "不支持该方法"),
    "busy": Meaning(409, "Others kept changing the case", "该案件正被他人修改", retry_after_seconds=1),
    "body-too-large": Meaning(413, "The body is too large", "请求内容过大"),
    "wrong-content-type": Meaning(415, "Wrong content type", "请求内容类型错误"),
    "wrong-host": Meaning(421, "Asked under a foreign name", "主机名不符"),
    "bad-body": Meaning(422, "The body does not have the form that is needed", "请求内容不符合要求"),
    "naive-time": Meaning(422, "A time without its offset from UTC", "时间缺少时区"),
    "bad-parameter": Meaning(422, "A parameter does not have the form that is needed", "参数不符合要求"),
    "unknown-role": Meaning(422, "Unknown role", "未知的角色"),
    "unknown-channel": Meaning(422, "Unknown channel", "未知的渠道"),
    "unknown-region": Meaning(422, "No calendar for this region", "没有该地区的工作日历"),
    "outside-calendar": Meaning(422, "Outside the calendar", "超出工作日历范围"),
    "idempotency-key-reused": Meaning(422, "The idempotency key stands for another request", "幂等键已用于其他请求"),
    "internal-error": Meaning(500, "Something unforeseen happened", "系统内部错误"),
    "store-unavailable": Meaning(503, "The store does not answer", "存储暂不可用", retry_after_seconds=2),
    "too-many-streams": Meaning(503, "Too many open streams", "事件流连接过多", retry_after_seconds=10),
}
UNFORESEEN = Meaning(409, "Refused", "被拒绝")
"""Of a refusal that nobody entered above; a test sees to it that there is none."""


class ApiError(Exception):
    """A request that the edge itself turns away, under one of the codes of ``MEANINGS``."""

    def __init__(
        self,
        code: str,
        *,
        found: str,
        needed: str,
        next_step: str,
        next_step_zh: str,
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        incident: str | None = None,
    ) -> None:
        super().__init__(f"{code}: found {found}; needed {needed}; {next_step}")
        self.code = code
        self.found = found
        self.needed = needed
        self.next_step = next_step
        self.next_step_zh = next_step_zh
        self.fields = tuple(fields)
        self.headers = dict(headers or {})
        self.incident = incident


def answer(error: ApiError) -> JSONResponse:
    """The problem+json answer."""
    meaning = MEANINGS.get(error.code, UNFORESEEN)
    problem = Problem(
        type=f"urn:tongshui:error:{error.code}",
        title=meaning.title,
        status=meaning.status,
        code=error.code,
        detail=f"{meaning.title}: found {error.found}; needed {error.needed}. Next: {error.next_step}.",
        detail_zh=f"{meaning.title_zh}。{error.next_step_zh}。",
        found=error.found,
        needed=error.needed,
        next_step=error.next_step,
        next_step_zh=error.next_step_zh,
        fields=list(error.fields) or None,
        incident=error.incident,
    )
    headers = {"Cache-Control": "no-store", **error.headers}
    if meaning.retry_after_seconds is not None:
        headers["Retry-After"] = str(meaning.retry_after_seconds)
    return JSONResponse(problem.model_dump(exclude_none=True), meaning.status, headers, media_type=PROBLEM_JSON)


# ---- what each kind of exception is


def _refusal(error: Refusal) -> ApiError:
    return ApiError(
        error.code,
        found=error.found,
        needed=error.needed,
        next_step=error.next_step,
        next_step_zh=error.next_step_zh,
    )


def _key_reused(error: KeyReusedError) -> ApiError:
    return ApiError(
        "idempotency-key-reused",
        found="a key that was accepted with another request",
        needed="one key for one request, repeated byte for byte",
        next_step="send a new request under a new key",
        next_step_zh="请为新的请求使用新的幂等键",
    )


def _busy(error: BusyError) -> ApiError:
    return ApiError(
        "busy",
        found="a case that was changed by others at every try",
        needed="a moment of quiet",
        next_step="send the same request again, under the same key if it had one",
        next_step_zh="请稍后以同一幂等键重试",
    )


def store_unavailable() -> ApiError:
    """PostgreSQL is away: what a command or a query is answered with."""
    return ApiError(
        "store-unavailable",
        found="no answer from PostgreSQL in time",
        needed="the store",
        next_step="send the same request again in a moment; with an idempotency key it cannot be done twice",
        next_step_zh="请稍后重试；带幂等键的请求不会重复执行",
    )


def _store_unavailable(error: Exception) -> ApiError:
    log.warning("the store is away: %s", type(error).__name__)
    return store_unavailable()


def _http(error: HTTPException) -> ApiError:
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return ApiError(
            "no-such-path",
            found="a path that this service does not have",
            needed="one of the paths of /openapi.json",
            next_step="look the path up at /docs",
            next_step_zh="请在 /docs 查询接口路径",
        )
    if error.status_code == 405:
        allowed = headers.get("Allow") or headers.get("allow") or "another method"
        return ApiError(
            "method-not-allowed",
            found="a method that this path does not have",
            needed=allowed,
            next_step="use the method that /docs names for this path",
            next_step_zh="请按 /docs 使用正确的方法",
            headers=headers,
        )
    return ApiError(
        "bad-request",
        found=f"a request that HTTP itself refuses with {error.status_code}",
        needed="a request as /openapi.json describes it",
        next_step="compare the request with /docs",
        next_step_zh="请对照 /docs 检查请求",
        headers=headers,
    )


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
    "bad_time": "时间格式应为 RFC 3339",
    "bad_date": "日期格式应为 年-月-日",
    "bad_amount": "数量格式不符",
    "long_number": "不得含有超过五位的数字",
    "reading_beyond_dial": "初始读数超出表盘量程",
}


def field_path(location: Sequence[Any]) -> str:
    """``reporter.phone``. A name that does not look like one of ours is not repeated: it may hold anything."""
    names = [str(part) for part in location]
    return ".".join(name if FIELD_NAME.fullmatch(name) else "(not repeated)" for name in names)


def _validation(error: RequestValidationError) -> ApiError:
    errors = error.errors()[:FIELDS_SHOWN]
    where = str(errors[0]["loc"][0])
    fields = [
        FieldProblem(
            field=field_path(e["loc"][1:]) or "(whole body)",
            problem=str(e["msg"]).removeprefix("Value error, "),
            problem_zh=_ZH.get(str(e["type"]), "不符合要求"),
        )
        for e in errors
    ]
    named = ", ".join(dict.fromkeys(f"{field.field} ({field.problem})" for field in fields))
    if where == "body":
        code = "naive-time" if all(e["type"] == "naive_time" for e in errors) else "bad-body"
    else:
        code = "bad-header" if where == "header" else "bad-parameter"
    return ApiError(
        code,
        found=named,
        needed="what /openapi.json describes for this request",
        next_step="correct the named fields and send again",
        next_step_zh="请更正：" + "，".join(dict.fromkeys(f"{f.field}（{f.problem_zh}）" for f in fields)),
        fields=fields,
    )


AS_ERROR: tuple[tuple[type[Exception], Callable[[Any], ApiError]], ...] = (
    (ApiError, lambda error: error),
    (Refusal, _refusal),
    (KeyReusedError, _key_reused),
    (BusyError, _busy),
    (StoreUnavailableError, _store_unavailable),
    (psycopg.OperationalError, _store_unavailable),
    (psycopg.InterfaceError, _store_unavailable),
    (PersistenceError, _store_unavailable),
    (HTTPException, _http),
    (RequestValidationError, _validation),
)
"""Which exception is answered how. What is not listed is ours to mend: ``api.outer`` answers it with internal-error."""


def as_api_error(error: Exception) -> ApiError | None:
    """The row of the table above for an exception; None where there is none."""
    return next((shaped(error) for kind, shaped in AS_ERROR if isinstance(error, kind)), None)


def install(app: FastAPI) -> None:
    """Answer by the same table what is raised outside of our routes: unknown paths, methods, files."""
    for kind in (ApiError, HTTPException):
        app.add_exception_handler(kind, _handle)


def _handle(request: Request, error: Exception) -> JSONResponse:
    api_error = as_api_error(error)
    assert api_error is not None, "installed for kinds that the table lists"
    note_outcome(request.scope, api_error.code)
    return answer(api_error)
