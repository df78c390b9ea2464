"""The body of a command as it is shown to the second person: what it says of persons is masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.vault.masks import HIDDEN, masked

PERSONS = frozenset({"reporter", "applicant", "customer"})
"""Fields of bodies that hold particulars of a person; a test holds them against the API's own description."""


def without_particulars(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with persons masked, however deep they stand."""
    return {name: _person(value) if name in PERSONS else _shown(value) for name, value in body.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_particulars(value)
    return [_shown(each) for each in value] if isinstance(value, list) else value


def _person(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return HIDDEN
    return masked({name: text for name, text in value.items() if isinstance(text, str)}, None)
