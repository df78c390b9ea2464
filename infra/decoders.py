"""The one home of typed reading: what turns JSON or plain values into a class is made here, by one thread at a time.

msgspec keeps the description of a class (its fields and their types) on the class itself, and puts it there before it
has filled it in, so that a class may hold itself. A second thread that needs the class at this moment takes the
unfinished description and follows a null pointer: the process ends with SIGSEGV (msgspec 0.22.0, on every Python). Once
a description is finished, any number of threads may use it. So decoders and converters are made under one lock, and at
import: nothing is left to be made by a first request. A test reads the source and refuses any that is made elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_MAKING = threading.Lock()


def decoder(form: type[T]) -> msgspec.json.Decoder[T]:
    """Reads JSON as ``form``: ``decode(bytes)``, which raises msgspec.DecodeError. Make it at the top of a module."""
    with _MAKING:
        return msgspec.json.Decoder(form)


def converter(form: type[T]) -> Callable[[Any], T]:
    """Reads plain values (dicts, lists, texts, numbers) as ``form``; the function raises msgspec.ValidationError. Make
    it at the top of a module."""
    decoder(form)
    return partial(msgspec.convert, type=form)
