"""A running installation without Kafka: what the browser's pages show."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import httpx

from domain import kinds
from domain.kinds import Kind
from infra.clock import ManualClock
from infra.eventstore.commands import Command, Stamp, Stream
from infra.eventstore.service import Service
from tests.api_read_models import project
from tests.proven import PROVEN


class City:
    """A running installation without Kafka: commands over HTTP, read models folded from the store."""

    def __init__(self, service: Service, clock: ManualClock, url: str) -> None:
        self.service = service
        self.clock = clock
        self.url = url
        self._shown = 0

    def post(self, path: str, body: dict[str, Any], channel: str = "hotline", role: str = "public") -> str:
        """Send a command; the id of its case."""
        answer = self._send(path, body, channel, role)
        assert answer.status_code < 300, answer.text
        case_id: str = answer.json()["case_id"]
        return case_id

    def refused(self, path: str, body: dict[str, Any], channel: str, role: str) -> str:
        """Send a command that is refused; the code."""
        code: str = self._send(path, body, channel, role).json()["code"]
        return code

    def _send(self, path: str, body: dict[str, Any], channel: str, role: str) -> httpx.Response:
        headers = {**PROVEN, "X-Channel": channel, "X-Role": role, "X-Actor": f"{role}-1"}
        return httpx.post(f"{self.url}/api/v1/{path}", json=body, headers=headers, timeout=60)

    def ask(self, case_id: str, kind: Kind = kinds.REPAIR) -> None:
        """What the window watch does when a limit comes due."""
        stamp = Stamp("watch", "system", "system", str(uuid4()), "watch")
        self.service.run(Command(Stream(kind, UUID(case_id)), stamp, lambda snapshot: []))

    def show(self) -> None:
        """Fold what is new in the store into the read models."""
        with self.service.connection() as connection:
            rows = connection.execute(
                "SELECT state FROM store.stored_events WHERE notification_id > %s ORDER BY notification_id",
                [self._shown],
            ).fetchall()
        events = [json.loads(row["state"]) for row in rows]
        self._shown = max([self._shown, *(event["position"] for event in events)])
        project(self.service, events)
