"""Holds the topics against what they must be, for the active relay: when it starts, and every minute while it runs.

A topic that is kept for ever must have every event from its first one on, or a reader who comes later holds for ever.
So wrong settings are put right where the cluster lets us, and what they may have deleted is looked for: the partitions
are to be walked from their first record, and whatever is missing is appended again. What is found stays in a table, for
``tongshui status``, /metrics and the alerts, until it is not found any more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import psycopg

from infra.kafka.cluster import Cluster, Partition, PartitionLog, chained_topics
from infra.kafka.topic_settings import TopicFinding, findings, put_right
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

DELETING = frozenset({"cleanup.policy", "retention.ms", "retention.bytes"})
"""Settings by which a cluster deletes records."""
AGAIN_S = 600.0
"""A partition that was walked is not walked again for a reader before so many seconds are over."""


class TopicGuard:
    """The guard of one relay session."""

    def __init__(self, settings: Settings, db: psycopg.Connection[Any], admin: Any) -> None:
        self.settings = settings
        self._db = db
        self._admin = admin
        self._checked_at = time.monotonic()
        self._deleting: frozenset[str] = frozenset()
        self._lost: tuple[TopicFinding, ...] = ()

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._checked_at >= self.settings.relay_topics_s

    def check(self, cluster: Cluster) -> None:
        """Look at every topic's settings, put right what is wrong, ask for walks where records may be gone.

        Raises KafkaError and what psycopg raises.
        """
        self._checked_at = time.monotonic()
        found = findings(self._admin, self.settings)
        wrong = [finding for finding in found if finding.code == "topic-setting"]
        changed: list[TopicFinding] = []
        if wrong and self.settings.relay_puts_topics_right:
            changed, reason = put_right(self._admin, self.settings, wrong)
            for finding in changed:
                log.error("relay: %s; put right", finding)
            if reason is not None:
                log.error("relay: a topic's settings cannot be put right (%s)", reason)
        for finding in found:
            if finding not in changed:
                log.error("relay: %s", finding)
        left = [finding for finding in wrong if finding not in changed]
        self._deleting = frozenset(finding.topic for finding in left if finding.name in DELETING)
        deleted = {finding.topic for finding in changed if finding.name in DELETING}
        self.want([partition for partition in cluster.partitions if partition.topic in deleted])
        self._note([finding for finding in found if finding not in changed], changed, cluster)

    def may_refill(self, partition: Partition) -> bool:
        """Whether what is appended again stays: not while the topic's own settings delete it."""
        return partition.topic not in self._deleting

    def want(self, partitions: Iterable[Partition]) -> None:
        """Have these walked from their first record, by the session that begins next."""
        ask_for_walks(self._db, partitions, by="relay", again_s=0.0)

    def wanted(self) -> set[Partition]:
        """The partitions that somebody wants walked, and that a refill would help."""
        rows = self._db.execute(sql("walks_wanted"), {"topics": list(chained_topics(self.settings))})
        return {p for p in (Partition(row[0], row[1]) for row in rows) if self.may_refill(p)}

    def walked(self, partitions: Collection[Partition]) -> None:
        """They were walked, and what was missing is on its way."""
        if partitions:
            topics, numbers = zip(*partitions, strict=True)
            self._db.execute(sql("walks_done"), {"topics": list(topics), "partitions": list(numbers)})

    def lost(self, where: Mapping[Partition, PartitionLog], heads: Mapping[Partition, int]) -> set[Partition]:
        """The partitions whose log begins behind its chain's first record. Those that cannot be refilled are noted."""
        gone = {p for p, its in where.items() if (head := heads.get(p)) is not None and head < its.first}
        stays = tuple(
            TopicFinding(
                p.topic,
                "history-lost",
                f"partition {p.partition}",
                f"a log that begins at offset {where[p].first}",
                f"its history from offset {heads[p]} on",
            )
            for p in sorted(gone)
            if not self.may_refill(p)
        )
        if stays != self._lost:
            self._lost = stays
            self._save(stays, ["history-lost"])
        return {p for p in gone if self.may_refill(p)}

    def _note(self, left: Collection[TopicFinding], changed: Collection[TopicFinding], cluster: Cluster) -> None:
        codes = ["topic-missing", "topic-setting", "topic-settings-hidden", "topic-replication", "partition-count"]
        self._save(left, codes)
        if changed:
            self._db.execute(sql("settings_put_right"), {"cluster_id": cluster.id, **_columns(changed)})

    def _save(self, found: Collection[TopicFinding], codes: list[str]) -> None:
        """What is found of these codes now; what was found before and is not any more is forgotten."""
        with self._db.transaction():
            columns = _columns(found)
            self._db.execute(sql("forget_findings"), {"codes": codes, **columns})
            self._db.execute(sql("save_findings"), columns)


def ask_for_walks(
    db: psycopg.Connection[Any], partitions: Iterable[Partition], *, by: str, again_s: float = AGAIN_S
) -> None:
    """Ask the relay to walk partitions from their first record. One that was walked within ``again_s`` is left out."""
    wanted = list(partitions)
    if wanted:
        db.execute(
            sql("want_walks"),
            {
                "topics": [partition.topic for partition in wanted],
                "partitions": [partition.partition for partition in wanted],
                "by": by,
                "again_s": again_s,
            },
        )


def _columns(found: Iterable[TopicFinding]) -> dict[str, list[str]]:
    rows = list(found)
    return {
        "finding_topics": [row.topic for row in rows],
        "finding_codes": [row.code for row in rows],
        "names": [row.name for row in rows],
        "founds": [row.found for row in rows],
        "neededs": [row.needed for row in rows],
    }
