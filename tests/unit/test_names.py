"""Whatever people may get to see by its code has a Chinese name, on the pages and at the terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from domain import kinds
from domain.kernel.roles import ROLES
from domain.kinds import POWERS
from domain.repairs import outlook
from infra.eventstore.shipped_rules import shipped_standard
from projections import names

STATIC = Path(__file__).parents[2] / "api" / "static"
STANDARD = shipped_standard()


def shown(table: str) -> set[str]:
    """The codes that a table of the pages' names has, in the script that pages are served."""
    (line,) = (line for line in names.as_script().splitlines() if line.startswith(f"export const {table} = "))
    return set(json.loads(line.removeprefix(f"export const {table} = ").removesuffix(";")))


def test_the_pages_have_every_table_that_they_import() -> None:
    tables = set(re.findall(r"export const ([A-Z_]+) = ", names.as_script()))
    wanted: set[str] = set()
    for page in STATIC.glob("*.js"):
        for imported in re.findall(r'import \{([^}]*)\} from "./names.js"', page.read_text(encoding="utf-8")):
            wanted |= set(imported.replace(" ", "").split(","))
    assert wanted
    assert wanted - tables == set()


def test_one_code_has_one_name() -> None:
    for table in ("stages", "stops", "promises"):
        named: dict[str, object] = {}
        for kind in kinds.PROMISING:
            for code, name in getattr(kind, table).items():
                assert named.setdefault(code, name) == name, (kind.name, code)


def test_why_a_window_moved_or_ended_has_a_name() -> None:
    folder = Path(__file__).parents[2] / "domain"
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    found = set(re.findall(r'\b(?:reason|cause)(?:: str)? ?= ?"([a-z-]+)"', text))
    assert {"pause", "notice-given"} <= found
    assert found - shown("REASONS") == set()


def test_every_promise_role_and_channel_has_a_name() -> None:
    assert {*STANDARD.alerting.ladders, *STANDARD.alerting.notify_on_lapse} - shown("COMMITMENTS") == set()
    assert {*ROLES, "second-crew"} - shown("ROLES") == set()
    assert set(STANDARD.allowed_lateness_minutes) - shown("CHANNELS") == set()
    assert set(STANDARD.connection.remote_channels) - shown("CHANNELS") == set()


def test_every_next_action_has_a_name_at_the_desk() -> None:
    source = (Path(__file__).parents[2] / "domain" / "connections" / "outlook.py").read_text(encoding="utf-8")
    powers = {power.removeprefix("connection.") for power in POWERS if power.startswith("connection.")}
    given = {word for word in re.findall(r'"([a-z-]+)"', source) if word in powers}
    assert given
    assert given - shown("ACTIONS") == set()


def test_every_next_action_has_a_name_at_dispatch() -> None:
    assert set(outlook.ACTIONS) == shown("REPAIR_ACTIONS")


@pytest.mark.parametrize("reasons", ["pause_reasons", "withdrawal_reasons"])
def test_every_reason_of_the_shipped_standard_has_a_name(reasons: str) -> None:
    assert set(getattr(STANDARD.connection, reasons)) - {"other"} - shown("REASONS") == set()
