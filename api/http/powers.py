"""Which power of the standard an operation needs, in its OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.kinds import POWERS

POWER = "x-power"
"""The name in an operation of the OpenAPI document."""
NONE = "none"
"""What stands there for a command that everybody may send."""


def needs(power: str | None) -> dict[str, Any]:
    """What a route says in ``openapi_extra``; every command's says it, a query's where it needs one. ``power``: what a
    role must have by the standard in force, or else it is refused ``wrong-role``; None: none. Raises ValueError for a
    power that no standard can give."""
    if power is not None and power not in POWERS:
        raise ValueError(f"no such power: {power}; enter it at its kind in domain/kinds.py")
    return {POWER: power or NONE}


def power_of(route: Any) -> str | None:
    """The power that a route says its command needs; None where it needs none or says nothing."""
    said = (getattr(route, "openapi_extra", None) or {}).get(POWER, NONE)
    return said if said != NONE else None


def describe_powers(paths: Mapping[str, Any]) -> None:
    """Say the power of each operation in the words of its description too, in English and Chinese."""
    for operation in (operation for methods in paths.values() for operation in methods.values()):
        if POWER in operation:
            said = operation.get("description", "").strip()
            operation["description"] = f"{said}\n\n{_words(operation[POWER])}".strip()


def _words(power: str) -> str:
    if power == NONE:
        return "Needs no power. 无需权限。"
    return f"Needs the power `{power}`. 需要权限 `{power}`。"
