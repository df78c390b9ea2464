"""The vault on real PostgreSQL: nothing of anybody lies open in the database, and nothing is lost by sealing it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql as composed
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from app.cli import main
from consumers.notary.bundle import bundle
from consumers.notary.export import export, gather
from consumers.notary.keys import Keys
from consumers.notary.notary import Notary
from consumers.notary.note import Note
from consumers.notary.published import read_logs
from consumers.notary.verify import AuditEvidence, AuditReport, verify, with_cases
from consumers.recount import verify as recount
from domain import kinds
from domain.kernel.subjects import Subject
from domain.people.people import Work
from infra.clock import ManualClock
from infra.eventstore.commands import NewSubject
from infra.eventstore.consistency_check import actual_rows
from infra.eventstore.service import Service, open_service
from infra.identity.accounts import Accounts
from infra.identity.demo_accounts import join_by_program
from infra.kafka.cluster import Record
from infra.keys import KeyFileError, key_file
from infra.readers import dead_letter_desk as desk
from infra.readers.faust_app import ModelStream
from infra.settings import Settings
from infra.sql import sql
from infra.vault import upkeep
from infra.vault.vault import Vault
from projections.read_models.views import VIEWS
from tests.api_world import REPORTER, app_of, application, fault, served, staff
from tests.audited import WORDING
from tests.integration.database_roles import owned, service_of_the_api
from tests.integration.relaying import QUICK, all_out, during, relaying, wait_until
from tests.proven import PROVEN
from tests.published import records, topic_ids

API = "/api/v1"


@pytest.fixture
def service(store_settings: Settings, clock: ManualClock) -> Iterator[Service]:
    """The service with the API's rights in PostgreSQL: what it lacks a right for fails here, and not at the utility."""
    with service_of_the_api(store_settings, clock) as opened:
        yield opened


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with served(app_of(service)) as url, httpx.Client(base_url=url, headers=PROVEN, timeout=20) as opened:
        yield opened


def dump(service: Service) -> str:
    """Every row of every table of every schema of ours, as PostgreSQL writes it: bytes are in hexadecimal."""
    with owned(service) as connection:
        tables = connection.execute(
            "SELECT schemaname AS s, tablename AS t FROM pg_tables WHERE schemaname NOT IN ('pg_catalog',"
            " 'information_schema')"
        ).fetchall()
        rows = []
        for each in tables:
            query = composed.SQL("SELECT t::text AS row FROM {} AS t").format(composed.Identifier(each["s"], each["t"]))
            rows += [row["row"] for row in connection.execute(query)]
    assert rows
    return "\n".join(rows)


def found_in(text: str, values: Iterable[str]) -> list[str]:
    """Those of the values that stand in the dump, as they are or as bytes."""
    return [value for value in values if value in text or value.encode().hex() in text]


def people(count: int) -> list[dict[str, str]]:
    return [
        {"name": f"欧阳某{n}号", "phone": f"139{n:04d}5678", "address": f"秘密巷 {n} 号之 {n}"}
        for n in range(1000, 1000 + count)
    ]


def put(service: Service, *subjects: NewSubject) -> None:
    with service.connection() as connection, connection.transaction(), connection.cursor() as cursor:
        service.vault.put(cursor, subjects)


def put_plain(service: Service, *subjects: NewSubject) -> None:
    """As the program did before there were seals."""
    with owned(service) as connection:
        for each in subjects:
            connection.execute(
                "INSERT INTO vault.subjects (subject_id, revision, particulars) VALUES (%s, %s, %s)",
                [each.id, each.revision, Jsonb(dict(each.particulars))],
            )


def planted(client: httpx.Client) -> list[str]:
    """Values of persons, sent through the commands that take any; all of them."""
    who = people(48)
    for number, person in enumerate(who[:24]):
        sent = client.post(f"{API}/repairs", json=fault(reporter=person), headers=staff("hotline"))
        assert sent.status_code == 201, sent.text
        further = {"reporter": who[24 + number]}
        case = f"{API}/repairs/{sent.json()['case_id']}"
        assert client.post(f"{case}/reports", json=further, headers=staff("hotline")).status_code == 200
    cards = [f"43310119900101{n}" for n in range(1000, 1012)]
    for person, card in zip(people(60)[48:], cards, strict=True):
        body = application(applicant={**person, "id_number": card})
        sent = client.post(f"{API}/connections", json=body, headers=staff("counter"))
        assert sent.status_code == 201, sent.text
    return [value for person in people(60) for value in person.values()] + cards


def test_of_192_planted_values_none_is_in_plain_in_any_table(client: httpx.Client, service: Service) -> None:
    values = planted(client)
    assert len(values) == len(set(values)) == 192
    assert not found_in(dump(service), values)
    with owned(service) as connection:
        rows = connection.execute("SELECT subject_id, revision FROM vault.subjects").fetchall()
    kept = service.particulars([Subject(row["subject_id"], row["revision"]) for row in rows])
    assert {value for each in kept for value in each.values()} == set(values), "and none is lost"


def test_a_sealed_row_opens_at_its_own_place_only(service: Service) -> None:
    one, other = NewSubject(uuid4(), 1, {"name": "甲"}), NewSubject(uuid4(), 1, {"name": "乙"})
    put(service, one, other, NewSubject(one.id, 2, {"name": "丙"}))
    with owned(service) as connection:
        connection.execute(
            "UPDATE vault.subjects SET sealed = (SELECT sealed FROM vault.subjects WHERE subject_id = %(id)s AND"
            " revision = 1) WHERE subject_id = %(id)s AND revision = 2",
            {"id": one.id},
        )
    with pytest.raises(ValueError, match="sealed for somebody else"):
        service.particulars([Subject(one.id, 2)])
    with owned(service) as connection:
        connection.execute(
            "UPDATE vault.subject_keys SET sealed_key = (SELECT sealed_key FROM vault.subject_keys WHERE subject_id ="
            " %s) WHERE subject_id = %s",
            [other.id, one.id],
        )
    with pytest.raises(ValueError, match="sealed for something else"):
        service.particulars([Subject(one.id, 1)])


def test_what_lies_open_from_before_is_sealed_at_a_start_by_several_at_once(
    service: Service, store_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.vault.vault.BATCH", 7)
    before = [NewSubject(uuid4(), 1, person) for person in people(60)]
    put_plain(service, *before, NewSubject(before[0].id, 2, {"name": "改名者"}))
    assert len(found_in(dump(service), before[0].particulars.values())) == 3
    known = [Subject(each.id, 1) for each in before]
    assert service.particulars(known) == [each.particulars for each in before], "rows that lie open are read meanwhile"
    with ThreadPoolExecutor(3) as starts:
        done = sum(starts.map(lambda _: upkeep.seal_particulars(store_settings), range(3)))
    assert done == 61
    assert upkeep.seal_particulars(store_settings) == 0
    assert service.particulars(known) == [each.particulars for each in before]
    assert service.vault.newest(before[0].id) == {"name": "改名者"}
    assert not found_in(dump(service), [value for person in people(60) for value in (*person.values(), "改名者")])


def test_a_start_that_is_killed_in_the_middle_is_gone_on_with(
    service: Service, store_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.vault.vault.BATCH", 7)
    before = [NewSubject(uuid4(), 1, person) for person in people(20)]
    put_plain(service, *before)
    sealed = Vault._sealed
    calls: list[int] = []

    def dies(self: Vault, *given: Any) -> dict[str, Any]:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return sealed(self, *given)

    monkeypatch.setattr(Vault, "_sealed", dies)
    with pytest.raises(KeyboardInterrupt):
        upkeep.seal_particulars(store_settings)
    assert upkeep.status(store_settings)["plain"] == 13
    assert upkeep.seal_particulars(store_settings) == 13
    assert service.particulars([Subject(each.id, 1) for each in before]) == [each.particulars for each in before]


def table_file(service: Service) -> bytes:
    """The pages of the table as they are on the disk."""
    with owned(service) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath('vault.subjects'), 0, 10000000, true) AS pages"
        ).fetchone()
    assert row is not None
    return bytes(row["pages"])


def test_the_table_s_file_holds_nothing_of_the_open_text_even_after_a_kill(
    service: Service, store_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_plain(service, NewSubject(uuid4(), 1, {"phone": "13900005678"}))
    assert b"13900005678" in table_file(service)
    with monkeypatch.context() as killed:
        killed.setattr(Vault, "rewrite", lambda _: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            upkeep.seal_particulars(store_settings)
    upkeep.seal_particulars(store_settings)
    assert b"13900005678" not in table_file(service)


def test_the_master_key_is_turned_over_while_a_process_runs(service: Service, store_settings: Settings) -> None:
    first = NewSubject(uuid4(), 1, {"name": "甲"})
    put(service, first)
    with owned(service) as connection:
        connection.execute(
            "INSERT INTO identity.credentials (actor, secret_hash, second_factor) VALUES ('a-1', 'x', %s)",
            [service.vault._keys().master.seal(b"SECRET", b"second-factor:a-1")],
        )
    old = upkeep.status(store_settings)["newest_key"]
    assert upkeep.rotate(store_settings, new_key=True) == 3, "a data key, the search key, a second factor"
    found = upkeep.status(store_settings)
    assert found["newest_key"] != old
    assert list(found["keys"]) == [found["newest_key"]]
    assert upkeep.rotate(store_settings, new_key=False) == 0
    path = key_file(store_settings)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(path.read_text(encoding="ascii").splitlines()[0] + "\n", encoding="ascii")
    second = NewSubject(uuid4(), 1, {"name": "乙"})
    assert service.particulars([Subject(first.id, 1)]) == [{"name": "甲"}], "the process reads the key file again"
    put(service, second)
    assert service.particulars([Subject(second.id, 1)]) == [{"name": "乙"}]


def test_a_lost_or_a_strange_key_file_stops_the_start_and_makes_no_new_one(
    service: Service, store_settings: Settings
) -> None:
    put(service, NewSubject(uuid4(), 1, {"name": "甲"}))
    path = key_file(store_settings)
    kept = path.read_text(encoding="ascii")
    path.unlink()
    with pytest.raises(KeyFileError, match="master-key-missing: found no such file"):
        upkeep.seal_particulars(store_settings)
    assert not path.exists()
    path.write_text("00000000 " + "A" * 43 + "=\n", encoding="ascii")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="master-key-missing: found no key"):
        upkeep.seal_particulars(store_settings)
    path.write_text(kept, encoding="ascii")
    assert upkeep.seal_particulars(store_settings) == 0


# ---- who is shown what


def particulars_of(client: httpx.Client, case_id: str, reason: str | None = None, **asking: Any) -> Any:
    path = f"{API}/cases/{case_id}/particulars"
    return client.post(path, json={"reason": reason}, **asking) if reason else client.get(path, **asking)


def reported(client: httpx.Client, person: dict[str, str] = REPORTER) -> str:
    sent = client.post(f"{API}/repairs", json=fault(reporter=person), headers=staff("hotline"))
    assert sent.status_code == 201, sent.text
    return str(sent.json()["case_id"])


def dispatched(client: httpx.Client, case_id: str, crew: str = "crew-01") -> None:
    sent = client.post(f"{API}/repairs/{case_id}/dispatch", json={"crew": crew}, headers=staff("dispatcher"))
    assert sent.status_code == 200, sent.text


def with_session(service: Service, actor: str, *roles: str, **work: Any) -> dict[str, str]:
    """The headers of somebody with an account, who is bound to their work."""
    join_by_program(service, actor, Work(roles, **work))
    person = Accounts(service).person(actor)
    assert person is not None
    return {"Authorization": f"Bearer {Accounts(service).open_session(person, browser=False).token}"}


def reads(service: Service) -> list[tuple[Any, ...]]:
    with owned(service) as connection:
        rows = connection.execute("SELECT * FROM vault.reads ORDER BY id").fetchall()
    return [(row["actor"], row["role"], row["case_id"], row["reason"], row["masked"]) for row in rows]


def vault_events(service: Service) -> list[dict[str, Any]]:
    with owned(service) as connection:
        rows = connection.execute(
            "SELECT convert_from(state, 'UTF8')::jsonb AS event FROM store.stored_events WHERE topic IN"
            " ('water.office.ParticularsUnmasked.v1', 'water.office.SubjectErased.v1') ORDER BY notification_id"
        ).fetchall()
    return [row["event"] for row in rows]


def test_masks_are_what_everybody_sees_and_who_looked_is_on_record(client: httpx.Client, service: Service) -> None:
    case_id = reported(client)
    answer = particulars_of(client, case_id, headers=staff("manager"))
    assert answer.headers["cache-control"] == "no-store"
    (person,) = answer.json()["subjects"]
    assert (person["name"], person["phone"], person["address"]) == ("张*", "138****5678", "镇溪街道****")
    assert (person["unmasked"], person["erased"]) == ([], False)
    assert reads(service) == [("manager-1", "manager", UUID(case_id), None, True)]
    assert vault_events(service) == []
    refused = particulars_of(client, case_id, headers=staff("cashier"))
    assert (refused.status_code, refused.json()["code"]) == (403, "wrong-role")
    refused = particulars_of(client, case_id, "call-back", headers=staff("manager"))
    assert (refused.status_code, refused.json()["code"]) == (403, "wrong-role")
    assert particulars_of(client, str(uuid4()), headers=staff("manager")).json()["code"] == "no-such-case"
    assert len(reads(service)) == 1


def test_a_crew_sees_place_and_telephone_of_its_own_incident_until_it_is_closed(
    client: httpx.Client, service: Service
) -> None:
    own = with_session(service, "crew-person-1", "crew", crew="crew-01")
    other = with_session(service, "crew-person-2", "crew", crew="crew-02")
    bare = httpx.Client(base_url=client.base_url, timeout=20)
    case_id = reported(client)
    dispatched(client, case_id)
    with bare:
        (person,) = particulars_of(bare, case_id, "on-site", headers=own).json()["subjects"]
        assert (person["phone"], person["address"]) == (REPORTER["phone"], REPORTER["address"])
        assert (person["name"], person["unmasked"]) == ("张*", ["address", "phone"])
        assert particulars_of(bare, case_id, "on-site", headers=other).json()["code"] == "not-yours"
        (person,) = particulars_of(bare, case_id, headers=own).json()["subjects"]
        assert person["phone"] == "138****5678", "without a reason nothing is shown in plain"
        dispatched(client, case_id, "crew-02")
        assert particulars_of(bare, case_id, "on-site", headers=own).json()["code"] == "not-yours", "another crew's now"
    (event,) = vault_events(service)
    assert event["data"] == {"case_id": case_id, "subject_id": person["subject"], "reason": "on-site"}
    assert (event["actor"], event["role"], event["subject"]) == ("crew-person-1", "crew", person["subject"])
    assert [each[4] for each in reads(service)] == [False, True]


def test_the_hotline_sees_whoever_waits_for_an_answer_and_a_front_end_is_not_bound(
    client: httpx.Client, service: Service
) -> None:
    case_id = reported(client)
    further = client.post(f"{API}/repairs/{case_id}/reports", json={"reporter": people(1)[0]}, headers=staff("hotline"))
    assert further.status_code == 200, further.text
    answer = particulars_of(client, case_id, "call-back", headers=staff("hotline")).json()
    assert [person["name"] for person in answer["subjects"]] == ["张三", "欧阳某1000号"]
    assert [event["data"]["reason"] for event in vault_events(service)] == ["call-back", "call-back"]
    again = particulars_of(client, case_id, "call-back", headers={**staff("hotline"), "Idempotency-Key": "k"})
    assert again.json()["subjects"] == answer["subjects"]
    assert len(vault_events(service)) == 4
    unheard = particulars_of(client, case_id, "curiosity", headers=staff("hotline"))
    assert (unheard.status_code, unheard.json()["code"]) == (422, "bad-body")
    dispatched(client, case_id)
    shown = particulars_of(client, case_id, "on-site", headers=staff("crew")).json()["subjects"]
    assert [person["unmasked"] for person in shown] == [["address", "phone"]] * 2
    assert not found_in(dump(service), [*REPORTER.values(), *people(1)[0].values()])


def test_an_applicant_s_card_number_is_shown_to_nobody(client: httpx.Client) -> None:
    sent = client.post(f"{API}/connections", json=application(), headers=staff("counter"))
    (person,) = particulars_of(client, sent.json()["case_id"], "papers", headers=staff("counter")).json()["subjects"]
    assert (person["name"], person["id_number"]) == ("张三", "****")


def test_who_cannot_be_written_down_is_shown_nothing(client: httpx.Client, service: Service) -> None:
    case_id = reported(client)
    with owned(service) as connection:
        connection.execute("ALTER TABLE vault.reads RENAME TO reads_gone")
    answer = particulars_of(client, case_id, "call-back", headers=staff("hotline"))
    assert answer.status_code == 500
    assert REPORTER["phone"] not in answer.text


def test_a_key_file_that_is_gone_is_said(client: httpx.Client, service: Service, store_settings: Settings) -> None:
    case_id = reported(client)
    key_file(store_settings).unlink()
    service.vault.reread_keys()
    answer = particulars_of(client, case_id, headers=staff("manager"))
    assert (answer.status_code, answer.json()["code"]) == (503, "vault-closed")


# ---- who is found by a telephone


def test_a_person_is_found_by_any_form_of_the_telephone_with_the_cases(client: httpx.Client, service: Service) -> None:
    first = reported(client)
    second = client.post(f"{API}/connections", json=application(), headers=staff("counter")).json()["case_id"]
    other = reported(client, people(1)[0])
    for phone in ("13812345678", "+86 138-1234-5678", "１３８１２３４５６７８"):
        answer = client.post(f"{API}/subjects/search", json={"phone": phone}, headers=staff("hotline"))
        assert answer.status_code == 200, answer.text
        found = {case["case_id"]: case for each in answer.json()["subjects"] for case in each["cases"]}
        assert found.keys() == {first, second}
        assert {case["kind"] for case in found.values()} == {"repair", "connection"}
    found = client.post(f"{API}/subjects/search", json={"phone": "13900000000"}, headers=staff("hotline")).json()
    assert found == {"subjects": []}
    assert [each[1:] for each in reads(service)][-2:] == [("hotline", None, "phone-search", True)] * 2
    refused = client.post(f"{API}/subjects/search", json={"phone": "13812345678"}, headers=staff("cashier"))
    assert refused.json()["code"] == "wrong-role"
    assert other not in answer.text
    with owned(service) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute("EXPLAIN " + sql("vault_cases_of_phone"), {"hash": b"x" * 32, "most": 10}).fetchall()
        connection.execute("RESET enable_seqscan")
        row = connection.execute("SELECT phone_hash FROM vault.subjects LIMIT 1").fetchone()
    assert "stored_events_subject" in str(plan)
    assert row is not None
    assert bytes(row["phone_hash"]) not in {sha256(b"13812345678").digest(), sha256(b"+8613812345678").digest()}


def test_a_person_is_found_by_the_address_however_it_is_written(client: httpx.Client, service: Service) -> None:
    case_id = reported(client, {"name": "张三", "address": "人民北路 1 号 2 栋 301"})
    other = reported(client, {"name": "李四", "address": "人民北路 12 号 301"})
    path = f"{API}/subjects/search/address"
    for address in ("人民北路１号二幢301室", "人民北路1-2-301"):
        answer = client.post(path, json={"address": address}, headers=staff("hotline"))
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()["subjects"]
        assert [each["case_id"] for each in found["cases"]] == [case_id] != [other]
    assert client.post(path, json={"address": "没有这里"}, headers=staff("hotline")).json() == {"subjects": []}
    assert [each[1:] for each in reads(service)][-2:] == [("hotline", None, "address-search", True)] * 2
    refused = client.post(path, json={"address": "人民北路1-2-301"}, headers=staff("cashier"))
    assert refused.json()["code"] == "wrong-role"
    assert not found_in(dump(service), ["人民北路"])
    erased(client, found["subject"])
    with owned(service) as connection:
        left = connection.execute("SELECT count(address_hash) AS n FROM vault.subjects").fetchone()
    assert left == {"n": 1}, "an erased address is not to be looked for"


def test_what_was_sealed_before_is_found_by_its_address_after_a_start(
    service: Service, store_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.vault.vault.BATCH", 2)
    persons = [NewSubject(uuid4(), 1, {"name": f"住户{n}", "address": f"人民北路 {n} 号"}) for n in range(5)]
    put(service, *persons, NewSubject(uuid4(), 1, {"name": "无地址"}))
    with owned(service) as connection:
        connection.execute("UPDATE vault.subjects SET address_hash = NULL, address_indexed = false")
    assert service.vault.with_address("人民北路3号") == {}
    upkeep.seal_particulars(store_settings)
    assert service.vault.with_address("人民北路３号") == {persons[3].id: []}
    assert service.vault.index_addresses() == 0


def test_a_reporter_whose_report_went_to_another_incident_is_found_there(client: httpx.Client) -> None:
    case_id = reported(client)
    linked = {"reporter": people(1)[0]}
    client.post(f"{API}/repairs/{case_id}/reports", json=linked, headers=staff("hotline"))
    moved = client.post(f"{API}/repairs/{case_id}/reports/2/unlinking", json={}, headers=staff("dispatcher"))
    assert moved.status_code == 201, moved.text
    phone = {"phone": people(1)[0]["phone"]}
    (found,) = client.post(f"{API}/subjects/search", json=phone, headers=staff("hotline")).json()["subjects"]
    assert [case["case_id"] for case in found["cases"]] != [case_id]
    assert len(found["cases"]) == 1


def test_the_index_of_persons_covers_every_event_that_names_one(service: Service) -> None:
    naming = {
        name
        for name, (_, fact) in kinds.REGISTRY.types.items()
        if any(field.name == "subject" and field.type != "str" for field in fields(fact))
    }
    every = {"types": sorted(kinds.REGISTRY.types)}
    with owned(service) as connection:
        rows = connection.execute(
            "SELECT t FROM unnest(%(types)s::text[]) AS t WHERE vault.names_a_person(t)", every
        ).fetchall()
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute("EXPLAIN " + sql("rights_cases"), {"subject": "x"}).fetchall()
        connection.execute("RESET enable_seqscan")
    assert {row["t"] for row in rows} == naming, "else: a migration that makes the function and the index anew"
    assert "stored_events_subject" in str(plan)
    assert "names_a_person" in sql("vault_cases_of_phone"), "no list of its own"


# ---- who is erased


def erased(client: httpx.Client, subject: str, **body: Any) -> httpx.Response:
    body = {"reason": "asked-for", "confirmed_by": "manager-2", **body}
    return client.post(f"{API}/subjects/{subject}/erasure", json=body, headers=staff("manager"))


def test_an_erased_person_is_gone_from_every_table_and_histories_stay(
    client: httpx.Client, service: Service, store_settings: Settings
) -> None:
    case_id, other = reported(client), reported(client, people(1)[0])
    dispatched(client, case_id)
    (person,) = particulars_of(client, case_id, headers=staff("manager")).json()["subjects"]
    timeline = client.get(f"{API}/cases/{case_id}", headers=staff("manager")).json()
    with owned(service) as connection:
        row = connection.execute(
            "SELECT sealed, phone_hash, sealed_key FROM vault.subjects JOIN vault.subject_keys USING (subject_id)"
            " WHERE subject_id = %s",
            [person["subject"]],
        ).fetchone()
        events = "SELECT * FROM store.stored_events WHERE topic NOT LIKE 'water.office.%%' ORDER BY notification_id"
        before = connection.execute(events).fetchall()
    assert row is not None
    kept = [bytes(each).hex() for each in row.values()]
    alone = erased(client, person["subject"], confirmed_by="manager-1")
    assert alone.json()["code"] == "second-person-needed"
    assert erased(client, person["subject"], confirmed_by=None).json()["code"] == "second-person-needed"
    assert erased(client, str(uuid4())).json()["code"] == "no-such-subject"
    assert found_in(dump(service), kept) == kept
    done = erased(client, person["subject"])
    assert done.status_code == 200, done.text
    assert erased(client, person["subject"]).json()["code"] == "subject-erased"
    assert not found_in(dump(service), [*REPORTER.values(), *kept])
    (gone,) = particulars_of(client, case_id, "call-back", headers=staff("hotline")).json()["subjects"]
    assert (gone["erased"], gone["phone"], gone["unmasked"]) == (True, None, [])
    found = client.post(f"{API}/subjects/search", json={"phone": REPORTER["phone"]}, headers=staff("hotline"))
    assert found.json() == {"subjects": []}
    (event,) = [each for each in vault_events(service) if each["type"].endswith("SubjectErased.v1")]
    assert event["data"] == {"subject_id": person["subject"], "reason": "asked-for", "confirmed_by": "manager-2"}
    assert client.get(f"{API}/cases/{case_id}", headers=staff("manager")).json() == timeline
    with owned(service) as connection:
        assert connection.execute(events).fetchall() == before
    put(service, NewSubject(UUID(person["subject"]), 2, {"name": "张三"}))
    assert service.vault.newest(UUID(person["subject"])) is None, "what is said later of who was erased is not kept"
    (stays,) = particulars_of(client, other, "call-back", headers=staff("hotline")).json()["subjects"]
    assert stays["name"] == people(1)[0]["name"]
    upkeep.seal_particulars(store_settings)
    assert row["sealed"] not in table_file(service), "and from the table's file after the next start"


def test_who_was_erased_is_erased_again_when_an_older_backup_of_the_vault_comes_back(
    client: httpx.Client, service: Service, store_settings: Settings
) -> None:
    case_id = reported(client)
    (person,) = particulars_of(client, case_id, headers=staff("manager")).json()["subjects"]
    subject = UUID(person["subject"])
    with owned(service) as connection:
        for table in ("subjects", "subject_keys"):
            connection.execute(f"CREATE TABLE public.{table} AS SELECT * FROM vault.{table}")
    assert erased(client, str(subject)).status_code == 200
    with owned(service) as connection:
        for table in ("subjects", "subject_keys"):
            connection.execute(f"TRUNCATE vault.{table}")
            connection.execute(f"INSERT INTO vault.{table} SELECT * FROM public.{table}")
            connection.execute(f"DROP TABLE public.{table}")
    assert service.vault.newest(subject) is not None
    upkeep.seal_particulars(store_settings)
    assert service.vault.newest(subject) is None
    assert not service.vault.with_phone(REPORTER["phone"])


@pytest.fixture
def installation(settings: Settings) -> Iterator[Service]:
    """A service with topics, by the clock of the machine, which the notary goes by too."""
    quick = settings.model_copy(update={**QUICK, "notary_every_s": 0.1})
    opened = open_service(quick)
    yield opened
    opened.close()


def head(service: Service) -> int:
    with owned(service) as connection:
        row = connection.execute("SELECT position FROM store.log_head").fetchone()
    assert row is not None
    return int(row["position"])


def signed(service: Service) -> None:
    """Have the relay publish and the notary sign what there is."""
    settings, last = service.settings, head(service)
    with relaying(settings), during(Notary(settings).run):
        wait_until(all_out(settings, last), what="the relay")
        wait_until(
            lambda: any(log.newest.checkpoint.position >= last for log in read_logs(settings)), what="the checkpoint"
        )


def audited(service: Service, folder: Path, kept: Note) -> AuditReport:
    """What `tongshui audit export` and `tongshui audit verify` find, for who kept that checkpoint."""
    key = Keys(service.settings).current()
    assert key is not None
    export(service.settings, folder)
    found = gather([folder])
    evidence = AuditEvidence([kept], found.notes, found.leaves, [key.public])
    return with_cases(verify(found.files, evidence), found.files)


class _Stream(ModelStream):
    """The readers' shell without Kafka: topic ids are made up."""

    def feed(self, batch: list[Record]) -> None:
        self._topic_ids = topic_ids(self.settings)
        self.until_stored(batch, stopping=lambda: False)


def rebuilt(service: Service) -> list[Any]:
    """Every read model, made anew from the first event on."""
    views = _Stream(service.settings, "views", VIEWS)
    try:
        with psycopg.connect(service.settings.database_url, autocommit=True, row_factory=dict_row) as connection:
            for model in VIEWS:
                connection.execute(composed.SQL("TRUNCATE {}").format(composed.Identifier(*model.table.split("."))))
            connection.execute("TRUNCATE views.places")
            views.feed(records(service.settings))
            return [actual_rows(connection, model) for model in VIEWS]
    finally:
        views.close()


def poisoned(number: int, record: Record, value: str) -> Record:
    """The record as a program that is not ours might have written it: with somebody's value where none belongs."""
    told = json.loads(record.value or b"{}")
    told["data"] = value if number % 2 else {name: {value: [value]} for name in told["data"]}
    return msgspec.structs.replace(record, value=json.dumps(told, ensure_ascii=False).encode())


def test_no_planted_value_is_in_an_export_a_bundle_or_a_dead_letter(installation: Service, tmp_path: Path) -> None:
    service, settings = installation, installation.settings.model_copy(update={"dead_letters_at_most": 1_000})
    person = {"name": "复姓司徒", "phone": "13700137000"}
    with served(app_of(service)) as url, httpx.Client(base_url=url, headers=PROVEN, timeout=20) as client:
        values = [*planted(client), *REPORTER.values(), *person.values()]
        case_id = reported(client)
        complaint = {"topic": "late", "complainant": person}
        assert client.post(f"{API}/complaints", json=complaint, headers=staff("hotline")).status_code == 201
    signed(service)
    out = [tmp_path / "export", tmp_path / "bundle"]
    export(settings, out[0])
    bundle(settings, case_id, out[1], wording=WORDING)
    files = [path.read_bytes() for folder in out for path in folder.rglob("*") if path.is_file()]
    assert any(b"ComplaintMade" in each for each in files)
    assert not [value for value in values if any(value.encode() in each for each in files)]

    # A topic may hold anything; what a reader writes down of a record that it cannot take holds nothing of it.
    stored = records(settings)
    foreign = [poisoned(number, each, values[number]) for number, each in enumerate(stored[:40])]
    rubbish = [
        msgspec.structs.replace(each, offset=1_000_000 + n, value=values[n].encode())
        for n, each in enumerate(stored[:6])
    ]
    views = _Stream(settings, "views", VIEWS)
    try:
        views.feed([*foreign, *stored[40:], *rubbish])
    finally:
        views.close()
    with owned(service) as connection:
        rows = connection.execute("SELECT code FROM store.dead_letters").fetchall()
        shown = "\n".join(desk.lines(desk.dead_letters(connection, states=None, most=1_000)))
    assert len(rows) >= 20
    assert not found_in(dump(service) + shown, values)


def test_verification_and_read_models_are_the_same_before_and_after_an_erasure(
    installation: Service, tmp_path: Path
) -> None:
    service, settings = installation, installation.settings
    with served(app_of(service)) as url, httpx.Client(base_url=url, headers=PROVEN, timeout=20) as client:
        case_id = reported(client)
        dispatched(client, case_id)
        reported(client, people(1)[0])
        (person,) = particulars_of(client, case_id, headers=staff("manager")).json()["subjects"]
        signed(service)
        kept = read_logs(settings)[-1].newest
        audit = audited(service, tmp_path / "before", kept)
        recounted = recount.verify(recount.from_topics(settings)[0])
        rows = rebuilt(service)
        assert (audit.findings, recounted.agrees) == ([], True)
        assert sum(map(len, rows)) > 3
        assert erased(client, person["subject"]).status_code == 200
        signed(service)
    after = audited(service, tmp_path / "after", kept)
    assert (after.findings, after.proven) == (audit.findings, audit.proven)
    again = recount.verify(recount.from_topics(settings)[0])
    assert (again.agrees, again.cases, again.windows) == (True, recounted.cases, recounted.windows)
    assert rebuilt(service) == rows
    assert not found_in(dump(service), REPORTER.values())
    exported = b"".join(path.read_bytes() for path in (tmp_path / "after").rglob("*") if path.is_file())
    assert not [value for value in REPORTER.values() if value.encode() in exported]


def test_the_command_line_says_how_things_stand_and_turns_the_key_over(
    service: Service, store_settings: Settings
) -> None:
    put(service, NewSubject(uuid4(), 1, {"name": "甲"}))
    put_plain(service, NewSubject(uuid4(), 1, {"name": "乙"}))
    environment = {
        "TONGSHUI_DATABASE_URL": store_settings.database_url,
        "TONGSHUI_KAFKA_BOOTSTRAP": store_settings.kafka_bootstrap,
        "TONGSHUI_DATA_DIR": str(store_settings.data_dir),
    }

    def told(*words: str) -> tuple[int, str]:
        ended = CliRunner().invoke(main, ["vault", *words], env=environment)
        return ended.exit_code, ended.output

    code, text = told("status")
    assert (code, "rows: 1 sealed, 1 open; subjects erased: 0" in text) == (1, True), text
    upkeep.seal_particulars(store_settings)
    code, text = told("status", "--json")
    old = json.loads(text)["newest_key"]
    assert (code, json.loads(text)["plain"]) == (0, 0)
    code, text = told("rotate", "--new-key")
    assert (code, "3 pieces sealed anew" in text) == (0, True), text
    code, text = told("status")
    assert (code, old in text) == (0, False)
    key_file(store_settings).unlink()
    code, text = told("status")
    assert (code, "master-key-missing" in text) == (1, True), text
