"""The page of permissions: route × role × scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.http.identity import FOLLOW
from api.http.permissions import Permission, permissions
from app.reference.markdown import page, table
from domain.standard.scopes import BOUNDS
from infra.eventstore.shipped_rules import shipped_standards


def permissions_page(document: Mapping[str, Any]) -> str:
    """Each route with its power, its roles by the shipped standard, and what narrows an account that is bound."""
    rows = permissions(document, shipped_standards()[-1])
    return page(
        "Permissions",
        "Whoever asks needs the route's power by the standard in force (`wrong-role`), and the case must be theirs "
        "(`not-yours`). An account that is bound to nothing reaches every case. A list leaves out what is not theirs. "
        "A machine may be granted fewer powers than its roles have (`scope-not-granted`). These are the roles of the "
        "shipped standard. A test tries every cell of this table against the application.",
        ["## Bounds { #bounds }", "", *table(("bound", "whom it narrows, and to what"), sorted(BOUNDS.items()))],
        ["## Routes { #routes }", "", *table(("route", "power", "roles", "narrowed to"), map(_row, rows))],
    )


def _row(row: Permission) -> tuple[str, str, str, str]:
    if row.path.startswith(f"{FOLLOW}{{code}}"):  # the link says who asks, and opens one case
        power = f"`{row.power}`" if row.power is not None else ""
        return (f"`{row.method} {row.path}`", power, "whoever has the link", "`own-case`")
    return (
        f"`{row.method} {row.path}`",
        f"`{row.power}`" if row.power is not None else "",
        ", ".join(f"`{role}`" for role in row.roles) or "whoever asks",
        ", ".join(f"`{bound}`" for bound in row.bounds) or "all",
    )
