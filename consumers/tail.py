"""``tongshui tail``: the records of a topic as they come, one line each, for the person who watches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from kafka.structs import TopicPartition

from infra.kafka.cluster import consumer, logs, look_up_cluster, record_of
from infra.readers.record import Event, Unreadable, parse
from infra.settings import Settings

LOCAL = ZoneInfo("Asia/Shanghai")
MARKS = {
    "WindowNearing": "临近 nearing  ",
    "WindowLapsed": "超时 LAPSED   ",
    "WindowRetracted": "撤回 retracted",
    "WindowEscalated": "升级 escalated",
}


def follow(
    settings: Settings, topic: str, stop: threading.Event, say: Callable[[str], None], *, from_start: bool
) -> Iterator[Event | Unreadable]:
    """Every record of a topic, from its first or from now on, until ``stop`` is set; partitions are not merged.

    ``say`` is told of partitions whose first records are gone.
    """
    cluster = look_up_cluster(settings, [topic])
    with consumer(settings, client_id="tongshui-tail", reset="earliest") as client:
        where = logs(client, cluster, cluster.partitions)
        client.assign([TopicPartition(*partition) for partition in where])
        for partition, found in where.items():
            client.seek(TopicPartition(*partition), found.first if from_start else found.end)
            if from_start and found.first > 0:
                say(f"{partition} begins at offset {found.first}: what was before is gone; see `tongshui status`")
        while not stop.is_set():
            for messages in client.poll(timeout_ms=200).values():
                for message in messages:
                    yield parse(record_of(message))


def follow_breaches(
    settings: Settings, stop: threading.Event, say: Callable[[str], None], *, from_start: bool, as_json: bool
) -> None:
    """Print the breach stream until ``stop`` is set."""
    for record in follow(settings, settings.breach_topic, stop, say, from_start=from_start):
        if isinstance(record, Unreadable):
            say(f"unreadable record: {record.code}: {record.reason}")
        elif as_json:
            say(record.raw.decode())
        else:
            say(line(record))


def line(event: Event) -> str:
    """One breach as a line: when recorded, what, which promise of which case, its end, who must act."""
    data = event.data
    mark = MARKS.get(event.type.split(".")[2], event.type)
    end = _clock(datetime.fromisoformat(data["due_at"])) if data.get("due_at") else "–"
    extra = ", ".join(data.get("notify", ())) or data.get("reason") or ""
    return (
        f"{_clock(event.recorded_at)}  {mark}  {data['commitment']:<20}  due {end}  {event.case_id}  {extra}".rstrip()
    )


def _clock(at: datetime) -> str:
    return at.astimezone(LOCAL).strftime("%m-%d %H:%M:%S")
