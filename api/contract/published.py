"""The published documents: files beside this module, the same that ``tongshui contract write`` writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from api.contract.additive import breaks, channel_breaks, vector_breaks
from api.contract.editions import Editions, from_document
from api.contract.generate import as_text, documents

FOLDER = Path(__file__).with_name("v1")
EDITIONS = "editions.json"


class ContractBroken(Exception):
    """A change that readers of our topics would not survive, or documents that are not those of the program."""

    def __init__(self, found: list[str], needed: str, next_step: str) -> None:
        super().__init__(found, needed, next_step)
        self.found = found
        self.needed = needed
        self.next_step = next_step

    def __str__(self) -> str:
        return "\n".join(["contract-broken:", *self.found, f"needed: {self.needed}; {self.next_step}"])


@cache
def document(path: str) -> str | None:
    """A published document's text, by its path below the folder; None where there is none."""
    known = {str(file.relative_to(FOLDER)): file for file in FOLDER.rglob("*.json")}
    return known[path].read_text(encoding="utf-8") if path in known else None


@cache
def schemas() -> Mapping[str, Mapping[str, Any]]:
    """Type name → its published schema."""
    return read_schemas(FOLDER)


@cache
def messages() -> Mapping[str, Mapping[str, Any]]:
    """Name → published schema of a record that is no event."""
    return read_schemas(FOLDER, "messages")


def read_schemas(folder: Path, kind: str = "schemas") -> dict[str, Mapping[str, Any]]:
    """Type name → schema, from a folder of documents; ``kind``: "schemas" of events, or "messages"."""
    files = sorted((folder / kind).glob("*.json"))
    return {file.name.removesuffix(".json"): json.loads(file.read_text(encoding="utf-8")) for file in files}


@cache
def editions() -> Editions:
    """Every name of a code and every form of a schema that was ever published."""
    return read_editions(FOLDER)


def read_editions(folder: Path) -> Editions:
    """The editions of a folder of documents; none where it has no such document."""
    text = _text_of(folder / EDITIONS)
    return from_document(json.loads(text)) if text is not None else Editions()


def write(examples: Mapping[str, Mapping[str, Any]], folder: Path = FOLDER) -> list[str]:
    """Write the program's documents; returns the paths that changed. Raises ContractBroken before anything is written
    where what is published would break."""
    made = documents(examples, read_editions(folder))
    if found := would_break(folder, made):
        raise ContractBroken(
            found,
            "a change that only adds",
            "bring a new type beside the old one, send both until an announced end, and leave the old one as it is",
        )
    changed = [path for path, each in made.items() if _text_of(folder / path) != as_text(each)]
    for path in changed:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(as_text(made[path]), encoding="utf-8")
    return changed


def would_break(folder: Path, made: Mapping[str, Any]) -> list[str]:
    """What of a set of documents (path → document) would break a reader of those in the folder."""
    found: list[str] = []
    for kind in ("schemas", "messages"):
        proposed = {
            path[len(kind) + 1 : -len(".json")]: each for path, each in made.items() if path.startswith(f"{kind}/")
        }
        found += breaks(read_schemas(folder, kind), proposed)
    if (rule := _text_of(folder / "readers-rule.json")) is not None:
        found += vector_breaks(json.loads(rule), made["readers-rule.json"])
    whole = _text_of(folder / "asyncapi.json")
    return found + (channel_breaks(json.loads(whole), made["asyncapi.json"]) if whole is not None else [])


def stale(examples: Mapping[str, Mapping[str, Any]], folder: Path = FOLDER) -> list[str]:
    """The paths whose published document is not the program's."""
    made = documents(examples, read_editions(folder))
    surplus = {str(file.relative_to(folder)) for file in folder.rglob("*.json")} - made.keys()
    return sorted(surplus | {path for path, each in made.items() if _text_of(folder / path) != as_text(each)})


def published_examples(folder: Path = FOLDER) -> dict[str, Mapping[str, Any]]:
    """The examples of the published schemas."""
    return {name: found["examples"][0] for name, found in read_schemas(folder).items() if found.get("examples")}


def first_of_each_type(lines: Iterable[bytes]) -> dict[str, Mapping[str, Any]]:
    """The first event of each type among lines of CloudEvents JSON."""
    found: dict[str, Mapping[str, Any]] = {}
    for event in _events(lines):
        found.setdefault(str(event["type"]), event)
    return found


def _events(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        if line.strip():
            yield json.loads(line)


def _text_of(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.is_file() else None
