"""What a way of delivery is given, what it gives back, and how long to wait before it is tried again."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol
from uuid import UUID

# A gateway may use its customer's number as a receipt: events keep no such thing.
_PERSONAL = re.compile(r"(?<!\d)(?:1[3-9]\d{9}|\d{17}[\dXx])(?!\d)")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


@dataclass(frozen=True, slots=True)
class Attached:
    """A PDF that goes with a message by mail."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way out. ``address``: of the one person it is for, from the vault at this moment; None: it is
    for everybody in the districts of ``audience``. It is held in memory for the attempt and nowhere else.
    ``attached``: for the way ``email``."""

    id: UUID
    kind: str
    way: str
    title: str
    text: str
    digest: str
    audience: Sequence[str]
    address: Mapping[str, str] | None = None
    attached: Attached | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """It was taken. ``receipt`` and ``status`` are the deliverer's words, ``digest`` is of its whole answer."""

    receipt: str
    status: str
    digest: str


class DeliveryError(Exception):
    """It was not taken, for the reason ``code``. ``permanent``: trying again would not help."""

    def __init__(self, code: str, *, permanent: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.permanent = permanent


class Way(Protocol):
    """An adapter. May be called by several threads at once."""

    needs: tuple[str, ...]
    """Which particulars of a person it takes; one of them is enough."""

    def deliver(self, outgoing: Outgoing) -> Delivery:
        """Hand it over. Raises DeliveryError; anything else that is raised is a defect and is tried again."""


def delivery(receipt: object, status: object, answer: bytes) -> Delivery:
    """A delivery from a deliverer's answer. Raises DeliveryError "no-receipt" where it proves nothing."""
    if not isinstance(receipt, str) or not _WORD.fullmatch(receipt):
        raise DeliveryError("no-receipt")
    if not isinstance(status, str) or not _WORD.fullmatch(status):
        raise DeliveryError("no-receipt")
    digest = sha256(answer).hexdigest()
    kept = receipt if not _PERSONAL.search(receipt) else f"answer-{digest[:16]}"
    return Delivery(kept, status, f"sha256:{digest}")


def pause_s(attempt: int, first_s: float, longest_s: float, rng: random.Random) -> float:
    """How long to wait after the attempt of that number (from 1): doubling to a limit, the last half of it by chance,
    so that what failed together is not tried together."""
    whole = min(longest_s, first_s * 2.0 ** min(attempt - 1, 30))
    return whole * (0.5 + rng.random() / 2)
