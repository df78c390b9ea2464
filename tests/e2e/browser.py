"""The browser that the pages are tried in. ``python -m tests.e2e.browser`` brings one where there is none.

As root it is the distribution's package, which brings what it needs besides; otherwise Playwright's own download. It
ends with 0 also where neither could be had: then the tests that need a browser are skipped, and ``make test`` names
them in its last lines.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
NONE = "no Chromium on this machine: apt-get install chromium, or playwright install --with-deps chromium"
PACKAGES = (
    ("apt-get", "update", "-qq"),
    ("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-noto-cjk"),
)
DOWNLOAD = (sys.executable, "-m", "playwright", "install", "chromium")
LONGEST_S = 600
"""A fetch that takes longer is given up: the tests are more than the pages."""

Run = Callable[[Sequence[str]], bool]


def installed(of_playwright: str) -> str | None:
    """The path of a Chromium of the system, or of Playwright's where that is there; None: neither is."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    return found or (of_playwright if Path(of_playwright).exists() else None)


def bring(run: Run, *, is_root: bool) -> bool:
    """Fetch a browser in the ways that this machine allows, the first that succeeds; whether one did.

    ``run`` runs a command and says whether it succeeded.
    """
    if is_root and shutil.which("apt-get") and all(run(command) for command in PACKAGES):
        return True
    return run(DOWNLOAD)


def _run(command: Sequence[str]) -> bool:
    print(f"browser: {' '.join(command)}", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        ended = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, timeout=LONGEST_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"browser: {error}", flush=True)
        return False
    return ended.returncode == 0


def main() -> None:
    """Bring a browser where there is none; say what became of it."""
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    if installed(path) is None and not (bring(_run, is_root=os.geteuid() == 0) and installed(path)):
        print(f"browser: {NONE}; what needs one is skipped", flush=True)


if __name__ == "__main__":
    main()
