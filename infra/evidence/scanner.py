"""The scanner that looks at a file before it is kept: ClamAV's daemon, or a command of the installation's own."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from typing import Literal

from infra.settings import Settings

Verdict = Literal["clean", "infected", "unreachable"]
"""``unreachable``: no scanner said anything; the file waits for one."""

PIECE_BYTES = 64 * 1024


def scan(settings: Settings, pieces: Iterable[bytes]) -> Verdict:
    """What the scanner of the settings says; ``clean`` where they name none."""
    if settings.evidence_clamd:
        return _by_clamd(settings.evidence_clamd, pieces, settings.evidence_scan_s)
    if settings.evidence_scan_command:
        return _by_command(settings.evidence_scan_command, pieces, settings.evidence_scan_s)
    return "clean"


def _by_clamd(address: str, pieces: Iterable[bytes], seconds: float) -> Verdict:
    """Over INSTREAM of clamd's protocol: pieces with their length before each, an empty one at the end."""
    try:
        with _connected(address, seconds) as connection:
            with suppress(BrokenPipeError, ConnectionResetError):  # it says why it closed
                connection.sendall(b"zINSTREAM\0")
                for piece in pieces:
                    for start in range(0, len(piece), PIECE_BYTES):
                        sent = piece[start : start + PIECE_BYTES]
                        connection.sendall(len(sent).to_bytes(4, "big") + sent)
                connection.sendall(bytes(4))
            answer = bytearray()
            while not answer.endswith(b"\0") and (said := connection.recv(4096)):
                answer += said
    except (OSError, ValueError):
        return "unreachable"
    words = bytes(answer).rstrip(b"\0\n")
    if words.endswith(b" FOUND"):
        return "infected"
    return "clean" if words == b"stream: OK" else "unreachable"


def _connected(address: str, seconds: float) -> socket.socket:
    if address.startswith("/"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(seconds)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)


def _by_command(command: tuple[str, ...], pieces: Iterable[bytes], seconds: float) -> Verdict:
    """The command reads the file from its standard input: exit 0 is clean, 1 infected (as of clamscan), else nothing
    is known."""
    # Of one piece: a scanner that does not read would else block the pipe, and nobody would watch the time.
    whole = b"".join(pieces)
    try:
        done = subprocess.run(
            command, input=whole, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=seconds, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return "unreachable"
    return {0: "clean", 1: "infected"}.get(done.returncode, "unreachable")  # type: ignore[return-value]
