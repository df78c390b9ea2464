"""Files that come with a form: read within bounds, and kept as evidence before the command that names them is sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from api.http.dependencies import the_service
from api.http.identity import is_trusted_proxy
from api.http.limits import address_of
from api.http.refusals import BadRequest, BodyTooLarge, BodyTooSlow, TooManyUploads
from api.pages.calls import Calls, at
from domain.evidence.media_types import HEAD_BYTES, media_type_of

FORM_LIMIT_BYTES = 24 * 1024 * 1024
"""Of everything that one form sends: a few photographs of a phone."""
ARRIVING_LIMIT_BYTES = 8 * FORM_LIMIT_BYTES
"""Of all forms together that are just arriving: they lie in memory, and anybody may send one."""
ARRIVING_FROM_ONE_BYTES = 3 * FORM_LIMIT_BYTES
"""Of the forms together that are just arriving from one address; of a front end's client, where it says whose."""
SMALL_FORM_BYTES = 64 * 1024
"""A form that is no larger has no file, and is never refused for what others send."""
FORM_SECONDS = 120.0
"""How long a form may take to arrive: a photograph over a bad connection."""


class _InMemory(MultiPartParser):
    """Keeps files in memory: they are of persons, and would lie on the disk for a while."""

    spool_max_size = FORM_LIMIT_BYTES


async def read_form(request: Request) -> FormData:
    """The form that was sent; the page closes its files once it has answered. Refuses ``body-too-large``,
    ``body-too-slow``, ``bad-request``, ``too-many-uploads``."""
    form = await _form(request)
    request.state.form = form
    return form


async def close_form(request: Request) -> None:
    """Close the files of the form that was read, if one was."""
    form: FormData | None = getattr(request.state, "form", None)
    if form is not None:
        await form.close()


async def _form(request: Request) -> FormData:
    stream = _bounded(request)
    try:
        async with asyncio.timeout(FORM_SECONDS):
            if request.headers.get("content-type", "").startswith("multipart/form-data"):
                parser = _InMemory(request.headers, stream, max_files=12, max_fields=400, max_part_size=64 * 1024)
                return await parser.parse()
            return await FormParser(request.headers, stream).parse()
    except TimeoutError:
        raise BodyTooSlow(FORM_SECONDS) from None
    except (MultiPartException, ValueError):
        raise BadRequest(400, {}) from None
    finally:
        await stream.aclose()


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    seen = 0
    address = address_of(request, by_front_end=is_trusted_proxy(request, the_service(request))) or ""
    try:
        async for piece in request.stream():
            seen += len(piece)
            _arriving.bytes += len(piece)
            _arriving.by_address[address] += len(piece)
            if seen > FORM_LIMIT_BYTES:
                raise BodyTooLarge(FORM_LIMIT_BYTES)
            # A form without files goes through whatever others are sending.
            from_here = _arriving.by_address[address] > ARRIVING_FROM_ONE_BYTES
            if seen > SMALL_FORM_BYTES and (from_here or _arriving.bytes > ARRIVING_LIMIT_BYTES):
                raise TooManyUploads()
            yield piece
    finally:
        _arriving.bytes -= seen
        _arriving.by_address[address] -= seen
        if _arriving.by_address[address] <= 0:
            del _arriving.by_address[address]


@dataclass(slots=True)
class _Arriving:
    """How many bytes of forms have arrived whose rest is still on its way, in all and by address; of this process's one
    loop."""

    bytes: int = 0
    by_address: Counter[str] = field(default_factory=Counter)


_arriving = _Arriving()


async def keep_files(calls: Calls, form: FormData, classes: Mapping[str, str], case_id: str | None) -> dict[str, str]:
    """Keep each file of a form as evidence; field → its digest. ``classes``: field → class of evidence; a document
    where none is said. A file is sent under its own digest, so that a form that comes twice keeps it once. Raises
    ``ApiRefused``."""
    found: dict[str, str] = {}
    for name, each in form.multi_items():
        if isinstance(each, UploadFile) and each.size:
            found[name] = await keep_file(calls, await each.read(), classes.get(name, "document"), case_id)
    return found


async def keep_file(calls: Calls, content: bytes, evidence_class: str, case_id: str | None) -> str:
    """Keep a file as evidence; its digest, as sha256: and 64 hex digits. Raises ``ApiRefused``."""
    digest = f"sha256:{sha256(content).hexdigest()}"
    claim: dict[str, Any] = {
        "evidence_class": evidence_class,
        # By its first bytes: what a browser says of a file is no proof.
        "media_type": media_type_of(content[:HEAD_BYTES]) or "application/octet-stream",
        "size_bytes": len(content),
        "digest": digest,
    }
    upload = await calls.post("/evidence", claim | ({"case_id": case_id} if case_id else {}))
    path = at("evidence", "uploads", upload["upload_id"])
    offset = upload["offset"]
    while offset < len(content):
        part = content[offset : offset + upload["part_bytes"]]
        headers = [(b"upload-offset", str(offset).encode()), (b"content-type", b"application/octet-stream")]
        await calls.send("PATCH", path, headers=headers, body=part)
        offset += len(part)
    await calls.post(f"{path}/completion", {})
    return digest
