"""How often one may ask: a bucket of tokens for each address and each actor, in the memory of this process. Commands
and queries have buckets of their own, so that a page which looks again and again keeps nobody from telling a fact.

The public and who signs in are counted by their address, everybody else who proves who they are by their name. A front
end that the installation trusts speaks for many and keeps limits of its own; for the public it may say the address of
its client in ``X-Forwarded-For``.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from fastapi import Request

from api.http.refusals import TooManyRequests
from infra.settings import Settings

MOST_KEPT = 10_000
"""Buckets at most; the one that was asked of longest ago goes first, and its owner begins with a full one."""


class Buckets:
    """Buckets that hold a minute's tokens and fill evenly, one for each key. For one event loop."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Take a token. Refuses ``too-many-requests`` where there is none, and says when there will be."""
        now = self._clock()
        held, since = self._kept.pop(key, (self._per_minute, now))
        held = min(self._per_minute, held + (now - since) * self._per_minute / 60)
        enough = held >= 1
        self._kept[key] = (held - 1 if enough else held, now)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        if not enough:
            raise TooManyRequests(math.ceil((1 - held) * 60 / self._per_minute))


class RateLimits:
    """The buckets of one application."""

    def __init__(self, settings: Settings) -> None:
        self.sign_in = Buckets(settings.sign_ins_per_minute)
        self.public = Buckets(settings.public_posts_per_minute)
        self.actor = Buckets(settings.actor_posts_per_minute)
        self.public_queries = Buckets(settings.public_queries_per_minute)
        self.actor_queries = Buckets(settings.actor_queries_per_minute)
        self.phone = Buckets(settings.phone_codes_per_minute)
        self.link_files = Buckets(settings.link_files_per_minute)


def address_of(request: Request, *, by_front_end: bool) -> str | None:
    """Where the request comes from; of a trusted front end its client's, and None where it does not say."""
    if not by_front_end:
        return request.client.host if request.client is not None else None
    # The last one is what the front end itself saw; what stands before it is what its client said.
    said = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return said[:64] or None
