"""Accounts and sessions on real PostgreSQL, over HTTP: who signs in, what they may do, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest

from domain.people.people import Work
from infra.eventstore.service import Service
from infra.identity import accounts as rules
from infra.identity.accounts import Accounts
from infra.identity.demo_accounts import join_by_program
from infra.identity.refusals import SessionEnded, WrongCredentials
from infra.keys import key_file, master_key, new_line, read_keys
from tests.api_world import app_of, fault, served
from tests.proven import PROVEN

PASSWORD = "correct horse battery staple"
API = "/api/v1"
OPERATOR = {**PROVEN, "X-Actor": "operator-7", "X-Role": "operator"}


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    with served(app_of(service)) as address:
        yield address


@pytest.fixture
def browser(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20) as client:
        yield client


def with_account(service: Service, actor: str, *roles: str, password: str = PASSWORD, **work: Any) -> Accounts:
    join_by_program(service, actor, Work(roles, **work))
    accounts = Accounts(service)
    accounts.set_secret(actor, password, must_change=False)
    return accounts


def signed_in(client: httpx.Client, actor: str, password: str = PASSWORD, **more: Any) -> dict[str, Any]:
    answer = client.post(f"{API}/session", json={"login": actor, "password": password, **more})
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


def code(answer: httpx.Response) -> str:
    return str(answer.json().get("code", answer.status_code))


def test_somebody_signs_in_acts_and_signs_out(service: Service, browser: httpx.Client) -> None:
    with_account(service, "hotline-7", "hotline")
    assert browser.get(f"{API}/dispatch").json()["code"] == "wrong-role", "nobody has signed in"
    view = signed_in(browser, "hotline-7")
    assert (view["actor"], view["role"], view["limited"], view["token"]) == ("hotline-7", "hotline", False, None)
    assert browser.get(f"{API}/dispatch").status_code == 200
    assert code(browser.post(f"{API}/repairs", json=fault())) == "csrf-token-missing"
    proof = {"X-CSRF-Token": view["csrf_token"]}
    case = browser.post(f"{API}/repairs", json=fault(), headers=proof)
    assert case.status_code == 201, case.text
    timeline = browser.get(f"{API}/cases/{case.json()['case_id']}").json()["timeline"]
    assert {(each["actor"], each["role"], each["channel"]) for each in timeline if each["actor"] != "tongshui"} == {
        ("hotline-7", "hotline", "hotline")
    }
    browser.post(f"{API}/session/end", json={}, headers=proof)
    assert browser.get(f"{API}/session").json()["signed_in"] is False
    assert browser.get(f"{API}/dispatch").status_code == 403


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(service: Service, browser: httpx.Client) -> None:
    with_account(service, "hotline-7", "hotline")
    answer = browser.post(f"{API}/session", json={"login": "hotline-7", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Actor": "manager-1", "X-Role": "manager"},
        {"X-Role": "manager"},
        {"X-Actor": "manager-1"},
        {"X-Actor": "manager-1", "X-Role": "manager", "X-Proxy-Secret": "guessed"},
    ],
    ids=["both", "the role", "the actor", "a guessed secret"],
)
def test_what_a_request_says_of_itself_does_not_count(browser: httpx.Client, headers: dict[str, str]) -> None:
    refused = browser.post(f"{API}/squads", json={"squad": "squad-1", "members": ["s-1"]}, headers=headers)
    assert (refused.status_code, code(refused)) == (401, "identity-not-proven")
    assert code(browser.get(f"{API}/dispatch", headers=headers)) == "identity-not-proven"


def test_a_session_speaks_for_nobody_else(service: Service, browser: httpx.Client) -> None:
    with_account(service, "crew-person-7", "crew", "crew-lead")
    proof = {"X-CSRF-Token": signed_in(browser, "crew-person-7")["csrf_token"]}
    body = {"squad": "squad-1", "members": ["s-1"]}
    other = browser.post(f"{API}/squads", json=body, headers={**proof, "X-Actor": "manager-1"})
    assert code(other) == "identity-not-proven"
    assert code(browser.post(f"{API}/squads", json=body, headers={**proof, "X-Role": "manager"})) == "not-your-role"
    assert code(browser.post(f"{API}/squads", json=body, headers=proof)) == "wrong-role"
    switched = browser.post(f"{API}/session/role", json={"role": "crew-lead"}, headers=proof)
    assert switched.json()["role"] == "crew-lead"
    assert code(browser.post(f"{API}/session/role", json={"role": "manager"}, headers=proof)) == "not-your-role"


def test_a_header_that_comes_twice_is_refused(browser: httpx.Client) -> None:
    twice = [*PROVEN.items(), ("X-Actor", "a"), ("X-Actor", "b"), ("X-Role", "manager")]
    assert code(browser.get(f"{API}/dispatch", headers=twice)) == "bad-header"


def test_wrong_passwords_lock_the_account_and_say_nothing_about_who_has_one(
    service: Service, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FAILURES", 3)
    with_account(service, "hotline-7", "hotline")
    wrong = {"login": "hotline-7", "password": "wrong"}
    nobody = browser.post(f"{API}/session", json={"login": "hotline-8", "password": "wrong"})
    first = browser.post(f"{API}/session", json=wrong)
    assert (nobody.status_code, nobody.json()) == (first.status_code, first.json())
    assert code(first) == "wrong-credentials"
    for _ in range(2):
        browser.post(f"{API}/session", json=wrong)
    locked = browser.post(f"{API}/session", json={"login": "hotline-7", "password": PASSWORD})
    assert (locked.status_code, code(locked)) == (429, "account-locked")
    assert 1 <= int(locked.headers["retry-after"]) <= 60


def test_a_first_password_is_changed_before_anything_else(service: Service, browser: httpx.Client) -> None:
    join_by_program(service, "hotline-7", Work(("hotline",)))
    once = Accounts(service).new_secret("hotline-7")
    view = signed_in(browser, "hotline-7", once)
    assert view["limited"] is True
    proof = {"X-CSRF-Token": view["csrf_token"]}
    assert code(browser.post(f"{API}/repairs", json=fault(), headers=proof)) == "session-limited"
    assert code(browser.get(f"{API}/dispatch")) == "session-limited"
    assert code(browser.get(f"{API}/approvals")) == "session-limited", "what waits for them is not shown either"
    for weak in ("short", "password12345678", "hotline-7hotline-7", "aaaaaaaaaaaaaaaaaaaa"):
        change = {"old": once, "new": weak}
        assert code(browser.post(f"{API}/session/password", json=change, headers=proof)) == "password-too-weak"
    changed = browser.post(f"{API}/session/password", json={"old": once, "new": PASSWORD}, headers=proof).json()
    assert changed["limited"] is False
    proof = {"X-CSRF-Token": changed["csrf_token"]}
    assert browser.post(f"{API}/repairs", json=fault(), headers=proof).status_code == 201


def test_a_role_that_needs_a_second_factor_gets_one_and_keeps_it(service: Service, browser: httpx.Client) -> None:
    with_account(service, "manager-7", "manager")
    view = signed_in(browser, "manager-7")
    assert view["limited"] is True
    proof = {"X-CSRF-Token": view["csrf_token"]}
    uri = browser.post(f"{API}/session/second-factor", json={}, headers=proof).json()["uri"]
    totp = pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])
    confirm = f"{API}/session/second-factor/confirmation"
    assert code(browser.post(confirm, json={"code": "000000"}, headers=proof)) in {"wrong-code", "200"}
    confirmed = browser.post(confirm, json={"code": totp.now()}, headers=proof).json()
    assert confirmed["session"]["limited"] is False
    browser.cookies.clear()
    form = {"login": "manager-7", "password": PASSWORD}
    assert code(browser.post(f"{API}/session", json=form)) == "code-needed"
    assert code(browser.post(f"{API}/session", json=form | {"code": "123"})) == "wrong-credentials"
    now = totp.at(time.time())
    assert browser.post(f"{API}/session", json=form | {"code": now}).status_code == 200
    assert code(browser.post(f"{API}/session", json=form | {"code": now})) == "wrong-credentials", "a code counts once"
    spare = confirmed["codes"][0]
    assert browser.post(f"{API}/session", json=form | {"code": spare}).status_code == 200
    assert code(browser.post(f"{API}/session", json=form | {"code": spare})) == "wrong-credentials"


def test_a_machine_gets_a_token_by_its_own_secret(service: Service, url: str) -> None:
    with_account(service, "operator-7", "operator")
    with httpx.Client(base_url=url, timeout=20, headers=OPERATOR) as office:
        body = {"actor": "platform-12345", "kind": "machine", "roles": ["platform"]}
        secret = office.post(f"{API}/people", json=body).json()["secret"]
    with httpx.Client(base_url=url, timeout=20) as machine:
        form = {"grant_type": "client_credentials", "client_id": "platform-12345", "client_secret": secret}
        granted = machine.post(f"{API}/token", data=form).json()
        assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3600)
        bearer = {"Authorization": f"Bearer {granted['access_token']}"}
        who = machine.get(f"{API}/session", headers=bearer).json()
        assert (who["actor"], who["role"]) == ("platform-12345", "platform")
        assert machine.post(f"{API}/repairs", json=fault(), headers=bearer).status_code == 201
        assert code(machine.post(f"{API}/token", data=form | {"client_secret": "x"})) == "wrong-credentials"
        assert code(machine.get(f"{API}/dispatch", headers={"Authorization": "Bearer nobody"})) == "session-ended"


def test_who_joins_moves_and_leaves_is_on_record_and_sessions_end_at_once(service: Service, url: str) -> None:
    office = httpx.Client(base_url=url, timeout=20, headers=OPERATOR)
    with office, httpx.Client(base_url=url, timeout=20) as phone:
        joined = office.post(f"{API}/people", json={"actor": "crew-person-9", "roles": ["crew"], "crew": "crew-09"})
        assert joined.status_code == 201, joined.text
        assert code(office.post(f"{API}/people", json={"actor": "crew-person-9", "roles": ["crew"]})) == "person-exists"
        for bad in ("Crew-9", "crew_9", "c-138123456", "crew--9"):
            assert code(office.post(f"{API}/people", json={"actor": bad, "roles": ["crew"]})) == "bad-actor-id", bad
        telephone = office.post(f"{API}/people", json={"actor": "13812345678", "roles": ["crew"]})
        assert code(telephone) == "bad-body", "what looks like a telephone is refused before the form of an id is"
        assert (
            code(office.post(f"{API}/people", json={"actor": "citizen-1", "roles": ["public"]}))
            == "role-without-account"
        )
        token = signed_in(phone, "crew-person-9", joined.json()["secret"], bearer=True)["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert phone.get(f"{API}/session", headers=bearer).json()["crew"] == "crew-09"
        moved = office.post(f"{API}/people/crew-person-9/work", json={"roles": ["crew-lead"]})
        assert moved.status_code == 200, moved.text
        assert code(phone.get(f"{API}/session", headers=bearer)) == "session-ended"
        assert code(office.post(f"{API}/people/operator-7/departure", json={})) == "no-such-person"
        left = office.post(f"{API}/people/crew-person-9/departure", json={})
        assert left.status_code == 200, left.text
        again = {"login": "crew-person-9", "password": joined.json()["secret"]}
        assert code(phone.post(f"{API}/session", json=again)) == "wrong-credentials"
        assert code(office.post(f"{API}/people", json={"actor": "crew-person-9", "roles": ["crew"]})) == "person-exists"
        (person,) = [each for each in office.get(f"{API}/people").json()["people"] if each["actor"] == "crew-person-9"]
        assert (person["roles"], person["left"]) == (["crew-lead"], True)


def test_nobody_changes_their_own_account(service: Service, browser: httpx.Client) -> None:
    join_by_program(service, "operator-7", Work(("operator",)))
    more = {"roles": ["operator", "manager"]}
    assert code(browser.post(f"{API}/people/operator-7/work", json=more, headers=OPERATOR)) == "own-account"
    assert code(browser.post(f"{API}/people/operator-7/secret", json={}, headers=OPERATOR)) == "own-account"


def test_a_session_ends_unused_and_after_its_hours(service: Service) -> None:
    accounts = with_account(service, "hotline-7", "hotline")
    opened = accounts.sign_in("hotline-7", PASSWORD, browser=True)
    with service.connection() as connection:
        connection.execute("UPDATE identity.sessions SET used_at = used_at - interval '61 minutes'")
    with pytest.raises(SessionEnded):
        accounts.session(opened.token)
    opened = accounts.sign_in("hotline-7", PASSWORD, browser=True)
    with service.connection() as connection:
        connection.execute("UPDATE identity.sessions SET ends_at = clock_timestamp()")
    with pytest.raises(SessionEnded):
        accounts.session(opened.token)


def test_no_secret_and_no_token_is_kept_as_it_is(service: Service) -> None:
    accounts = with_account(service, "manager-7", "manager")
    opened = accounts.sign_in("manager-7", PASSWORD, browser=True)
    uri = accounts.begin_second_factor(opened.token)
    secret = parse_qs(urlsplit(uri).query)["secret"][0]
    with service.connection() as connection:
        kept = " ".join(
            str(row)
            for table in ("credentials", "sessions", "recovery_codes")
            for row in connection.execute(f"SELECT * FROM identity.{table}").fetchall()
        )
    for private in (PASSWORD, opened.token, secret):
        assert private not in kept


def test_two_of_the_public_with_one_key_are_two(service: Service, browser: httpx.Client) -> None:
    key = {"Idempotency-Key": "form-1"}
    first = browser.post(f"{API}/repairs", json=fault(), headers=key)
    again = browser.post(f"{API}/repairs", json=fault(), headers=key)
    other = browser.post(f"{API}/repairs", json=fault(kind="burst"), headers=key)
    assert [first.status_code, again.status_code, other.status_code] == [201, 201, 201]
    assert first.json()["case_id"] == again.json()["case_id"] != other.json()["case_id"]


def test_the_master_key_is_its_owners_and_is_turned_over(service: Service) -> None:
    key = master_key(service.settings)
    path = key_file(service.settings)
    assert path.stat().st_mode & 0o777 == 0o600
    sealed = key.seal(b"text", b"row 1")
    assert key.open(sealed, b"row 1") == b"text"
    with pytest.raises(ValueError, match="sealed for something else"):
        key.open(sealed, b"row 2")
    turned = read_keys(new_line() + path.read_text(encoding="ascii"), "test")
    assert turned.open(sealed, b"row 1") == b"text"
    assert not turned.is_newest(sealed)
    assert turned.is_newest(turned.seal(b"text", b"row 1"))


def test_who_is_of_one_crew_speaks_for_no_other(service: Service, browser: httpx.Client) -> None:
    office = {**PROVEN, "X-Actor": "dispatcher-1", "X-Role": "dispatcher", "X-Channel": "office"}
    for crew in ("crew-01", "crew-02"):
        body = {"crew": crew, "name_zh": "班组", "skills": ["pipes"], "lead": "lead-1"}
        assert browser.post(f"{API}/crews", json=body, headers=office).status_code == 201
    case = browser.post(f"{API}/repairs", json=fault()).json()["case_id"]
    sent = browser.post(f"{API}/repairs/{case}/dispatch", json={"crew": "crew-02"}, headers=office)
    assert sent.status_code == 200, sent.text
    accounts = with_account(service, "crew-person-7", "crew", crew="crew-01")
    bearer = {"Authorization": f"Bearer {accounts.sign_in('crew-person-7', PASSWORD, browser=False).token}"}

    def tells(path: str, body: dict[str, Any]) -> str:
        return code(browser.post(f"{API}/{path}", json=body, headers=bearer))

    assert tells(f"repairs/{case}/arrival", {"crew": "crew-02"}) == "not-yours", "named as the other crew"
    assert tells(f"repairs/{case}/completion", {}) == "not-yours", "an incident of the other crew"
    assert tells("crews/crew-02/shift/start", {}) == "not-your-crew"
    assert tells("crews/crew-01/shift/start", {}) == "200"
    assert (
        browser.post(
            f"{API}/repairs/{case}/hand-overs", json={"from_crew": "crew-02", "to_crew": "crew-01"}, headers=office
        ).status_code
        == 200
    )
    assert tells(f"repairs/{case}/arrival", {"crew": "crew-02"}) == "not-your-crew", "named as the other crew"
    assert tells(f"repairs/{case}/arrival", {"crew": "crew-01"}) == "200"
    assert browser.post(f"{API}/repairs", json=fault(), headers=bearer).status_code == 201, "anybody may report"


def test_who_left_gets_no_session_by_any_way(service: Service) -> None:
    join_by_program(service, "hotline-7", Work(("hotline",)))
    accounts = Accounts(service)
    person = accounts.person("hotline-7")
    assert person is not None
    assert accounts.open_session(person, browser=False).token
    with pytest.raises(WrongCredentials):
        accounts.open_session(replace(person, has_left=True), browser=False)


def test_a_machine_s_form_is_bounded(browser: httpx.Client) -> None:
    form = {"grant_type": "client_credentials", "client_id": "x", "client_secret": "s" * 5_000}
    assert code(browser.post(f"{API}/token", data=form)) == "body-too-large"
