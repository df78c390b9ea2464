"""What the pages of applicants and reporters share: their forms, the secret link of a case, and files that come by it.

An applicant proves nothing before they apply, and may hand in no file. So an application is received first; its answer
holds the secret link, and whatever was chosen in the form is handed in by that link, within the same request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from fastapi.responses import Response
from starlette.datastructures import FormData, UploadFile

from api.pages.calls import ApiRefused, Calls, at
from api.pages.forms import Field, Widget
from api.pages.page import PageOf, see_other
from api.pages.sent import remember_link
from domain.kernel.facts import Name

FILE = "file-"
"""Before the code of a document: the name of its file in a form."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was filled in. ``values``: field → text; ``refused``: what the API said against it, if anything."""

    opened: PageOf
    values: Mapping[str, Any]
    refused: ApiRefused | None = None

    @property
    def status(self) -> int:
        """The status of the page that shows it."""
        return self.refused.status if self.refused is not None else 200

    @property
    def problem(self) -> Mapping[str, Any] | None:
        """The refusal as the API told it."""
        return self.refused.problem if self.refused is not None else None

    @property
    def wrong(self) -> dict[str, str]:
        """Field → what is wrong with it."""
        return self.opened.wrong(self.problem)

    def field(
        self,
        name: str,
        label: Name,
        widget: Widget = "text",
        *,
        hint: str = "",
        required: bool = False,
        choices: Sequence[tuple[str, Name]] = (),
        otherwise: str = "",
        **bounds: Any,
    ) -> Field:
        """A field of it. ``otherwise``: what stands in it before anything was filled in; ``bounds``: attributes of its
        element."""
        return Field(
            name,
            label,
            widget,
            required,
            choices,
            self.values.get(name) or otherwise,
            hint,
            self.wrong.get(name, ""),
            bounds,
        )


def code_in(address: str) -> str:
    """The code of a link, of its address in any form: as the API says it, as the QR code does, or the code alone."""
    found = re.search(r"(?:^|/follow/)([A-Za-z0-9_-]{20,64})(?![A-Za-z0-9_-])", address.strip())
    return found[1] if found is not None else ""


def follow_path(code: str, *parts: str) -> str:
    """The path of the API below a link."""
    return at("follow", code, *parts)


async def keep_file(calls: Calls, code: str, content: bytes) -> str:
    """Keep a file for the case of a link; its digest. Raises ``ApiRefused``."""
    headers = [(b"content-type", b"application/octet-stream")]
    await calls.send("POST", follow_path(code, "files"), headers=headers, body=content)
    return digest_of(content)


def digest_of(content: bytes) -> str:
    """As sha256: and 64 hex digits."""
    return f"sha256:{sha256(content).hexdigest()}"


async def hand_in(calls: Calls, code: str, document: str, content: bytes) -> None:
    """Keep a file and hand it in as a document of the link's application; one that is in already is in. Raises
    ``ApiRefused``."""
    digest = await keep_file(calls, code, content)
    try:
        await calls.post(follow_path(code, "documents"), {"document": document, "way": "upload", "digest": digest})
    except ApiRefused as refused:
        if refused.code != "document-in":
            raise


def files_of(form: FormData) -> Iterator[tuple[str, UploadFile]]:
    """The files that were chosen in a form, each with its field."""
    for name, each in form.multi_items():
        if isinstance(each, UploadFile) and each.size:
            yield name, each


def received(
    opened: PageOf, answer: Mapping[str, Any], values: Mapping[str, Any], failed: Mapping[str, str]
) -> Response:
    """Lead to the page of the case that was received. ``values``: the form; ``failed``: what of it could not be kept →
    the code of the refusal."""
    if not answer.get("follow"):
        return opened.render("received.html", number=answer["case_number"])
    query = [("new", "1"), *(("failed", f"{name}:{code}") for name, code in failed.items())]
    code = code_in(answer["follow"])
    return remember_link(opened, see_other(f"/follow/{code}?{urlencode(query)}"), values, code)
