"""A whole installation in a folder of its own, as real processes, for measurements."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.up import supervisor, with_addresses
from infra.embedded.ports import free_port
from infra.kafka.access import ADMIN
from infra.settings import Settings
from tests.proven import PROXY

UNLIMITED = 1_000_000_000


@contextmanager
def installation(factor: float = 1.0) -> Iterator[Settings]:
    """Everything that ``tongshui up`` runs; gives settings with the addresses.

    Whoever sends the headers of ``tests.proven`` is believed, and nobody is told to ask less often."""
    home = Path(tempfile.mkdtemp(prefix="tsb-"))
    home.chmod(0o755)
    settings = Settings(
        data_dir=home,
        http_port=free_port(),
        clock_factor=factor,
        log_level="ERROR",
        proxy_secret=PROXY,
        actor_posts_per_minute=UNLIMITED,
        actor_queries_per_minute=UNLIMITED,
    )
    try:
        with supervisor(settings, lambda line: None, external=False):
            yield with_addresses(settings, ADMIN)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def percentiles(values: list[float]) -> str:
    """p50, p99 and maximum of seconds, as milliseconds."""
    p50, p99, most = (at_share(values, share) * 1000 for share in (0.5, 0.99, 1))
    return f"p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   max {most:7.1f} ms   n {len(values)}"


def at_share(values: list[float], share: float) -> float:
    """The value within which that share of them lies; 0.99 for p99."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
