"""Serving the application: one uvicorn server that also stops while somebody listens to the breach stream."""

from __future__ import annotations

import asyncio
import logging
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from infra.http_address import server_context
from infra.settings import Settings

log = logging.getLogger(__name__)

STOP_SECONDS = 5
LOOK_S = 0.5
"""How often the server looks whether it shall stop."""
CERTIFICATE_LOOK_S = 60.0
"""How often the files of the certificate are looked at: whoever renews it replaces them and needs no restart."""


class Connection(H11Protocol):
    """A connection that ends where the headers of a request do not come in time.

    uvicorn ends one that waits for its next request, and not one that never says anything or begins and does not go on.
    The body has a limit of its own where it is read.
    """

    header_s: float = 10

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._overdue: asyncio.TimerHandle | None = self.loop.call_later(self.header_s, self._end)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before or self._is_answering():
            self._stop_waiting()
        elif self._overdue is None:
            self._overdue = self.loop.call_later(self.header_s, self._end)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _stop_waiting(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _end(self) -> None:
        self._overdue = None
        if not self._is_answering():
            self.transport.close()


class Server(uvicorn.Server):
    """Ends the open streams when it is told to stop; uvicorn by itself would wait for their listeners to go."""

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._streams = app.state.pulse
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settings: Settings = app.state.service.settings
        self._seen = _written(self._settings)
        self._looking: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type]
        if self._settings.tls_cert_file is not None:
            self._looking = asyncio.create_task(self._renew_for_ever())

    async def main_loop(self) -> None:
        """As the library's, which wakes ten times a second to see whether it shall stop: here twice, on every fifth of
        its ticks. At each tenth it writes the date that answers carry."""
        tick = 0
        while not await self.on_tick(tick):
            await asyncio.sleep(LOOK_S)
            tick = (tick + 5) % 10

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.end_streams()

    def stop(self) -> None:
        """Stop serving; from any thread."""
        self.should_exit = True
        self.end_streams()

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(CERTIFICATE_LOOK_S)
            self.renew()

    def renew(self) -> None:
        """Load the certificate anew where its files were replaced; connections from now on get it. One that cannot be
        used is logged, and the one before goes on."""
        now = _written(self._settings)
        context = self.config.ssl
        if now == self._seen or context is None or self._settings.tls_cert_file is None:
            return
        try:
            server_context(self._settings)  # tried on another context first: a bad pair would spoil the one in use
            context.load_cert_chain(self._settings.tls_cert_file, self._settings.tls_key_file)
        except OSError as error:
            log.error("api: the new certificate cannot be used (%s); the one before goes on", error.strerror or error)
        else:
            log.info("api: the certificate was renewed")
        self._seen = now

    def end_streams(self) -> None:
        """End every open stream; from any thread or signal handler."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._streams.close)


def make_server(app: FastAPI, *, host: str, port: int) -> Server:
    """A server for the application; ``run()`` serves until told to stop. Logs go where the process logs go. Raises
    OSError where the certificate of the settings cannot be used."""
    settings: Settings = app.state.service.settings
    context = server_context(settings)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        # The application writes its own line for each request, without paths and queries.
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.http_connections,
        http=type("TimedConnection", (Connection,), {"header_s": settings.http_header_s}),
        ws="none",
        ssl_context_factory=None if context is None else lambda *_: context,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return Server(app, config)


def _written(settings: Settings) -> list[tuple[int, int]]:
    """When the files of the certificate were last written, and which they are; [] where one of them is not there."""
    files = [each for each in (settings.tls_cert_file, settings.tls_key_file) if each is not None]
    try:
        return [(each.stat().st_mtime_ns, each.stat().st_ino) for each in files]
    except OSError:
        return []
