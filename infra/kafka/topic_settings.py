"""What the settings of each topic must be, what they are, and putting them right.

Anybody who may administer the cluster can change them while everything runs. Some changes destroy what readers rebuild
from (``cleanup.policy=compact`` and a short ``retention.ms`` delete records), others stop the relay (a
``max.message.bytes`` below its batches). The relay holds the topics against ``needed`` when it starts and every minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from infra.settings import EVENT_TOPICS, Settings

CANARY_KEPT_MS = 3_600_000
LARGEST_MESSAGE_BYTES = 2_097_152
"""What a topic gets whose ``max.message.bytes`` is too small."""
SMALLEST_LIMIT_BYTES = 1_000_000
"""A batch of the relay has up to 256 KiB, a checkpoint of the notary with its leaf hashes up to 650 kB."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one setting must be. ``value``: what it is set to where it is wrong; ``words``: the same for a person."""

    value: str
    fits: Callable[[str], bool]
    words: str
    at_creation: bool = True


@dataclass(frozen=True, slots=True)
class TopicFinding:
    """Something about a topic that is not as it must be. ``partition`` None: of the whole topic."""

    topic: str
    code: str
    """topic-missing, topic-setting, topic-settings-hidden, topic-replication, partition-count, history-lost"""
    name: str
    """Which setting, or which partition."""
    found: str
    needed: str

    def __str__(self) -> str:
        return f"{self.code}: {self.topic} {self.name}: found {self.found}; needed {self.needed}"


def _exactly(value: str) -> Need:
    return Need(value, lambda found: found == value, value)


def _kept_for(milliseconds: int) -> Need:
    """At least so long; -1 is for ever."""
    return Need(
        str(milliseconds),
        lambda found: found == "-1" or int(found) >= milliseconds > 0,
        f"at least {milliseconds}" if milliseconds > 0 else "-1, which is for ever",
    )


def _at_least(number: int, otherwise: int) -> Need:
    return Need(str(otherwise), lambda found: int(found) >= number, f"at least {number}", at_creation=False)


def _at_most(number: int) -> Need:
    return Need(str(number), lambda found: int(found) <= number, f"at most {number}", at_creation=False)


def needed(settings: Settings, topic: str) -> dict[str, Need]:
    """Setting → what it must be, of one of our topics."""
    kept_ms = -1
    if topic == settings.readings_topic:
        kept_ms = settings.readings_days * 24 * 3600 * 1000
    elif topic == settings.canary_topic:
        kept_ms = CANARY_KEPT_MS
    found = {
        "cleanup.policy": _exactly("delete"),
        "retention.ms": _kept_for(kept_ms),
        "retention.bytes": _exactly("-1"),
        "max.message.bytes": _at_least(SMALLEST_LIMIT_BYTES, LARGEST_MESSAGE_BYTES),
        # With as many as there are replicas, one broker that is gone stops everything that is written.
        "min.insync.replicas": _at_most(max(1, settings.replication - 1)),
    }
    if topic == settings.readings_topic:
        # Others write here: a device whose clock stands in 1970 must not have a segment deleted before it was read.
        found["message.timestamp.type"] = _exactly("LogAppendTime")
    return found


def at_creation(settings: Settings, topic: str) -> dict[str, str]:
    """Setting → value, of a topic that is made now."""
    return {name: need.value for name, need in needed(settings, topic).items() if need.at_creation}


def every_topic(settings: Settings) -> tuple[str, ...]:
    """Every topic of an installation, with those that are not the store's."""
    homes = (settings.home_topic(topic) for topic in EVENT_TOPICS)
    return (
        *homes,
        settings.breach_topic,
        settings.dead_letter_topic,
        settings.checkpoint_topic,
        settings.canary_topic,
        settings.readings_topic,
    )


def partitions_needed(settings: Settings, topic: str) -> int | None:
    """How many partitions a topic must have; None where any number will do."""
    if topic == settings.readings_topic:
        return None
    return 1 if topic in (settings.checkpoint_topic, settings.canary_topic) else settings.partitions


def findings(admin: Any, settings: Settings) -> list[TopicFinding]:
    """What is wrong with the topics, by a kafka-python admin client. Raises KafkaError."""
    names = every_topic(settings)
    there = {topic["name"]: topic for topic in admin.describe_topics(list(names)) if not topic.get("error_code")}
    found = [
        TopicFinding(name, "topic-missing", "topic", "nothing", "the topic") for name in names if name not in there
    ]
    for name, topic in there.items():
        found += _of_partitions(settings, name, topic["partitions"])
    for name, values in _configs(admin, settings, there).items():
        if not values:
            right = "the right to see them (DescribeConfigs)"
            found.append(TopicFinding(name, "topic-settings-hidden", "settings", "nothing", right))
        found += [
            TopicFinding(name, "topic-setting", setting, values[setting], need.words)
            for setting, need in needed(settings, name).items()
            if setting in values and not need.fits(values[setting])
        ]
    return found


def put_right(admin: Any, settings: Settings, wrong: Iterable[TopicFinding]) -> tuple[list[TopicFinding], str | None]:
    """Set the wrong settings to what they must be. Returns those that were set, and why the others were not."""
    changed: list[TopicFinding] = []
    reason = None
    for finding in wrong:
        value = needed(settings, finding.topic)[finding.name].value
        resource = ConfigResource(ConfigResourceType.TOPIC, finding.topic, configs={finding.name: value})
        try:
            answer = admin.alter_configs([resource])
        except (KafkaError, ValueError) as error:  # ValueError: the topic went meanwhile
            reason = f"{type(error).__name__}: {error}"
            continue
        said = answer.get("topic", {}).get(finding.topic, "no answer")
        if said == "OK":
            changed.append(finding)
        else:
            reason = str(said)
    return changed, reason


def _of_partitions(settings: Settings, name: str, partitions: list[Mapping[str, Any]]) -> list[TopicFinding]:
    found = []
    wanted = partitions_needed(settings, name)
    if wanted is not None and len(partitions) != wanted:
        found.append(TopicFinding(name, "partition-count", "partitions", str(len(partitions)), str(wanted)))
    replicas = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
    if replicas < settings.replication:
        found.append(
            TopicFinding(name, "topic-replication", "replicas", str(replicas), f"at least {settings.replication}")
        )
    return found


def _configs(admin: Any, settings: Settings, names: Iterable[str]) -> dict[str, dict[str, str]]:
    wanted = [
        ConfigResource(ConfigResourceType.TOPIC, name, configs=dict.fromkeys(needed(settings, name))) for name in names
    ]
    answer = admin.describe_configs(wanted, config_filter="all") if wanted else {}
    return {
        name: {setting: str(entry["value"]) for setting, entry in values.items() if isinstance(entry, Mapping)}
        for name, values in answer.get("topic", {}).items()
    }
