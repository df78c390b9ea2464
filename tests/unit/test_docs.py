"""What the documents show is what the program is: examples, links, commands, alarms, decisions, reference pages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from app.cli import main
from app.reference.hooks import fence
from app.reference.http import api_document
from app.reference.pages import pages
from app.reference.sequences import parsed, svg
from app.reference.stored import SCHEMAS
from domain.kernel.refusals import refusals
from domain.kernel.roles import ROLES
from domain.kinds import POWERS, REGISTRY
from infra.postgres.schema import FILE as SCHEMA_FILE
from infra.settings import Settings
from tests.documents import FOLDER, PLAIN, ROOT, ShownCommand, blocks, commands, documents, name_of

ALERTS = ROOT / "infra" / "observe" / "alerts.yaml"
RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}
ALARMS = FOLDER / "how-to" / "alarms"
DECISIONS = FOLDER / "explanation" / "decisions"
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")
SHOWN = [command for path in documents() for command in commands(path)]
ADDED_BY_A_READER = "/api/v1/repairs/$CASE/pressure"
"""The route that the tutorial on a first fact adds."""
USERS = ("counter", "dispatcher", "crew", "meter-reading", "billing", "auditor", "publish-rules", "operate/index")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as the site and whatever shows Markdown make them."""
    found = set()
    for line in re.sub(r"```.*?```", "", text_of(path), flags=re.DOTALL).splitlines():
        if heading := re.match(r"#+ (.+)", line):
            given = re.search(r"\{ #([\w-]+) \}", heading[1])
            plain = re.sub(r"[^\w\s-]", "", heading[1].lower()).strip()
            found.add(given[1] if given else re.sub(r"[-\s]+", "-", plain))
    return found


def test_the_explained_deadline_is_what_the_command_prints() -> None:
    printed = text_of(ROOT / "tests" / "unit" / "explained" / "retracted.txt").rstrip()
    assert f"```text\n{printed}\n```" in text_of(FOLDER / "explanation" / "explained-deadline.md")


# ---- the documents at the root


def test_readme_is_short_and_leads_each_user_to_his_page() -> None:
    readme = text_of(ROOT / "README.md")
    assert len(readme.splitlines()) <= 120
    assert [user for user in USERS if f"(docs/how-to/{user}.md)" not in readme] == []


@pytest.mark.parametrize("path", PLAIN, ids=name_of)
def test_every_link_of_a_document_at_the_root_leads_somewhere(path: Path) -> None:
    for link in LINK.findall(text_of(path)):
        if link.startswith("http"):
            continue
        target, _, anchor = link.partition("#")
        file = path.parent / target if target else path
        assert file.exists(), f"{path.name}: {link}"
        assert not anchor or anchor in anchors(file), f"{path.name}: {link}"


# ---- commands and routes


def check_tongshui(words: tuple[str, ...]) -> None:
    """Parse a command line as click does, but for whether its files are there. Raises click.UsageError."""
    command: click.Command = main
    context = click.Context(main)
    rest = list(words[1:])
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"no command {name}"
        command = found
    for parameter in command.params:
        if isinstance(parameter.type, click.Path | click.File):
            parameter.type = click.STRING
    if "-h" not in rest and "--version" not in rest:
        command.make_context(" ".join(words), rest)


@pytest.fixture
def kept_types() -> Iterator[None]:
    """Put the types of the commands' parameters back."""
    found: list[tuple[click.Parameter, Any]] = []

    def collect(command: click.Command) -> None:
        found.extend((parameter, parameter.type) for parameter in command.params)
        for each in command.commands.values() if isinstance(command, click.Group) else ():
            collect(each)

    collect(main)
    yield
    for parameter, kind in found:
        parameter.type = kind


@pytest.mark.usefixtures("kept_types")
def test_every_command_of_the_program_that_is_shown_can_be_parsed() -> None:
    shown = [each for each in SHOWN if each.words[0] == "tongshui"]
    assert len(shown) > 30
    for each in shown:
        try:
            check_tongshui(each.words)
        except (click.UsageError, AssertionError) as error:
            pytest.fail(f"{each.page}: {' '.join(each.words)}: {error}")


def test_every_command_that_is_named_in_a_sentence_is_there() -> None:
    for path in documents():
        prose = re.sub(r"```.*?```", "", text_of(path), flags=re.DOTALL)
        for words in re.findall(r"`tongshui ([a-z][a-z-]+(?: [a-z][a-z-]+)?)", prose):
            first, _, second = words.partition(" ")
            group = main.commands.get(first)
            assert group is not None, f"{name_of(path)}: tongshui {words}"
            if isinstance(group, click.Group) and second:
                assert second in group.commands, f"{name_of(path)}: tongshui {words}"


def test_every_target_of_make_that_is_shown_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    shown = {word for each in SHOWN if each.words[0] == "make" for word in each.words[1:2]}
    named = set(re.findall(r"`make ([a-z-]+)", "\n".join(map(text_of, documents()))))
    assert {"demo", "test"} <= shown
    assert (shown | named) - targets == set()


def requested(each: ShownCommand) -> tuple[str, str] | None:
    """Method and path of a curl command; a variable in the path stands for any value."""
    found = next((word for word in each.words if word.startswith(("$API", "http://127.0.0.1"))), None)
    if found is None:
        return None
    sends = any(word in each.words for word in ("--json", "POST"))
    return ("post" if sends else "get"), found.replace("$API", "/api/v1").partition("?")[0]


def matches(path: str, known: Mapping[str, Any], method: str) -> bool:
    forms = {re.sub(r"\{[^}]*\}", "[^/]+", each) for each, methods in known.items() if method in methods}
    return any(re.fullmatch(form, path) for form in forms)


def test_every_route_that_is_shown_or_named_is_there() -> None:
    known = api_document()["paths"]
    asked = [(each, found) for each in SHOWN if each.words[0] == "curl" and (found := requested(each))]
    assert len(asked) > 20
    for each, (method, path) in asked:
        if path == ADDED_BY_A_READER:
            continue
        assert matches(path, known, method), f"{each.page}: {method} {path}"
    for page in documents():
        for method, path in re.findall(r"`(GET|POST) (/[^`?]*)", text_of(page)):
            whole = path if path.startswith(("/api", "/healthz", "/metrics")) else f"/api/v1{path}"
            assert matches(re.sub(r"\{[^}]*\}", "x", whole), known, method.lower()), f"{name_of(page)}: {method} {path}"


def test_every_setting_that_is_named_is_one_and_says_what_it_means() -> None:
    known = {f"TONGSHUI_{name.upper()}" for name in Settings.model_fields}
    for path in documents():
        for name in re.findall(r"\bTONGSHUI_[A-Z_]+[A-Z]\b", text_of(path)):
            assert name in known or any(each.startswith(f"{name}_") for each in known), f"{name_of(path)}: {name}"
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


# ---- alarms


def test_every_alert_rule_has_its_section_and_every_section_its_rule() -> None:
    sections = {
        heading: f"docs/how-to/alarms/{path.name}#{heading.lower()}"
        for path in ALARMS.glob("*.md")
        for heading in re.findall(r"^## (\w+)$", text_of(path), re.MULTILINE)
    }
    assert sections == {name: rule["annotations"]["runbook"] for name, rule in RULES.items()}
    listed = re.findall(r"^\| \[(\w+)\]\(([\w.#-]+)\) \| `(\w+)`", text_of(ALARMS / "index.md"), re.MULTILINE)
    assert {name: (f"docs/how-to/alarms/{link}", severity) for name, link, severity in listed} == {
        name: (rule["annotations"]["runbook"], rule["labels"]["severity"]) for name, rule in RULES.items()
    }


@pytest.mark.parametrize("name", RULES)
def test_a_section_of_an_alarm_says_what_it_means_and_what_to_do(name: str) -> None:
    file = ROOT / RULES[name]["annotations"]["runbook"].partition("#")[0]
    section = re.split(r"^## ", text_of(file).split(f"## {name}\n")[1], flags=re.MULTILINE)[0]
    said = re.findall(r"^\*\*(.+?)\.\*\* (.+)", section, re.MULTILINE)
    assert [head for head, _ in said] == ["What it means", "What is at stake", "How to look", "What to do"]
    assert f"severity `{RULES[name]['labels']['severity']}`" in section
    assert not section.isascii(), "with the Chinese words of the alert"


# ---- decisions


def test_decisions_are_numbered_dated_and_listed() -> None:
    files = sorted(DECISIONS.glob("0*.md"))
    listed = {
        file: (int(number), title, date)
        for number, title, file, date in re.findall(
            r"^\| (\d+) \| \[(.+)\]\((.+)\) \| ([\d-]+) \|", text_of(DECISIONS / "index.md"), re.MULTILINE
        )
    }
    found = {}
    for file in files:
        head = re.match(r"# (\d+)\. (.+)\n\nDecided (\d{4}-\d\d-\d\d) · Status: .+ · Group: .+\n", text_of(file))
        assert head, f"{file.name}: number, title, date, status and group at its head"
        assert file.name.startswith(f"{int(head[1]):04d}-")
        found[file.name] = (int(head[1]), head[2], head[3])
    assert found == listed
    assert [number for number, _, _ in found.values()] == list(range(1, len(files) + 1))


# ---- reference pages


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


def test_the_reference_has_every_event_with_every_field_of_it(made: dict[str, str]) -> None:
    for name, (topic, fact) in REGISTRY.types.items():
        page = made[f"reference/events/{topic}.md"]
        section = page.split(f"{{ #{fact.__name__.lower()} }}")[1].split("\n## ")[0]
        assert f"Type `{name}`" in section
        for field in (each.name for each in fields(fact)):
            assert f"| `{field}` |" in section, f"{name}: {field}"


def test_the_reference_has_every_route_command_setting_power_and_code(made: dict[str, str]) -> None:
    index = made["reference/api/index.md"].splitlines()
    for path, methods in api_document()["paths"].items():
        for method, operation in methods.items():
            (row,) = (line for line in index if f"`{method.upper()} {path}`" in line)
            power = operation.get("x-power", "none")
            assert row.endswith("|  |" if power == "none" else f"| `{power}` |"), row

    def leaves(command: click.Command, name: str) -> Iterator[str]:
        if isinstance(command, click.Group):
            for each, inner in command.commands.items():
                yield from leaves(inner, f"{name} {each}")
        else:
            yield name

    wanted = {
        "commands": [f"## {name} " for name in leaves(main, "tongshui")],
        "settings": [f"| `TONGSHUI_{name.upper()}` |" for name in Settings.model_fields],
        "powers": [f"| `{name}` |" for name in (*POWERS, *ROLES)],
        "refusals": [f"| `{code}` |" for code in refusals()],
    }
    for page, parts in wanted.items():
        assert [part for part in parts if part not in made[f"reference/{page}.md"]] == []


def test_the_reference_says_of_each_operation_what_its_fields_mean_and_which_power_it_needs(
    made: dict[str, str],
) -> None:
    page = made["reference/api/repairs.md"]
    section = page.split("`POST /api/v1/repairs/{case_id}/hand-overs`")[1].split("\n## ")[0]
    assert "Needs the power `repair.tell`. 需要权限 `repair.tell`。" in section
    assert re.search(
        r"^\| `from_crew` \| string \| yes \| .+ \| Code of the crew that leaves\. \|$", section, re.MULTILINE
    )
    pages = [text for name, text in made.items() if name.startswith("reference/api/")]
    assert [line for text in pages for line in text.splitlines() if re.match(r"\| `[^`]+` \|.*\|\s+\|$", line)] == []


def test_the_reference_says_what_each_schema_of_the_database_is_for(made: dict[str, str]) -> None:
    page = made["reference/tables.md"]
    shown = set(re.findall(r"^## Schema (\w+)", page, re.MULTILINE))
    made_there = set(re.findall(r"^CREATE SCHEMA (\w+)", text_of(SCHEMA_FILE), re.MULTILINE))
    assert shown == SCHEMAS.keys() == made_there | {"public"}
    assert "CREATE TABLE store.stored_events" in page


def test_no_password_is_shown_with_a_default(made: dict[str, str]) -> None:
    for line in made["reference/settings.md"].splitlines():
        if "PASSWORD" in line or "SECRET" in line:
            assert line.split(" | ")[1] == "–"


# ---- diagrams


def test_the_three_sequences_are_drawn_with_every_word_of_theirs() -> None:
    drawn = blocks(FOLDER / "explanation" / "flow.md", "mermaid")
    assert len(drawn) == 3
    for source in drawn:
        who, rows = parsed(source)
        picture = fence(source, "mermaid", "", {}, None)
        shown = set(re.findall(r"<text[^>]*>([^<]+)</text>", picture.replace("&#x27;", "'")))
        assert shown == {*who.values(), *(row.words for row in rows)}
        assert "<script" not in picture


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("graph TD", "begins with the line sequenceDiagram"),
        ("sequenceDiagram\n A=>B: x", "not a line of a sequence diagram"),
        ("sequenceDiagram\n participant A as One\n A->>B: x", "no participant B"),
    ],
)
def test_a_diagram_that_cannot_be_drawn_fails(source: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        svg(source)


def test_the_changelog_has_a_dated_section_for_the_version_of_the_program() -> None:
    version = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["version"]
    headings = re.findall(r"^## (.+)$", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert [heading for heading in headings if re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", heading)]


def test_the_documents_are_built_so_that_a_warning_ends_it() -> None:
    """``--quiet`` would drop warnings before MkDocs counts them: then nothing is strict."""
    (build,) = re.findall(r"mkdocs build.*", text_of(ROOT / "Makefile"))
    assert build == "mkdocs build --strict"
    rules = re.findall(r"(\w+): (\w+)", re.split(r"\nvalidation:", text_of(ROOT / "mkdocs.yml"))[1].split("\nnav:")[0])
    assert {"omitted_files", "not_found", "anchors"} <= {name for name, _ in rules}
    assert {level for _, level in rules} == {"warn"}


MADE_BY_A_READER = {"domain/repairs/pressure.py", "tests/unit/test_pressure.py"}
"""The files that the tutorial on a first fact adds."""


def test_every_file_that_is_named_is_there_and_has_what_is_said_to_be_in_it() -> None:
    named = re.compile(r"`((?:domain|infra|projections|consumers|api|app|tests|docs)/[\w./-]*)(?:: ([\w., ]+))?`")
    found = [(page, *each) for page in documents() for each in named.findall(text_of(page))]
    assert len(found) > 60
    for page, path, names in found:
        if path in MADE_BY_A_READER:
            continue
        file = ROOT / path
        assert file.exists(), f"{name_of(page)}: {path}"
        for name in names.split(", ") if names else ():
            # A dotted name is an attribute of what stands before the dot.
            assert name.rpartition(".")[2] in text_of(file), f"{name_of(page)}: {path}: {name}"
