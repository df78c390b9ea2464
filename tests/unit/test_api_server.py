"""The server's loop: how often it looks whether it shall stop, and that answers carry the date of their second."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from api.server import Server
from infra.settings import Settings


class Counted(Server):
    """One that is told to stop after so many seconds, and counts its looks."""

    looks = 0
    until = 0.0

    async def on_tick(self, counter: int) -> bool:
        self.looks += 1
        self.should_exit = time.monotonic() > self.until
        return await super().on_tick(counter)


def test_a_server_looks_twice_a_second_whether_it_shall_stop_and_writes_the_date_each_second() -> None:
    app = FastAPI()
    app.state.service = cast(Any, SimpleNamespace(settings=Settings(proxy_secret="x" * 32)))
    app.state.pulse = None
    config = uvicorn.Config(app)
    config.load()
    server = Counted(app, config)
    server.until = time.monotonic() + 1.2
    asyncio.run(server.main_loop())
    assert 2 <= server.looks <= 5  # the library's own looks thirteen times
    assert dict(server.server_state.default_headers)[b"date"].endswith(b"GMT")
