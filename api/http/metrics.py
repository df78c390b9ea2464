"""Figures for Prometheus: what PostgreSQL knows, asked at scrape, and what this process counts itself."""

from __future__ import annotations

import itertools
import logging
import math
from collections import Counter as Counting
from collections.abc import Callable, Iterator
from typing import Any, get_args

import psycopg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.publication.calendars import WarningCode
from infra.status import Status, Watching

log = logging.getLogger(__name__)

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BY = ("commitment",)
UNMATCHED = "(no such path)"
TOPIC_CODES = (
    "topic-missing",
    "topic-setting",
    "topic-settings-hidden",
    "topic-replication",
    "partition-count",
    "history-lost",
)


class ProcessMetrics:
    """One process's registry. Labels are bounded: route templates, methods, and codes of our own."""

    def __init__(self, status: Callable[[], Status], streams: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        open_streams = Gauge("tongshui_event_streams", "Event streams that are open now", registry=self.registry)
        open_streams.set_function(streams)
        self._requests = Counter(
            "tongshui_http_requests",
            "Requests by route, method, status and outcome (an error's code, or ok)",
            ("route", "method", "status", "outcome"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "tongshui_http_request_seconds",
            "From the request's first byte to the answer's last; streams are left out",
            ("route", "method"),
            buckets=LATENCY_SECONDS,
            registry=self.registry,
        )
        self.registry.register(StatusCollector(status))

    def request(self, route: str, method: str, status: int, outcome: str, seconds: float | None) -> None:
        """Count a request that was answered; ``seconds`` None: it was a stream."""
        self._requests.labels(route, method, str(status), outcome).inc()
        if seconds is not None:
            self._seconds.labels(route, method).observe(seconds)


class StatusCollector(Collector):
    """Asks for the status at every scrape. Without PostgreSQL only ``tongshui_store_up 0`` is said."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def describe(self) -> list[Metric]:
        """Nothing: registering must not connect to anything."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            status = self._status()
        except psycopg.Error as error:
            log.warning("no figures from the store: %s", type(error).__name__)
            yield gauge("tongshui_store_up", "Whether PostgreSQL answers", 0)
            return
        yield gauge("tongshui_store_up", "Whether PostgreSQL answers", 1)
        yield from families(status)


def families(status: Status) -> Iterator[Metric]:
    """Every figure of a status."""
    yield gauge("tongshui_log_head_position", "Position of the newest event in the store", status.head.position)
    yield gauge("tongshui_clock_factor", "Seconds of service time in a real second", status.clock_factor)
    yield from _room(status)
    yield from _relay(status)
    yield from _calendar(status)
    yield from _meters(status)
    readers = ("schema", "reader", "build", "topic", "partition")
    yield labelled(
        GaugeMetricFamily("tongshui_reader_position", "Position up to which a reader has read", labels=readers),
        [((r.schema, r.reader, r.build, r.topic, r.partition), r.position) for r in status.readers],
    )
    yield labelled(
        GaugeMetricFamily("tongshui_reader_lag_positions", "Distance to what is acknowledged there", labels=readers),
        [((r.schema, r.reader, r.build, r.topic, r.partition), r.lag) for r in status.readers],
    )
    yield from _promises(status)
    yield from _watching(status)
    yield from _outbox(status)
    yield from _notary(status)
    yield labelled(
        CounterMetricFamily("tongshui_dead_letters", "Records a reader could not read", labels=("reader",)),
        [((reader,), dead_letters) for reader, dead_letters in status.dead_letters.items()],
    )
    yield labelled(
        GaugeMetricFamily("tongshui_reader_stopped", "1 where too many dead letters stopped it", labels=("reader",)),
        [((stop.reader,), 1) for stop in status.stopped],
    )
    open_findings = Counting(finding.code for finding in status.topics if finding.put_right_at is None)
    yield labelled(
        GaugeMetricFamily("tongshui_topic_findings", "What is wrong with the topics, by code", labels=("code",)),
        [((code,), open_findings[code]) for code in TOPIC_CODES],
    )
    yield counter("tongshui_readings_lost", "Readings gone from Kafka before they were read", status.readings_lost.lost)
    yield gauge(
        "tongshui_billing_differences", "Open differences of billing's books from the store", status.billing_differences
    )
    yield labelled(
        GaugeMetricFamily(
            "tongshui_process_beat_age_seconds", "Since a process's last sign of life", labels=("name", "pid")
        ),
        [((p.name, p.pid), p.beat_age_s) for p in status.processes],
    )
    yield labelled(
        GaugeMetricFamily(
            "tongshui_process_clock_ahead_seconds",
            "How far a process's clock is ahead of PostgreSQL's, at least; below zero: behind",
            labels=("name", "pid"),
        ),
        [((p.name, p.pid), p.clock_ahead_s) for p in status.processes if p.up],
    )


def _room(status: Status) -> Iterator[Metric]:
    yield gauge("tongshui_store_writable", "Whether PostgreSQL can write", int(status.cannot_write is None))
    for name, text in (
        ("free_bytes", "Room on the disk of the data"),
        ("low", "1 where there is less room than settings want"),
    ):
        yield labelled(
            GaugeMetricFamily(f"tongshui_disk_{name}", text, labels=("of",)),
            [((disk.of,), disk.free_bytes if name == "free_bytes" else int(disk.is_low)) for disk in status.disks],
        )


def _calendar(status: Status) -> Iterator[Metric]:
    calendar = status.calendar
    if calendar is None:
        return
    # Below zero every new deadline is tentative; an alert belongs well before it.
    yield gauge("tongshui_calendar_settled_days", "Days that no later notice will move", calendar.settled_days)
    standing = {warning.code for warning in calendar.warnings}
    yield labelled(
        GaugeMetricFamily("tongshui_calendar_warning", "1 where a notice is missing and is needed", labels=("code",)),
        [((code,), int(code in standing)) for code in get_args(WarningCode)],
    )


def _meters(status: Status) -> Iterator[Metric]:
    meters = status.meters
    if meters is None:
        return
    yield labelled(
        GaugeMetricFamily(
            "tongshui_meter_verifications",
            "Meters in service whose verification has run out (expired), or soon will (ending)",
            labels=("state",),
        ),
        [(("expired",), meters.expired), (("ending",), meters.ending)],
    )


def _relay(status: Status) -> Iterator[Metric]:
    relay = status.relay
    if relay is None:
        return
    yield gauge("tongshui_relay_all_out_position", "Everything up to here is on Kafka", relay.all_out)
    yield gauge("tongshui_relay_lag_events", "Events in the store that are not known to be on Kafka", relay.lag)
    yield gauge("tongshui_relay_waiting_seconds", "How long the oldest event waits to be on Kafka", relay.waiting_s)
    yield gauge("tongshui_relay_epoch", "How often the relay was taken over", relay.epoch)
    yield counter("tongshui_relay_sessions", "Sessions of the relay", relay.sessions)
    yield counter("tongshui_relay_tails_lost", "Log tails that Kafka lost and the relay noticed", relay.tails_lost)
    yield counter("tongshui_relay_foreign_records", "Records in our topics that are not ours", relay.foreign_records)
    yield counter("tongshui_relay_refills", "Topics filled again from the store", relay.refills)
    yield counter(
        "tongshui_relay_histories_refilled",
        "Logs that had lost a part of their history and were filled again",
        relay.histories_refilled,
    )
    yield counter(
        "tongshui_topic_settings_put_right", "Wrong settings of topics that were put right", relay.settings_put_right
    )


def _outbox(status: Status) -> Iterator[Metric]:
    box = status.outbox
    if box is None:
        return
    yield labelled(
        GaugeMetricFamily("tongshui_outbox_messages", "Messages to people by state", labels=("state",)),
        [((state,), getattr(box, state)) for state in ("waiting", "sent", "proven", "dead")],
    )
    yield gauge("tongshui_outbox_oldest_seconds", "How long the oldest message waits that is not done", box.oldest_s)


def _notary(status: Status) -> Iterator[Metric]:
    found = status.notary
    if found is None:
        return
    yield gauge("tongshui_notary_signed_position", "Everything up to here is signed", found.position)
    yield gauge("tongshui_notary_unsigned_events", "Events that no checkpoint covers yet", found.unsigned)
    yield gauge("tongshui_notary_unsigned_seconds", "Since the last checkpoint, while events wait", found.unsigned_s)
    yield gauge("tongshui_notary_refusing", "1 while the notary refuses to sign", int(found.refusal is not None))


def _watching(status: Status) -> Iterator[Metric]:
    """Of all watches that ever ran, from PostgreSQL: lateness is counted in the transaction that records the lapses."""
    found = status.watching
    if found is None:
        return
    yield counter("tongshui_watch_asked", "Cases that the window watches asked about", found.asked)
    yield counter("tongshui_watch_missed", "Cases whose windows only the sweeper found", found.missed)
    yield labelled(
        GaugeMetricFamily("tongshui_watch_open_windows", "Windows in the index, at the last sweep", labels=BY),
        [((name,), rows) for name, rows in found.open_windows.items()],
    )
    histogram = HistogramMetricFamily(
        "tongshui_lapse_lateness_seconds", "Real time from a limit's end to its lapse on record, of those watched"
    )
    upto = itertools.accumulate(lapses for _, lapses in found.late)
    buckets = [(str(le) if le < math.inf else "+Inf", total) for (le, _), total in zip(found.late, upto, strict=True)]
    histogram.add_metric([], buckets, found.late_s)
    yield histogram
    yield from _canaries(found)


def _canaries(found: Watching) -> Iterator[Metric]:
    by = ("pid",)
    # Over all watches, also where none runs any more: the one to be alarmed by.
    yield gauge("tongshui_canary_silence_seconds", "Since the last canary of any watch was heard", found.silent_s)
    alive = [canary for canary in found.canaries if canary.up]
    yield labelled(
        GaugeMetricFamily("tongshui_watch_canary_silence_seconds", "Since this watch's was heard", labels=by),
        [((c.pid,), c.silent_s) for c in alive],
    )
    yield labelled(
        GaugeMetricFamily("tongshui_watch_canary_lateness_seconds", "From its due instant to its reading", labels=by),
        [((c.pid,), c.lateness_ms / 1000) for c in alive if c.lateness_ms is not None],
    )
    for name, text in (("sung", "Canaries that fell due"), ("heard", "Canaries that were read back")):
        yield labelled(
            CounterMetricFamily(f"tongshui_watch_canaries_{name}", text, labels=by),
            [((c.pid,), getattr(c, name)) for c in alive],
        )


def _promises(status: Status) -> Iterator[Metric]:
    by = BY
    yield labelled(
        GaugeMetricFamily("tongshui_windows_running", "Limits that run", labels=by),
        [((p.commitment,), p.running) for p in status.promises],
    )
    yield labelled(
        CounterMetricFamily("tongshui_lapses", "Limits that ran out unmet", labels=by),
        [((p.commitment,), p.lapses) for p in status.promises],
    )
    yield labelled(
        CounterMetricFamily("tongshui_retractions", "Lapses that fell away later", labels=by),
        [((p.commitment,), p.retractions) for p in status.promises],
    )
    late = status.lateness
    if late is not None:
        yield labelled(
            GaugeMetricFamily(
                "tongshui_lapse_lateness_milliseconds",
                "Real time from a limit's end to its lapse on record, over the last 1000 lapses",
                labels=("quantile",),
            ),
            [(("0.5",), late.p50_ms), (("0.99",), late.p99_ms), (("1",), late.max_ms)],
        )


def gauge(name: str, text: str, value: float) -> Metric:
    """A figure that goes up and down."""
    return GaugeMetricFamily(name, text, value=value)


def counter(name: str, text: str, value: float) -> Metric:
    """A figure that only grows."""
    return CounterMetricFamily(name, text, value=value)


def labelled(family: Any, samples: list[tuple[tuple[Any, ...], float]]) -> Metric:
    """A family with its samples; labels become texts."""
    for labels, value in samples:
        family.add_metric([str(label) for label in labels], value)
    metric: Metric = family
    return metric
