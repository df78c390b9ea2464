"""Plays scripts against the API: each request when the service's clock reaches it, again until it is answered."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from app.demo.script import Request, Script
from domain.kernel.facts import event_id
from infra.clock import Clock

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Requests under way at the same time."""
LONGEST_SLEEP_S = 0.5


def key_of(script: Script, number: int) -> str:
    """The idempotency key of a script's request: always the same, so sending again does nothing twice."""
    return hashlib.sha256(f"{script.name} {number}".encode()).hexdigest()[:32]


def below(script: Script, case_id: str) -> str:
    """The path of a script's case below its kind's: crews are known by their codes, cases by their ids."""
    return f"/{script.name if script.kind == 'crews' else case_id}"


def body_of(request: Request, told: Mapping[str, UUID]) -> dict[str, Any]:
    """The JSON body of a request. ``told``: path of an earlier request of the script → the first event it wrote."""
    claimed = {"happened_at": request.happened_at.isoformat()} if request.happened_at is not None else {}
    named = {"event_id": str(told[request.about])} if request.about is not None and request.about in told else {}
    return request.body | named | claimed


def first_event(answer: Mapping[str, Any]) -> UUID:
    """The first event that an accepted request has written."""
    return event_id(UUID(answer["case_id"]), answer["first_version"])


def headers_of(request: Request, key: str) -> dict[str, str]:
    """Who sends it, over which channel, under which key, and who stands behind it."""
    second = dict(zip(("X-Confirmed-By", "X-Confirmed-Role"), request.second or (), strict=False))
    return {
        "X-Actor": request.actor,
        "X-Role": request.role,
        "X-Channel": request.channel,
        "Idempotency-Key": key,
        **second,
    }


class Player:
    """Sends every request with its own idempotency key, so that sending again after a crash does nothing twice.

    ``refused`` counts refusals by code; ``astray`` those that the script did not mean, and what was accepted though it
    was meant to be refused.
    """

    def __init__(self, base_url: str, clock: Clock, secret: str, tls: ssl.SSLContext | None = None) -> None:
        self._proven = {"X-Proxy-Secret": secret}
        self.sent: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.astray: Counter[str] = Counter()
        self.accepted_keys: list[str] = []
        self._clock = clock
        self._base = base_url
        self._verified = tls or True
        self._few = asyncio.Semaphore(AT_ONCE)

    async def play(self, scripts: Sequence[Script], stop: asyncio.Event) -> None:
        """Play until every script is through, or ``stop`` is set. Crews are formed before anything else is sent."""
        limits = httpx.Limits(max_connections=AT_ONCE)
        forming = [script for script in scripts if script.kind == "crews"]
        others = [script for script in scripts if script.kind != "crews"]
        async with httpx.AsyncClient(
            base_url=self._base, timeout=15, limits=limits, headers=self._proven, verify=self._verified
        ) as client:
            for part in (forming, others):
                await asyncio.gather(*(self._act(client, script, stop) for script in part))

    async def _act(self, client: httpx.AsyncClient, script: Script, stop: asyncio.Event) -> None:
        path = f"/api/v1/{script.kind}"
        told: dict[str, UUID] = {}
        for number, request in enumerate(script.requests):
            await self._until(request.at, stop)
            if stop.is_set():
                return
            body = body_of(request, told)
            answer = await self._send(client, path + request.path, request, body, key_of(script, number), stop)
            if answer is None:
                return
            if "first_version" in answer:
                told[request.path] = first_event(answer)
            if number == 0:
                if "case_id" not in answer:
                    return  # refused: there is no case to go on with
                path += below(script, answer["case_id"])

    async def _until(self, at: datetime, stop: asyncio.Event) -> None:
        while not stop.is_set():
            left_s = (at - self._clock.now()).total_seconds() / self._clock.factor
            if left_s <= 0:
                return
            try:
                await asyncio.wait_for(stop.wait(), min(left_s, LONGEST_SLEEP_S) if left_s < 1 else left_s - 0.5)
            except TimeoutError:
                continue

    async def _send(
        self,
        client: httpx.AsyncClient,
        path: str,
        request: Request,
        body: dict[str, Any],
        key: str,
        stop: asyncio.Event,
    ) -> dict[str, Any] | None:
        while not stop.is_set():
            try:
                async with self._few:
                    answer = await client.post(path, json=body, headers=headers_of(request, key))
            except httpx.TransportError:
                await asyncio.sleep(0.2)
                continue
            if answer.status_code < 300:
                self.sent[request.path.rpartition("/")[2] or "created"] += 1
                if request.refusal is not None:
                    self.astray["accepted"] += 1
                self.accepted_keys.append(key)
                accepted: dict[str, Any] = answer.json()
                return accepted
            problem = answer.json()
            if answer.status_code >= 500 or problem.get("code") == "busy":
                await asyncio.sleep(0.2)
                continue
            self._note_refusal(path, request, str(problem.get("code", answer.status_code)), problem.get("found"))
            # A refused step is part of life; the case goes on with the next one unless it was never created.
            return None if not request.path else {}
        return None

    def _note_refusal(self, path: str, request: Request, code: str, found: object) -> None:
        self.refused[code] += 1
        if code != request.refusal:
            self.astray[code] += 1
            log.warning("%s was refused: %s %s", path, code, found)
