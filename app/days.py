"""Days and instants as people and files write them."""

from __future__ import annotations

from datetime import date


def is_day(text: str) -> bool:
    """Whether a text is a day without a time of day. ``datetime.fromisoformat`` would read it as midnight."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
