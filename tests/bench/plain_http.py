"""HTTP without a library's own cost: requests whose bytes are made once, on connections that stay open.

A client library takes as much processor time for a request as the server does, and both share the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def request_bytes(method: str, path: str, port: int, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of one request with a JSON body."""
    lines = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/json", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **headers}.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def ask(connection: Connection, request: bytes) -> bytes:
    """Send a request; the body of its answer. Raises RuntimeError for an answer of refusal."""
    reader, writer = connection
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    body = await reader.readexactly(length)
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise RuntimeError(f"{body[:300]!r}")
    return body


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""

    async def connect() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    try:
        asyncio.run(connect())
    except OSError:
        return False
    return True


class Pool:
    """Connections to one port, as many as are in use at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[Connection] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One that nobody else uses meanwhile."""
        while self._free and self._free[-1][0].at_eof():  # the server ends what nobody used for some seconds
            self._free.pop()[1].close()
        one = self._free.pop() if self._free else await asyncio.open_connection("127.0.0.1", self._port)
        yield one
        self._free.append(one)

    def close(self) -> None:
        """Close those that are free."""
        for _, writer in self._free:
            writer.close()
