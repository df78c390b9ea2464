"""The pictures of README and the documents, made from a demo that runs: ``python -m tests.e2e.pictures [URL]``.

Each page is opened by one of the demo's people, in the light colours, as a screen or a telephone shows it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.e2e.browser import NONE, installed
from tests.e2e.conftest import ARGS

ASSETS = Path(__file__).parents[2] / "docs" / "assets"
SCREEN, PHONE = (1280, 800), (390, 844)


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as a picture: the file's name, its path, who looks (None: somebody without an account), how large."""

    name: str
    path: str
    actor: str | None = None
    size: tuple[int, int] = SCREEN


PICTURES = (
    Picture("board", "/board"),
    Picture("home", "/", size=PHONE),
    Picture("report", "/report", size=PHONE),
    Picture("apply", "/apply", size=PHONE),
    Picture("desk", "/desk", "owner-1"),
    Picture("dispatch", "/dispatch", "dispatcher-1"),
    Picture("hotline", "/hotline", "hotline-1"),
    Picture("crew", "/crew?crew=crew-15", "crew-lead-1", PHONE),
    Picture("design", "/design"),
)


def take(browser: Browser, url: str, picture: Picture) -> Path:
    """Open the page and keep what it shows; the file. Raises where the page does not answer."""
    width, height = picture.size
    context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN", color_scheme="light")
    if picture.actor is not None:
        context.request.post(f"{url}/api/v1/session/demo", data={"actor": picture.actor})
    page = context.new_page()
    answer = page.goto(url + picture.path, wait_until="load")
    if answer is None or not answer.ok:
        raise SystemExit(f"{picture.path}: {answer.status if answer is not None else 'no answer'}")
    page.wait_for_timeout(2_000)  # scripts of the page ask for their rows first
    path = ASSETS / f"{picture.name}.png"
    page.screenshot(path=path)
    context.close()
    return path


def main() -> None:
    """Take every picture."""
    url = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8225"
    with sync_playwright() as playwright:
        path = installed(playwright.chromium.executable_path)
        if path is None:
            raise SystemExit(NONE)
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        for picture in PICTURES:
            print(take(browser, url, picture).name)
        browser.close()


if __name__ == "__main__":
    main()
