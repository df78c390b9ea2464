"""Making a client of kafka-python so that a failure leaves nothing behind."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

_LOOPBACK = ("127.", "localhost", "[::1]")


def quiet_on_loopback(addresses: Iterable[str]) -> None:
    """Leave out the library's warning, at every connection, that a login is not encrypted: nobody listens in on the
    loopback address but root."""
    if all(address.strip().startswith(_LOOPBACK) for address in addresses):
        for name in ("kafka.net.sasl.scram", "kafka.net.sasl.plain"):
            logging.getLogger(name).setLevel(logging.ERROR)


def opened(kind: Any, **config: Any) -> Any:
    """A KafkaAdminClient or KafkaConsumer, connected. Raises what its constructor raises.

    A constructor that cannot reach a broker keeps its thread and four open files for the rest of the process
    (kafka-python 3.0). Whoever tries again every few seconds while Kafka is away would run out of them within the hour.
    """
    client = kind.__new__(kind)
    try:
        client.__init__(**config)
    except BaseException:
        if (net := getattr(client, "_net", None)) is not None:
            net.close()
        raise
    return client
