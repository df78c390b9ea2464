"""What libraries make at their first use, and do not make safely in several threads: made before the first thread runs.

A test in tests/unit/test_first_use.py has each of them. Typed reading with msgspec has a home of its own, ``decoders``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any
from uuid import UUID

import psycopg
from kafka.protocol.schemas.fields.struct import StructField
from psycopg.adapt import PyFormat

_WRITTEN = (date, datetime, time, timedelta, Decimal, UUID)
"""Classes whose values we write to PostgreSQL and that psycopg looks up by name until it has met one."""


def prepare() -> None:
    """Call it in the main thread of a process, before any other thread. May be called again."""
    _find_dumpers()
    _compile_one_at_a_time()


def _find_dumpers() -> None:
    """psycopg replaces the name of a class by the class when it meets it first, in a table that all connections share.
    A second thread that looks between the two steps finds neither and fails with "cannot adapt type"."""
    for kind in _WRITTEN:
        for form in PyFormat:
            psycopg.adapters.get_dumper(kind, form)


def _compile_one_at_a_time() -> None:
    """kafka-python compiles what reads a message when the first one comes, and swaps a field of the message's class for
    the time of it. A second client's thread can compile with the field of the moment and keep what it made: from then
    on no message of this kind can be read in this process (kafka-python 3.0)."""
    compiled = StructField.compiled_decode_from
    if not hasattr(compiled, "__wrapped__"):
        StructField.compiled_decode_from = _one_at_a_time(compiled)


def _one_at_a_time(make: Callable[..., Any]) -> Callable[..., Any]:
    lock = threading.RLock()  # making one may make another

    @wraps(make)
    def made(*arguments: Any, **options: Any) -> Any:
        with lock:
            return make(*arguments, **options)

    return made
