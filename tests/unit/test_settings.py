"""Names of settings: a misspelt one is found, with the one that was meant."""

from __future__ import annotations

import pytest

from infra.settings import Settings, unknown_variables


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
