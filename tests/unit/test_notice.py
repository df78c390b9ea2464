"""NOTICE names what is shipped or fetched at set-up, with its licence; the audit reads what a list answers."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

from tests import audit

ROOT = Path(__file__).parents[2]
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^  ([a-z][a-z0-9.-]*) +(\S.*)$", NOTICE, re.MULTILINE))
LOCKED = re.findall(r"^([a-z][a-z0-9._-]*)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)


def test_notice_names_every_package_that_is_installed_to_run() -> None:
    assert sorted(ROWS) == sorted(LOCKED)


@pytest.mark.parametrize("package", LOCKED)
def test_notice_has_the_licence_that_the_package_declares(package: str) -> None:
    try:
        declared = metadata(package).json.get("license_expression")
    except PackageNotFoundError:
        pytest.skip(f"{package} is for another platform")
    if declared is not None:
        assert ROWS[package] == declared


def test_notice_names_the_producer_that_may_be_installed_beside() -> None:
    assert "requirements-confluent.txt brings that package: Apache License 2.0" in NOTICE


@pytest.mark.parametrize("folder", ["infra/data/holiday-cn", "api/static"])
def test_notice_names_what_is_shipped_beside_the_code(folder: str) -> None:
    assert folder in NOTICE


def test_a_known_vulnerability_is_named_with_what_mends_it() -> None:
    answer = {
        "dependencies": [
            {"name": "one", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1", "2"]}]},
            {"name": "two", "version": "1", "vulns": []},
            {"name": "three", "skip_reason": "unknown"},
        ]
    }
    assert audit.vulnerable(answer) == ["audit: one 1: CVE-1, mended in 1.1, 2"]
