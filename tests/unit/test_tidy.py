"""House rules that fail like any bug, with the remedy in the message."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import fields, is_dataclass
from pathlib import Path

import msgspec
import pytest

from domain.kinds import REGISTRY
from infra.sql import _queries

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "infra", "projections", "consumers", "api", "app")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_FUNCTION = 60
PERSONAL = {"name", "phone", "address", "id_number", "email", "wechat", "lat", "lon", "latitude", "longitude"}


def trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES]


@pytest.mark.parametrize("name", sorted(REGISTRY.types))
def test_every_event_is_a_documented_frozen_dataclass_that_json_can_carry(name: str) -> None:
    _, cls = REGISTRY.types[name]
    assert is_dataclass(cls), f"{name}: make it a dataclass"
    assert cls.__dataclass_params__.frozen, f"{name}: facts never change; make it frozen"  # type: ignore[attr-defined]
    documented = bool(cls.__doc__) and not str(cls.__doc__).startswith(f"{cls.__name__}(")
    assert documented, f"{name}: say in a docstring what it means"
    assert msgspec.json.Decoder(cls) is not None


@pytest.mark.parametrize("name", sorted(REGISTRY.types))
def test_no_event_has_a_field_for_personal_data(name: str) -> None:
    def all_fields(cls: type, seen: set[type]) -> set[str]:
        if cls in seen or not is_dataclass(cls):
            return set()
        seen.add(cls)
        inner = [kind.cls for f in msgspec.inspect.type_info(cls).fields for kind in _classes(f.type)]  # type: ignore[attr-defined]
        return {f.name for f in fields(cls)}.union(*(all_fields(c, seen) for c in inner))

    family, cls = REGISTRY.types[name]
    if family == "public":
        return  # published documents name holidays and districts, never persons
    assert not all_fields(cls, set()) & PERSONAL, f"{name}: put it into the vault and carry the subject's reference"


def _classes(kind: object) -> list[msgspec.inspect.DataclassType]:
    if isinstance(kind, msgspec.inspect.DataclassType):
        return [kind]
    if isinstance(kind, msgspec.inspect.UnionType):
        return [one for inner in kind.types for one in _classes(inner)]
    if isinstance(kind, msgspec.inspect.VarTupleType):
        return _classes(kind.item_type)
    return []


def test_domain_reads_no_clock_and_no_chance() -> None:
    offences = []
    for path, tree in trees():
        if path.parts[len(ROOT.parts)] != "domain":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today", "uuid4", "uuid1", "random"}:
                offences.append(f"{path.name}:{node.lineno} {node.attr}")
    assert offences == [], "pass time and ids in as arguments"


def test_functions_stay_short() -> None:
    long = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {length} lines")
    assert long == [], "split it: one idea a function"


def test_only_settings_reads_the_environment() -> None:
    # These hand the environment on to children as it is, and read nothing in it.
    allowed = {ROOT / "infra" / "settings.py", ROOT / "app" / "supervisor.py", ROOT / "app" / "forks.py"}
    offences = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees()
        if path not in allowed and "embedded" not in path.parts
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    ]
    assert offences == [], "read it in infra/settings.py"


@pytest.mark.parametrize(
    ("word", "better", "where", "published"),
    [
        ("place", "read position", "infra/readers", ()),
        ("places", "read position", "infra/readers", ()),
        ("rungs", "reminders", "", ()),
        ("song", "canary", "", ()),
        ("sing", "send", "", ()),
        ("sung", "sent", "", ("infra/status.py", "app/status_report.py")),
        ("letters", "messages or dead letters", "", ("infra/status.py", "app/status_report.py")),
        ("families", "topics, kinds of case or kinds of fault", "", ("metrics.py",)),
    ],
)
def test_a_word_that_has_a_better_one_names_nothing(
    word: str, better: str, where: str, published: tuple[str, ...]
) -> None:
    """``published``: files in which it is a field of what others read."""
    found = [
        f"{path.relative_to(ROOT)}:{token.start[0]} {token.string}"
        for path in SOURCES
        if path.is_relative_to(ROOT / where) and not str(path).endswith(published)
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        if token.type == tokenize.NAME and word in token.string.lower().split("_")
        if not any(standing in token.string.lower() for standing in ("dead_letters", "fault_families"))
    ]
    assert not found, f"say {better}: {found}"


def test_every_named_query_is_used() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    unused = [name for name in _queries() if f'"{name}"' not in text]
    assert unused == [], "delete the query or use it"


def test_no_committed_text_names_a_registry_or_somebodys_home() -> None:
    forbidden = re.compile(r"https?://[a-z0-9.-]*(pypi|pythonhosted|maven|npmjs|golang|debian)|/(home|Users)/\w+/")
    offences = []
    for path in ROOT.rglob("*"):
        relative = path.relative_to(ROOT)
        if (relative.parts[0].startswith(".") and relative.parts[0] != ".ci") or path == Path(__file__):
            continue
        if relative.parts[0] == "build":  # the documents' site: made, and committed nowhere
            continue
        if path.suffix in {".py", ".md", ".toml", ".sql", ".txt", ".yaml", ".html", ".js", ".css", ".lock", ".json"}:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                if forbidden.search(line):
                    offences.append(f"{relative}:{number}")
    assert offences == [], "name the thing, not where one machine has it"
