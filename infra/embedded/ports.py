"""TCP ports of this machine."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the ranges from which Linux (32768 up) and macOS (49152 up) take the ports of outgoing connections. A port from
# such a range may be taken by anybody's connection while the server that owns it restarts.
_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """A port of the loopback address that nobody listens on now, and that no outgoing connection will be given."""
    for _ in range(200):
        port = random.randint(_FIRST, _LAST)
        if is_free(port):
            return port
    raise OSError(f"no free TCP port between {_FIRST} and {_LAST} on {LOOPBACK} in 200 tries")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now; connections of a dead server do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether somebody accepts connections on the port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
