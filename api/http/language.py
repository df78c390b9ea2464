"""Which language a browser's owner chose: Chinese first, English on demand."""

from __future__ import annotations

from typing import Literal

from starlette.requests import HTTPConnection

Language = Literal["zh", "en"]
LANGUAGE_COOKIE = "tongshui_language"


def language_of(request: HTTPConnection) -> Language:
    """The language that the browser's owner chose; Chinese where they have not."""
    chosen = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    return "en" if chosen == "en" else "zh"
