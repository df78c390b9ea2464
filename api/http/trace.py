"""What one request leaves behind for the log and the figures: shared by reference through the request's scope."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

_PLACE = "tongshui.trace"


@dataclass(slots=True)
class Trace:
    """``outcome``: the code of the error that answered the request, or None."""

    outcome: str | None = None
    correlation_id: str | None = None


def begin(scope: MutableMapping[str, Any]) -> Trace:
    """Put a trace on a request."""
    trace = Trace()
    scope[_PLACE] = trace
    return trace


def note_outcome(scope: MutableMapping[str, Any], code: str) -> None:
    """The request was answered with that error."""
    if _PLACE in scope:
        scope[_PLACE].outcome = code


def note_correlation(scope: MutableMapping[str, Any], correlation_id: str) -> None:
    """The request belongs to that correlation."""
    if _PLACE in scope:
        scope[_PLACE].correlation_id = correlation_id
