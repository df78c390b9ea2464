"""Which power of the standard a command needs, in its OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.kernel.roles import POWERS

POWER = "x-power"
"""The name in an operation of the OpenAPI document; null there: everybody may send the command."""


def needs(power: str | None) -> dict[str, Any]:
    """What a command's route says in ``openapi_extra``. ``power``: what a role must have by the standard in force, or
    else the command is refused ``wrong-role``; None: none. Raises ValueError for a power that no standard can give."""
    if power is not None and power not in POWERS:
        raise ValueError(f"no such power: {power}; enter it in domain/kernel/roles.py")
    return {POWER: power}


def describe_powers(paths: Mapping[str, Any]) -> None:
    """Say the power of each command in the words of its description too, in English and Chinese."""
    for operation in (operation for methods in paths.values() for operation in methods.values()):
        if POWER in operation:
            said = operation.get("description", "").strip()
            operation["description"] = f"{said}\n\n{_words(operation[POWER])}".strip()


def _words(power: str | None) -> str:
    if power is None:
        return "Needs no power. 无需权限。"
    return f"Needs the power `{power}`. 需要权限 `{power}`。"
