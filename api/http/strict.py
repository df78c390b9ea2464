"""What every route does around its function: read a JSON body by strict rules, answer errors by the one table."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.http.errors import answer, as_refusal, citing
from api.http.refusals import BadParameter, BodyTooLarge, BodyTooSlow, NotJson, WrongContentType
from api.http.trace import note_outcome

BODY_LIMIT_BYTES = 64 * 1024


class StrictRequest(Request):
    """A request whose body was read and parsed already."""

    def __init__(self, request: Request, raw: bytes, parsed: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._raw = raw
        self._parsed = parsed

    async def body(self) -> bytes:
        return self._raw

    async def json(self) -> Any:
        return self._parsed


class StrictRoute(APIRoute):
    """A route that reads its JSON body by the rules of this module and answers errors by the table of
    ``api.http.errors``.

    Here and not in the framework's handlers: those set attributes of an exception, and ours may be immutable.
    """

    body_limit_bytes = BODY_LIMIT_BYTES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.needs_no_field:
            self.openapi_extra = {**(self.openapi_extra or {}), "requestBody": {"required": False}}

    @property
    def needs_no_field(self) -> bool:
        """Whether the body may be left out: it has no field that must be there."""
        model = self.body_field.field_info.annotation if self.body_field is not None else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return False
        return not any(field.is_required() for field in model.model_fields.values())

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body, may_be_empty = self.body_field is not None, self.needs_no_field

        async def strict(request: Request) -> Response:
            try:
                _require_text(request)
                if takes_body:
                    request = await _with_body(request, self.body_limit_bytes, may_be_empty=may_be_empty)
                return await handle(request)
            except Exception as error:
                refused = as_refusal(error)
                if refused is None:
                    raise
                note_outcome(request.scope, refused.code)
                return answer(citing(refused, request.app.state.service))

        return strict


def _require_text(request: Request) -> None:
    """Refuse ``bad-parameter`` for a NUL in the address: no column of PostgreSQL takes one."""
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise BadParameter(found="a NUL character in the address", next_step_zh="请更正地址中的参数")


async def _with_body(request: Request, limit_bytes: int, *, may_be_empty: bool) -> StrictRequest:
    """The request with its body read and parsed, bounded before it is held and JSON in the strict sense.

    ``may_be_empty``: no body at all is ``{}``. Only with a role in its header, which a page of another site cannot
    send without asking first; what it can send, an empty form, stays refused for its content type.
    """
    if may_be_empty and "x-role" in request.headers:
        raw = await read_body(request, limit_bytes)
        if not raw:
            _as_json(request)
            return StrictRequest(request, b"{}", {})
        _require_json(request)
    else:
        _require_json(request)
        raw = await read_body(request, limit_bytes)
    return StrictRequest(request, raw, parse(raw))


def _as_json(request: Request) -> None:
    """Give the request the content type of a body that it was spared to send: the framework asks for it."""
    others = [(name, value) for name, value in request.scope["headers"] if name.lower() != b"content-type"]
    request.scope["headers"] = [*others, (b"content-type", b"application/json")]


def parse(raw: bytes) -> Any:
    """The JSON value. Refuses ``not-json``: malformed, not UTF-8, a name given twice, NaN, nested without end."""
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise NotJson(found="a value nested too deeply") from None
    except UnicodeDecodeError:
        raise NotJson(found="bytes that are not UTF-8") from None
    except json.JSONDecodeError as error:
        found = "an empty body" if not raw.strip() else f"an error at line {error.lineno}, column {error.colno}"
        raise NotJson(found=found) from None
    except ValueError as error:
        # Our own hooks name what they found; whatever else the parser says may quote the body.
        raise NotJson(found=str(error) if isinstance(error, _JsonRuleError) else "a number without bounds") from None


class _JsonRuleError(ValueError):
    """JSON that a lenient parser would take and two parsers would read differently."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _JsonRuleError("a field that is given twice")
    return made


def _no_constant(name: str) -> NoReturn:
    raise _JsonRuleError(f"the constant {name}")


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise WrongContentType(found="another content type" if media_type else "no content type")


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The raw body. Refuses ``body-too-large`` and ``body-too-slow``."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    read, seconds = bytearray(), request.app.state.service.settings.http_body_s
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                read += chunk
                if len(read) > limit_bytes:
                    raise BodyTooLarge(limit_bytes)
    except TimeoutError:
        raise BodyTooSlow(seconds) from None
    return bytes(read)
