"""What a page asks the API and tells it, as whoever looks at the page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request

from api.http.errors import answer as problem_answer
from api.http.identity import CSRF_HEADER
from api.http.within import Answer, send_within
from domain.kernel.refusals import Refusal
from infra.identity.refusals import SessionEnded

PREFIX = "/api/v1"
_PASSED_ON = (
    b"cookie",
    b"authorization",
    b"x-proxy-secret",
    b"x-actor",
    b"x-role",
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"user-agent",
)
"""Headers by which whoever looks at the page proves who they are."""


class ApiRefused(Exception):
    """The API refused: the status and the problem document (RFC 9457) with its code, both languages and next step."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("code", status)))
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        """The stable code of the refusal."""
        return str(self.problem.get("code", "internal-error"))


def as_told_by_the_api(refused: Refusal) -> ApiRefused:
    """A refusal that a page itself raised, as the API would have told it."""
    return ApiRefused(refused.status, json.loads(bytes(problem_answer(refused).body)))


class Calls:
    """The API, asked by the browser that a page is for. ``csrf``: what the form of the page repeated."""

    def __init__(self, request: Request, csrf: str = "") -> None:
        self._request = request
        self._csrf = csrf

    async def get(self, path: str, **query: Any) -> Any:
        """What the API answers at a path below /api/v1. None among ``query`` is left out. Raises ``ApiRefused``."""
        return _json(await self.send("GET", path, query=query))

    async def post(
        self, path: str, body: Mapping[str, Any], *, key: str | None = None, if_match: str | None = None
    ) -> Any:
        """Send a command. ``key``: its Idempotency-Key; ``if_match``: the version that its case must still have. Raises
        ``ApiRefused``."""
        return _json(await self.command(path, body, key=key, if_match=if_match))

    async def command(
        self, path: str, body: Mapping[str, Any], *, key: str | None = None, if_match: str | None = None
    ) -> Answer:
        """The same, as the whole answer: with the cookies that it sets. Raises ``ApiRefused``."""
        headers = [(b"content-type", b"application/json")]
        headers += [(b"idempotency-key", key.encode("latin-1", "replace"))] if key else []
        headers += [(b"if-match", if_match.encode("latin-1", "replace"))] if if_match else []
        return await self.send("POST", path, headers=headers, body=json.dumps(body, ensure_ascii=False).encode())

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: list[tuple[bytes, bytes]] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Any request below /api/v1. Raises ``ApiRefused``."""
        given = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in (query or {}).items()
            if value is not None
        }
        passed_on = [(name, value) for name, value in self._request.scope["headers"] if name in _PASSED_ON]
        if not getattr(self._request.state, "has_session", True):
            # A form that was made for a session is not sent as the public's, once that is over.
            if self._csrf:
                raise as_told_by_the_api(SessionEnded())
            # A cookie that proves nothing would keep whoever sends a public form from doing so.
            passed_on = [each for each in passed_on if each[0] != b"cookie"]
        csrf = [(CSRF_HEADER.lower().encode(), self._csrf.encode("latin-1", "replace"))] if self._csrf else []
        answer = await send_within(
            self._request,
            method,
            PREFIX + path,
            [*passed_on, *csrf, *(headers or [])],
            query=urlencode(given, doseq=True).encode(),
            body=body,
        )
        if answer.status >= 400:
            raise ApiRefused(answer.status, _problem(answer))
        return answer


def at(*parts: object) -> str:
    """A path of the API from its parts, each of them quoted; a colon, as in a digest, stands for itself in a path."""
    return "".join(f"/{quote(str(part), safe=':')}" for part in parts)


def _json(answer: Answer) -> Any:
    return json.loads(answer.body) if answer.body else None


def _problem(answer: Answer) -> Mapping[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "code" not in found:
        return {"code": "internal-error"}
    if fields := found.get("fields"):
        # The API counts rows from 1, as people do, and forms from 0.
        found["fields"] = [each | {"field": _ROW.sub(_one_less, each["field"])} for each in fields]
    return found


_ROW = re.compile(r"(?<=\.)\d+(?=\.|$)")


def _one_less(row: re.Match[str]) -> str:
    return str(int(row[0]) - 1)
