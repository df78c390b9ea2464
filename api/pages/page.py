"""A page: who looks at it, in which language, and how it is rendered. Handlers of pages are entered with ``page``."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from api.http.dependencies import the_service
from api.http.identity import COOKIE, PROXY_HEADER, asked_at
from api.http.language import Language, language_of
from api.http.refusals import BadRequest, CrossSiteForm
from api.http.trace import note_outcome
from api.pages.calls import ApiRefused, Calls, as_told_by_the_api
from api.pages.english import in_both, in_english
from api.pages.files import close_form
from api.pages.language import Theme, theme_of
from api.pages.levels import level_name
from api.pages.navigation import links_of
from domain.kernel.facts import Name
from domain.kernel.refusals import Refusal
from domain.standard.powers import roles_with
from domain.standard.standards import Standard
from infra.eventstore.service import Service
from projections import names

CHINA = timezone(timedelta(hours=8))
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
Handler = Callable[["PageOf"], Awaitable[Response]]

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # A release that is put in place of another one changes them under a process that is still the old one.
    auto_reload=False,
)


@dataclass(slots=True)
class PageOf:
    """A page that somebody asked for. ``who``: their session as the API tells it; ``calls``: the API, as they may ask
    it; ``approvals_waiting``: how many requests wait for their answer as the second person."""

    request: Request
    calls: Calls
    who: Mapping[str, Any] = field(default_factory=dict)
    approvals_waiting: int = 0

    @property
    def service(self) -> Service:
        """The service that the application was made with: for its clock and the standard in force."""
        return the_service(self.request)

    @property
    def now(self) -> datetime:
        """The service's clock."""
        return self.service.clock.now()

    @property
    def today(self) -> date:
        """The day in China."""
        return self.now.astimezone(CHINA).date()

    @property
    def standard(self) -> Standard:
        """The standard in force now."""
        return self.service.rules.in_force(self.now)

    @property
    def language(self) -> Language:
        """The language of the page."""
        return language_of(self.request)

    @property
    def theme(self) -> Theme:
        """The colours of the page."""
        return theme_of(self.request)

    @property
    def role(self) -> str:
        """The role in which they act."""
        return str(self.who.get("role", "public"))

    @property
    def signed_in(self) -> bool:
        """Whether they have a session."""
        return bool(self.who.get("signed_in"))

    @property
    def address(self) -> str:
        """Scheme and name by which the browser asked for the page: for links that are passed on."""
        return asked_at(self.request, self.service)

    @property
    def here(self) -> str:
        """The address of the page, without the host; of an answer to a form, which has none, the first page."""
        if self.request.method != "GET":
            return "/"
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    def param(self, name: str, default: str = "") -> str:
        """A parameter of the address."""
        return self.request.query_params.get(name, default)

    def calls_of(self, values: Mapping[str, Any]) -> Calls:
        """The API, as whoever sent a form may tell it: with the token that the form repeated."""
        return Calls(self.request, str(values.get("csrf", "")))

    def wrong(self, problem: Mapping[str, Any] | None) -> dict[str, str]:
        """Field → what a refusal says is wrong with it, in the language of the page."""
        listed = (problem or {}).get("fields") or ()
        return {each["field"]: self.say(each["problem_zh"], each["problem"]) for each in listed}

    def may(self, power: str | None) -> bool:
        """Whether their role has the power; a visitor of the demo may look at everything and do nothing."""
        return power is None or self.role in roles_with(self.standard, power)

    def say(self, zh: str, en: str) -> str:
        """The words in the language of the page."""
        return en if self.language == "en" else zh

    def name(self, named: Name | None, code: str = "") -> str:
        """A name in the language of the page; the code itself where there is no name."""
        return code if named is None else self.say(named.zh, named.en)

    def called(self, zh: str, code: str = "") -> str:
        """What the standard names in Chinese, in the language of the page: in English by the table, else by the code in
        words; as it is published where there is no code either."""
        return self.name(in_both(zh, code)) if code else self.say(zh, in_english(zh))

    def level(self, code: str) -> str:
        """A reminder or an escalation level in words, where its code is built like those of the shipped standard."""
        return self.name(level_name(code), code)

    def render(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """The page as HTML. Its template finds ``page``, ``t(zh, en)``, ``named(table, code)`` and ``context``."""
        body = _TEMPLATES.get_template(template).render(
            page=self,
            t=self.say,
            named=self.named,
            names=names,
            links=links_of(self),
            **context,
        )
        return HTMLResponse(body, status, HEADERS)

    def refused(self, refused: ApiRefused) -> Response:
        """The page that tells what the API refused; whoever could sign in for it is led there."""
        note_outcome(self.request.scope, refused.code)
        if refused.status in (401, 403) and not self.signed_in and self.request.method == "GET":
            return self.to_login()
        return self.render("refused.html", status=refused.status, problem=refused.problem)

    def to_login(self) -> Response:
        """Lead to the page on which one signs in, and back here from it."""
        return see_other(f"/login?{urlencode({'next': self.here})}")

    def named(self, table: Mapping[str, Name | str], code: str | None) -> str:
        """The name of a code in the language of the page; the code itself where the table does not have it."""
        found = table.get(code) if code is not None else None
        if isinstance(found, Name):
            return self.say(found.zh, found.en)
        return self.called(found, code or "") if found is not None else (code or "—")


def page(path: str, *, methods: tuple[str, ...] = ("GET",), into: list[Route]) -> Callable[[Handler], Handler]:
    """Enter a handler of a page. What the API refuses it becomes a page that says so."""

    def enter(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def endpoint(request: Request) -> Response:
            opened = PageOf(request, Calls(request))
            try:
                _require_sound(request)
                opened.who = await opened.calls.get("/session")
                by_token = "authorization" in request.headers or PROXY_HEADER in request.headers
                request.state.has_session = opened.signed_in or by_token
                opened.approvals_waiting = await _waiting(opened)
                answered = await handler(opened)
                if not request.state.has_session and COOKIE in request.cookies and "set-cookie" not in answered.headers:
                    answered.delete_cookie(COOKIE, path="/")
                return answered
            except ApiRefused as refused:
                return opened.refused(refused)
            except Refusal as refused:
                return opened.refused(as_told_by_the_api(refused))
            finally:
                await close_form(request)

        into.append(Route(path, endpoint, methods=list(methods), include_in_schema=False))
        return handler

    return enter


async def _waiting(opened: PageOf) -> int:
    """How many approval requests wait for who looks; of who has no account, and of a form's answer, it is not asked."""
    if not opened.signed_in or opened.request.method != "GET":
        return 0
    try:
        return int((await opened.calls.get("/approvals/count"))["waiting"])
    except ApiRefused:
        return 0  # the page itself says what is wrong, where it asks


def see_other(address: str) -> RedirectResponse:
    """Lead the browser on, after a form or to another page."""
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


def own_path(wanted: str, otherwise: str = "/") -> str:
    """The path to go on at, only where it is one of ours: an address of somebody else's must not follow a form."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return otherwise
    own = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and not parts.netloc
    return wanted if own and wanted.isprintable() else otherwise


def without_language(address: str) -> str:
    """The address without the language that it asks for, which would beat the one that was just chosen."""
    path, _, query = address.partition("?")
    kept = [each for each in query.split("&") if each and not each.startswith("lang=")]
    return path + (f"?{'&'.join(kept)}" if kept else "")


def _require_sound(request: Request) -> None:
    """Refuse what no page of ours sends: a form of another site (``cross-site-form``), parameters that are no text or
    that are longer than any address of ours (``bad-request``)."""
    if request.method == "POST":
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        own_origin = asked_at(request, the_service(request))
        # A browser says the site of every form; an old one says the origin, and nothing of it where we asked for that.
        by_us = site in ("same-origin", "none") if site else origin in (None, "null", own_origin)
        if not by_us:
            raise CrossSiteForm()
    for name, value in request.query_params.multi_items():
        if "\0" in name + value or len(name) + len(value) > MOST_IN_ADDRESS:
            raise BadRequest(400, {})


MOST_IN_ADDRESS = 4_000
"""Characters of one parameter of an address."""


# ---- how values are written


def _instant(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def at_time(value: datetime | str | None) -> str:
    """An instant in China time, as 2026-09-16 14:05; a dash for none."""
    found = _instant(value)
    return found.astimezone(CHINA).strftime("%Y-%m-%d %H:%M") if found is not None else "—"


def short_time(value: datetime | str | None) -> str:
    """An instant in China time without its year, as 09-16 14:05; a dash for none."""
    return at_time(value)[5:] if value is not None else "—"


def day(value: datetime | str | None) -> str:
    """The day of an instant in China, as 2026-09-16; a dash for none."""
    return at_time(value)[:10] if value is not None else "—"


def iso(value: datetime | str | None) -> str:
    """An instant for a machine: ISO 8601 in China time."""
    found = _instant(value)
    return found.astimezone(CHINA).isoformat(timespec="seconds") if found is not None else ""


@jinja2.pass_context
def span(context: jinja2.runtime.Context, seconds: float) -> str:
    """How long, in two units at most: 2 天 3 小时, 25 分钟."""
    opened: PageOf = context["page"]
    minutes = int(abs(seconds) // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "天", "d"), (hours, "小时", "h"), (rest, "分钟", "min")]
    shown = [opened.say(f"{count} {zh}", f"{count} {en}") for count, zh, en in parts if count][:2]
    return " ".join(shown) or opened.say("不到 1 分钟", "under 1 min")


@jinja2.pass_context
def left(context: jinja2.runtime.Context, due: datetime | str | None) -> str:
    """How long there is until an instant, or how long it has been over."""
    opened: PageOf = context["page"]
    instant = _instant(due)
    if instant is None:
        return "—"
    seconds = (instant - opened.now).total_seconds()
    long = span(context, seconds)
    return opened.say(f"剩 {long}", f"{long} left") if seconds >= 0 else opened.say(f"超 {long}", f"{long} over")


@jinja2.pass_context
def tone_of_due(context: jinja2.runtime.Context, due: datetime | str | None) -> str:
    """The tone in which a limit is shown: bad when it is over, near in its last half hour, else plain."""
    opened: PageOf = context["page"]
    instant = _instant(due)
    if instant is None:
        return "plain"
    seconds = (instant - opened.now).total_seconds()
    return "bad" if seconds < 0 else "near" if seconds < 1800 else "plain"


def step_of(instants: Sequence[Mapping[str, Any]], chosen: str) -> int:
    """Which of the instants, which come the latest first, was the last one by the chosen one, counted from 1; one more
    than there are for none chosen, which is now."""
    at = _instant(chosen) if chosen else None
    if at is None:
        return len(instants) + 1
    return max(1, sum(datetime.fromisoformat(each["at"]) <= at for each in instants))


@jinja2.pass_context
def called(context: jinja2.runtime.Context, zh: str, code: str = "") -> str:
    """A name of the standard in the language of the page."""
    opened: PageOf = context["page"]
    return opened.called(zh, code)


def yuan(fen: int | None) -> str:
    """Money, from fen: ¥1,234.50; a dash for none."""
    return f"¥{fen / 100:,.2f}" if fen is not None else "—"


_TEMPLATES.filters.update(
    at=at_time,
    short=short_time,
    day=day,
    iso=iso,
    instant=_instant,
    span=span,
    left=left,
    due_tone=tone_of_due,
    yuan=yuan,
    called=called,
    step_of=step_of,
)
