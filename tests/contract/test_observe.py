"""The alert rules and the dashboard: every expression parses and asks for figures that we really give."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api.http.metrics import ProcessMetrics
from tests.statuses import whole_status

FOLDER = Path(__file__).parents[2] / "infra" / "observe"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
PLAYED = yaml.safe_load((FOLDER / "alerts.test.yaml").read_text(encoding="utf-8"))["tests"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ASKED = [rule["expr"] for rule in RULES] + [target["expr"] for panel in PANELS for target in panel["targets"]]


@pytest.fixture(scope="module")
def given() -> dict[str, set[str]]:
    """Name of a sample → its labels, as /metrics gives them in an installation that has everything."""
    figures = ProcessMetrics(whole_status, lambda: 0)
    figures.request("/api/v1/repairs", "POST", 201, "ok", 0.01)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(generate_latest(figures.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def selectors(node: Any) -> Iterator[promql_parser.VectorSelector]:
    """Every selector of an expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        part = getattr(node, name, None)
        for each in part if isinstance(part, list) else [part]:
            if each is not None:
                yield from selectors(each)


def parsed(expression: str) -> Any:
    return promql_parser.parse(expression.replace("$job", "tongshui"))


@pytest.mark.parametrize("expression", ASKED)
def test_an_expression_asks_for_figures_and_labels_that_there_are(expression: str, given: dict[str, set[str]]) -> None:
    found = list(selectors(parsed(expression)))
    assert found
    for selector in found:
        assert selector.name in given, selector.name
        for matcher in selector.matchers.matchers:
            assert matcher.name in given[selector.name] | {"job"}, matcher.name


def test_the_labels_that_figures_are_grouped_by_are_theirs(given: dict[str, set[str]]) -> None:
    grouped = 0
    for expression in ASKED:
        for labels in re.findall(r"\bby \(([^)]*)\)", expression):
            names = {each.strip() for each in labels.split(",")}
            here = set().union(*(given[str(selector.name)] for selector in selectors(parsed(expression))))
            assert names <= here, expression
            grouped += 1
    assert grouped > 10


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"[A-Z][A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "summary_zh", "next_step", "runbook"}
    assert re.fullmatch(r"[0-9]+[smh]", rule.get("for", "0s"))
    assert not rule["annotations"]["summary_zh"].isascii()
    for used in re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])):
        assert used in rule["expr"] or used in ("name", "reader", "pid", "commitment")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_played_silent_and_heard(rule: dict[str, Any]) -> None:
    cases = [case for test in PLAYED for case in test["alert_rule_test"] if case["alertname"] == rule["alert"]]
    heard = [alert for case in cases for alert in case["exp_alerts"]]
    assert any(not case["exp_alerts"] for case in cases)
    assert heard
    for alert in heard:
        assert alert["exp_labels"]["severity"] == rule["labels"]["severity"]
        for word in ("next_step", "runbook"):
            assert alert["exp_annotations"][word] == rule["annotations"][word]


def test_what_is_played_are_alerts_and_figures_that_there_are(given: dict[str, set[str]]) -> None:
    assert {case["alertname"] for test in PLAYED for case in test["alert_rule_test"]} == {r["alert"] for r in RULES}
    for series in [each["series"] for test in PLAYED for each in test["input_series"]]:
        selector = parsed(series)
        names = {matcher.name for matcher in selector.matchers.matchers}
        # Prometheus itself says whether a scrape came through.
        assert selector.name == "up" or names <= given[selector.name] | {"job"}, series


def test_promtool_takes_the_rules_and_hears_what_is_played() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool: it comes with Prometheus (Debian: apt-get install prometheus)")
    for said in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]):
        ended = subprocess.run([promtool, *said], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_no_two_alerts_have_one_name_and_nothing_pages_that_can_wait() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    pages = {rule["alert"] for rule in RULES if rule["labels"]["severity"] == "page"}
    assert {"PromisesNotWatched", "StoreDown", "RelayBehind", "ReaderBehind", "ReaderStopped"} <= pages
    assert not {"CalendarRunsOut", "DeadLetters", "LapsesBurst", "BillingDiffers"} & pages


def test_the_commands_that_alerts_name_are_there() -> None:
    from app.cli import main

    named = {word for rule in RULES for word in re.findall(r"tongshui ([a-z-]+)", rule["annotations"]["next_step"])}
    assert named
    assert named <= set(main.commands)


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["uid"] == "tongshui"
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    assert {"source", "job"} <= variables
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all('{job=~"$job"}' in target["expr"] for target in panel["targets"])


def test_no_two_panels_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
