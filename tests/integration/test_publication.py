"""The office's commands on a real store: a file becomes a rule, and two people cannot publish past each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
from click.testing import CliRunner, Result

from app.admin import stamp
from app.cli import main
from app.status_report import calendar_lines, store_status
from domain import kinds
from domain.connections.facts import ApplicationAdmitted, ApplicationReceived
from domain.kernel.facts import EventToAppend
from domain.kernel.refusals import Refusal
from domain.publication.calendars import calendar_warnings
from domain.publication.publishing import Standards
from domain.standard.flat import as_published
from infra.eventstore import publication, recompute
from infra.eventstore.commands import Command, Receipt, Stream
from infra.eventstore.documents import notice_of
from infra.eventstore.publication import CalendarWanted
from infra.eventstore.service import Service, open_service
from infra.eventstore.shipped_rules import LAW, STANDARDS, calendar_stream, shipped_law
from infra.settings import Settings
from projections.read_models.windows import WINDOWS, WindowRow
from tests.unit.cases import SUBJECT
from tests.unit.office import a_catalogue, a_standard, an_item

NOTICE = {"year": 2027, "days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": True}]}
# What a State Council that thinks again might say: Monday 21 September 2026 is off.
REVISED = json.loads((resources.files("infra") / "data" / "holiday-cn" / "2026.json").read_text(encoding="utf-8"))
REVISED["days"].append({"name": "临时放假", "date": "2026-09-21", "isOffDay": True})
MANAGER = ("--actor", "staff-1", "--role", "manager")
CONFIRMED = (*MANAGER, "--confirmed-by", "director-2")
OTHER = ("--actor", "staff-2", "--role", "manager")
DIRECTOR = ("--actor", "staff-3", "--role", "deputy-director")


@pytest.fixture
def run(store_settings: Settings, service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line on the test's own store and clock; ``service`` looks at the same store meanwhile."""
    monkeypatch.setattr("app.cli.published.located_settings", lambda: store_settings)
    monkeypatch.setattr("app.admin.open_service", lambda settings: open_service(settings, clock=service.clock))
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


def said(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def refused(result: Result, code: str) -> str:
    assert result.exit_code == 1, result.output
    assert result.output.startswith(f"tongshui: {code}: "), result.output
    assert len(result.output.splitlines()) == 1
    return result.output


def written(folder: Path, document: Any) -> Path:
    file = folder / "document.json"
    file.write_bytes(msgspec.json.encode(document))
    return file


def open_case(service: Service, number: str = "BZ-1") -> Stream:
    stream = Stream(kinds.CONNECTION, uuid4())
    facts = (ApplicationReceived(number, "private", 1, SUBJECT), ApplicationAdmitted())

    def decide(snapshot: Any) -> list[tuple[Stream, EventToAppend]]:
        return [(stream, EventToAppend(fact, snapshot.at)) for fact in facts]

    service.run(Command(stream, stamp("staff-1", "manager"), decide))
    return stream


def due_on(service: Service, stream: Stream) -> str:
    state, _ = service.load(stream)
    return str(state.ledger["connection.water_on"].due_at.date())


# ---- calendars


def test_a_notice_is_loaded_shown_and_judged_by(run: Callable[..., Result], service: Service, tmp_path: Path) -> None:
    said(run("calendar", "load", written(tmp_path, NOTICE), "--source", "示例通知", *CONFIRMED))
    shown = said(run("calendar", "show"))
    assert "2027-1" in shown
    assert "settled until 2027-12-28" in shown
    assert "source: 示例通知" in shown
    second = open_service(service.settings, clock=service.clock)
    assert second.rules.calendar.version == "CN@2027-1"
    assert not second.rules.calendar.is_working_day(date(2027, 1, 1))
    second.close()


def test_a_dry_run_lists_what_would_move_and_publishes_nothing(
    run: Callable[..., Result], service: Service, tmp_path: Path
) -> None:
    case = open_case(service)
    before = service.load(calendar_stream("CN"))[1]
    tried = said(run("calendar", "load", written(tmp_path, REVISED), "--dry-run"))
    assert "BZ-1  connection.water_on  2026-09-22 17:30 -> 2026-09-23 17:30  settled -> settled" in tried
    assert "deadlines that would move 1, open cases 1" in tried
    assert service.load(calendar_stream("CN"))[1] == before
    assert due_on(service, case) == "2026-09-22"


def test_loading_what_was_tried_moves_just_that_and_counts_it_the_same(
    run: Callable[..., Result], service: Service, tmp_path: Path
) -> None:
    case = open_case(service)
    tried = said(run("calendar", "load", written(tmp_path, REVISED), "--dry-run"))
    loaded = said(run("calendar", "load", written(tmp_path, REVISED), *CONFIRMED))
    assert "deadlines that would move 1, open cases 1" in tried
    assert "deadlines moved 1, open cases 1, " in loaded
    assert due_on(service, case) == "2026-09-23"
    state, _ = service.load(case)
    assert state.ledger["connection.water_on"].lapse_count == 0


def test_what_the_watch_has_moved_meanwhile_is_counted_by_whoever_loads(
    run: Callable[..., Result], service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_case(service)
    job = recompute.run
    monkeypatch.setattr(recompute, "run", lambda theirs: (job(theirs), job(theirs))[1])  # the watch was first
    assert "deadlines moved 1, open cases 1, " in said(run("calendar", "load", written(tmp_path, REVISED), *CONFIRMED))


def test_a_dry_run_of_a_region_that_nobody_counts_by_says_so(
    run: Callable[..., Result], service: Service, tmp_path: Path
) -> None:
    tried = said(run("calendar", "load", written(tmp_path, NOTICE), "--region", "CN-Xiangxi", "--dry-run"))
    assert "nothing would move" in tried


def test_what_is_no_notice_is_one_clear_line(run: Callable[..., Result], service: Service, tmp_path: Path) -> None:
    refused(run("calendar", "load", written(tmp_path, NOTICE | {"x": 1}), *CONFIRMED), "bad-document")
    refused(run("calendar", "load", written(tmp_path, NOTICE | {"year": 2028}), *CONFIRMED), "outside-calendar")
    late = {"year": 2029, "days": [{"name": "元旦", "date": "2029-01-01", "isOffDay": True}]}
    refused(run("calendar", "load", written(tmp_path, late), *CONFIRMED), "year-skipped")
    refused(run("calendar", "load", written(tmp_path, NOTICE), "--actor", "s-1", "--role", "crew"), "wrong-role")
    refused(run("calendar", "load", written(tmp_path, NOTICE), "--actor", "s-1", "--role", "king"), "unknown-role")
    refused(run("calendar", "load", written(tmp_path, NOTICE), "--actor", "张三", "--role", "manager"), "bad-actor")
    for second in ("张三", "13812345678"):
        refused(run("calendar", "load", written(tmp_path, NOTICE), *MANAGER, "--confirmed-by", second), "bad-actor")
    refused(run("calendar", "load", written(tmp_path, NOTICE), "--region", "US-NY", *CONFIRMED), "unknown-region")
    assert len(service.load(calendar_stream("CN"))[1]) == 1


def test_status_shows_the_calendar_and_warns_of_a_missing_notice(service: Service) -> None:
    # The installation's clock is real time here, so what is missing depends on the day: the line itself does not.
    found, said_up = store_status(service.settings)
    assert (said_up, found is not None) == ("up", True)
    assert found is not None
    assert found.calendar is not None
    assert calendar_lines(found)[0].startswith("calendar   CN@2026-1, settled until 2026-12-28")
    warnings = calendar_warnings(service.rules.calendar, service.rules.newest, date(2027, 1, 2))
    line = calendar_lines(replace(found, calendar=replace(found.calendar, warnings=warnings)))[1].strip()
    assert line.startswith("ALARM no notice of 2027 is loaded")


def test_of_two_notices_at_once_both_are_in_the_calendar(service: Service) -> None:
    years = (notice_of(msgspec.json.encode(NOTICE)), notice_of(msgspec.json.encode(REVISED)))

    def load(number: int) -> Receipt:
        wanted = CalendarWanted("CN", years[number], "示例通知", confirmed_by="director-2")
        return service.run(publication.publish_calendar(stamp(f"staff-{number}", "manager"), wanted))

    with ThreadPoolExecutor(2) as pool:
        receipts = list(pool.map(load, range(2)))
    assert {receipt.last_version for receipt in receipts} == {2, 3}
    state, _ = service.load(calendar_stream("CN"))
    moved = {day.date for day in state.published[-1][1].days}
    assert {date(2027, 1, 1), date(2026, 9, 21)} <= moved


# ---- standards and fees


def test_a_standard_goes_from_a_file_to_every_process(
    run: Callable[..., Result], service: Service, tmp_path: Path
) -> None:
    file = written(tmp_path, as_published(a_standard(silence_working_days=4)))
    assert "standard 0225-6 is drafted" in said(run("standard", "draft", file, *MANAGER))
    refused(run("standard", "approve", "0225-6", *MANAGER), "wrong-role")
    same = ("--actor", "staff-1", "--role", "deputy-director")
    refused(run("standard", "approve", "0225-6", *same), "same-person")
    assert "standard 0225-6 is published" in said(run("standard", "approve", "0225-6", *DIRECTOR))
    refused(run("standard", "approve", "0225-6", *DIRECTOR), "no-such-draft")
    second = open_service(service.settings, clock=service.clock)
    now = service.clock.now()
    assert second.rules.in_force(now).version == "2026-06-1"
    assert second.rules.in_force(now + timedelta(days=1)).connection.silence_working_days == 4
    second.close()


def test_a_standard_that_breaks_the_promise_is_not_drafted(
    run: Callable[..., Result], service: Service, tmp_path: Path
) -> None:
    file = written(tmp_path, as_published(a_standard(connection_working_days=6)))
    line = refused(run("standard", "draft", file, *MANAGER), "beyond-the-promise")
    assert "超出公开承诺" in line
    state: Standards = service.load(STANDARDS)[0]
    assert state.drafts == {}


def test_a_catalogue_goes_from_a_file_to_what_may_be_charged(
    run: Callable[..., Result], service: Service, tmp_path: Path
) -> None:
    said(run("fees", "draft", written(tmp_path, a_catalogue()), *MANAGER))
    for authority in ("price-authority", "market-regulator"):
        refused(run("fees", "publish", "2026-2", *OTHER), "review-missing")
        opinion = ("--outcome", "agreed", "--document", "示例文号〔2026〕7号", "--actor", f"{authority}-1")
        said(run("fees", "review", "2026-2", "--authority", authority, *opinion))
    said(run("fees", "publish", "2026-2", *OTHER))
    second = open_service(service.settings, clock=service.clock)
    in_force = second.rules.catalogue(service.clock.now() + timedelta(days=1))
    assert in_force is not None
    assert in_force.version == "2026-2"
    second.close()


def test_of_two_approvals_at_once_one_is_published(service: Service) -> None:
    service.run(publication.draft_standard(stamp("staff-1", "manager"), a_standard()))

    def approve(number: int) -> str:
        who = stamp(f"director-{number}", "deputy-director")
        try:
            service.run(publication.approve_standard(who, "0225-6", ("CN",)))
        except Refusal as refusal:
            return refusal.code
        return "published"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(approve, range(2))) == ["no-such-draft", "published"]


# ---- the law


def test_the_law_is_listed_shown_tried_and_published(
    run: Callable[..., Result], service: Service, tmp_path: Path
) -> None:
    assert "water-supply-23                2026-06-01 …  供水条例 §23 (国务院令第831号, seen in a secondary" in said(
        run("law", "list")
    )
    assert "urban-water-supply-22" not in said(run("law", "list", "--on", "2026-06-01"))
    assert "urban-water-supply-22" in said(run("law", "list", "--on", "2026-05-31"))
    shown = said(run("law", "show", "fees-2020-129"))
    assert "forbids to charge 禁收: 接水费、增容费" in shown
    assert "basis of refusal 拒绝: fee-banned" in shown
    refused(run("law", "show", "tea-1"), "no-such-article")

    open_window = open_outage(service)
    law = shipped_law()
    ended = tuple(
        replace(each, valid_from=date(2026, 12, 1)) if each.code == "water-supply-23" else each for each in law.articles
    )
    corrected = written(tmp_path, replace(law, version="2026-2", articles=ended, reason="施行日期更正"))
    before = service.load(LAW)[1]
    tried = said(run("law", "publish", corrected, "--dry-run"))
    assert "corrected 更正  water-supply-23" in tried
    assert "promise outage.notice: water-supply-23 -> no basis 无依据  from 自 2026-06-01 until 至 2026-11-30" in tried
    assert "open windows that would cite other articles 1, of cases 1" in tried
    assert service.load(LAW)[1] == before
    refused(run("law", "publish", corrected, "--actor", "staff-1", "--role", "counter"), "wrong-role")
    nothing_said = written(tmp_path, replace(law, version="2026-3", articles=ended))
    assert "修订须在 reason 中说明原因" in refused(
        run("law", "publish", nothing_said, *MANAGER), "revision-without-reason"
    )
    corrected = written(tmp_path, replace(law, version="2026-2", articles=ended, reason="施行日期更正"))
    assert "law 2026-2 is published" in said(run("law", "publish", corrected, *MANAGER))
    second = open_service(service.settings, clock=service.clock)
    assert [each.version for each in second.rules.laws] == ["2026-1", "2026-2"]
    assert second.rules.cited("promise", "outage.notice", open_window) == ()
    second.close()


def test_an_older_store_gets_the_law_at_its_next_start(service: Service) -> None:
    assert service.rules.law == shipped_law()
    (event,) = service.load(LAW)[1]
    assert (event["type"], event["actor"]) == ("water.public.LawPublished.v1", "tongshui")


def test_a_refusal_at_the_terminal_cites_the_article(run: Callable[..., Result], tmp_path: Path) -> None:
    item = an_item(name_zh="水钻工程费")
    line = refused(run("fees", "draft", written(tmp_path, a_catalogue(item)), *MANAGER), "fee-banned")
    assert "by 关于清理规范城镇供水供电供气供暖行业收费促进行业高质量发展的意见 (国办函〔2020〕129号)" in line


def open_outage(service: Service) -> datetime:
    """An outage whose notice is owed, in the read model of windows; gives when its window began."""
    at = service.clock.now()
    row = WindowRow(
        case_id=uuid4(), commitment="outage.notice", family="outage", number=1, opened_at=at,
        due_at=at + timedelta(hours=1), tentative=False, standard="0225-5", calendar=None, state="running",
        met_at=None, on_time=None, lapses=0, retracted=0, lapsed_ends=(), position=1,
    )  # fmt: skip
    with psycopg.connect(service.settings.database_url, autocommit=True) as connection:
        WINDOWS.store(connection.cursor(), [row])
    return at
