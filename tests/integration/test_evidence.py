"""The evidence store on real PostgreSQL, over a folder and a real S3 server: what is handed in is kept sealed, read by
who works on the case, and gone for good when its time or its person is."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from infra.clock import ManualClock
from infra.eventstore.service import Service
from infra.evidence import upkeep
from infra.evidence.objects import object_name
from infra.evidence.store import PART_BYTES
from infra.settings import Settings
from infra.vault import upkeep as vault_upkeep
from tests.api_world import app_of, application, fault, served, staff
from tests.integration.database_roles import opened_by_the_api, owned, service_of_the_api
from tests.integration.test_identity import PASSWORD, with_account
from tests.integration.test_vault import dump
from tests.proven import PROVEN
from tests.s3_server import S3Server, s3_server

API = "/api/v1/evidence"
CREW = staff("crew", "crew-person-1", "crew-phone")
JPEG = b"\xff\xd8\xff\xe1\x00\x18Exif" + bytes(range(256)) * 5_000
"""1.3 MB: two parts."""


@pytest.fixture
def service(store_settings: Settings, clock: ManualClock) -> Iterator[Service]:
    """The service with the API's rights in PostgreSQL: what it lacks a right for fails here, and not at the utility."""
    with service_of_the_api(store_settings, clock) as opened:
        yield opened


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with served(app_of(service)) as url, httpx.Client(base_url=url, headers=PROVEN, timeout=20) as opened:
        yield opened


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


def digest_of(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def begun(client: httpx.Client, content: bytes, who: dict[str, str] = CREW, **changes: Any) -> httpx.Response:
    claim = {
        "evidence_class": "photo",
        "media_type": "image/jpeg",
        "size_bytes": len(content),
        "digest": digest_of(content),
        **changes,
    }
    return client.post(API, json=claim, headers=who)


def sent(client: httpx.Client, upload: str, offset: int, part: bytes, who: dict[str, str] = CREW) -> httpx.Response:
    return client.patch(f"{API}/uploads/{upload}", content=part, headers={**who, "Upload-Offset": str(offset)})


def completed(client: httpx.Client, upload: str, who: dict[str, str] = CREW) -> httpx.Response:
    return client.post(f"{API}/uploads/{upload}/completion", headers=who)


def handed_in(client: httpx.Client, content: bytes, who: dict[str, str] = CREW, **changes: Any) -> httpx.Response:
    """The whole file, in parts."""
    answer = begun(client, content, who, **changes)
    assert answer.status_code == 201, answer.text
    upload, offset = answer.json()["upload_id"], answer.json()["offset"]
    while offset < len(content):
        told = sent(client, upload, offset, content[offset : offset + PART_BYTES], who)
        assert told.status_code == 200, told.text
        offset = told.json()["offset"]
    return completed(client, upload, who)


def reported(client: httpx.Client) -> str:
    answer = client.post("/api/v1/repairs", json=fault(), headers=staff("hotline"))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["case_id"])


def states(client: httpx.Client, case: str) -> dict[str, str]:
    answer = client.get(API, params={"case_id": case}, headers=staff("auditor"))
    assert answer.status_code == 200, answer.text
    return {each["digest"]: each["state"] for each in answer.json()["evidence"]}


def said(service: Service) -> list[dict[str, Any]]:
    """The data of every event about evidence, in order, each with its name."""
    with owned(service) as connection:
        rows = connection.execute(
            "SELECT topic, convert_from(state, 'UTF8')::jsonb -> 'data' AS data FROM store.stored_events"
            " WHERE topic LIKE 'water.office.Evidence%' ORDER BY notification_id"
        ).fetchall()
    return [{"type": row["topic"].split(".")[2], **row["data"]} for row in rows]


def files_of(settings: Settings) -> list[Path]:
    return [each for each in (settings.data_dir / "evidence").rglob("*") if each.is_file()]


# ---- uploading and reading


def test_a_file_comes_in_parts_is_kept_sealed_and_read_again_on_record(client: httpx.Client, service: Service) -> None:
    case = reported(client)
    answer = handed_in(client, JPEG, case_id=case)
    assert (answer.status_code, answer.json()["state"]) == (200, "kept"), answer.text
    (path,) = files_of(service.settings)
    assert path.name == f"{digest_of(JPEG).removeprefix('sha256:')}.1"
    assert JPEG[:64] not in path.read_bytes()
    assert JPEG[:64].hex() not in dump(service), "and nothing of it in the database"

    found = client.get(f"{API}/{digest_of(JPEG)}", headers=staff("dispatcher"))
    assert found.content == JPEG
    assert found.headers["content-type"] == "image/jpeg"
    assert found.headers["content-disposition"].startswith("attachment;")
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["content-length"] == str(len(JPEG))
    with owned(service) as connection:
        (read,) = connection.execute("SELECT actor, role, digest, at FROM evidence.reads").fetchall()
    assert read == {
        "actor": "dispatcher-1",
        "role": "dispatcher",
        "digest": digest_of(JPEG),
        "at": service.clock.now(),
    }
    assert said(service) == [
        {
            "type": "EvidenceKept",
            "digest": digest_of(JPEG),
            "evidence_class": "photo",
            "size_bytes": len(JPEG),
            "media_type": "image/jpeg",
            "case_id": case,
        }
    ]


def test_a_part_that_came_is_taken_again_and_a_gap_is_refused_with_the_offset_that_is_wanted(
    client: httpx.Client,
) -> None:
    upload = begun(client, JPEG).json()["upload_id"]
    assert sent(client, upload, 0, JPEG[:1000]).json()["offset"] == 1000
    assert sent(client, upload, 0, JPEG[:1000]).json()["offset"] == 1000, "again, without harm"
    assert sent(client, upload, 500, JPEG[500:2000]).json()["offset"] == 2000, "what is new of it is taken"
    gap = sent(client, upload, 3000, JPEG[3000:4000])
    assert (gap.status_code, gap.json()["code"], gap.headers["upload-offset"]) == (409, "wrong-offset", "2000")
    assert "byte 2000" in gap.json()["needed"]
    assert sent(client, upload, 2000, bytes(PART_BYTES)).status_code == 200
    beyond = sent(client, upload, 2000 + PART_BYTES, bytes(PART_BYTES))
    assert (beyond.status_code, beyond.json()["code"]) == (422, "part-beyond-size")
    early = completed(client, upload)
    assert (early.status_code, early.json()["code"]) == (409, "upload-incomplete")
    large = sent(client, upload, 0, bytes(PART_BYTES + 1))
    assert (large.status_code, large.json()["code"]) == (413, "body-too-large")
    assert client.get(f"{API}/uploads/{upload}", headers=CREW).headers["upload-offset"] == str(2000 + PART_BYTES)
    strange = client.get(f"{API}/uploads/{upload}", headers=staff("crew", "crew-person-2"))
    assert (strange.status_code, strange.json()["code"]) == (404, "no-such-upload")


def _serve(settings: Settings, pipe: Any) -> None:
    """A process with the API, until it is killed."""
    service = opened_by_the_api(settings)
    with served(app_of(service)) as url:
        pipe.send(url)
        pipe.recv()


def test_an_upload_goes_on_after_the_process_was_killed_in_the_middle_of_it(
    store_settings: Settings, service: Service
) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(store_settings, theirs), daemon=True)
    process.start()
    with httpx.Client(base_url=ours.recv(), headers=PROVEN, timeout=20) as first:
        upload = begun(first, JPEG).json()["upload_id"]
        assert sent(first, upload, 0, JPEG[:PART_BYTES]).status_code == 200
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(timeout=20)
        with pytest.raises(httpx.HTTPError):
            sent(first, upload, PART_BYTES, JPEG[PART_BYTES : 2 * PART_BYTES])
    with served(app_of(service)) as url, httpx.Client(base_url=url, headers=PROVEN, timeout=20) as second:
        again = begun(second, JPEG).json()
        assert (again["upload_id"], again["offset"]) == (upload, PART_BYTES), "the claim finds the upload"
        assert handed_in(second, JPEG).json()["state"] == "kept"
        assert second.get(f"{API}/{digest_of(JPEG)}", headers=CREW).content == JPEG


class _Killed(BaseException):
    """As a kill at that point."""


@pytest.mark.parametrize("at", ["put", "link", "event"])
def test_a_completion_that_is_killed_at_any_point_is_done_by_the_next_one(
    client: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    case = reported(client)
    upload = begun(client, JPEG, case_id=case).json()["upload_id"]
    for offset in range(0, len(JPEG), PART_BYTES):
        sent(client, upload, offset, JPEG[offset : offset + PART_BYTES])
    put, store = service.evidence.objects.put, service.evidence

    def killed(*_: Any, **__: Any) -> None:
        raise _Killed

    def killed_after_put(*given: Any) -> None:
        put(*given)
        raise _Killed

    with monkeypatch.context() as patched:
        if at == "put":
            patched.setattr(store.objects, "put", killed)
        elif at == "link":
            patched.setattr(store.objects, "put", killed_after_put)
        if at == "event":
            store.complete(UUID(upload), actor="crew-person-1", at=service.clock.now())
        else:
            with pytest.raises(_Killed):
                store.complete(UUID(upload), actor="crew-person-1", at=service.clock.now())
            assert states(client, case) == {}
    if at == "event":
        assert said(service) == []
        assert upkeep.keep_up(service).told == 1, "the upkeep tells what was not told"
    assert completed(client, upload).json()["state"] == "kept"
    assert completed(client, upload).json()["state"] == "kept"
    assert [each["type"] for each in said(service)] == ["EvidenceKept"]
    assert client.get(f"{API}/{digest_of(JPEG)}", headers=CREW).content == JPEG


def test_what_is_not_as_it_was_said_is_refused_and_thrown_away(client: httpx.Client, service: Service) -> None:
    wrong = handed_in(client, JPEG, digest="sha256:" + "0" * 64)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "evidence-digest-mismatch")
    script = b"#!/bin/sh\nrm -rf /\n"
    lying = handed_in(client, script)
    assert (lying.status_code, lying.json()["code"]) == (422, "evidence-type-mismatch")
    other = handed_in(client, JPEG, media_type="image/png")
    assert (other.status_code, other.json()["code"]) == (422, "evidence-type-mismatch")
    assert "image/jpeg" in other.json()["found"]
    with owned(service) as connection:
        assert connection.execute("SELECT FROM evidence.parts").rowcount == 0
        assert connection.execute("SELECT FROM evidence.uploads").rowcount == 0
    assert files_of(service.settings) == []
    refused = {
        "unknown-evidence-class": begun(client, JPEG, evidence_class="novel"),
        "evidence-type-not-taken": begun(client, JPEG, media_type="video/mp4"),
        "evidence-too-large": begun(client, JPEG, size_bytes=20 * 1024 * 1024 + 1),
        "no-such-case": begun(client, JPEG, case_id="00000000-0000-4000-8000-000000000000"),
        "wrong-role": begun(client, JPEG, staff("public")),
        "subject-not-on-case": begun(client, JPEG, subject_id="00000000-0000-4000-8000-000000000000"),
    }
    for code, answer in refused.items():
        assert answer.json()["code"] == code
        assert answer.json()["next_step_zh"]


def test_an_actor_has_so_many_unfinished_uploads_at_most(store_settings: Settings, clock: ManualClock) -> None:
    service = opened_by_the_api(store_settings.model_copy(update={"evidence_uploads_at_most": 2}), clock=clock)
    with served(app_of(service)) as url, httpx.Client(base_url=url, headers=PROVEN) as client:
        assert [begun(client, JPEG + bytes([n])).status_code for n in range(3)] == [201, 201, 429]
        assert begun(client, JPEG, staff("crew", "crew-person-2")).status_code == 201
        clock.move(timedelta(hours=25))
        assert upkeep.keep_up(service).uploads_dropped == 3
        assert begun(client, JPEG).status_code == 201
    service.close()


def test_the_same_bytes_are_kept_once_for_each_case_that_they_are_handed_in_for(
    client: httpx.Client, service: Service
) -> None:
    one, other = reported(client), reported(client)
    actors = [staff("crew", f"crew-person-{n}") for n in (1, 2)]
    with ThreadPoolExecutor(2) as together:
        answers = list(
            together.map(
                lambda each: handed_in(client, JPEG, each[0], case_id=each[1]), zip(actors, (one, other), strict=True)
            )
        )
    assert [each.json().get("state") for each in answers] == ["kept", "kept"], [each.text for each in answers]
    assert len(files_of(service.settings)) == 1
    assert {each["case_id"] for each in said(service)} == {one, other}
    assert handed_in(client, JPEG, actors[0], case_id=one).json()["state"] == "kept"
    assert len(said(service)) == 2, "what was said is not said again"
    assert client.get(f"{API}/{digest_of(JPEG)}", headers=CREW).content == JPEG


# ---- who may read


def test_a_file_is_read_by_who_works_on_its_case_and_by_nobody_else(client: httpx.Client, service: Service) -> None:
    case = reported(client)
    handed_in(client, JPEG, staff("crew-lead", "lead-1"), case_id=case)

    def asked(who: dict[str, str]) -> tuple[int, str]:
        answer = client.get(f"{API}/{digest_of(JPEG)}", headers=who)
        return answer.status_code, answer.json()["code"] if answer.status_code != 200 else ""

    assert asked(staff("dispatcher"))[0] == asked(staff("auditor"))[0] == 200
    assert asked(staff("case-owner")) == (403, "not-your-case-evidence")
    assert asked(staff("platform")) == (403, "wrong-role")
    assert asked(staff("public")) == (403, "wrong-role")
    with owned(service) as connection:
        assert connection.execute("SELECT FROM evidence.reads").rowcount == 2, "nobody who was refused"
    listed = client.get(API, params={"case_id": case}, headers=staff("case-owner"))
    assert (listed.status_code, listed.json()["code"]) == (403, "not-your-case-evidence")


def test_an_account_of_a_crew_reads_the_files_of_its_own_crew(client: httpx.Client, service: Service) -> None:
    case = reported(client)
    handed_in(client, JPEG, staff("dispatcher"), case_id=case)
    dispatch = client.post(f"/api/v1/repairs/{case}/dispatch", json={"crew": "crew-01"}, headers=staff("dispatcher"))
    assert dispatch.status_code == 200, dispatch.text
    found = {}
    with httpx.Client(base_url=client.base_url) as by_session:
        for number, crew in ((7, "crew-01"), (8, "crew-02")):
            actor = f"crew-person-{number}"
            accounts = with_account(service, actor, "crew", crew=crew)
            bearer = {"Authorization": f"Bearer {accounts.sign_in(actor, PASSWORD, browser=False).token}"}
            file = by_session.get(f"{API}/{digest_of(JPEG)}", headers=bearer)
            listed = by_session.get(API, params={"case_id": case}, headers=bearer)
            found[crew] = (file.status_code, listed.status_code)
    assert found == {"crew-01": (200, 200), "crew-02": (403, 403)}


# ---- what is there, and what is gone


def test_the_list_of_a_case_tells_what_is_there_from_what_is_not(client: httpx.Client, service: Service) -> None:
    case = reported(client)
    kept, lost, never = JPEG, JPEG + b"1", digest_of(b"never came")
    for content in (kept, lost):
        handed_in(client, content, case_id=case)
    service.evidence.objects.delete(object_name(digest_of(lost), 1))
    client.post(f"/api/v1/repairs/{case}/dispatch", json={"crew": "crew-01"}, headers=staff("dispatcher"))
    proof = {"inside_geofence": True, "distance_m": 3, "accuracy_m": 5, "photo_digest": never}
    arrival = client.post(
        f"/api/v1/repairs/{case}/arrival",
        json={"crew": "crew-01", "evidence": proof},
        headers=staff("crew", "crew-person-1", "crew-phone"),
    )
    assert arrival.status_code == 200, arrival.text
    assert states(client, case) == {never: "missing", digest_of(kept): "kept", digest_of(lost): "missing"}
    gone = client.get(f"{API}/{digest_of(lost)}", headers=CREW)
    assert (gone.status_code, gone.json()["code"]) == (409, "evidence-not-kept")
    unknown = client.get(f"{API}/{never}", headers=CREW)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no-such-evidence-file")
    assert handed_in(client, lost, case_id=case).json()["state"] == "kept", "whoever has it puts it back"
    assert client.get(f"{API}/{digest_of(lost)}", headers=CREW).content == lost


def test_a_file_whose_bytes_were_changed_is_not_given_as_if_it_were_whole(
    client: httpx.Client, service: Service
) -> None:
    handed_in(client, JPEG)
    (path,) = files_of(service.settings)
    sealed = path.read_bytes()

    def spoiled(place: int) -> None:
        path.write_bytes(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])

    spoiled(len(sealed) - 5)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"{API}/{digest_of(JPEG)}", headers=CREW)
    spoiled(100)
    refused = client.get(f"{API}/{digest_of(JPEG)}", headers=CREW)
    assert (refused.status_code, refused.json()["code"]) == (409, "evidence-not-kept")
    assert "changed" in refused.json()["found"]


def test_who_is_erased_takes_the_files_that_are_theirs_alone_along(client: httpx.Client, service: Service) -> None:
    """Their keys go with the erasure, in one transaction; a file that somebody else handed in too stays for them."""
    cases = [
        client.post("/api/v1/connections", json=application(), headers=staff("counter")).json()["case_id"]
        for _ in range(2)
    ]
    owner = staff("counter")
    pdf, shared = b"%PDF-1.7\n" + os.urandom(5000), b"%PDF-1.7\n" + os.urandom(4000)
    of_person = {"evidence_class": "document", "media_type": "application/pdf"}
    assert handed_in(client, pdf, owner, case_id=cases[0], **of_person).json()["state"] == "kept"
    for case in cases:
        assert handed_in(client, shared, owner, case_id=case, **of_person).json()["state"] == "kept"
    begun(client, pdf + b"2", owner, case_id=cases[0], **of_person)
    listed = client.get(f"/api/v1/cases/{cases[0]}/particulars", headers=staff("counter"))
    (person,) = listed.json()["subjects"]
    backup = rows_of(service)
    erased = client.post(
        f"/api/v1/subjects/{person['subject']}/erasure",
        json={"reason": "asked-for", "confirmed_by": "manager-2"},
        headers=staff("manager", "manager-1"),
    )
    assert erased.status_code == 200, erased.text
    sealed = [path.read_bytes() for path in files_of(service.settings)]
    assert len(sealed) == 2, "the object is deleted later"
    assert states(client, cases[0]) == {digest_of(pdf): "erased", digest_of(shared): "kept"}
    gone = client.get(f"{API}/{digest_of(pdf)}", headers=owner)
    assert (gone.status_code, gone.json()["code"]) == (410, "evidence-gone")
    assert rows_of(service)["keys"] == backup["keys"] - 1
    assert rows_of(service)["uploads"] == 1, "theirs are gone, also the one that went on"
    done = upkeep.keep_up(service)
    assert (done.objects_deleted, done.told) == (1, 1)
    assert len(files_of(service.settings)) == 1
    assert [(each["type"], each["reason"]) for each in said(service) if "reason" in each] == [
        ("EvidencePurged", "erased")
    ]
    again = begun(client, pdf, owner, case_id=cases[0], **of_person)
    assert (again.status_code, again.json()["code"]) == (409, "subject-erased")
    assert client.get(f"{API}/{digest_of(shared)}", headers=owner).content == shared
    assert handed_in(client, pdf, owner, case_id=cases[1], **of_person).json()["state"] == "kept", "of somebody else"
    assert client.get(f"{API}/{digest_of(pdf)}", headers=owner).content == pdf
    assert files_of(service.settings)[0].suffix in (".1", ".2")


def test_a_key_that_comes_back_from_an_older_backup_is_destroyed_again(
    client: httpx.Client, service: Service, store_settings: Settings
) -> None:
    case = client.post("/api/v1/connections", json=application(), headers=staff("counter")).json()["case_id"]
    pdf = b"%PDF-1.7\n" + os.urandom(5000)
    handed_in(client, pdf, case_id=case, evidence_class="document", media_type="application/pdf")
    (person,) = client.get(f"/api/v1/cases/{case}/particulars", headers=staff("counter")).json()["subjects"]
    with owned(service) as connection:
        connection.execute("CREATE TABLE files AS TABLE evidence.files")
        connection.execute("CREATE TABLE links AS TABLE evidence.links")
    client.post(
        f"/api/v1/subjects/{person['subject']}/erasure",
        json={"reason": "asked-for", "confirmed_by": "manager-2"},
        headers=staff("manager", "manager-1"),
    )
    with owned(service) as connection:
        connection.execute("DELETE FROM evidence.links")
        connection.execute("DELETE FROM evidence.files")
        connection.execute("INSERT INTO evidence.files SELECT * FROM files")
        connection.execute("INSERT INTO evidence.links SELECT * FROM links")
    assert states(client, case) == {digest_of(pdf): "kept"}
    vault_upkeep.seal_particulars(store_settings)
    assert states(client, case) == {digest_of(pdf): "erased"}


def rows_of(service: Service) -> dict[str, int]:
    with owned(service) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM evidence.files WHERE sealed_key IS NOT NULL) AS keys,"
            " (SELECT count(*) FROM evidence.uploads) AS uploads"
        ).fetchone()
    assert row is not None
    return dict(row)


def test_a_file_is_purged_when_its_term_is_over_and_its_case_lives_no_more(
    client: httpx.Client, service: Service, clock: ManualClock
) -> None:
    case = reported(client)
    handed_in(client, JPEG, case_id=case)
    handed_in(client, JPEG + b"1")
    clock.move(timedelta(days=5 * 365 - 1))
    assert upkeep.keep_up(service).past_term == 0
    client.post(f"/api/v1/repairs/{case}/dispatch", json={"crew": "crew-01"}, headers=staff("dispatcher"))
    clock.move(timedelta(days=2))
    done = upkeep.keep_up(service)
    assert (done.past_term, done.objects_deleted, done.told) == (1, 1, 1), "the case still lives"
    assert states(client, case) == {digest_of(JPEG): "kept"}
    clock.move(timedelta(days=5 * 365))
    done = upkeep.keep_up(service)
    assert done.words == "told 1, past term 1, objects deleted 1"
    assert states(client, case) == {digest_of(JPEG): "purged"}
    assert client.get(f"{API}/{digest_of(JPEG)}", headers=CREW).status_code in (403, 410)
    assert client.get(f"{API}/{digest_of(JPEG)}", headers=staff("auditor")).json()["code"] == "evidence-gone"
    assert [each["reason"] for each in said(service) if "reason" in each] == ["time-is-up", "time-is-up"]
    assert files_of(service.settings) == []
    assert upkeep.keep_up(service).words == ""
    found = upkeep.status(service)
    assert found["files"]["purged"]["files"] == 2
    assert found["objects_to_delete"] == 0


# ---- the scanner


def test_an_infected_file_is_refused_and_one_that_no_scanner_saw_waits(
    store_settings: Settings, clock: ManualClock, tmp_path: Path
) -> None:
    """The scanner is a command that the test turns on and off."""
    switch = tmp_path / "scanner"
    command = ("sh", "-c", f"test -e {switch} || exit 9; if grep -q EICAR; then exit 1; fi; exit 0")
    service = opened_by_the_api(store_settings.model_copy(update={"evidence_scan_command": command}), clock=clock)
    good, bad = JPEG + b"good", JPEG + b"EICAR"
    with served(app_of(service)) as url, httpx.Client(base_url=url, headers=PROVEN, timeout=20) as client:
        case = reported(client)
        for content in (good, bad):
            assert handed_in(client, content, case_id=case).json()["state"] == "quarantined"
        waits = client.get(f"{API}/{digest_of(good)}", headers=CREW)
        assert (waits.status_code, waits.json()["code"]) == (409, "evidence-quarantined")
        assert said(service) == []
        assert upkeep.keep_up(service).words == "", "the scanner is still away"
        switch.touch()
        done = upkeep.keep_up(service)
        assert (done.released, done.infected, done.told, done.objects_deleted) == (1, 1, 2, 1)
        assert states(client, case) == {digest_of(good): "kept", digest_of(bad): "purged"}
        assert {(each["type"], each.get("reason")) for each in said(service)} == {
            ("EvidenceKept", None),
            ("EvidencePurged", "infected"),
        }
        assert client.get(f"{API}/{digest_of(good)}", headers=CREW).content == good
        refused = handed_in(client, bad + b"2", case_id=case)
        assert (refused.status_code, refused.json()["code"]) == (422, "evidence-infected")
    service.close()


# ---- the master key


def test_the_keys_of_files_and_uploads_are_sealed_anew_with_a_new_master_key(
    client: httpx.Client, service: Service, store_settings: Settings
) -> None:
    handed_in(client, JPEG)
    upload = begun(client, JPEG + b"1").json()["upload_id"]
    sent(client, upload, 0, JPEG[:PART_BYTES])
    vault_upkeep.rotate(store_settings, new_key=True)
    (keys,) = vault_upkeep.status(store_settings)["keys"].values()
    assert (keys["evidence"], keys["uploads"]) == (1, 2)
    assert client.get(f"{API}/{digest_of(JPEG)}", headers=CREW).content == JPEG
    assert handed_in(client, JPEG + b"1").json()["state"] == "kept"


# ---- an S3-compatible store


def test_files_are_kept_in_a_bucket_of_a_real_s3_server(
    store_settings: Settings, clock: ManualClock, s3: S3Server
) -> None:
    service = opened_by_the_api(s3.settings(store_settings), clock=clock)
    large, before = JPEG * 7, {*s3.folder.rglob("*.1")}  # of other tests
    with served(app_of(service)) as url, httpx.Client(base_url=url, headers=PROVEN, timeout=20) as client:
        case = reported(client)
        for content in (JPEG, large):
            assert handed_in(client, content, case_id=case).json()["state"] == "kept"
            assert client.get(f"{API}/{digest_of(content)}", headers=CREW).content == content
        assert states(client, case) == {digest_of(JPEG): "kept", digest_of(large): "kept"}
        names = {each.name for each in s3.folder.rglob("*.1") if each.is_file()}
        assert f"{digest_of(JPEG).removeprefix('sha256:')}.1" in names
        assert files_of(store_settings) == []
        assert all(JPEG[:64] not in each.read_bytes() for each in s3.folder.rglob("*.1"))
        clock.move(timedelta(days=5 * 365 + 1))
        assert upkeep.keep_up(service).objects_deleted == 2
        assert not [each for each in s3.folder.rglob("*.1") if each.is_file() and each not in before]
    service.close()


@pytest.mark.parametrize("wrong", [{"evidence_s3_secret_key": "another"}, {"evidence_s3_url": "http://127.0.0.1:1/b"}])
def test_a_bucket_that_does_not_answer_loses_nothing(
    store_settings: Settings, clock: ManualClock, s3: S3Server, wrong: dict[str, str]
) -> None:
    away = opened_by_the_api(s3.settings(store_settings, **wrong), clock=clock)
    with served(app_of(away)) as url, httpx.Client(base_url=url, headers=PROVEN, timeout=30) as client:
        answer = handed_in(client, JPEG + b"away")
        assert (answer.status_code, answer.json()["code"]) == (503, "evidence-store-unavailable")
        assert "another" not in answer.text
    away.close()
    back = opened_by_the_api(s3.settings(store_settings), clock=clock)
    with served(app_of(back)) as url, httpx.Client(base_url=url, headers=PROVEN, timeout=20) as client:
        again = begun(client, JPEG + b"away").json()
        assert again["offset"] == len(JPEG) + 4, "nothing has to be sent again"
        assert completed(client, again["upload_id"]).json()["state"] == "kept"
    back.close()


# ---- papers


def test_a_paper_shows_the_person_as_far_as_the_work_needs_it_and_on_record(
    client: httpx.Client, service: Service, clock: ManualClock
) -> None:
    case = client.post("/api/v1/connections", json=application(), headers=staff("counter")).json()["case_id"]
    items = {"items": [{"document": each, "defect": "missing"} for each in ("identity", "property-right")]}
    told = client.post(f"/api/v1/connections/{case}/notice", json=items, headers=staff("counter"))
    assert told.status_code == 200, told.text
    path = f"/api/v1/cases/{case}/papers/one-time-notice.pdf"
    masked = client.get(path, headers=staff("counter"))
    assert masked.content.startswith(b"%PDF")
    assert masked.content == client.get(path, headers=staff("counter")).content
    blank = client.get(path, headers=staff("operator")).content
    assert blank != masked.content, "an operator is not told of the person at all"
    plain = client.post(path, json={"reason": "papers"}, headers=staff("counter"))
    assert plain.status_code == 200, plain.text
    assert plain.content not in (masked.content, blank)
    crew = client.post(path, json={"reason": "papers"}, headers=staff("crew"))
    assert crew.content == masked.content, "their work needs nothing of it"
    auditor = client.post(path, json={"reason": "papers"}, headers=staff("auditor"))
    assert auditor.json()["code"] == "wrong-role"
    with owned(service) as connection:
        reads = connection.execute("SELECT role, masked, reason FROM vault.reads ORDER BY id").fetchall()
        unmasked = connection.execute(
            "SELECT FROM store.stored_events WHERE topic = 'water.office.ParticularsUnmasked.v1'"
        ).rowcount
    assert [(row["role"], row["masked"], row["reason"]) for row in reads] == [
        ("counter", True, None),
        ("counter", True, None),
        ("counter", False, "papers"),
        ("crew", True, "papers"),
    ]
    assert unmasked == 1


def test_a_refusal_is_made_out_to_its_applicant_for_thirty_days(client: httpx.Client, clock: ManualClock) -> None:
    case = client.post("/api/v1/connections", json=application(), headers=staff("counter")).json()["case_id"]
    body = {"reason": "arrears", "document_digest": digest_of(b"signed")}
    told = client.post(f"/api/v1/connections/{case}/refusal", json=body, headers=staff("manager"))
    assert told.status_code == 200, told.text
    path = f"/api/v1/cases/{case}/papers/refusal.pdf"

    def made_out() -> bool:
        answer = client.post(path, json={"reason": "papers"}, headers=staff("counter"))
        assert answer.status_code == 200, answer.text
        return answer.content != client.get(path, headers=staff("counter")).content

    assert made_out()
    clock.move(timedelta(days=31))
    assert not made_out()
