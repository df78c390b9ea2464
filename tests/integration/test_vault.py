"""The vault on real PostgreSQL: nothing of anybody lies open in the database, and nothing is lost by sealing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
from psycopg import sql as composed
from psycopg.types.json import Jsonb

from domain.kernel.subjects import Subject
from infra.eventstore.commands import NewSubject
from infra.eventstore.service import Service
from infra.keys import KeyFileError, key_file
from infra.settings import Settings
from infra.vault import upkeep
from infra.vault.vault import Vault
from tests.api_world import app_of, application, fault, served, staff
from tests.proven import PROVEN

API = "/api/v1"


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with served(app_of(service)) as url, httpx.Client(base_url=url, headers=PROVEN, timeout=20) as opened:
        yield opened


def dump(service: Service) -> str:
    """Every row of every table of every schema of ours, as PostgreSQL writes it: bytes are in hexadecimal."""
    with service.connection() as connection:
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
    with service.connection() as connection:
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
    with service.connection() as connection:
        rows = connection.execute("SELECT subject_id, revision FROM vault.subjects").fetchall()
    kept = service.particulars([Subject(row["subject_id"], row["revision"]) for row in rows])
    assert {value for each in kept for value in each.values()} == set(values), "and none is lost"


def test_a_sealed_row_opens_at_its_own_place_only(service: Service) -> None:
    one, other = NewSubject(uuid4(), 1, {"name": "甲"}), NewSubject(uuid4(), 1, {"name": "乙"})
    put(service, one, other, NewSubject(one.id, 2, {"name": "丙"}))
    with service.connection() as connection:
        connection.execute(
            "UPDATE vault.subjects SET sealed = (SELECT sealed FROM vault.subjects WHERE subject_id = %(id)s AND"
            " revision = 1) WHERE subject_id = %(id)s AND revision = 2",
            {"id": one.id},
        )
    with pytest.raises(ValueError, match="sealed for somebody else"):
        service.particulars([Subject(one.id, 2)])
    with service.connection() as connection:
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
    with service.connection() as connection:
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
    with service.connection() as connection:
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
