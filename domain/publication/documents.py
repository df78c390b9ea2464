"""What every published document is held to: a version of its own, and a date to come."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime

from domain.kernel.refusals import Refusal
from domain.publication.refusals import BadVersion, EffectiveInThePast, NoSuchDraft, VersionUsed

_VERSION = re.compile(r"[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*")


def require_new_version(version: str, used: Collection[str]) -> None:
    """Refuse ``bad-version`` for what is no version's name, ``version-used`` for one that stands for another text."""
    if not _VERSION.fullmatch(version) or len(version) > 40:
        raise BadVersion(version)
    if version in used:
        raise VersionUsed(version)


def require_to_come(effective_from: datetime, at: datetime) -> None:
    """Refuse ``effective-in-the-past``: nobody can have kept to rules that were not public yet."""
    if effective_from < at:
        raise EffectiveInThePast(effective_from, at)


def no_such_draft(version: str) -> Refusal:
    """No draft of that version waits for anything."""
    return NoSuchDraft(version)
