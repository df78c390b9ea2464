"""Who may read a file: whoever works on a case that it was handed in for, whoever handed it in, and the auditor.

Source: our decision. A file of no case is for whoever handed it in and the auditor.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any
from uuid import UUID

from domain.connections.facts import PaperSent
from domain.evidence.refusals import NotYourCaseEvidence
from domain.kernel.facts import Recorded
from domain.kinds import POWERS, Kind
from domain.outages.facts import OutageNoticeOrdered, OutageNoticeProven, OutageNoticeSent
from domain.particulars import Asker
from domain.people.scope import Place, scope_of
from domain.repairs.facts import AnswerOrdered, ReporterAnswered
from domain.standard.alerts import AlertTold
from domain.standard.powers import roles_with
from domain.standard.standards import Standard

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
OVER_ALL = ("auditor",)
POWER = "evidence.read"


@dataclass(frozen=True, slots=True)
class CaseOfFile:
    """A case that a file was handed in for, and where it belongs; None: nowhere that is known."""

    kind: Kind
    id: UUID
    place: Place | None


def require_readable(
    standard: Standard, asker: Asker, cases: Iterable[CaseOfFile], *, is_from_asker: bool = False
) -> None:
    """Refuse ``not-your-case-evidence`` to who works on none of the cases."""
    if is_from_asker or asker.role in OVER_ALL:
        return
    if not any(_works_on(standard, asker, case) for case in cases):
        raise NotYourCaseEvidence()


def power_to_read(kind: Kind) -> str:
    """The power that cases of that kind are read with."""
    return next((f"{kind.name}.{verb}" for verb in ("read", "view") if f"{kind.name}.{verb}" in POWERS), "case.read")


def _works_on(standard: Standard, asker: Asker, case: CaseOfFile) -> bool:
    if asker.role not in roles_with(standard, power_to_read(case.kind)):
        return False
    return scope_of(POWER, asker.role, asker.work).reaches(case.place, case.id)


def digests_named(history: Iterable[Recorded]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Digest → the facts of a case that name it, each as its name and the field, in the order in which they came.
    Digests of what the program sent, and of what it was answered, are left out: there never is a file of them."""
    found: dict[str, list[tuple[str, str]]] = {}
    for recorded in history:
        fact = recorded.fact
        if _is_of_messages(fact):
            continue
        for name, digest in _digests(fact, ""):
            place = (type(fact).__name__, name)
            if place not in found.setdefault(digest, []):
                found[digest].append(place)
    return {digest: tuple(places) for digest, places in found.items()}


def _is_of_messages(fact: Any) -> bool:
    match fact:
        case PaperSent() | AnswerOrdered() | OutageNoticeOrdered() | AlertTold():
            return True
        case OutageNoticeSent(order=order) | ReporterAnswered(order=order):
            return order is not None  # by hand there may be a file: a letter, a photograph of a notice board
        case OutageNoticeProven(receipt=receipt):
            return receipt is not None
    return False


def _digests(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if _DIGEST.fullmatch(value):
            yield name, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _digests(getattr(value, field.name), field.name)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _digests(each, name)
    elif isinstance(value, Sequence | frozenset):
        for each in value:
            yield from _digests(each, name)
