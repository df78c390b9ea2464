"""The one form in which the ids of actors are compared: whether two of them are one.

Who writes an id otherwise does not become somebody else by it. Source: our decision.
"""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def canonical(actor: str) -> str:
    """The id as it is compared: small letters, full-width forms as plain ones, without blanks, without marks that
    cannot be seen, without dots at the end. ``Ｃ1．``, ``C1`` and ``c1.`` are one."""
    # Until nothing changes: what is taken out can leave two characters side by side that are one.
    while (folded := _folded(actor)) != actor:
        actor = folded
    return actor


def is_same(one: str, other: str) -> bool:
    """Whether two ids are of one actor."""
    return canonical(one) == canonical(other)


def _folded(actor: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", actor).casefold())
    seen = "".join(character for character in folded if unicodedata.category(character) not in _UNSEEN)
    return seen.rstrip(".。")
