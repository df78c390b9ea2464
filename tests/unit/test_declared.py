"""What the program imports it declares: a library that only comes with another one may go with its next version."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = {"domain", "infra", "projections", "consumers", "api", "app", "tests"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def canonical(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def declared(requirements: Iterable[str]) -> set[str]:
    """The distributions that requirements name."""
    return {canonical(re.split(r"[\[<>=!~; ]", each, maxsplit=1)[0]) for each in requirements}


def imported(*folders: str) -> dict[str, Path]:
    """Top-level package → a file that imports it."""
    found: dict[str, Path] = {}
    for file in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found |= {name.partition(".")[0]: file.relative_to(ROOT) for name in names}
    return {name: file for name, file in found.items() if name not in OURS | sys.stdlib_module_names}


def undeclared(packages: dict[str, Path], given: set[str]) -> dict[str, str]:
    """Imported packages of which no distribution is declared, with the file and what to declare."""
    of = packages_distributions()
    return {
        name: f"{file}: declare one of {sorted(set(of.get(name, [name])))}"
        for name, file in packages.items()
        if not {canonical(each) for each in of.get(name, [name])} & given
    }


BUILDS_DOCUMENTS = "app/reference"
"""Runs where the documents are built, which is development."""
WHERE_WANTED = PROJECT["optional-dependencies"]["confluent"]
"""Installed where somebody wants it; the program runs without."""


def test_the_program_imports_what_it_declares() -> None:
    every = imported("domain", "infra", "projections", "consumers", "api", "app")
    runs = {name: file for name, file in every.items() if not file.is_relative_to(BUILDS_DOCUMENTS)}
    assert not undeclared(runs, declared([*PROJECT["dependencies"], *WHERE_WANTED]))


def test_what_may_be_missing_is_imported_where_it_is_used() -> None:
    """And not with a module, which could not be imported without it."""
    for folder in sorted(OURS - {"tests"}):
        for file in (ROOT / folder).rglob("*.py"):
            at_the_top = ast.parse(file.read_text(encoding="utf-8")).body
            modules = {node.module for node in at_the_top if isinstance(node, ast.ImportFrom)}
            modules |= {name.name for node in at_the_top if isinstance(node, ast.Import) for name in node.names}
            assert not {name for name in modules if name and name.startswith("confluent_kafka")}, file


def test_the_tests_import_what_is_declared_for_development() -> None:
    given = declared([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"], *WHERE_WANTED])
    assert not undeclared(imported("tests"), given)


def test_nothing_is_declared_that_is_not_there() -> None:
    there = {canonical(each) for every in packages_distributions().values() for each in every}
    assert declared(PROJECT["dependencies"]) <= there
