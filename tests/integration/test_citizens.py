"""The public follows its own case: by a secret link, and by telephone and a one-time code. On real PostgreSQL."""

from __future__ import annotations

import json
import logging
import re
from typing import Any
from uuid import UUID

import pytest
import segno
from fastapi import FastAPI

from api.http.limits import Buckets
from infra.clock import ManualClock
from infra.eventstore.commands import NewSubject
from infra.eventstore.service import Service
from infra.identity import citizens as rules
from infra.identity.citizen_key import FILE_NAME
from infra.identity.citizens import Citizens
from infra.identity.follow import FollowLinks, _code, hashed
from infra.identity.proxy_secret import proxy_secret
from tests.api_world import APPLICANT, DIGEST, PAPERS, Client, app_of, application, fault, staff

API = "/api/v1"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(64)
PHONE, OTHER = "13800000001", "13800000002"


@pytest.fixture
def app(service: Service) -> FastAPI:
    return app_of(service)


@pytest.fixture
def public(app: FastAPI) -> Client:
    """Somebody whom nobody knows."""
    return Client(app, proxy_secret=None)


def applied(client: Client, phone: str = PHONE, **more: Any) -> dict[str, Any]:
    body = application(applicant=APPLICANT | {"phone": phone}, documents=[PAPERS[0]], **more)
    answer = client.post(f"{API}/connections", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def code_of(answer: Any) -> str:
    return str(answer.json().get("code", answer.status_code))


def test_whoever_applied_follows_the_case_by_the_link_of_the_answer(public: Client, app: FastAPI) -> None:
    answer = applied(public)
    link = answer["follow"]
    assert re.fullmatch(r"/api/v1/follow/[\w-]{32}", link)
    office = Client(app)
    notice = office.post(
        f"{API}/connections/{answer['case_id']}/notice", {"items": ["property-right"]}, headers=staff("counter")
    )
    seen = public.get(link)
    assert seen.status_code == 200, seen.text
    case = seen.json()
    assert (case["case_number"], case["kind"], case["step"]) == (answer["case_number"], "connection", "1")
    assert [each["document"] for each in case["missing"]] == ["property-right"], notice.text
    assert case["missing"][0]["name_zh"]
    assert public.get(f"{link}/papers").json()["missing"] == case["missing"]
    assert case["who_has_it"] in ("applicant", "utility")
    assert seen.headers["cache-control"] == "no-store"
    shown = json.dumps(case)
    assert answer["case_id"] not in shown
    staff_ids = office.get(f"{API}/connections/{answer['case_id']}").json()
    assert staff_ids["owner"]
    assert staff_ids["owner"] not in shown


def test_the_holder_of_a_link_hands_in_a_document_and_withdraws(public: Client, app: FastAPI) -> None:
    answer = applied(public)
    link = answer["follow"]
    paper = {"document": "property-right", "way": "upload", "digest": DIGEST}
    assert public.post(f"{link}/documents", paper).status_code == 200
    assert public.get(link).json()["missing"] == []
    withdrawn = public.post(f"{link}/withdrawal", {"reason": "no-longer-needed"})
    assert withdrawn.status_code == 200, withdrawn.text
    case = public.get(link).json()
    assert (case["step"], case["who_has_it"], case["may"]) == ("stopped", "nobody", [])
    timeline = Client(app).get(f"{API}/cases/{answer['case_id']}").json()["timeline"]
    (last,) = [each for each in timeline if each["fact"] == "ApplicationWithdrawn"]
    assert (last["role"], last["channel"]) == ("applicant", "website")
    assert re.fullmatch(r"link-[a-p]{16}", last["actor"])


def test_whoever_reported_a_fault_follows_it_and_cannot_act_on_an_application(public: Client, app: FastAPI) -> None:
    answer = public.post(f"{API}/repairs", fault()).json()
    link = answer["follow"]
    case = public.get(link).json()
    assert (case["kind"], case["step"], case["who_has_it"]) == ("repair", "1", "utility")
    assert case["promised_at"] is not None, "the crew is promised to come"
    for path in ("documents", "withdrawal", "deliverables/receipt"):
        refused = public.post(f"{link}/{path}", {})
        assert refused.status_code in (403, 404), refused.text
    further = {"reporter": APPLICANT | {"phone": OTHER}}
    further["reporter"].pop("id_number")
    linked = Client(app).post(f"{API}/repairs/{answer['case_id']}/reports", further, headers=staff("hotline"))
    assert linked.status_code == 200, linked.text
    assert linked.json()["follow"] != link
    assert public.get(linked.json()["follow"]).json()["case_number"] == case["case_number"]


def test_a_link_of_a_merged_incident_shows_the_one_that_goes_on(public: Client, app: FastAPI) -> None:
    first, second = (public.post(f"{API}/repairs", fault(), headers={"Idempotency-Key": key}).json() for key in "ab")
    assert first["case_id"] != second["case_id"]
    body = {"into": first["case_id"]}
    merged = Client(app).post(f"{API}/repairs/{second['case_id']}/merging", body, headers=staff("hotline"))
    assert merged.status_code == 200, merged.text
    assert public.get(second["follow"]).json()["case_number"] == first["case_number"]


def test_a_repeated_request_gets_the_same_link_and_only_a_hash_is_kept(public: Client, service: Service) -> None:
    body = application(applicant=APPLICANT | {"phone": PHONE})
    first, again = (
        public.post(f"{API}/connections", body, headers={"Idempotency-Key": "k"}).json()["follow"] for _ in range(2)
    )
    assert first == again
    code = first.rpartition("/")[2]
    with service.connection() as connection:
        rows = connection.execute("SELECT * FROM identity.follow_links").fetchall()
    assert len(rows) == 1
    assert code not in str(rows)


def test_a_link_is_not_worked_out_from_the_front_end_s_secret_and_one_from_before_goes_on(
    public: Client, service: Service
) -> None:
    answer = applied(public)
    case_id = UUID(answer["case_id"])
    by_front_end = _code(proxy_secret(service.settings).encode(), case_id, 0, 1)
    assert not answer["follow"].endswith(by_front_end)
    path = service.settings.data_dir / FILE_NAME
    assert path.stat().st_mode & 0o077 == 0
    assert answer["follow"].endswith(_code(path.read_bytes(), case_id, 0, 1))
    with service.connection() as connection:  # as it was given before there was a key for it
        connection.execute("UPDATE identity.follow_links SET code_hash = %s", [hashed(by_front_end)])
    links = FollowLinks(service)
    assert links.give(case_id, 0) == by_front_end, "a repeated request gets the link that it got"
    assert public.get(f"{API}/follow/{by_front_end}").status_code == 200
    renewed = links.renew(case_id, 0)
    assert renewed == _code(path.read_bytes(), case_id, 0, 2)


def test_a_lost_key_shuts_no_link(public: Client, service: Service) -> None:
    answer = applied(public)
    (service.settings.data_dir / FILE_NAME).unlink()
    assert public.get(answer["follow"]).status_code == 200
    again = FollowLinks(service).give(UUID(answer["case_id"]), 0)
    assert not answer["follow"].endswith(again)
    assert public.get(f"{API}/follow/{again}").status_code == 200
    assert public.get(answer["follow"]).status_code == 200


def test_a_link_that_was_revoked_or_renewed_opens_nothing(public: Client, app: FastAPI) -> None:
    answer = applied(public)
    link, case_id = answer["follow"], answer["case_id"]
    office = Client(app)
    assert code_of(public.post(f"{API}/cases/{case_id}/follow", {})) == "wrong-role"
    renewed = office.post(f"{API}/cases/{case_id}/follow", {}, headers=staff("hotline")).json()["follow"]
    assert code_of(public.get(link)) == "no-such-link"
    assert public.get(renewed).status_code == 200
    assert public.post(f"{renewed}/revocation", {}).status_code == 204
    for path in ("", "/papers", "/qr"):
        assert code_of(public.get(f"{renewed}{path}")) == "no-such-link"
    paper = {"document": "property-right", "way": "upload", "digest": DIGEST}
    assert code_of(public.post(f"{renewed}/documents", paper)) == "no-such-link"
    assert code_of(public.get(f"{API}/follow/{'x' * 32}")) == "no-such-link"
    assert code_of(office.post(f"{API}/cases/{case_id}/follow", {"report": 3}, headers=staff("hotline"))) == (
        "no-such-link"
    )


def test_the_link_is_a_picture_to_scan(public: Client) -> None:
    link = applied(public)["follow"]
    drawing = public.get(f"{link}/qr")
    assert drawing.headers["content-type"].startswith("image/svg+xml")
    assert drawing.content.startswith(b"<?xml")
    picture = public.get(f"{link}/qr?format=png")
    assert picture.content.startswith(b"\x89PNG")
    assert picture.headers["cache-control"] == "no-store"


def test_neither_code_nor_telephone_is_in_a_log(
    public: Client, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    link = applied(public)["follow"]
    public.get(link)
    public.get(f"{link}/qr")
    public.get(f"{link}x")
    public.get(link.removeprefix("/api/v1"))
    public.raw(f"{link}/files", PNG, "application/octet-stream")
    public.post(f"{API}/my/code", {"phone": PHONE})
    public.post(f"{API}/my/session", {"phone": PHONE, "code": sent_code(service)})
    logged = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert "/api/v1/follow/{code}" in logged
    assert link.rpartition("/")[2] not in logged
    assert PHONE not in logged
    assert sent_code(service) not in logged


def test_a_file_comes_by_the_link_and_is_handed_in_as_a_document(
    public: Client, app: FastAPI, service: Service
) -> None:
    answer = applied(public)
    link, office = answer["follow"], Client(app)
    kept = public.raw(f"{link}/files", PNG, "application/octet-stream")
    assert (kept.status_code, kept.json()["state"], kept.json()["media_type"]) == (201, "kept", "image/png")
    paper = {"document": "property-right", "way": "upload", "digest": kept.json()["digest"]}
    assert public.post(f"{link}/documents", paper).status_code == 200
    owner = staff("case-owner")
    (listed,) = [
        each
        for each in office.get(f"{API}/evidence?case_id={answer['case_id']}", headers=owner).json()["evidence"]
        if each["digest"] == kept.json()["digest"]
    ]
    assert (listed["state"], listed["evidence_class"]) == ("kept", "document")
    assert [each["fact"] for each in listed["named_by"]] == ["DocumentSupplied"]
    assert office.get(f"{API}/evidence/{listed['digest']}", headers=owner).content == PNG
    with service.connection() as connection:
        (row,) = connection.execute("SELECT actor, role, subject_id FROM evidence.links").fetchall()
    assert re.fullmatch(r"link-[a-p]{16}", row["actor"])
    assert row["role"] == "applicant"
    assert row["subject_id"] is not None, "it is erased with the applicant"


def test_what_a_link_takes_is_bounded_in_form_size_number_and_rate(
    public: Client, app: FastAPI, service: Service
) -> None:
    link = applied(public)["follow"]

    def sent(content: bytes, address: str = link) -> str:
        return code_of(public.raw(f"{address}/files", content, "application/octet-stream"))

    assert sent(b"") == "evidence-empty"
    assert sent(b"MZ no picture") == "evidence-type-not-taken"
    assert sent(PNG + bytes(10 * 1024 * 1024)) == "body-too-large"
    assert sent(PNG, f"{API}/follow/{'x' * 32}") == "no-such-link"
    service.settings = service.settings.model_copy(update={"link_files_at_most": 2})
    assert [sent(PNG + bytes([n])) for n in (1, 2, 3, 1)] == ["201", "201", "too-many-files", "201"], (
        "one that is there"
    )
    reported = public.post(f"{API}/repairs", fault()).json()["follow"]
    assert sent(b"%PDF-1.7\n", reported) == "evidence-type-not-taken", "of a fault pictures only"
    assert sent(PNG, reported) == "201"
    app.state.limits.link_files = Buckets(1)
    assert [sent(PNG, reported) for _ in range(2)] == ["201", "too-many-requests"]


def test_a_browser_is_led_to_the_page_of_the_link_and_so_is_the_qr_code(
    public: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = applied(public)["follow"]
    page = link.removeprefix("/api/v1")
    led = public.get(link, headers={"Accept": "text/html,application/xhtml+xml"})
    assert (led.status_code, led.headers["location"]) == (303, page)
    assert public.get(link, headers={"Accept": "application/json"}).json()["kind"] == "connection"
    drawn: list[str] = []
    made = segno.make

    def noted(text: str, **options: Any) -> segno.QRCode:
        drawn.append(text)
        return made(text, **options)

    monkeypatch.setattr(segno, "make", noted)
    assert public.get(f"{link}/qr").status_code == 200
    assert [text.endswith(page) and "/api/" not in text for text in drawn] == [True]
    assert public.get(page).status_code == 200


def test_what_was_sent_last_is_confirmed_by_the_link_without_its_digest(public: Client, app: FastAPI) -> None:
    answer = applied(public)
    receipt = f"{answer['follow']}/deliverables/receipt"
    assert code_of(public.post(receipt, {"deliverable": "plan"})) == "not-sent"
    for digest in (f"sha256:{letter * 64}" for letter in "ab"):
        sent = {"deliverable": "plan", "way": "email", "digest": digest}
        path = f"{API}/connections/{answer['case_id']}/deliverables"
        assert Client(app).post(path, sent, headers=staff("case-owner")).status_code == 200
    assert [code_of(public.post(receipt, {"deliverable": "plan"})) for _ in range(3)] == [
        "200",
        "200",
        "already-confirmed",
    ]


# ---- telephone


def sent_code(service: Service) -> str:
    """The newest code, as the sender would hand it to the gateway."""
    with service.connection() as connection:
        row = connection.execute(
            "SELECT text FROM outbox.messages WHERE kind = 'phone-code' ORDER BY created_at DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    found = re.search(r"\d{6}", row["text"])
    assert found is not None
    return found[0]


def signed_in(public: Client, service: Service, phone: str = PHONE) -> dict[str, str]:
    assert public.post(f"{API}/my/code", {"phone": phone}).status_code == 202
    body = {"phone": phone, "code": sent_code(service), "bearer": True}
    answer = public.post(f"{API}/my/session", body)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_somebody_sees_the_cases_of_their_telephone_and_no_other(public: Client, service: Service) -> None:
    mine, foreign = applied(public), applied(public, OTHER)
    reported = public.post(f"{API}/repairs", fault(reporter={"name": "张三", "phone": f"+86 {PHONE}"})).json()
    bearer = signed_in(public, service)
    cases = public.get(f"{API}/my/cases", headers=bearer).json()["cases"]
    assert {each["case_number"] for each in cases} == {mine["case_number"], reported["case_number"]}
    paper = {"document": "property-right", "way": "upload", "digest": DIGEST}
    path = f"{API}/connections/{{}}/documents"
    assert code_of(public.post(path.format(foreign["case_id"]), paper, headers=bearer)) == "not-yours"
    assert public.post(path.format(mine["case_id"]), paper, headers=bearer).status_code == 200
    assert code_of(public.get(f"{API}/cases/{mine['case_id']}", headers=bearer)) == "wrong-role", "it names staff"
    assert code_of(public.get(f"{API}/my/cases")) == "session-ended"


def test_a_telephone_gets_the_links_of_its_own_cases_again(public: Client, service: Service) -> None:
    mine, foreign = applied(public), applied(public, OTHER)
    reported = public.post(f"{API}/repairs", fault(reporter={"name": "张三", "phone": PHONE})).json()
    bearer = signed_in(public, service)

    def link_of(number: str, **options: Any) -> Any:
        return public.post(f"{API}/my/cases/{number}/follow", {}, **options)

    for case in (mine, reported):
        assert link_of(case["case_number"], headers=bearer).json() == {"follow": case["follow"]}
    assert code_of(link_of(foreign["case_number"], headers=bearer)) == "no-such-link"
    assert code_of(link_of(mine["case_number"])) == "session-ended"
    assert public.post(f"{mine['follow']}/revocation", {}).status_code == 204
    anew = link_of(mine["case_number"], headers=bearer).json()["follow"]
    assert anew != mine["follow"]
    assert public.get(anew).json()["case_number"] == mine["case_number"]


def test_the_answer_is_the_same_whether_the_telephone_is_known_or_not(public: Client, service: Service) -> None:
    applied(public)
    known, unknown = (public.post(f"{API}/my/code", {"phone": phone}) for phone in (PHONE, "13900000009"))
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (202, {"seconds": 300})
    wrong = [
        public.post(f"{API}/my/session", {"phone": phone, "code": "000000x"})
        for phone in (PHONE, "13900000009", "abcde")
    ]
    assert {(each.status_code, each.text) for each in wrong} == {(401, wrong[0].text)}
    with service.connection() as connection:
        told = connection.execute("SELECT subject_id FROM outbox.messages WHERE kind = 'phone-code'").fetchall()
    assert len(told) == 1, "nobody is sent a code whom no case names"
    again = [public.post(f"{API}/my/code", {"phone": phone}) for phone in (PHONE, "13900000009")]
    assert [code_of(each) for each in again] == ["too-many-requests"] * 2, "once a minute, known or not"


def test_a_code_counts_once_for_five_tries_and_five_minutes(public: Client, service: Service) -> None:
    applied(public)
    citizens = Citizens(service)

    def tried(code: str) -> str:
        return code_of(public.post(f"{API}/my/session", {"phone": PHONE, "code": code}))

    citizens.send_code(PHONE)
    code = sent_code(service)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for _ in range(rules.TRIES - 1):
        assert tried(wrong) == "wrong-phone-code"
    assert tried(code) == "200"
    assert tried(code) == "wrong-phone-code", "it counts once"
    citizens.send_code(PHONE)
    code = sent_code(service)
    for _ in range(rules.TRIES):
        tried(wrong if wrong != code else "000000x")
    assert tried(code) == "wrong-phone-code", "five tries are over"
    citizens.send_code(PHONE)
    code = sent_code(service)
    with service.connection() as connection:
        connection.execute("UPDATE identity.phone_codes SET made_at = made_at - interval '301 seconds'")
    assert tried(code) == "wrong-phone-code", "five minutes are over"


def test_no_code_is_kept_in_plain_once_it_was_sent_or_is_over(public: Client, service: Service) -> None:
    applied(public)
    citizens = Citizens(service)
    citizens.send_code(PHONE)
    code = sent_code(service)
    with service.connection() as connection:
        assert code not in str(connection.execute("SELECT * FROM identity.phone_codes").fetchall())
        connection.execute("UPDATE outbox.messages SET created_at = created_at - interval '301 seconds'")
    citizens.send_code(OTHER)
    with service.connection() as connection:
        rows = connection.execute("SELECT text, digest, state FROM outbox.messages").fetchall()
    assert [(row["text"], row["digest"], row["state"]) for row in rows] == [("", "", "withdrawn")]


def test_whose_number_it_was_before_is_not_shown_to_who_has_it_now(
    public: Client, service: Service, clock: ManualClock
) -> None:
    applied(public)
    bearer = signed_in(public, service)
    assert len(public.get(f"{API}/my/cases", headers=bearer).json()["cases"]) == 1
    with service.connection() as connection:
        (row,) = connection.execute("SELECT subject_id FROM vault.subjects WHERE phone_hash IS NOT NULL").fetchall()
    with service.connection() as connection, connection.transaction(), connection.cursor() as cursor:
        changed = dict(service.vault.newest(row["subject_id"]) or {}) | {"phone": OTHER}
        service.vault.put(cursor, [NewSubject(row["subject_id"], 2, changed)])
    assert public.get(f"{API}/my/cases", headers=bearer).json()["cases"] == []
