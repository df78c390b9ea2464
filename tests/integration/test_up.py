"""``tongshui up`` and the commands beside it, as programs: refusals in one line, nothing left behind, every command."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from psycopg.conninfo import make_conninfo

from infra.embedded import EmbeddedKafka, EmbeddedPostgres, free_port
from infra.kafka.access import OPERATOR
from tests.api_world import staff
from tests.faults.cases import SLOW, tell_cases
from tests.faults.installation import PARTS, Ended, Installation, gone, installed, new_home, wait_until
from tests.faults.load import clock_of


@pytest.fixture(scope="module")
def it() -> Iterator[Installation]:
    """A running installation with a few cases, some of them lapsed."""
    with installed(**SLOW) as running:
        tell_cases(running, 4)
        wait_until(lambda: not running.lagging(), what="the readers")
        running.wait_for_agreement()
        yield running


@pytest.fixture
def home() -> Iterator[Path]:
    with new_home() as path:
        yield path


def refused(it: Installation) -> Ended:
    """Start ``up``, which must end by itself."""
    ended = it.run("up")
    assert ended.code == 1, ended
    assert ended.out == ""
    return ended


# ---- refusals


def test_a_second_up_on_the_same_data_directory_is_refused(it: Installation) -> None:
    """Whether it asks for the same port or for another one."""
    assert it.process is not None
    second = Installation(it.home, **SLOW)
    for port in (it.options["http_port"], second.options["http_port"]):
        second.options["http_port"] = port
        complaint = refused(second).complaint
        assert complaint.startswith(f"tongshui: already-running: found process {it.process.pid} running on")
        assert f"kill {it.process.pid}" in complaint
        assert "TONGSHUI_DATA_DIR" in complaint
    assert it.run("status").code == 0


def test_each_line_of_a_log_has_one_time_and_no_control_codes(it: Installation) -> None:
    wait_until(lambda: it.run("status").code == 0, what="a status that is well")  # Faust's workers are up
    written = {part: it.log(part) for part in PARTS if part not in ("postgres", "kafka")}
    assert not [part for part, text in written.items() if "\x1b" in text or "OK ^" in text]
    twice = re.compile(r"^\S+Z [a-z-]+\[\d+\] .{0,3}\d{4}-\d\d-\d\d", re.MULTILINE)
    assert not [part for part, text in written.items() if twice.search(text)]


def test_a_port_in_use_is_refused_before_anything_is_started(home: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        complaint = refused(Installation(home, http_port=port)).complaint
    assert complaint.startswith(f"tongshui: port-in-use: found port {port} on 127.0.0.1")
    assert "TONGSHUI_HTTP_PORT" in complaint
    assert not (home / "data").exists()


def test_a_data_directory_of_another_postgresql_is_refused_untouched(home: Path) -> None:
    data = home / "data" / "postgres" / "data"
    data.mkdir(parents=True, mode=0o700)
    (data / "PG_VERSION").write_text("16\n")
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    complaint = refused(Installation(home)).complaint
    assert complaint.startswith("tongshui: postgres-data-version: found a PostgreSQL 16 cluster")
    assert "pg_dumpall" in complaint
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
    shutil.rmtree(home / "data")


def test_a_directory_that_cannot_be_written_is_refused(home: Path) -> None:
    (home / "data").write_text("a file")
    complaint = refused(Installation(home)).complaint
    assert complaint.startswith("tongshui: data-directory-unwritable")
    assert "TONGSHUI_DATA_DIR" in complaint
    (home / "data").unlink()


def test_a_setting_that_makes_no_sense_is_named(home: Path) -> None:
    complaint = refused(Installation(home, clock_factor="fast")).complaint
    assert complaint.startswith("tongshui: bad-setting: TONGSHUI_CLOCK_FACTOR: found 'fast'")


def test_a_variable_that_is_no_setting_is_refused_with_the_one_that_was_meant(home: Path) -> None:
    complaint = refused(Installation(home, htpp_port=free_port())).complaint
    assert complaint.startswith("tongshui: unknown-setting: found the variable TONGSHUI_HTPP_PORT")
    assert "did you mean TONGSHUI_HTTP_PORT?" in complaint


def test_external_parts_without_their_addresses_are_refused(home: Path) -> None:
    ended = Installation(home).run("up", "--external")
    assert ended.code == 1
    assert ended.complaint.startswith(
        "tongshui: settings-missing: found no TONGSHUI_DATABASE_URL and no TONGSHUI_KAFKA"
    )


@pytest.mark.slow  # unit/test_supervisor: a step that meets a part that is away is tried again, each try in one line
def test_external_parts_that_are_away_at_the_start_are_waited_for(home: Path) -> None:
    """Each try is one line that says what, why and when again; Ctrl-C ends the waiting."""
    postgres, kafka = EmbeddedPostgres(home / "elsewhere" / "pg"), EmbeddedKafka(home / "elsewhere" / "kafka")
    it = Installation(home, database_url=postgres.conninfo(), kafka_bootstrap=kafka.bootstrap)
    try:
        # Its database is there before: a server without it is a mistake for a person, and would end the start at once.
        postgres.start()
        postgres.stop()
        process = it.launch("--external")
        wait_until(lambda: it.output().count("migrate: failed") >= 2, what="two tries")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        _, *tries = it.output().splitlines()  # and first what is waited for
        line = r"migrate: failed after \d+\.\d s \(postgres-unreachable: .*\); it is tried again in \d\.\d s"
        assert all(re.fullmatch(line, each) for each in tries), tries

        process = it.launch("--external")
        wait_until(lambda: "postgres-unreachable" in it.output(), what="a try without PostgreSQL")
        postgres.start()
        wait_until(lambda: "kafka-unreachable" in it.output() or process.poll() is not None, what="a try without Kafka")
        assert process.poll() is None, it.output()
        kafka.start()
        wait_until(lambda: "relay: started" in it.output(), what="the first process")
    finally:
        it.kill()
        kafka.kill()
        postgres.stop(immediate=True)
        postgres.wipe()


def test_external_parts_that_a_person_must_put_right_end_the_start_at_once(it: Installation, home: Path) -> None:
    there: dict[str, object] = {
        "database_url": it.settings.database_url,
        **it.kafka_of(OPERATOR),
    }
    ended = Installation(home, **there | {"database_url": make_conninfo(it.settings.database_url, dbname="none")}).run(
        "up", "--external"
    )
    assert ended.code == 1
    _, complaint = ended.err.splitlines()  # the first says what is begun
    assert complaint.startswith("tongshui: postgres-unreachable:")
    assert 'database "none" does not exist' in complaint
    key = it.data / "master.key"  # the vault there is sealed with it
    ended = Installation(home, **there, partitions=8, master_key_file=key).run("up", "--external")
    assert ended.code == 1
    *_, complaint = ended.err.splitlines()
    assert complaint.startswith("tongshui: partition-count: found 4 partitions")


@pytest.mark.parametrize(
    "command",
    [
        ("timeline", "BX-2026-000001"),
        ("relay",),
        *(pytest.param(each, marks=pytest.mark.slow) for each in (("tail", "breach"), ("migrate",), ("api",))),
        ("billing",),
    ],
)
def test_a_command_where_nothing_runs_says_so_in_one_line(home: Path, command: tuple[str, ...]) -> None:
    ended = Installation(home).run(*command)
    assert ended.code == 1
    assert ended.complaint.startswith("tongshui: nothing-runs")
    assert "tongshui up" in ended.complaint


def test_the_status_of_nothing_says_so(home: Path) -> None:
    ended = Installation(home).run("status")
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.startswith("nothing-runs")
    as_json = Installation(home).run("status", "--json")
    assert (as_json.code, json.loads(as_json.out)) == (1, {"error": "nothing-runs"})


# ---- the end


@pytest.mark.slow  # unit/test_supervisor: a killed supervisor leaves nothing running
def test_a_killed_up_leaves_no_process_and_its_data_to_the_next_which_ctrl_c_ends(home: Path) -> None:
    it = Installation(home, **SLOW)
    it.start()
    tell_cases(it, 1)
    cases, http_port = it.one("SELECT count(*) FROM store.stored_events"), int(str(it.options["http_port"]))
    processes = it.processes()
    assert len(processes) > len(PARTS)
    it.kill()
    wait_until(lambda: gone(processes), 60, what="the end of every process")

    it.start()
    assert it.one("SELECT count(*) FROM store.stored_events") == cases
    processes = it.processes()
    assert it.process is not None
    # As a terminal does it: the signal goes to the whole group of the program.
    os.killpg(it.process.pid, signal.SIGINT)
    assert it.process.wait(120) == 0
    assert gone(processes)
    assert not (it.data / "up.json").exists()
    assert "Traceback" not in it.output()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", http_port)) != 0


def test_ctrl_c_while_it_still_starts_leaves_nothing(home: Path) -> None:
    it = Installation(home)
    process = it.launch()
    wait_until(lambda: "postgres: ready" in it.output(), what="the first part")
    processes = it.processes()
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0
    assert gone(processes)
    assert "Traceback" not in it.output()


def test_a_part_that_dies_is_told_and_started_again(it: Installation) -> None:
    pid = it.kill_part("billing")
    it.wait_for_part("billing", other_than=pid)
    assert re.search(r"^billing: SIGKILL after .* s; it is started again in 0\.2 s$", it.output(), re.MULTILINE)
    assert re.search(r"billing .* restarts [1-9]", it.run("status").out)


# ---- small


@pytest.fixture
def small(home: Path) -> Iterator[Installation]:
    """A small installation that is well."""
    running = Installation(home)
    try:
        running.start("--small")
        wait_until(lambda: running.run("status").code == 0, what="a status that is well")
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            running.kill()


@pytest.mark.slow
def test_a_small_installation_shares_memory_and_each_part_still_dies_and_comes_again_alone(small: Installation) -> None:
    relay, billing = small.part("relay")["pid"], small.kill_part("billing")
    small.wait_for_part("billing", other_than=billing)
    assert small.part("relay")["pid"] == relay
    assert psutil.Process(relay).name() == "ts-relay"
    shared = psutil.Process(relay).memory_full_info()
    assert shared.pss < 0.7 * shared.rss
    processes = small.processes()
    assert small.stop() == 0, small.output()
    wait_until(lambda: gone(processes), 10, what="the end of every process")


@pytest.mark.slow
def test_without_its_fork_server_every_part_comes_again_as_a_program(small: Installation) -> None:
    relay = small.part("relay")["pid"]
    psutil.Process(psutil.Process(relay).ppid()).kill()
    for part in PARTS[2:]:
        small.wait_for_part(part, other_than=relay)
    wait_until(lambda: small.run("status").code == 0, what="a status that is well again")
    assert "app.cli" in psutil.Process(small.part("relay")["pid"]).cmdline()


# ---- the commands


def test_status_tells_of_every_part(it: Installation) -> None:
    wait_until(lambda: it.run("status").code == 0, what="a status that is well")
    text = it.run("status").out
    for part in PARTS:
        assert re.search(rf"^  {part} +up +pid \d+ +restarts \d+$", text, re.MULTILINE), text
    addresses = (f"at {it.settings.kafka_bootstrap}", "database ")
    shown = ("postgres   up", "kafka      up, cluster", f"head {it.head()}", "lag 0 events", "lapsed")
    for words in (*addresses, *shown):
        assert words in text
    for reader in ("cases", "windows", "breaches", "due", "billing"):
        assert re.search(rf"^reader +{reader} .* 0 behind$", text, re.MULTILINE), text


def test_status_as_json(it: Installation) -> None:
    ended = it.run("status", "--json")
    found = json.loads(ended.out)
    assert found["well"] is True
    assert found["supervisor"]["parts"].keys() == set(PARTS)
    assert found["status"]["relay"]["lag"] == 0
    assert found["status"]["head"]["position"] == it.head()


@pytest.mark.slow  # integration/test_full_disk: what the status says of a Kafka that does not answer
def test_status_of_a_part_that_is_down_ends_with_1(it: Installation) -> None:
    assert it.process is not None
    it.process.send_signal(signal.SIGSTOP)  # or the supervisor would start it again
    try:
        broker = psutil.Process(it.part("kafka")["pid"])
        broker.send_signal(signal.SIGSTOP)
        ended = it.run("status")
        broker.send_signal(signal.SIGCONT)
    finally:
        it.process.send_signal(signal.SIGCONT)
    assert ended.code == 1
    assert "kafka      DOWN" in ended.out
    assert "Traceback" not in ended.err


def test_timeline_by_number_and_by_id_is_rebuilt_from_kafka_alone(it: Installation) -> None:
    (case,) = it.query("SELECT case_id::text, case_number FROM views.cases WHERE family = 'repair' LIMIT 1")
    stored = [row["state"] for row in it.events() if str(row["case_id"]) == case["case_id"]]
    by_number = it.run("timeline", case["case_number"], "--json")
    assert by_number.code == 0
    assert [line.encode() for line in by_number.lines] == stored
    lines = it.run("timeline", case["case_id"]).lines
    assert len(lines) == len(stored)
    assert "FaultReported" in lines[0]
    assert "0743" not in "".join(lines)


def test_a_notice_is_sent_proven_and_on_the_outages_timeline_by_its_number(it: Installation) -> None:
    begin = clock_of(it).now() + timedelta(days=2)
    form = {"districts": ["qianzhou"], "affected_users": 300, "approval": "示例文号〔2026〕7号"}
    form |= {"begin": begin.isoformat(), "end": (begin + timedelta(hours=6)).isoformat()}
    with httpx.Client(base_url=f"{it.base_url}/api/v1", headers=staff("manager"), timeout=20) as client:
        outage = client.post("/outages/planned", json=form).json()
        path = f"/outages/{outage['case_id']}"
        assert client.post(f"{path}/notices/order", json={"way": "page"}).status_code == 200
        wait_until(lambda: client.get(path).json()["proven"] == [1], what="the proof")
        (notice,) = client.get("/notices").json()["notices"]
    assert "乾州街道" in notice["text"]
    assert re.search(r"proven +outage-notice by page, round 1, attempt 1 +receipt page-", it.run("outbox", "list").out)
    assert "outbox     waiting 0, sent 0, proven 1, dead 0" in it.run("status").out
    wait_until(lambda: not it.lagging(), what="the readers")
    lines = it.run("timeline", outage["case_number"]).lines
    assert [name for line in lines if (name := line.split()[5]).startswith("OutageNotice")] == [
        "OutageNoticeOrdered",
        "OutageNoticeSent",
        "OutageNoticeProven",
    ]


def test_verify_recounts_every_verdict_from_kafka_alone(it: Installation) -> None:
    (found,) = it.query("SELECT count(*) AS cases FROM views.cases")
    ended = it.run("verify", "--steps", "--json")
    assert ended.code == 0, ended.out
    counts = json.loads(ended.lines[-1])
    assert counts["cases"] >= found["cases"]
    assert (counts["disagreements"], counts["not_recounted"]) == (0, {})
    (lapsed,) = it.query("SELECT case_id::text FROM views.windows WHERE lapses > 0 LIMIT 1")
    one = json.loads(it.run("verify", "--case", lapsed["case_id"], "--json").lines[-1])
    assert one["cases"] == 1


def test_timeline_needs_no_database(it: Installation) -> None:
    (case,) = it.query("SELECT case_number FROM views.cases WHERE family = 'connection' LIMIT 1")
    other = Installation(it.home / "elsewhere", **it.kafka_of(OPERATOR))
    other.home.mkdir(exist_ok=True)
    ended = other.run("timeline", case["case_number"])
    assert ended.code == 0
    assert "ApplicationReceived" in ended.lines[0]


def test_a_timeline_as_of_an_instant_is_what_was_known_then(it: Installation) -> None:
    (case,) = it.query("SELECT case_id::text, case_number FROM views.cases WHERE family = 'repair' LIMIT 1")
    stored = [json.loads(row["state"]) for row in it.events() if str(row["case_id"]) == case["case_id"]]
    then = stored[0]["recordedat"]
    lines = it.run("timeline", case["case_number"], "--as-of", then, "--json").lines
    assert [json.loads(line)["recordedat"] <= then for line in lines] == [True] * len(lines)
    assert 0 < len(lines) < len(stored)


def test_an_auditor_takes_an_export_and_a_bundle_away_and_verifies_them_with_nothing_running(it: Installation) -> None:
    export, kept, taken = it.home / "export", it.home / "kept", it.home / "case.zip"
    wait_until(lambda: it.one("SELECT max(position) FROM notary.checkpoints") == it.head(), what="the notary")
    wait_until(lambda: not it.lagging(), what="the readers")
    assert it.run("audit", "export", "--out", str(export), "--hashes-only", "office").code == 0
    shutil.copy(export / "keep.checkpoint", kept)
    key = str(it.data / "notary" / "key.pub")
    offline = Installation(it.home / "elsewhere")
    offline.home.mkdir(exist_ok=True)
    verify = ("audit", "verify", "--file", str(export), "--checkpoint", str(kept), "--key", key)
    ended = offline.run(*verify)
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines[-1].startswith("verified 核验通过")

    (case,) = it.query("SELECT case_id::text, case_number FROM views.cases LIMIT 1")
    assert it.run("audit", "bundle", case["case_number"], "--out", str(taken), "--since", str(kept)).code == 0
    ended = offline.run("audit", "verify-bundle", str(taken), "--checkpoint", str(kept), "--key", key)
    assert (ended.code, ended.err) == (0, ""), ended.out

    path = next(
        path for path in (export / "topics").glob("water.repair.v1-*") if len(path.read_bytes().splitlines()) > 1
    )
    lines = path.read_bytes().splitlines()
    position, whose = json.loads(lines[1])["position"], json.loads(lines[1])["subject"]
    path.write_bytes(b"\n".join([lines[0], lines[1].replace(b'"actor":"', b'"actor":"x'), *lines[2:], b""]))
    ended = offline.run(*verify)
    assert ended.code == 1
    assert ended.lines[0].startswith(f"changed: position {position} case {whose}")
    assert "0743" not in ended.out


@pytest.mark.parametrize("case", ["BX-2026-999999", "00000000-0000-0000-0000-000000000000", "no such thing"])
def test_timeline_of_an_unknown_case_says_so_in_one_line(it: Installation, case: str) -> None:
    ended = it.run("timeline", case)
    assert ended.code == 1
    assert ended.complaint.startswith(f"tongshui: no-such-case: found no event of {case}")


def test_tail_breach_from_the_start_prints_every_breach_and_ends_with_ctrl_c(it: Installation) -> None:
    stored = [row for row in it.events() if re.search(r"\.Window(Nearing|Lapsed|Retracted|Escalated)\.", row["type"])]
    for arguments in (["--json"], []):
        lines = tailed(it, ["tail", "breach", "--from-start", *arguments], len(stored))
        if arguments:
            assert {line.encode() for line in lines} == {row["state"] for row in stored}
        else:
            assert sum("LAPSED" in line for line in lines) == sum("Lapsed" in row["type"] for row in stored) > 0
            assert sum("retracted" in line for line in lines) > 0


def tailed(it: Installation, arguments: list[str], number: int) -> list[str]:
    """The first lines of a program that goes on, which is ended then."""
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", *arguments],
        env=it.environment | {"PYTHONUNBUFFERED": "1"},
        cwd=it.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        lines = [program.stdout.readline().rstrip("\n") for _ in range(number)]
        program.send_signal(signal.SIGINT)
        rest, complaints = program.communicate(timeout=60)
    assert (program.returncode, rest, complaints) == (0, "", "")
    return lines


def test_due_needs_nothing_running(home: Path) -> None:
    it = Installation(home)
    day = it.run("due", "--from", "2026-02-13", "--working-days", "5")
    assert (day.code, day.err) == (0, "")
    assert day.out.startswith("2026-02-27 Fri  calendar CN@2026-1")
    as_json: dict[str, Any] = json.loads(it.run("due", "--from", "2026-12-30", "--working-days", "5", "--json").out)
    assert (as_json["due"], as_json["tentative"], as_json["calendar"]) == ("2027-01-07", True, "CN@2026-1")
    assert not it.data.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "2026-02-13", "--working-days", "5", "--region", "CN-Nowhere"], "unknown-region"),
        (["--from", "2026-02-13", "--working-days", "0"], "--working-days"),
        (["--from", "13.02.2026", "--working-days", "5"], "--from"),
        (["--from", "1990-01-01", "--working-days", "5"], "outside-calendar"),
        (["--from", "9999-12-30", "--working-days", "5"], "outside-calendar"),
    ],
)
def test_due_refuses_what_it_cannot_tell(home: Path, arguments: list[str], words: str) -> None:
    ended = Installation(home).run("due", *arguments)
    assert ended.code in (1, 2)
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_migrate_again_changes_nothing(it: Installation) -> None:
    head = it.head()
    ended = it.run("migrate")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.splitlines()[0] == "migrate: nothing to do"
    assert re.search(r"^migrate: 8 topics on cluster ", ended.err, re.MULTILINE)
    assert it.head() == head
