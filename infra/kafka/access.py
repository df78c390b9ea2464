"""Which process may do what on the embedded Kafka: one principal for each process, and nobody else gets in.

An external cluster has rules of its own; ``docs/how-to/operate/external-parts.md`` gives the same list for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from infra.kafka.topic_settings import every_topic
from infra.settings import Settings

ADMIN = "admin"
"""May do everything: for a person with Kafka's own tools. No process of ours uses it."""
OPERATOR = "operator"
"""The commands that a person runs, and the making of topics: reads everything, writes no event."""
PRINCIPALS = ("relay", "views", "watch", "billing", "readings", "notary", "api", OPERATOR)
"""Whoever has a password and rights. The sender does not speak with Kafka and has none."""

Right = Literal["READ", "WRITE", "CREATE", "DELETE", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"]


class Grant(NamedTuple):
    """One right of one principal on one topic or consumer group; everything that is not granted is denied."""

    principal: str
    kind: Literal["topic", "group"]
    name: str
    right: Right


def grants(settings: Settings) -> frozenset[Grant]:
    """Every right there is, for this installation's topics. Only the relay writes events and dead letters."""
    return frozenset(_grants(settings))


def _grants(settings: Settings) -> Iterator[Grant]:
    homes, every = settings.home_topics, every_topic(settings)
    stored = (*homes, settings.breach_topic, settings.dead_letter_topic)
    yield from _on("relay", stored, "READ", "WRITE", "CREATE")
    yield from _on("relay", every, "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS")
    for reader in ("views", "watch", "billing", "readings"):
        yield from _on(reader, (*homes, settings.breach_topic), "READ")
    yield from _on("watch", [settings.canary_topic], "READ", "WRITE", "CREATE")
    yield from _on("readings", [settings.readings_topic], "READ")
    yield from _on("notary", [settings.checkpoint_topic], "READ", "WRITE", "CREATE")
    yield from _on("api", [settings.readings_topic], "WRITE")
    yield from _on(OPERATOR, every, "READ", "CREATE", "DELETE", "DESCRIBE_CONFIGS")
    yield from _on(OPERATOR, [settings.readings_topic], "WRITE")  # a reading's dead letter is sent again
    for group in ("views", "watch", "readings"):
        yield Grant(group, "group", f"{settings.topic_prefix}{group}", "READ")


def _on(principal: str, topics: Iterable[str], *rights: Right) -> Iterator[Grant]:
    return (Grant(principal, "topic", topic, right) for topic in topics for right in rights)
