"""The colours of the pages, and names in their two languages."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request

from domain.kernel.facts import Name

Theme = Literal["auto", "light", "dark"]
THEME_COOKIE = "tongshui_theme"


def theme_of(request: Request) -> Theme:
    """The colours that the browser's owner chose; those of the device where they have not."""
    chosen = request.cookies.get(THEME_COOKIE)
    return "light" if chosen == "light" else "dark" if chosen == "dark" else "auto"


def split_title(text: str) -> Name:
    """A title of the API, which says the English words and then the Chinese ones, as a name in both."""
    words = text.split(" ")
    first = next(
        (place for place, word in enumerate(words) if any("\u4e00" <= each <= "\u9fff" for each in word)), None
    )
    if first is None:
        return Name(text, text)
    return Name(" ".join(words[first:]), " ".join(words[:first]) or text)
