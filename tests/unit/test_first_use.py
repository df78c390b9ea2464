"""What is made at its first use: typed reading in one home and at import, the rest before the first thread."""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka.protocol.metadata import MetadataResponse
from kafka.protocol.schemas.fields.struct import StructField
from psycopg.adapt import PyFormat
from pydantic import BaseModel

import api.app  # noqa: F401  every form of the API
from infra import first_use

ROOT = Path(__file__).parents[2]
HOME = ROOT / "infra" / "decoders.py"
SOURCES = sorted(
    path for folder in ("domain", "infra", "projections", "consumers", "api") for path in (ROOT / folder).rglob("*.py")
)
PROCESSES = 4


# ---- one home


def _typed_reading(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls that make msgspec describe a class: a decoder with a type, a conversion, a decoding with a type."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        makes_decoder = name.split(".")[-1] == "Decoder" and (node.args or node.keywords)
        decodes = name.startswith("msgspec.") and any(keyword.arg == "type" for keyword in node.keywords)
        if makes_decoder or decodes or name in ("msgspec.convert", "convert"):
            yield node


def _made_late(tree: ast.AST) -> Iterator[ast.Call]:
    """Decoders and converters that are made inside a function."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("decoder", "converter"):
                    yield node


def test_typed_reading_is_made_in_one_home_and_at_import() -> None:
    for path in SOURCES:
        if path == HOME:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = [*_typed_reading(tree), *_made_late(tree)]
        where = [f"{path.relative_to(ROOT)}:{call.lineno} {ast.unparse(call)}" for call in found]
        assert not where, f"{where}: take decoder() or converter() of infra.decoders, at the top of the module"


def test_what_the_home_forbids_is_found_in_source() -> None:
    """The test above would find each form of it."""
    forms = (
        "msgspec.json.Decoder(A)",
        "json.Decoder(type=A)",
        "msgspec.convert(x, A)",
        "msgspec.json.decode(x, type=A)",
        "msgspec.msgpack.decode(x, type=A)",
    )
    assert [len(list(_typed_reading(ast.parse(form)))) for form in forms] == [1] * len(forms)
    harmless = ("msgspec.json.Decoder()", "msgspec.json.decode(x)", "msgspec.json.encode(x)", "x.decode('utf-8')")
    assert [len(list(_typed_reading(ast.parse(form)))) for form in harmless] == [0] * len(harmless)
    assert len(list(_made_late(ast.parse("def first():\n    return decoder(A)")))) == 1


# ---- real processes

READ_AT_ONCE = """
import json, sys, threading
from pathlib import Path
sys.setswitchinterval(1e-5)
from consumers.billing import messages as said
from infra.kafka.cluster import Record, case_key
from infra.readers.record import Event, parse
from infra.eventstore.envelope import read

files = sorted(Path("tests/unit/histories").glob("*.jsonl"))
lines = [line for file in files for line in file.read_bytes().splitlines()]
together, wrong = threading.Barrier(8), []

def run():
    together.wait()
    for line in lines:
        try:
            event, _ = read(line)
            found = parse(Record("t", 0, 0, case_key(event.subject), line, {"previousposition": b"0"}))
            assert isinstance(found, Event)
            if found.type in said.TAKES:
                said.read(found)
        except BaseException as error:
            wrong.append(repr(error))

threads = [threading.Thread(target=run) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit(str(wrong[:3]) if wrong else 0)
"""


def test_every_type_of_event_may_be_read_first_by_several_threads_at_once() -> None:
    """In fresh processes: each of them died before, with SIGSEGV."""
    for _ in range(PROCESSES):
        ended = subprocess.run(
            [sys.executable, "-c", READ_AT_ONCE], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, f"{ended.returncode}: {ended.stderr}"


# ---- libraries


def _models(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in of.__subclasses__():
        yield model
        yield from _models(model)


def test_every_form_of_the_api_is_complete_when_it_is_imported() -> None:
    """pydantic completes a form that names one which comes later at its first use, in the thread of a request."""
    ours = [model for model in _models(BaseModel) if model.__module__.split(".")[0] in ("api", "infra")]
    assert len(ours) > 100
    assert [model.__name__ for model in ours if not model.__pydantic_complete__] == []


def test_no_class_that_we_write_to_postgresql_is_still_looked_up_by_its_name() -> None:
    first_use.prepare()
    for form in PyFormat:
        names = {name for name in psycopg.adapters._dumpers[form] if isinstance(name, str)}
        assert not names & {f"{kind.__module__}.{kind.__qualname__}" for kind in first_use._WRITTEN}
        assert psycopg.adapters.get_dumper(datetime, form) is not None


def test_two_threads_do_not_compile_how_a_kafka_message_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thread is held where the message's class is swapped, until the second comes there or has to wait."""
    first_use.prepare()
    monkeypatch.setattr(MetadataResponse._struct, "_compiled_encoders", {})
    emit = StructField.emit_decode_from
    inside, second = threading.Semaphore(0), threading.Event()
    most: list[int] = []
    now: set[int] = set()

    def emit_slowly(self: StructField, *arguments: Any, **options: Any) -> Any:
        if self is MetadataResponse._struct:
            now.add(threading.get_ident())
            most.append(len(now))
            inside.release()
            second.wait(0.3)
        try:
            return emit(self, *arguments, **options)
        finally:
            now.discard(threading.get_ident())

    monkeypatch.setattr(StructField, "emit_decode_from", emit_slowly)

    def compile_it() -> None:
        MetadataResponse._struct.compiled_decode_from(9, compact=True, tagged=True, data_class=MetadataResponse[None])

    threads = [threading.Thread(target=compile_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    read = MetadataResponse._struct.compiled_decode_from(
        9, compact=True, tagged=True, data_class=MetadataResponse[None]
    )
    assert not any(isinstance(each, weakref.ProxyTypes) for each in read.__globals__.values())
