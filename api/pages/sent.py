"""A form that makes a case makes one, also where somebody goes back in the browser, corrects it and sends it again.

The browser shows the form as it had it, with the key of that form (``kept_for_back``). Which case a form has made
stands in a cookie of the session, since of the public nobody knows who they are: the second sending is answered by that
case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

from api.http.identity import came_by_tls
from api.pages.page import PageOf, see_other

COOKIE = "tongshui_sent"
FORMS = 8
"""How many forms a browser remembers to have sent."""
_SENT = re.compile(r"([0-9A-Za-z-]{8,64})\.([fc])\.([A-Za-z0-9_-]{20,64})")
_PLACES = {"f": "/follow/", "c": "/cases/"}


def kept_for_back(form: Response) -> Response:
    """The page with a form, which the browser may show once more when somebody goes back to it. It is asked for anew
    whenever somebody opens it. Not for a page on which somebody's particulars stand.

    Its form is sent to another address (``?send``): a browser drops what it kept of the very address that a form is
    sent to."""
    form.headers["Cache-Control"] = "private, no-cache"
    return form


def sent_before(opened: PageOf, values: Mapping[str, Any]) -> Response | None:
    """Lead to the case that the form has made already; None where it has made none."""
    key = str(values.get("key", ""))
    found = next((place for known, place in _known(opened) if known == key), None)
    return see_other(f"{_address(found)}?sent=before") if found is not None else None


def remember_case(opened: PageOf, answered: Response, values: Mapping[str, Any], case_id: object) -> Response:
    """The answer to a form, with a note in the browser that the form made this case."""
    return _remember(opened, answered, values, f"c.{case_id}")


def remember_link(opened: PageOf, answered: Response, values: Mapping[str, Any], code: str) -> Response:
    """The same, of a form of the public: ``code`` is that of the secret link of its case."""
    return _remember(opened, answered, values, f"f.{code}")


def _remember(opened: PageOf, answered: Response, values: Mapping[str, Any], place: str) -> Response:
    sent = f"{values.get('key', '')}.{place}"
    if _SENT.fullmatch(sent):
        kept = [sent, *(f"{key}.{other}" for key, other in _known(opened))][:FORMS]
        secure = came_by_tls(opened.request, opened.service)
        answered.set_cookie(COOKIE, "~".join(kept), httponly=True, samesite="strict", secure=secure)
    return answered


def _known(opened: PageOf) -> list[tuple[str, str]]:
    """Key of a form → the place of its case, as the browser remembers them."""
    parts = opened.request.cookies.get(COOKIE, "").split("~")
    found = [_SENT.fullmatch(each) for each in parts]
    return [(each[1], f"{each[2]}.{each[3]}") for each in found if each is not None]


def _address(place: str) -> str:
    kind, _, name = place.partition(".")
    return _PLACES[kind] + name
