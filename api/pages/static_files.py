"""The page that is a file, the reference of the interface at /docs, and the files that every page is made of. No build
step, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from projections import names

STATIC = Path(__file__).parent.with_name("static")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs() -> FileResponse:
    return FileResponse(STATIC / "docs.html", headers=HEADERS)


@router.get("/static/names.js")
def labels() -> Response:
    """The names of codes, as the rulebook declares them; asked for anew each time, for they change with a release."""
    return Response(names.as_script(), media_type="text/javascript", headers={"Cache-Control": "no-cache"})


class Assets(StaticFiles):
    """Scripts and styles; asked for anew each time, answered with 304 where they are the same."""

    def file_response(self, full_path, stat_result, scope: Scope, status_code: int = 200):  # type: ignore[no-untyped-def]
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def assets() -> Assets:
    """The folder of scripts and styles as an application to mount."""
    return Assets(directory=STATIC)
