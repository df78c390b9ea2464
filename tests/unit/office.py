"""Builders for what the office does: people in roles, documents, and states after what was said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.kernel.facts import Recorded, event_id
from domain.standard.context import CommandContext, Person
from domain.standard.fees import BannedName, Catalogue, FeeItem, Formula
from domain.standard.flat import with_changes
from domain.standard.standards import Rules, Standard
from infra.eventstore.shipped_rules import shipped_catalogue, shipped_standard
from tests.unit.cases import NINE

TOMORROW = NINE + timedelta(days=1)
LONG_AGO = datetime(2021, 1, 1, tzinfo=UTC)


def by(
    rules: Rules, role: str, actor: str | None = None, *, at: datetime = NINE, happened_at: datetime | None = None
) -> CommandContext:
    """Somebody in a role says it at nine."""
    return CommandContext(happened_at or at, at, "office", rules, Person(actor or f"{role}-1", role))


def after(evolve: Callable[[Any, Recorded], Any], state: Any, fact: Any, actor: str = "", at: datetime = NINE) -> Any:
    """The state after one more fact."""
    return evolve(state, Recorded(fact, event_id(UUID(int=9), 1), 1, at, actor))


def a_standard(**changes: Any) -> Standard:
    """The shipped standard as a new version from tomorrow on."""
    return with_changes(shipped_standard(), **{"version": "0225-6", "effective_from": TOMORROW, **changes})


def an_item(**changes: Any) -> FeeItem:
    """A fee that anybody may be charged."""
    values: dict[str, Any] = {
        "code": "installation",
        "name_zh": "工程安装费",
        "legal_basis": "示例文号〔2026〕2号",
        "formula": Formula("per-unit", Decimal(12850), "metre"),
        "unit_zh": "米",
        "cap_fen": None,
        "payer_classes": ("person", "company"),
        "valid_from": date(2021, 1, 1),
        "valid_until": None,
        "active": True,
        "extent": "inside-red-line",
    }
    return FeeItem(**(values | changes))


def a_catalogue(*items: FeeItem, version: str = "2026-2", **changes: Any) -> Catalogue:
    """The shipped catalogue's items, or these, as a new version from tomorrow on."""
    shipped = shipped_catalogue()
    banned: tuple[BannedName, ...] = changes.pop("banned", shipped.banned)
    return Catalogue(version, changes.pop("effective_from", TOMORROW), items or shipped.items, banned)
