"""What the demo tells whoever watches: how to call the program, and nothing that nobody explains."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import cast

import pytest

from app.demo import city, play
from app.demo.community import crews
from app.demo.play import Player
from app.demo.run import _Show, first_seen, how_to_call, refusals_kept, run_demo
from app.demo.script import Request, Script
from app.supervisor import Supervisor
from app.up import with_addresses
from infra.clock import ManualClock
from infra.embedded import EmbeddedError
from infra.kafka.cluster import Record, case_key
from infra.readers.record import Event, parse
from infra.settings import Settings
from tests.unit.test_histories import FOLDER


def test_what_is_said_to_be_typed_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path(sys.executable).with_name("tongshui")
    monkeypatch.chdir(program.parents[2])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    typed = how_to_call()
    assert typed == str(program.relative_to(program.parents[2]))
    assert "tongshui" in subprocess.run([typed, "--version"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert how_to_call() == "tongshui"


def test_a_refusal_goes_to_the_demos_log_and_not_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_file = tmp_path / "log" / "demo.log"
    with refusals_kept(log_file):
        logging.getLogger(play.__name__).warning("%s was refused: %s %s", "/api/v1/repairs", "second-person-needed", "")
    assert "second-person-needed" in log_file.read_text(encoding="utf-8")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("astray", "lines"), [({}, 0), ({"second-person-needed": 2, "crew-busy": 1}, 1)])
def test_at_the_end_refusals_are_counted_and_explained(tmp_path: Path, astray: dict[str, int], lines: int) -> None:
    said: list[str] = []
    show = _Show(Settings(data_dir=tmp_path), cast(Supervisor, None), said.append, 0.0, 225, True)
    show._astray = Counter(astray)
    show._tell_refusals()
    assert len(said) == lines
    for line in said:
        assert "refused 3 of the play's requests (second-person-needed ×2, crew-busy ×1)" in line
        assert str(tmp_path / "log" / "demo.log") in line


def test_who_forgets_the_demos_folder_is_told_where_it_runs(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url="", kafka_bootstrap="")
    with pytest.raises(EmbeddedError, match="run `tongshui up`"):
        with_addresses(settings)
    with (
        Supervisor([], lambda line: None, tmp_path / "demo" / "up.json"),
        pytest.raises(EmbeddedError, match=f"for the demo that runs set TONGSHUI_DATA_DIR={tmp_path / 'demo'}"),
    ):
        with_addresses(settings)


def test_a_demo_whose_port_is_taken_leaves_the_last_ones_data(tmp_path: Path) -> None:
    kept = tmp_path / "demo" / "log" / "demo.log"
    kept.parent.mkdir(parents=True)
    kept.write_text("the last demo\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(data_dir=tmp_path, http_port=taken.getsockname()[1])
        with pytest.raises(EmbeddedError, match="port-in-use"):
            run_demo(settings, lambda line: None, until_proven=False, factor=600.0, seed=225, fresh=True)
    assert kept.read_text(encoding="utf-8") == "the last demo\n"


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        (
            "WindowLapsed",
            "WindowLapsed 超时 after 23.4 s from the start: case BX-2026-000001, promise 到场 repair.arrival, "
            "due 09-16 09:30, called 通知 值班经理 duty-manager",
        ),
        (
            "WindowRetracted",
            "WindowRetracted 超时撤回 after 23.4 s from the start: case BX-2026-000001, promise 到场 repair.arrival, "
            "due 09-16 09:30, because 已按时兑现 met-in-time",
        ),
    ],
)
def test_the_first_lapse_says_case_promise_and_who_is_called(fact: str, said: str) -> None:
    lines = (FOLDER / "repair-late-and-retracted.jsonl").read_bytes().splitlines()
    line = next(each for each in lines if f".{fact}.".encode() in each)
    event = parse(Record("t", 0, 0, case_key(json.loads(line)["subject"]), line, {"previousposition": b"0"}))
    assert isinstance(event, Event)
    assert first_seen(event, "BX-2026-000001", 23.4) == said


def test_crews_are_formed_before_anybody_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[str] = []

    async def slow_to_form(player: Player, client: object, path: str, *rest: object) -> dict[str, str]:
        if path.endswith("/crews"):
            for _ in range(20):
                await asyncio.sleep(0)
        answered.append(path.rpartition("/")[2])
        return {"case_id": "1"}

    monkeypatch.setattr(Player, "_send", slow_to_form)
    nobody = Script("r", "repairs", (Request(city.START, "", {}, "a", "hotline", "hotline"),))

    async def play_twice() -> None:
        player = Player("http://127.0.0.1:1", ManualClock(city.START), "secret")
        await player.play(list(crews(city.START)), asyncio.Event())
        await player.play([nobody, *crews(city.START)], asyncio.Event())

    asyncio.run(play_twice())
    assert answered.count("crews") == 60
    assert answered[-1] == "repairs", "nobody is sent before every crew is formed and at work"
