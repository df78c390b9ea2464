"""Sign-in at an identity provider: every token that must not count, and every way back that was not begun here."""

from __future__ import annotations

import hmac
import json
import logging
import time
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from pydantic import ValidationError

from domain.kernel.refusals import Refusal
from domain.people.people import Work
from infra.eventstore.service import Service
from infra.identity.demo_accounts import join_by_program
from infra.identity.oidc import (
    ATTEMPT_S,
    FRESH_S,
    Attempt,
    Named,
    Provider,
    is_safe_url,
    opened_hint,
    own_path,
    sealed_hint,
)
from infra.keys import MasterKey, master_key
from infra.settings import Settings
from tests.api_world import Client, FakeService, app_over
from tests.identity_provider import (
    CLIENT,
    EC,
    ED,
    ISSUER,
    OTHER_RSA,
    RSA,
    SECRET,
    SHORT_RSA,
    FakeProvider,
    base64url,
    signed,
)

NOW = 1_800_000_000.0
CALLBACK = "https://water.example/api/v1/session/oidc/callback"
KEY = MasterKey(b"\0\0\0\1", {b"\0\0\0\1": b"k" * 32})
BEGIN = "/api/v1/session/oidc"
BACK = f"{BEGIN}/callback"


@pytest.fixture
def fake() -> FakeProvider:
    return FakeProvider(lambda: NOW)


def provider_of(fake: FakeProvider, **settings: Any) -> Provider:
    given = {"oidc_issuer": ISSUER, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, **settings}
    return Provider(Settings(**given), clock=lambda: NOW, transport=fake.transport)


def signed_in(fake: FakeProvider, provider: Provider | None = None, **settings: Any) -> Named:
    """A whole sign-in."""
    provider = provider or provider_of(fake, **settings)
    attempt = Attempt.begin("/desk", NOW)
    return provider.named(attempt, fake.authorize(provider.authorization_url(attempt, CALLBACK)), CALLBACK)


def refused(fake: FakeProvider, provider: Provider | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        signed_in(fake, provider)
    return caught.value


# ---- tokens


@pytest.mark.parametrize(
    ("algorithm", "key"), [("RS256", RSA), ("PS256", RSA), ("ES256", EC), ("EdDSA", ED)], ids=lambda each: str(each)[:5]
)
def test_a_good_token_names_the_account(fake: FakeProvider, algorithm: str, key: Any) -> None:
    fake.keys = {"two": (algorithm, key), "other": ("RS256", OTHER_RSA)}
    fake.signs_with = "two"
    assert signed_in(fake) == Named("hotline-7", has_second_factor=False)


def test_a_token_with_all_that_the_standard_allows_names_the_account(fake: FakeProvider) -> None:
    fake.claims = {"aud": [CLIENT, "other"], "azp": CLIENT, "nbf": NOW, "email": "x", "iat": NOW + 59, "exp": NOW - 59}
    assert signed_in(fake).actor == "hotline-7"
    fake.token = lambda claims: signed({"alg": "RS256", "typ": "JWT", "x-of-theirs": 1}, claims, RSA)
    assert signed_in(fake).actor == "hotline-7", "no key id, where the provider has one key"


def without_signature(claims: dict[str, Any]) -> str:
    return ".".join([*(base64url(json.dumps(each).encode()) for each in ({"alg": "none"}, claims)), ""])


def by_the_public_key(claims: dict[str, Any]) -> str:
    """HS256 with the text of the public key as the secret: whoever knows the public key can make it."""
    head = ".".join(base64url(json.dumps(each).encode()) for each in ({"alg": "HS256", "kid": "one"}, claims))
    return f"{head}.{base64url(hmac.new(RSA.as_pem(private=False), head.encode(), sha256).digest())}"


def changed(claims: dict[str, Any]) -> str:
    """Another subject under the signature of the good one."""
    head, _, signature = signed({"alg": "RS256", "kid": "one"}, claims, RSA).split(".")
    return f"{head}.{base64url(json.dumps({**claims, 'sub': 'manager-1'}).encode())}.{signature}"


@pytest.mark.parametrize(
    "token",
    [
        lambda claims: signed({"alg": "RS256", "kid": "one"}, claims, OTHER_RSA),
        lambda claims: signed({"alg": "RS256", "kid": "elsewhere"}, claims, RSA),
        lambda claims: signed({"alg": "ES256", "kid": "one"}, claims, EC),
        lambda claims: signed({"alg": "RS384", "kid": "one"}, claims, RSA),
        lambda claims: signed({"alg": "RS256", "kid": "one", "crit": ["b64"], "b64": False}, claims, RSA),
        lambda claims: signed({"alg": "RS256", "kid": "one"}, [claims], RSA),
        lambda claims: signed(
            {"alg": "RS256", "kid": "one", "jwk": OTHER_RSA.as_dict(private=False)}, claims, OTHER_RSA
        ),
        without_signature,
        by_the_public_key,
        changed,
        lambda claims: "eyJhbGciOiJSUzI1NiJ9.e30",
        lambda claims: "a.b.c",
        lambda claims: base64url(b'{"alg":["RS256"]}') + ".e30.AA",
        lambda claims: "é.é.é",
        lambda claims: "a" * 100_000,
    ],
    ids=[
        *("another key", "an unknown key id", "a key of another type", "RS384", "a critical header", "no object"),
        *("a key of its own", "none", "HS256", "changed", "two parts", "no base64", "alg a list", "not ASCII", "long"),
    ],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(
    fake: FakeProvider, token: Callable[[dict[str, Any]], str]
) -> None:
    fake.token = token
    assert refused(fake).code == "oidc-token-invalid"


@pytest.mark.parametrize(
    ("claims", "found"),
    [
        ({"iss": f"{ISSUER}/"}, "a token of another issuer"),
        ({"iss": None}, "a token of another issuer"),
        ({"aud": "other"}, "a token for another client"),
        ({"aud": ["other"]}, "a token for another client"),
        ({"aud": None}, "a token for another client"),
        ({"aud": {CLIENT: 1}}, "a token for another client"),
        ({"aud": [CLIENT, "other"]}, "a token that was given to another client"),
        ({"azp": "other"}, "a token that was given to another client"),
        ({"exp": NOW - 61}, "a token that is over"),
        ({"exp": None}, "a token that is over"),
        ({"exp": "never"}, "a token that is over"),
        ({"exp": True}, "a token that is over"),
        ({"iat": NOW + 61}, "a token of another time"),
        ({"iat": NOW - 700}, "a token of another time"),
        ({"iat": None}, "a token of another time"),
        ({"iat": float("nan")}, "a token of another time"),
        ({"nbf": NOW + 61}, "a token of another time"),
        ({"nonce": "of another sign-in"}, "a token of another sign-in"),
        ({"nonce": None}, "a token of another sign-in"),
        ({"nonce": 1}, "a token of another sign-in"),
        ({"sub": ""}, "a token of nobody"),
        ({"sub": None}, "a token of nobody"),
    ],
)
def test_a_token_that_is_of_something_else_is_refused(fake: FakeProvider, claims: dict[str, Any], found: str) -> None:
    fake.claims = claims
    answer = refused(fake)
    assert (answer.code, answer.found) == ("oidc-token-invalid", found)


def test_weak_keys_keys_for_encryption_and_shared_secrets_are_none_of_the_providers(fake: FakeProvider) -> None:
    fake.keys = {"one": ("RS256", SHORT_RSA)}
    assert refused(fake).found == "a signature with a key that the provider does not publish"
    fake.keys = {"one": ("RS256", RSA)}
    padded = base64url(b"\0" * 128 + b64decode(str(SHORT_RSA.as_dict(private=False)["n"]) + "==", b"-_"))
    for said in (
        {"n": padded},
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"alg": "RSA-OAEP"},
        {"kty": "oct", "k": "AAAA"},
        {"n": "!"},
    ):
        row = {**RSA.as_dict(private=False), "kid": "one", **said}
        fake.answers = {"/keys": httpx.Response(200, json={"keys": [row, "no key"]})}
        assert refused(fake).code == "oidc-token-invalid", said


def test_a_token_without_a_key_id_is_not_tried_with_one_key_after_the_other(fake: FakeProvider) -> None:
    fake.keys["two"] = ("RS256", OTHER_RSA)
    fake.token = lambda claims: signed({"alg": "RS256"}, claims, RSA)
    assert refused(fake).found == "a token that several keys could have signed, without a key id"


# ---- asking the provider


def test_what_the_provider_says_of_itself_is_asked_for_once_and_a_new_key_is_looked_for_once(
    fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = provider_of(fake)
    for _ in range(3):
        signed_in(fake, provider)
    assert [fake.asked.count(path) for path in ("/.well-known/openid-configuration", "/keys")] == [1, 1]
    fake.keys = {"new": ("ES256", EC)}
    fake.signs_with = "new"
    signed_in(fake, provider)
    assert fake.asked.count("/keys") == 2
    fake.token = lambda claims: signed({"alg": "RS256", "kid": "nobody's"}, claims, RSA)
    refused(fake, provider)
    assert fake.asked.count("/keys") == 3
    refused(fake)
    assert fake.asked.count("/keys") == 4, "keys that were fetched just now are not fetched again"
    fake.token = fake.good_token
    later = time.monotonic() + FRESH_S
    monkeypatch.setattr("infra.identity.oidc.time.monotonic", lambda: later)
    signed_in(fake, provider)
    assert [fake.asked.count(path) for path in ("/.well-known/openid-configuration", "/keys")] == [3, 5]


@pytest.mark.parametrize("at", ["/.well-known/openid-configuration", "/keys", "/token"])
@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("no route"),
        httpx.ReadTimeout("slow"),
        httpx.Response(503),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, content=b"[" * 300_000),
        httpx.Response(200, json=[]),
    ],
    ids=["no route", "slow", "503", "no JSON", "too long", "no object"],
)
def test_a_provider_that_cannot_be_asked_is_said_to_be_away(
    fake: FakeProvider, at: str, answer: httpx.Response | Exception
) -> None:
    provider = provider_of(fake)
    fake.answers = {at: answer}
    away = refused(fake, provider)
    assert (away.code, away.status, away.retry_after_seconds) == ("oidc-provider-unavailable", 503, 5)
    fake.answers = {}
    assert signed_in(fake, provider).actor == "hotline-7", "it is asked again when it is back"


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://id.example/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_description_of_another_issuer_or_without_tls_is_not_used(fake: FakeProvider, said: dict[str, Any]) -> None:
    fake.description = said
    assert refused(fake).code == "oidc-provider-unavailable"


def test_the_client_proves_itself_as_the_provider_wants_it(fake: FakeProvider) -> None:
    signed_in(fake)
    headers, form = fake.given[-1]
    assert b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == "tongshui:client%2Bsecret%2F"
    assert "client_secret" not in form
    fake.description = {"token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"]}
    signed_in(fake)
    headers, form = fake.given[-1]
    assert ("Authorization" in headers, form["client_id"], form["client_secret"]) == (False, CLIENT, SECRET)
    signed_in(fake, oidc_client_secret="")
    headers, form = fake.given[-1]
    assert ("Authorization" in headers, form["client_id"], "client_secret" in form) == (False, CLIENT, False)


def test_a_code_counts_once_and_only_with_what_began_it(fake: FakeProvider) -> None:
    provider, attempt = provider_of(fake), Attempt.begin("/desk", NOW)
    code = fake.authorize(provider.authorization_url(attempt, CALLBACK))
    provider.named(attempt, code, CALLBACK)
    with pytest.raises(Refusal) as again:
        provider.named(attempt, code, CALLBACK)
    assert again.value.code == "oidc-code-refused"
    code = fake.authorize(provider.authorization_url(attempt, CALLBACK))
    with pytest.raises(Refusal) as elsewhere:
        provider.named(Attempt.begin("/desk", NOW), code, CALLBACK)
    assert elsewhere.value.code == "oidc-code-refused", "another verifier"


def test_a_registration_that_the_provider_does_not_take_is_said(fake: FakeProvider) -> None:
    fake.answers = {"/token": httpx.Response(401, json={"error": "invalid_client", "error_description": "王五"})}
    said = refused(fake)
    assert (said.code, said.found) == ("oidc-provider-error", "invalid_client from the provider")
    fake.answers = {"/token": httpx.Response(400, json={"error": "王五"})}
    assert refused(fake).found == "an unknown error from the provider"
    fake.answers = {"/token": httpx.Response(200, json={"access_token": "at"})}
    assert refused(fake).code == "oidc-token-invalid"


# ---- whom it names


def test_the_claim_of_the_settings_names_the_account(fake: FakeProvider) -> None:
    fake.claims = {"preferred_username": "manager-7"}
    assert signed_in(fake).actor == "hotline-7"
    assert signed_in(fake, oidc_actor_claim="preferred_username").actor == "manager-7"
    for value in (None, "", 7, ["manager-7"]):
        fake.claims = {"preferred_username": value}
        with pytest.raises(Refusal) as missing:
            signed_in(fake, oidc_actor_claim="preferred_username")
        assert missing.value.code == "oidc-claim-missing"


@pytest.mark.parametrize(
    ("claims", "counts"),
    [
        ({}, False),
        ({"amr": ["pwd"]}, False),
        ({"amr": ["pwd", "otp"]}, True),
        ({"amr": ["mfa"]}, True),
        ({"amr": "mfa"}, False),
        ({"amr": [{}, 1]}, False),
        ({"acr": "urn:two"}, True),
        ({"acr": "1"}, False),
        ({"acr": ["urn:two"]}, False),
    ],
)
def test_a_second_factor_is_one_that_the_token_says(fake: FakeProvider, claims: dict[str, Any], counts: bool) -> None:
    fake.claims = claims
    assert signed_in(fake, oidc_acr_values=["urn:two"]).has_second_factor is counts


def test_what_is_asked_of_the_provider(fake: FakeProvider) -> None:
    provider = provider_of(fake, oidc_scope="openid profile", oidc_acr_values=["urn:two", "urn:three"])
    attempt = Attempt.begin("/desk", NOW)
    asked = dict(parse_qsl(urlsplit(provider.authorization_url(attempt, CALLBACK)).query))
    assert asked == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": CALLBACK,
        "scope": "openid profile",
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": base64url(sha256(attempt.verifier.encode()).digest()),
        "code_challenge_method": "S256",
        "acr_values": "urn:two urn:three",
    }
    fake.description = {"authorization_endpoint": f"{ISSUER}/auth?realm=1"}
    assert "/auth?realm=1&response_type=code" in provider_of(fake).authorization_url(attempt, CALLBACK)


# ---- the attempt


def test_an_attempt_is_opened_by_its_own_browser_and_state_within_its_time() -> None:
    attempt = Attempt.begin("/desk", NOW)
    cookie = attempt.sealed(KEY)
    assert attempt.verifier not in cookie
    assert Attempt.of(cookie, attempt.state, KEY, NOW + ATTEMPT_S) == attempt
    other = MasterKey(b"\0\0\0\1", {b"\0\0\0\1": b"o" * 32})
    for given, state, key, now in (
        (None, attempt.state, KEY, NOW),
        ("", attempt.state, KEY, NOW),
        ("é", attempt.state, KEY, NOW),
        (cookie[:-4], attempt.state, KEY, NOW),
        (cookie, None, KEY, NOW),
        (cookie, "é", KEY, NOW),
        (cookie, Attempt.begin("/", NOW).state, KEY, NOW),
        (cookie, attempt.state, other, NOW),
        (cookie, attempt.state, KEY, NOW + ATTEMPT_S + 1),
        (cookie, attempt.state, KEY, NOW - 1),
    ):
        with pytest.raises(Refusal) as mismatch:
            Attempt.of(given, state, key, now)
        assert mismatch.value.code == "oidc-state-mismatch"


@pytest.mark.parametrize("path", ["/", "/dispatch", "/?case=1#a", "/desk?q=%E5%8C%97&x=/y", "/a//b"])
def test_a_path_of_ours_follows_a_sign_in(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "wanted",
    [
        *(None, "", "dispatch", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/"),
        *("/\t/evil.example", "/\n/evil.example", " //evil.example", "/desk\r\nSet-Cookie: a=b", "/desk\\..\\x", "/桌"),
        *("javascript:alert(1)", "/login?next=/", "/api/v1/session/oidc", "/" + "a" * 600),
    ],
)
def test_no_other_address_follows_a_sign_in(wanted: str | None) -> None:
    assert own_path(wanted) == "/"


def test_only_tls_and_this_machine_are_asked() -> None:
    safe = ["https://id.example/x", "http://127.0.0.1:99/x", "http://[::1]/x", "http://localhost/"]
    unsafe = ["http://id.example/", "http://127.0.0.1.evil.example/", "file:///etc/passwd", "", "None", "http://[x/"]
    assert [is_safe_url(url) for url in (*safe, *unsafe)] == [True] * len(safe) + [False] * len(unsafe)


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "http://id.example", "oidc_client_id": "x"},
        {"oidc_issuer": "https://id.example?x", "oidc_client_id": "x"},
        {"oidc_issuer": ISSUER},
        {"oidc_client_id": "x"},
        {"oidc_scope": "profile"},
    ],
)
def test_settings_that_cannot_work_are_refused_with_their_name(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as wrong:
        Settings(**cast(dict[str, Any], settings))
    assert str(wrong.value.errors()[0]["loc"][0]).startswith("oidc_")


# ---- over HTTP


class Browser:
    """A browser at our application, and the provider that it is led to. It keeps no cookies but those it is told."""

    def __init__(self, fake: FakeProvider, data_dir: Path, host: str = "127.0.0.1:8225", **settings: Any) -> None:
        oidc = {"oidc_issuer": ISSUER, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        self.service = FakeService(data_dir=data_dir, **{**oidc, **settings})
        self.fake = fake
        app = app_over(self.service)
        app.state.oidc = Provider(self.service.settings, clock=lambda: NOW, transport=fake.transport)
        self.client = Client(app, host=host, proxy_secret=None)
        join_by_program(cast(Service, self.service), "hotline-7", Work(("hotline",)))

    def begin(self, path: str = "/dispatch") -> tuple[str, dict[str, str]]:
        """The cookie, and what the provider sends the browser back with."""
        led = self.client.get(BEGIN, params={"next": path})
        assert led.status_code == 303, led.text
        url = led.headers["location"]
        return led.cookies["tongshui_oidc"], {
            "code": self.fake.authorize(url),
            "state": parse_qs(urlsplit(url).query)["state"][0],
        }

    def back(self, cookie: str | None, answer: dict[str, str], **headers: str) -> httpx.Response:
        given = {**({"Cookie": f"tongshui_oidc={cookie}"} if cookie else {}), **headers}
        return self.client.get(BACK, params=answer, headers=given)


@pytest.fixture
def browser(fake: FakeProvider, tmp_path: Path) -> Browser:
    return Browser(fake, tmp_path)


def test_a_browser_is_led_there_and_back_to_the_page_it_wanted(browser: Browser) -> None:
    led = browser.client.get(BEGIN, params={"next": "/dispatch"})
    cookie = led.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=lax", "max-age=600", "path=/api/v1/session/oidc;"):
        assert part in f"{cookie};", part
    back = browser.back(*browser.begin())
    assert (back.status_code, back.headers["location"], back.headers["cache-control"]) == (303, "/dispatch", "no-store")
    session, hint, attempt = back.headers.get_list("set-cookie")
    for part in ("tongshui_oidc_hint=", "httponly", "samesite=strict", "path=/api/v1/session/end;"):
        assert part in f"{hint.lower()};", part
    assert "max-age" not in hint.lower(), "until the browser is closed"
    assert session.startswith("tongshui_session=")
    assert "httponly" in session.lower()
    assert "samesite=strict" in session.lower()
    assert attempt.startswith('tongshui_oidc="";')
    assert "max-age=0" in attempt.lower()


def test_cookies_are_of_tls_alone_where_the_browser_comes_by_it(fake: FakeProvider, tmp_path: Path) -> None:
    browser = Browser(fake, tmp_path, host="water.example", http_names=["water.example"])
    by_tls = {"X-Forwarded-Proto": "https"}
    led = browser.client.get(BEGIN, headers=by_tls)
    assert "secure" in led.headers["set-cookie"].lower()
    url = led.headers["location"]
    assert parse_qs(urlsplit(url).query)["redirect_uri"] == [CALLBACK]
    answer = {"code": fake.authorize(url), "state": parse_qs(urlsplit(url).query)["state"][0]}
    cookies = browser.back(led.cookies["tongshui_oidc"], answer, **by_tls).headers.get_list("set-cookie")
    assert len(cookies) == 3
    assert [each for each in cookies if "secure" not in each.lower()] == []


def test_an_answer_that_was_not_begun_here_opens_no_session(browser: Browser) -> None:
    cookie, answer = browser.begin()
    other_cookie, other_answer = browser.begin()
    for given, said in (
        (None, answer),
        (cookie, other_answer),
        (other_cookie, answer),
        (cookie, {"code": answer["code"]}),
        (cookie, {**answer, "iss": "https://evil.example"}),
        ("x", answer),
    ):
        refused = browser.back(given, said)
        assert refused.json()["code"] == "oidc-state-mismatch", said
        assert not any(each.startswith("tongshui_session") for each in refused.headers.get_list("set-cookie"))
    assert browser.fake.given == [], "no code was given to the provider"


def test_an_answer_that_is_sent_again_opens_no_session(browser: Browser) -> None:
    cookie, answer = browser.begin()
    assert browser.back(cookie, answer).status_code == 303
    assert browser.back(None, answer).json()["code"] == "oidc-state-mismatch", "the browser has the cookie no more"
    assert browser.back(cookie, answer).json()["code"] == "oidc-code-refused", "with a copy of it"


@pytest.mark.parametrize("wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example"])
def test_no_sign_in_leads_to_another_site(browser: Browser, wanted: str) -> None:
    assert browser.back(*browser.begin(wanted)).headers["location"] == "/"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("access_denied", "oidc-denied"),
        ("login_required", "oidc-provider-error"),
        ("temporarily_unavailable", "oidc-provider-unavailable"),
        ("<script>", "oidc-provider-error"),
    ],
)
def test_errors_of_the_provider_are_a_page_for_a_browser_and_a_problem_for_others(
    browser: Browser, error: str, code: str
) -> None:
    cookie, answer = browser.begin()
    said = {"state": answer["state"], "error": error, "error_description": "王五 <b>"}
    problem = browser.back(cookie, said)
    assert (problem.json()["code"], bool(problem.json()["next_step_zh"])) == (code, True)
    page = browser.back(cookie, said, Accept="text/html,*/*")
    assert page.status_code == problem.status_code
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy, "a page that tells of an error needs no script"
    assert problem.json()["next_step_zh"] in page.text
    assert problem.json()["title"] not in page.text
    assert f'data-code="{code}">{code}</code>' in page.text
    assert "王五" not in page.text
    chosen = f"tongshui_oidc={cookie}; tongshui_language=en"
    english = browser.back(cookie, said, Accept="text/html", Cookie=chosen)
    assert '<html lang="en">' in english.text
    assert problem.json()["next_step_zh"] not in english.text
    assert "<script>" not in page.text
    assert any("max-age=0" in each.lower() for each in page.headers.get_list("set-cookie")), "the attempt is over"


def test_a_provider_that_names_itself_must_do_so_in_each_answer(browser: Browser) -> None:
    browser.fake.description = {"authorization_response_iss_parameter_supported": True}
    cookie, answer = browser.begin()
    assert browser.back(cookie, answer).json()["code"] == "oidc-state-mismatch"
    assert browser.back(cookie, {**answer, "iss": ISSUER}).status_code == 303


@pytest.mark.parametrize("actor", ["nobody-1", "HOTLINE-7", "hotline-7 ", "王五", "a" * 5_000])
def test_whom_no_account_is_of_gets_no_session(browser: Browser, actor: str) -> None:
    browser.fake.actor = actor
    refused = browser.back(*browser.begin())
    assert (refused.status_code, refused.json()["code"]) == (403, "oidc-account-unknown")
    assert actor not in refused.text


def test_no_log_has_a_code_a_token_or_a_claim(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # as app.logs sets it
    browser.fake.claims = {"email": "wang@example.org"}
    cookie, answer = browser.begin()
    browser.back(cookie, answer)
    browser.back(cookie, answer)
    browser.fake.actor = "nobody-1"
    browser.back(*browser.begin())
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert f"GET {BACK} 303" in logged
    for secret in (cookie, answer["state"], answer["code"], "wang", "nobody-1", SECRET, "eyJ"):
        assert secret not in logged, secret


def test_attempts_to_sign_in_there_are_counted(fake: FakeProvider, tmp_path: Path) -> None:
    browser = Browser(fake, tmp_path, sign_ins_per_minute=3)
    browser.begin()
    browser.begin()
    assert browser.back(None, {}).status_code == 401
    assert browser.client.get(BEGIN).json()["code"] == "too-many-requests"
    assert browser.back(None, {}).json()["code"] == "too-many-requests"


def test_the_button_is_there_where_a_provider_is_set_up(fake: FakeProvider, tmp_path: Path) -> None:
    shown = Browser(fake, tmp_path, oidc_name="市政统一认证").client.get("/api/v1/session").json()
    assert (shown["provider"], shown["by_provider"]) == ("市政统一认证", False)
    without = Client(app_over(FakeService(data_dir=tmp_path)), proxy_secret=None)
    assert without.get("/api/v1/session").json()["provider"] is None
    for path in (BEGIN, BACK):
        refused = without.get(path)
        assert (refused.status_code, refused.json()["code"]) == (404, "oidc-not-set-up")


# ---- signing out


def test_the_provider_is_shown_its_token_and_told_where_to_send_the_browser(fake: FakeProvider) -> None:
    fake.description = {"end_session_endpoint": f"{ISSUER}/end?theme=water"}
    provider = provider_of(fake)
    named = signed_in(fake, provider)
    assert "eyJ" not in repr(named)
    url = provider.end_session_url(named.id_token, "https://water.example/login")
    assert url is not None
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "theme": "water",
        "client_id": CLIENT,
        "post_logout_redirect_uri": "https://water.example/login",
        "id_token_hint": named.id_token,
    }
    without = provider.end_session_url(None, "https://water.example/login")
    assert without is not None
    assert "id_token_hint" not in without


@pytest.mark.parametrize("endpoint", [None, 7, "http://id.example/end", "javascript:alert(1)"])
def test_nobody_is_led_to_an_address_that_is_not_safe(fake: FakeProvider, endpoint: Any) -> None:
    fake.description = {"end_session_endpoint": endpoint}
    assert provider_of(fake).end_session_url(None, "https://water.example/login") is None


def test_a_provider_that_is_away_or_not_set_up_leads_nowhere(fake: FakeProvider) -> None:
    fake.answers["/.well-known/openid-configuration"] = httpx.ConnectError("away")
    assert provider_of(fake).end_session_url(None, "https://water.example/login") is None
    assert Provider(Settings()).end_session_url(None, "https://water.example/login") is None


def test_the_token_is_kept_sealed_and_not_at_all_where_it_is_too_long(tmp_path: Path) -> None:
    key = master_key(Settings(data_dir=tmp_path))
    sealed = sealed_hint("a.b.c", key)
    assert sealed is not None
    assert "a.b.c" not in sealed
    assert opened_hint(sealed, key) == "a.b.c"
    assert opened_hint(sealed[:-2], key) is None
    assert opened_hint("ü", key) is None
    assert opened_hint(None, key) is None
    assert sealed_hint("x" * 3_000, key) is None
