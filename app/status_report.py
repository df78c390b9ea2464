"""``tongshui status`` as text: each part up or not, positions, lag, lateness."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from eventsourcing.persistence import PersistenceError
from kafka.errors import KafkaError
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from app.supervisor import running_state
from app.up import state_file, with_addresses
from domain.deadlines.calendar import LOCAL
from infra.clock import REAL, Clock, ScaledClock
from infra.disk_space import MB
from infra.embedded.errors import EmbeddedError
from infra.eventstore.application import open_store
from infra.eventstore.service import load_rules
from infra.kafka.cluster import admin_client, look_up, topics
from infra.kafka.diagnose import KafkaRefused
from infra.kafka.topic_settings import TopicFinding, findings
from infra.settings import Settings
from infra.sql import sql
from infra.status import (
    CalendarStatus,
    CanaryStatus,
    StandardStatus,
    Status,
    Watching,
    calendar_status,
    collect,
    standard_status,
)


def status_report(settings: Settings, *, as_json: bool) -> tuple[str, bool]:
    """The report, and whether all is well. Asks PostgreSQL and Kafka; either may be down."""
    state = running_state(state_file(settings))
    try:
        settings = with_addresses(settings)
    except EmbeddedError as error:
        return (msgspec.json.encode({"error": error.code}).decode() if as_json else str(error)), False
    found, postgres = store_status(settings)
    address = postgres_address(settings)
    kafka, wrong = _kafka(settings)
    well = found is not None and kafka.startswith("up") and not wrong
    well = well and found is not None and _is_well(found, state, settings.relay_alarm_s)
    well = well and found is not None and not clock_lines(found, settings.clock_tolerance_s)
    if as_json:
        told = {"well": well, "postgres": postgres, "kafka": kafka, "supervisor": state, "status": found}
        told |= {"postgres_at": address, "kafka_at": settings.kafka_bootstrap}
        return msgspec.json.encode(told | {"topics_now": wrong}).decode(), well
    lines = [f"postgres   {postgres}", f"           at {address}", f"kafka      {kafka}"]
    lines += [f"           at {settings.kafka_bootstrap}", *(f"           {each}" for each in wrong)]
    answering = {"postgres": postgres == "up", "kafka": kafka.startswith("up")}
    lines += supervised_lines(state, {name for name, answers in answering.items() if answers})
    if found is not None:
        lines += [*room_lines(found), *clock_lines(found, settings.clock_tolerance_s)]
        lines += [*_positions(found), *calendar_lines(found), *standard_lines(found)]
    return "\n".join(lines), well


def store_status(settings: Settings) -> tuple[Status | None, str]:
    """What PostgreSQL knows, and whether it is up."""
    try:
        with psycopg.connect(
            settings.database_url, autocommit=True, connect_timeout=5, row_factory=dict_row
        ) as connection:
            found = collect(connection, settings)
            anchor = connection.execute(sql("clock_anchor")).fetchone()
            clock = ScaledClock(anchor["real_at"], anchor["service_at"], anchor["factor"]) if anchor else REAL
        calendar, standard = _rules_now(settings, clock)
        return replace(found, calendar=calendar, standard=standard), "up"
    except psycopg.Error as error:
        return None, f"DOWN: {str(error).splitlines()[0]}"


def _rules_now(settings: Settings, clock: Clock) -> tuple[CalendarStatus | None, StandardStatus | None]:
    """Calendar and standard as the store has them; None where none can be read, before the first publication for
    example."""
    store = open_store(settings.database_url, clock, connections=1)
    try:
        rules = load_rules(store)
        return calendar_status(rules, clock.now()), standard_status(rules, clock.now())
    except (LookupError, PersistenceError):
        return None, None
    finally:
        store.close()


def _kafka(settings: Settings) -> tuple[str, list[TopicFinding]]:
    """Whether Kafka is up, and what is wrong with the topics there at this moment."""
    try:
        with admin_client(settings) as admin:
            cluster = look_up(admin, topics(settings))
            wrong = findings(admin, settings)
    except KafkaRefused as refused:
        return f"DOWN: {refused}", []
    except KafkaError as error:
        return f"DOWN: {type(error).__name__}", []
    return f"up, cluster {cluster.id}, {len(cluster.topics)} of {len(topics(settings))} topics", wrong


def _is_well(found: Status, state: Mapping[str, Any] | None, relay_alarm_s: float) -> bool:
    parts = (state or {}).get("parts", {})
    standing = any(process.detail.get("still_s") for process in found.processes if process.up)
    powerless = found.standard is not None and found.standard.missing_powers
    silent = found.watching is not None and found.watching.is_silent
    behind = found.relay is not None and found.relay.waiting_s > relay_alarm_s
    refuses = found.notary is not None and found.notary.refusal is not None
    topics_wrong = any(finding.put_right_at is None for finding in found.topics)
    no_room = found.cannot_write is not None or any(disk.is_low for disk in found.disks)
    wrong = (
        *(standing, powerless, silent, behind, refuses, topics_wrong, no_room),
        *(found.stopped, found.billing_differences, found.readings_lost.untold),
    )
    return all(part["up"] for part in parts.values()) and found.relay is not None and not any(wrong)


def postgres_address(settings: Settings) -> str:
    """Host, port and database of the store, without user and password."""
    parts = conninfo_to_dict(settings.database_url)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}, database {parts.get('dbname', '')}"


def _when(instant: datetime) -> str:
    return f"{instant.astimezone(LOCAL):%Y-%m-%d %H:%M:%S}"


def supervised_lines(state: Mapping[str, Any] | None, answering: Set[str]) -> list[str]:
    """What the supervisor says of its parts. ``answering``: those that answered just now, which the supervisor may not
    have heard of yet: of a part that is being started it knows the process and not that it is ready."""
    if state is None:
        return ["supervisor not on this data directory"]
    lines = [f"supervisor up, pid {state['pid']}, since {state['started']}"]
    for name, part in state["parts"].items():
        waiting = "starting" if part["pid"] or name in answering else "DOWN"
        up = "up" if part["up"] else waiting
        lines.append(f"  {name:<9} {up:<8} pid {part['pid'] or '–':<8} restarts {part['restarts']}")
    return lines


def room_lines(found: Status) -> list[str]:
    """Whether the store can write, and the room on this machine's disks."""
    lines = []
    if found.cannot_write is not None:
        lines.append(f"store      CANNOT WRITE: {found.cannot_write}: make room on its disk 存储无法写入，请清理磁盘")
    if found.disks:
        free = ", ".join(f"{disk.of} {disk.free_bytes / MB:.0f} MB free" for disk in found.disks)
        lines.append(f"disk       {free}")
    if low := [disk.of for disk in found.disks if disk.is_low]:
        lines.append(f"           LOW for {', '.join(low)}: make room, or PostgreSQL and Kafka stop 磁盘空间不足")
    return lines


def clock_lines(found: Status, tolerance_s: float) -> list[str]:
    """The running processes whose clock differs from PostgreSQL's by more than is tolerated."""
    return [
        f"clock      of {process.name} pid {process.pid} is {abs(process.clock_ahead_s):.1f} s "
        f"{'ahead of' if process.clock_ahead_s > 0 else 'behind'} PostgreSQL's: set it right 时钟不一致"
        for process in found.processes
        if process.up and abs(process.clock_ahead_s) > tolerance_s
    ]


def calendar_lines(found: Status) -> list[str]:
    """The calendar that deadlines are counted by, and what is missing in it."""
    if found.calendar is None:
        return ["calendar   none can be read: run `tongshui migrate`"]
    calendar = found.calendar
    days = f"{calendar.settled_days} days from today"
    lines = [f"calendar   {calendar.version}, settled until {calendar.settled_until} ({days})"]
    return lines + [f"           {warning}" for warning in calendar.warnings]


def standard_lines(found: Status) -> list[str]:
    """The standard in force, and what nobody may do under it."""
    if found.standard is None:
        return []
    lines = [f"standard   {found.standard.version}"]
    if missing := found.standard.missing_powers:
        lines.append(f"           nobody may {', '.join(missing)}: publish a standard that gives it 须发布新标准授权")
    return lines


def topic_lines(found: Status) -> list[str]:
    """What the relay found wrong with the topics, what it put right, and the readings that were lost."""
    lines = []
    for each in found.topics:
        wrong = f"{each.topic} {each.name}: found {each.found}; needed {each.needed}"
        if each.put_right_at is None:
            lines.append(f"TOPIC      {each.code}: {wrong}, since {_when(each.since)} 主题设置异常")
        else:
            lines.append(f"topic      {wrong}; put right {_when(each.put_right_at)} 已自动恢复")
    if found.relay is not None and found.relay.histories_refilled:
        lines.append(f"topic      lost history was filled again {found.relay.histories_refilled} times")
    if found.readings_lost.lost:
        lines.append(f"readings   {found.readings_lost.lost} were gone from Kafka before they were read 抄表数据丢失")
    if found.readings_lost.untold:
        lines.append("           `tongshui dead-letters list --reader readings`: have them sent again, resolve them")
    return lines


def watch_lines(watching: Watching) -> list[str]:
    """What the window watches have evaluated and missed, and whether their canaries are received."""
    opened = sum(watching.open_windows.values())
    index = f"{opened} windows in the index at the last sweep" if watching.open_windows else "index not counted yet"
    lines = [f"watch      evaluated {watching.asked} times, missed {watching.missed} cases; {index}"]
    for canary in watching.canaries:
        if not canary.up and canary.silent_s > watching.silent_s:
            continue  # of a process that has ended; another one's is the news
        lines.append(f"canary     pid {canary.pid}, sent {canary.sung}, {_received(canary)}")
    if watching.is_silent:
        lines.append("           SILENT: lapses may stay away, see the watch and Kafka 值守静默，超时可能漏报")
    return lines


def _received(canary: CanaryStatus) -> str:
    """One is sent each minute, so that for the first minute of a watch none can have been received."""
    if not canary.heard:
        return f"none received yet; its watch began {canary.silent_s:.0f} s ago"
    late = f", {canary.lateness_ms:.0f} ms late" if canary.lateness_ms is not None else ""
    return f"received {canary.heard}, the last {canary.silent_s:.0f} s ago{late}"


def _positions(found: Status) -> list[str]:
    lines = [f"log        head {found.head.position}, clock × {found.clock_factor:g}"]
    if found.relay is not None:
        relay = found.relay
        lines.append(
            f"relay      all out {relay.all_out}, lag {relay.lag} events, epoch {relay.epoch}, "
            f"lost tails {relay.tails_lost}, refills {relay.refills}, foreign records {relay.foreign_records}"
        )
        if relay.waiting_s:
            lines.append(f"           the oldest event that is not out waits for {relay.waiting_s:.0f} s")
        if relay.last_error:
            lines.append(f"           last error: {relay.last_error}")
    lines += topic_lines(found)
    if found.notary is not None:
        notary = found.notary
        lines.append(f"notary     signed up to {notary.position}, {notary.unsigned} events not yet")
        if notary.refusal:
            lines.append(f"           REFUSES to sign: {notary.refusal}")
    for name in sorted({reader.reader for reader in found.readers}):
        mine = [reader for reader in found.readers if reader.reader == name]
        behind = sum(reader.lag > 0 for reader in mine)
        lines.append(f"reader     {name:<9} {len(mine)} partitions, {behind} behind")
    for process in found.processes:
        beat = f"beat {process.beat_age_s:.0f} s ago"
        lines.append(f"process    {process.name:<9} pid {process.pid} {'up' if process.up else 'silent'}, {beat}")
    for promise in found.promises:
        lines.append(
            f"windows    {promise.commitment:<20} running {promise.running}, lapsed {promise.lapses}, "
            f"retracted {promise.retractions}"
        )
    if found.lateness is not None:
        late = found.lateness
        lines.append(
            f"lateness   p50 {late.p50_ms:.0f} ms, p99 {late.p99_ms:.0f} ms, max {late.max_ms:.0f} ms "
            f"over {late.lapses} lapses (real milliseconds)"
        )
    if found.watching is not None:
        lines += watch_lines(found.watching)
    if found.outbox is not None:
        box = found.outbox
        waits = f", the oldest for {box.oldest_s:.0f} s" if box.waiting + box.sent else ""
        lines.append(
            f"outbox     waiting {box.waiting}, sent {box.sent}, proven {box.proven}, dead {box.dead}{waits}"
            + ("; see `tongshui outbox list --state dead`" if box.dead else "")
        )
    for stop in found.stopped:
        lines.append(
            f"STOPPED    {stop.reader}: {stop.letters} dead letters, {stop.code} at {stop.topic}/{stop.partition} "
            f"position {stop.position}, since {_when(stop.stopped_at)}: mend it, or "
            f"`tongshui dead-letters release {stop.reader}` 读取已停止"
        )
    if found.billing_differences:
        lines.append(
            f"billing    {found.billing_differences} differences from the store are open 对账差异未结: "
            "`tongshui billing differences`"
        )
    if found.dead_letters:
        lines.append("dead letters " + ", ".join(f"{name} {count}" for name, count in found.dead_letters.items()))
    return lines
