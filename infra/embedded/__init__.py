"""Real PostgreSQL and real Apache Kafka as children of this process: no container, no installation, no root needed."""

from __future__ import annotations

from infra.embedded.errors import EmbeddedError
from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.ports import free_port
from infra.embedded.postgres import EmbeddedPostgres

__all__ = ["EmbeddedError", "EmbeddedKafka", "EmbeddedPostgres", "free_port"]
