"""What stands outside: a gateway and a mail server, real ones on free loopback ports, that do as a test tells them."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "a-secret-of-the-gateway"


class GatewayServer(ThreadingHTTPServer):
    """A gateway. ``answers`` are used up first to last, (status, body); then it takes everything, a key once.
    While ``open`` is not set it takes what comes and answers nothing."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.sent: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.open = threading.Event()
        self.open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/messages"


class _Handler(BaseHTTPRequestHandler):
    server: GatewayServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.received.append((dict(self.headers.items()), body))
            if self.server.answers:
                status, answer = self.server.answers.pop(0)
            else:
                known = self.server.sent.setdefault(self.headers["Idempotency-Key"], json.loads(body))
                receipt = f"r-{list(self.server.sent.values()).index(known) + 1}"
                status, answer = 200, json.dumps({"receipt": receipt, "status": "delivered"}).encode()
        self.server.open.wait(30)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class MailServer(socketserver.ThreadingTCPServer):
    """As much of an SMTP server as one message needs. ``refuses`` is what it answers to a recipient, once each."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.messages: list[tuple[str, str, bytes]] = []
        self.refuses: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Mail(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say(b"220 mail.example ESMTP")
        sender = to = ""
        while line := self.rfile.readline():
            verb = line.strip().upper()
            if verb.startswith(b"MAIL"):
                sender = line.decode().split("<")[1].split(">")[0]
                self._say(b"250 OK")
            elif verb.startswith(b"RCPT"):
                to = line.decode().split("<")[1].split(">")[0]
                self._say(self.server.refuses.pop(0) if self.server.refuses else b"250 OK")
            elif verb == b"DATA":
                self._say(b"354 go on")
                self.server.messages.append((sender, to, self._message()))
                self._say(b"250 2.0.0 Ok: queued as Q%d" % len(self.server.messages))
            elif verb == b"QUIT":
                self._say(b"221 bye")
                return
            else:
                self._say(b"250 mail.example")

    def _message(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


@contextmanager
def running(server: Any) -> Iterator[Any]:
    """The server, serving from a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
