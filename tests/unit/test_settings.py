"""Names of settings: a misspelt one is found, with the one that was meant."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.up import _environment
from infra.settings import Settings, StaffContact, unknown_variables

MESSAGES = Path(__file__).parents[2] / "docs/how-to/operate/messages.md"
READS = "from infra.settings import Settings; print(Settings().model_dump_json())"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("TONGSHUI_HTPP_PORT", "TONGSHUI_HTTP_PORT"),
        ("TONGSHUI_KAFKA_BOOTSTRAPS", "TONGSHUI_KAFKA_BOOTSTRAP"),
        ("tongshui_datadir", "TONGSHUI_DATA_DIR"),
        ("TONGSHUI_QQ", ""),
    ],
)
def test_a_variable_that_is_no_setting_is_named_with_the_nearest_that_is(written: str, meant: str) -> None:
    assert unknown_variables([written, "PATH", "TONGSHUI_HTTP_PORT"]) == {written: meant}


def test_every_setting_is_known_and_what_only_the_compose_file_reads() -> None:
    settings = [f"TONGSHUI_{name.upper()}" for name in Settings.model_fields]
    assert unknown_variables([*settings, "tongshui_http_port", "TONGSHUI_SECRETS", "TONGSHUI_VERSION"]) == {}


def as_a_child_reads(settings: Settings) -> dict[str, Any]:
    """The settings of a process that `up` starts with these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TONGSHUI_")}
    ended = subprocess.run(
        [sys.executable, "-c", READS],
        env={**inherited, **_environment(settings)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    read: dict[str, Any] = json.loads(ended.stdout)
    return read


def test_the_parts_of_up_read_the_contacts_that_the_page_about_messages_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = re.search(r"^\$ export (TONGSHUI_STAFF_CONTACTS=.*)$", MESSAGES.read_text(encoding="utf-8"), re.M)
    assert shown is not None
    name, _, value = shlex.split(shown[1])[0].partition("=")
    monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.staff_contacts["duty-manager"].email == "duty@example.org"
    assert as_a_child_reads(settings)["staff_contacts"] == json.loads(value)


@pytest.mark.parametrize(
    "contacts", [{}, {"manager": {"email": "a\"b'c@example.org", "webhook": "https://例.cn/a b?c={d}"}}]
)
def test_the_parts_of_up_read_every_setting_as_it_was_read_here(contacts: dict[str, Any]) -> None:
    others: dict[str, Any] = {
        "kafka_sasl_password": "['not a list']",
        "gateway_secret": "true",
        "clock_start": "2026-02-13T09:00:00+08:00",
        "second_factor_roles": [],
        "trusted_proxies": ["192.0.2.1", "2001:db8::1"],
        "master_key_file": "/a b/master.key",
    }
    settings = Settings(**others, staff_contacts={role: StaffContact(**each) for role, each in contacts.items()})
    said = settings.model_copy(update={"log_stamped": True}).model_dump(mode="json")
    assert as_a_child_reads(settings) == said
