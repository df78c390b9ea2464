"""What every published document is held to: a version of its own, and a date to come."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime

from domain.kernel.refusals import Refusal

_VERSION = re.compile(r"[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*")


def require_new_version(version: str, used: Collection[str]) -> None:
    """Refuse ``bad-version`` for what is no version's name, ``version-used`` for one that stands for another text."""
    if not _VERSION.fullmatch(version) or len(version) > 40:
        raise Refusal(
            "bad-version",
            found=f"{version[:40]!r}",
            needed="letters and digits, at most 40, with single dots or hyphens between them",
            next_step="name the version so",
            next_step_zh="版本号只能由字母、数字、点和连字符组成",
        )
    if version in used:
        raise Refusal(
            "version-used",
            found=f"version {version}, which stands for another document",
            needed="a version of its own",
            next_step="give the document a new version",
            next_step_zh="该版本号已被使用，请另取版本号",
        )


def require_to_come(effective_from: datetime, at: datetime) -> None:
    """Refuse ``effective-in-the-past``: nobody can have kept to rules that were not public yet."""
    if effective_from < at:
        raise Refusal(
            "effective-in-the-past",
            found=f"in force from {effective_from.isoformat()}",
            needed=f"not before {at.isoformat()}",
            next_step="draft it with a date that is still to come",
            next_step_zh="生效时间不得早于现在，请更正后重新起草",
        )


def no_such_draft(version: str) -> Refusal:
    """No draft of that version waits for anything."""
    return Refusal(
        "no-such-draft",
        found=f"version {version[:40]!r}",
        needed="a draft that is not published yet",
        next_step="look up which drafts there are",
        next_step_zh="没有该版本的草案，请核对版本号",
    )
