"""Whatever people may get to see by its code has a Chinese name, on the pages and at the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.kernel.roles import POWERS, ROLES
from domain.kinds import REGISTRY
from domain.repairs import outlook
from infra.eventstore.shipped_rules import shipped_standard
from projections.read_models.cases import STAGES, STOPS
from projections.reports.names import CHANNELS, COMMITMENTS, FACTS, REASONS
from projections.reports.names import STAGES as STAGE_NAMES

PAGES = Path(__file__).parents[2] / "api" / "static" / "names.js"
STANDARD = shipped_standard()


def shown(table: str) -> set[str]:
    """The codes that a table of the pages' names has."""
    text = PAGES.read_text(encoding="utf-8")
    body = text.split(f"export const {table} = {{")[1].split("\n};")[0]
    return {quoted or plain for quoted, plain in re.findall(r'(?:"([a-z_.-]+)"|\b([A-Za-z_]+)): \[', body)}


def test_every_fact_of_a_case_has_a_name_on_the_board() -> None:
    facts = {cls.__name__ for family, cls in REGISTRY.names if family in ("repair", "connection", "usage")}
    assert facts - shown("FACTS") == set()
    assert facts - FACTS.keys() == set()


def test_why_a_window_moved_or_ended_has_a_name_at_the_terminal() -> None:
    folder = Path(__file__).parents[2] / "domain"
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    found = set(re.findall(r'\b(?:reason|cause)(?:: str)? ?= ?"([a-z-]+)"', text))
    assert {"pause", "notice-given"} <= found
    assert found - REASONS.keys() == set()


def test_every_stage_has_a_name_everywhere() -> None:
    stages = {*STAGES, *STOPS}
    assert stages - shown("STAGES") == set()
    assert stages - STAGE_NAMES.keys() == set()


def test_every_commitment_role_and_channel_has_a_name() -> None:
    promised = {*STANDARD.ladders, *STANDARD.notify_on_lapse}
    assert promised - shown("COMMITMENTS") == set()
    assert promised - COMMITMENTS.keys() == set()
    assert {*ROLES, "second-crew"} - shown("ROLES") == set()
    assert set(STANDARD.allowed_lateness_minutes) - shown("CHANNELS") == set()
    assert set(STANDARD.remote_channels) - CHANNELS.keys() == set()


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
    assert set(getattr(STANDARD, reasons)) - {"other"} - shown("REASONS") == set()
