"""Serving the application: one uvicorn server that also stops while somebody listens to the breach stream."""

from __future__ import annotations

import asyncio
from types import FrameType

import uvicorn
from fastapi import FastAPI

STOP_SECONDS = 5


class Server(uvicorn.Server):
    """Ends the open streams when it is told to stop; uvicorn by itself would wait for their listeners to go."""

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._streams = app.state.pulse
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.end_streams()

    def stop(self) -> None:
        """Stop serving; from any thread."""
        self.should_exit = True
        self.end_streams()

    def end_streams(self) -> None:
        """End every open stream; from any thread or signal handler."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._streams.close)


def make_server(app: FastAPI, *, host: str, port: int) -> Server:
    """A server for the application; ``run()`` serves until told to stop. Logs go where the process logs go."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        # The application writes its own line for each request, without paths and queries.
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=app.state.service.settings.http_connections,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return Server(app, config)
