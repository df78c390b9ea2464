"""Sign-in at an identity provider, with PostgreSQL: at a real provider, and with accounts of ours."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pyotp
import pytest

from domain.people.people import Work, join
from infra.clock import ManualClock
from infra.eventstore.commands import Command, Snapshot, Stamp, StreamEvent
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import person_stream
from infra.identity.accounts import FAILURES, Accounts
from infra.identity.demo_accounts import join_by_program
from infra.identity.oidc import Provider
from infra.settings import Settings
from tests.api_world import app_of, served
from tests.identity_provider import CLIENT, ISSUER, SECRET, FakeProvider, real_provider
from tests.proven import PROVEN

API = "/api/v1"
BEGIN = f"{API}/session/oidc"
BACK = f"{BEGIN}/callback"
PASSWORD = "correct horse battery staple"
OPERATOR = {**PROVEN, "X-Actor": "operator-7", "X-Role": "operator"}


def code(answer: httpx.Response) -> str:
    return str(answer.json().get("code", answer.status_code))


# ---- at a real provider


@pytest.fixture
def at_real(store_settings: Settings, clock: ManualClock, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A browser at our application, whose provider is a real one that signs by the given algorithm."""
    with real_provider() as provider:
        service = open_service(store_settings.model_copy(update=provider.settings), clock=clock)
        with served(app_of(service)) as url, httpx.Client(base_url=url, timeout=20) as browser:
            provider.meet_client(f"{url}{BACK}", getattr(request, "param", "RS256"))
            join_by_program(service, "hotline-7", Work(("hotline",)))
            join_by_program(service, "manager-7", Work(("manager",)))
            yield browser
        service.close()


def at_provider(browser: httpx.Client, form: dict[str, str], path: str = "/dispatch") -> httpx.Response:
    """Begin a sign-in, fill in the provider's form; the address of ours that the browser is sent back to is asked."""
    answer = browser.get(BEGIN, params={"next": path})
    assert answer.status_code == 303, answer.text
    for _ in range(10):
        if answer.is_redirect:
            where = urljoin(str(answer.request.url), answer.headers["location"])
            if where.startswith(str(browser.base_url.join(BACK))):
                return browser.get(where)
            answer = browser.get(where)
        else:
            assert answer.status_code == 200, answer.text
            answer = browser.post(str(answer.request.url), data=form)
    raise AssertionError("the provider does not send the browser back")


@pytest.mark.parametrize("at_real", ["RS256", "EdDSA"], indirect=True)
def test_somebody_signs_in_at_a_real_provider_acts_and_signs_out(at_real: httpx.Client) -> None:
    back = at_provider(at_real, {"login": "hotline-7"})
    assert (back.status_code, back.headers["location"]) == (303, "/dispatch"), back.text
    view = at_real.get(f"{API}/session").json()
    assert (view["actor"], view["role"], view["limited"], view["by_provider"]) == ("hotline-7", "hotline", False, True)
    assert at_real.get(f"{API}/dispatch").status_code == 200
    assert at_real.post(f"{API}/session/end", json={}, headers={"X-CSRF-Token": view["csrf_token"]}).status_code == 200
    assert at_real.get(f"{API}/session").json()["signed_in"] is False


def ended(browser: httpx.Client) -> str | None:
    """Sign out here; where the browser is to sign out at the provider."""
    proof = {"X-CSRF-Token": browser.get(f"{API}/session").json()["csrf_token"]}
    answer = browser.post(f"{API}/session/end", json={}, headers=proof)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    leave_at: str | None = answer.json()["leave_at"]
    return leave_at


def test_who_signs_out_is_led_to_sign_out_at_a_real_provider_too(at_real: httpx.Client) -> None:
    assert at_provider(at_real, {"login": "hotline-7"}).headers["location"] == "/dispatch"
    assert ended(at_real) is not None
    # As before this was led there: whoever sits down next is signed in without a word.
    assert at_provider(at_real, {}).headers["location"] == "/dispatch", "the provider still knows the browser"
    leave_at = ended(at_real)
    assert leave_at is not None
    hint = parse_qs(urlsplit(leave_at).query)["id_token_hint"][0]
    assert hint.count(".") == 2
    assert at_real.cookies.get("tongshui_oidc_hint") is None, "it is kept until the sign-out"
    asks = at_real.get(leave_at)
    assert asks.status_code == 200, asks.text
    (xsrf,) = re.findall(r'name="xsrf" value="(\w+)"', asks.text)
    confirm = urljoin(leave_at, re.findall(r'action="([^"]+)"', asks.text)[0])
    back = at_real.post(confirm, data={"xsrf": xsrf, "logout": "yes"})
    assert (back.status_code, back.headers["location"]) == (303, str(at_real.base_url.join("/login")))
    with pytest.raises(AssertionError):
        at_provider(at_real, {})  # it asks who they are again, and nobody fills that in


def test_a_real_provider_says_no_and_its_code_counts_once(at_real: httpx.Client) -> None:
    assert code(at_provider(at_real, {"cancel": "yes"})) == "oidc-denied"
    assert code(at_provider(at_real, {"login": "nobody-7"})) == "oidc-account-unknown"
    at_real.cookies.clear()  # the provider knows the browser
    led = at_real.get(BEGIN)
    back = at_provider(at_real, {"login": "hotline-7"})
    assert back.status_code == 303
    assert code(at_real.get(str(back.request.url))) == "oidc-state-mismatch"
    # With the cookie of another attempt, as a thief of the address would have one.
    at_real.cookies.set("tongshui_oidc", led.cookies["tongshui_oidc"], domain="127.0.0.1", path=BEGIN)
    assert code(at_real.get(str(back.request.url))) == "oidc-state-mismatch"


def test_a_second_factor_at_a_real_provider_counts(at_real: httpx.Client) -> None:
    assert at_provider(at_real, {"login": "manager-7"}).headers["location"] == "/login?next=%2Fdispatch"
    assert code(at_real.get(f"{API}/dispatch")) == "second-factor-needed"
    at_real.cookies.clear()
    assert at_provider(at_real, {"login": "manager-7", "mfa": "yes"}).headers["location"] == "/dispatch"
    assert at_real.get(f"{API}/dispatch").status_code == 200


# ---- what an account of ours has to do with it


class Desk:
    """A browser at our application, and a provider that names whom a test wants."""

    def __init__(self, service: Service, browser: httpx.Client, provider: FakeProvider) -> None:
        self.service = service
        self.accounts = Accounts(service)
        self.browser = browser
        self.provider = provider

    def with_account(self, actor: str, *roles: str, password: str | None = PASSWORD) -> None:
        join_by_program(self.service, actor, Work(roles))
        if password is not None:
            self.accounts.set_secret(actor, password, must_change=False)
        else:
            self.accounts.new_secret(actor)

    def come(self, actor: str, **claims: Any) -> httpx.Response:
        """Sign in at the provider as somebody."""
        self.provider.actor, self.provider.claims = actor, claims
        self.browser.cookies.clear()
        led = self.browser.get(BEGIN, params={"next": "/desk"}).headers["location"]
        given = {"code": self.provider.authorize(led), "state": parse_qs(urlsplit(led).query)["state"][0]}
        return self.browser.get(BACK, params=given)

    def view(self) -> dict[str, Any]:
        view: dict[str, Any] = self.browser.get(f"{API}/session").json()
        return view

    def post(self, path: str, **body: Any) -> httpx.Response:
        proof = {"X-CSRF-Token": self.view()["csrf_token"] or ""}
        return self.browser.post(f"{API}/{path}", json=body, headers=proof)

    def has_second_factor(self, actor: str) -> pyotp.TOTP:
        """Give the account a second factor of ours."""
        token = self.accounts.sign_in(actor, PASSWORD, browser=False).token
        totp = pyotp.parse_uri(self.accounts.begin_second_factor(token))
        assert isinstance(totp, pyotp.TOTP)
        self.accounts.confirm_second_factor(token, totp.now())
        return totp


@pytest.fixture
def desk(store_settings: Settings, clock: ManualClock) -> Iterator[Desk]:
    oidc = {"oidc_issuer": ISSUER, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
    service, provider = open_service(store_settings.model_copy(update=oidc), clock=clock), FakeProvider(time.time)
    app = app_of(service)
    app.state.oidc = Provider(service.settings, transport=provider.transport)
    with served(app) as url, httpx.Client(base_url=url, timeout=20) as browser:
        yield Desk(service, browser, provider)
    service.close()


def test_who_left_and_a_machine_get_no_session_and_who_leaves_loses_it(desk: Desk) -> None:
    desk.with_account("hotline-7", "hotline")
    assert desk.come("hotline-7").status_code == 303
    assert desk.view()["actor"] == "hotline-7"
    left = desk.browser.post(f"{API}/people/hotline-7/departure", json={}, headers=OPERATOR | {"Cookie": ""})
    assert left.status_code == 200, left.text
    assert desk.view()["signed_in"] is False
    assert code(desk.come("hotline-7")) == "oidc-account-unknown"
    stream, stamp = person_stream("vendor-7"), Stamp("operator-7", "operator", "office", "c", "c")

    def decide(snapshot: Snapshot) -> list[StreamEvent]:
        ctx, work = snapshot.context(stamp), Work(("auditor",))
        return [(stream, ctx.event(join(snapshot.of(stream), ctx, actor="vendor-7", kind="machine", work=work)))]

    desk.service.run(Command(stream, stamp, decide))
    assert code(desk.come("vendor-7")) == "oidc-account-unknown"


def test_a_locked_password_does_not_keep_somebody_from_the_provider(desk: Desk) -> None:
    desk.with_account("hotline-7", "hotline")
    for _ in range(FAILURES + 1):
        locked = desk.browser.post(f"{API}/session", json={"login": "hotline-7", "password": "x"})
    assert code(locked) == "account-locked"
    assert desk.come("hotline-7").status_code == 303


@pytest.mark.parametrize(("claims", "is_whole"), [({}, False), ({"amr": ["pwd"]}, False), ({"amr": ["mfa"]}, True)])
def test_a_role_that_needs_a_second_factor_needs_it_there_too(
    desk: Desk, claims: dict[str, Any], is_whole: bool
) -> None:
    desk.with_account("manager-7", "manager")
    back = desk.come("manager-7", **claims)
    assert back.headers["location"] == ("/desk" if is_whole else "/login?next=%2Fdesk")
    assert desk.view()["limited"] is not is_whole
    answer = desk.browser.get(f"{API}/dispatch")
    assert answer.status_code == (200 if is_whole else 403)
    if not is_whole:
        assert code(answer) == "second-factor-needed"
        assert answer.json()["next_step_zh"]


def test_a_limited_session_is_whole_once_the_accounts_own_code_was_shown(
    desk: Desk,
) -> None:
    desk.with_account("manager-7", "manager")
    totp = desk.has_second_factor("manager-7")
    desk.come("manager-7")
    before = desk.browser.cookies["tongshui_session"]
    assert code(desk.post("session/second-factor")) == "second-factor-set", "it is not replaced"
    # The password was not asked for, so a new one proves nothing more.
    changed = desk.post("session/password", old=PASSWORD, new=f"{PASSWORD} again")
    assert (changed.status_code, changed.json()["limited"]) == (200, True), changed.text
    assert code(desk.browser.get(f"{API}/dispatch")) == "second-factor-needed"
    shown = desk.post("session/second-factor/confirmation", code=totp.now())
    assert (shown.json()["codes"], shown.json()["session"]["limited"]) == ([], False), shown.text
    assert desk.browser.get(f"{API}/dispatch").status_code == 200
    assert desk.browser.cookies["tongshui_session"] != before
    desk.come("manager-7")
    assert code(desk.post("session/second-factor/confirmation", code=totp.now())) == "wrong-credentials", "used"


def test_codes_that_are_guessed_in_a_limited_session_lock_the_account(desk: Desk) -> None:
    desk.with_account("manager-7", "manager")
    totp = desk.has_second_factor("manager-7")
    desk.come("manager-7")
    wrong = f"{(int(totp.now()) + 500_000) % 1_000_000:06d}"
    tries = [code(desk.post("session/second-factor/confirmation", code=wrong)) for _ in range(FAILURES + 1)]
    assert tries == [*["wrong-credentials"] * FAILURES, "account-locked"]
    assert desk.view()["limited"] is True


def test_who_never_used_a_password_sets_up_a_second_factor_and_goes_on(desk: Desk) -> None:
    desk.with_account("manager-7", "manager", password=None)
    desk.come("manager-7")
    totp = pyotp.parse_uri(desk.post("session/second-factor").json()["uri"])
    assert isinstance(totp, pyotp.TOTP)
    assert code(desk.post("session/second-factor/confirmation", code="000000")) == "wrong-code"
    confirmed = desk.post("session/second-factor/confirmation", code=totp.now())
    assert (len(confirmed.json()["codes"]), confirmed.json()["session"]["limited"]) == (10, False), confirmed.text
    assert desk.browser.get(f"{API}/dispatch").status_code == 200


def test_a_session_by_password_is_as_it_was(desk: Desk) -> None:
    desk.with_account("hotline-7", "hotline")
    desk.provider.description = {"end_session_endpoint": f"{ISSUER}/end"}
    view = desk.browser.post(f"{API}/session", json={"login": "hotline-7", "password": PASSWORD}).json()
    assert (view["by_provider"], view["limited"]) == (False, False)
    assert ended(desk.browser) is None, "the provider has nothing to end"


def test_a_sign_out_does_not_wait_for_a_provider_that_is_away_or_has_no_such_address(desk: Desk) -> None:
    desk.with_account("hotline-7", "hotline")
    desk.come("hotline-7")
    assert ended(desk.browser) is None, "it says no address"
    assert desk.view()["signed_in"] is False
