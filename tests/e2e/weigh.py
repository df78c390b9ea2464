"""How heavy the public's pages are, and how soon they can be used over a bad net on an old phone.

``python -m tests.e2e.weigh http://127.0.0.1:8225`` opens each page of a running demo three times with an empty cache, a
processor four times as slow, and the net of a telephone; it prints the median of each number.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.e2e.browser import installed
from tests.e2e.conftest import ARGS

PATHS = (
    "/",
    "/apply",
    "/apply?category=private",
    "/report",
    "/follow",
    "/my",
    "/outages",
    "/disclosure",
    "/guide/private",
)
RUNS = 3
SLOWER = 4
NETS: Mapping[str, tuple[int, int]] = {"slow 3G": (50_000, 2_000), "slow 4G": (200_000, 150)}
"""Net → bytes a second, and milliseconds for each round trip: what Chrome's developer tools and Lighthouse call so."""
READ = """async () => {
  const painted = () => performance.getEntriesByName('first-contentful-paint').length > 0;
  while (!painted()) await new Promise((next) => requestAnimationFrame(next));
  const [page] = performance.getEntriesByType('navigation');
  const [first] = performance.getEntriesByName('first-contentful-paint');
  return {
    first: first ? first.startTime : NaN,
    interactive: page.domInteractive,
    loaded: page.loadEventEnd,
    blocked: window.blocked,
  };
}"""
"""Milliseconds from the beginning; ``blocked``: how long tasks of more than 50 ms kept the page from answering."""
WATCH = """window.blocked = 0; new PerformanceObserver((list) => {
  for (const each of list.getEntries()) window.blocked += each.duration - 50;
}).observe({ type: 'longtask', buffered: true });"""


def once(browser: Browser, address: str, net: tuple[int, int]) -> dict[str, float]:
    """Open a page as for the first time; its numbers, and how many bytes came over the net."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN")
    page = context.new_page()
    page.add_init_script(WATCH)
    received = [0.0]

    def note(event: Mapping[str, Any]) -> None:
        received[0] += event["encodedDataLength"]

    tools = context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.on("Network.loadingFinished", note)
    speed = {"downloadThroughput": net[0], "uploadThroughput": net[0], "latency": net[1], "offline": False}
    tools.send("Network.emulateNetworkConditions", speed)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(address, wait_until="load", timeout=120_000)
    found: dict[str, float] = page.evaluate(READ)
    context.close()
    return found | {"bytes": received[0]}


def main(arguments: Sequence[str]) -> None:
    """Print a table for each net."""
    (url,) = arguments
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(playwright.chromium.executable_path), args=ARGS)
        for name, net in NETS.items():
            print(f"{name}, processor {SLOWER} times as slow")
            print("kB  first paint s  interactive s  loaded s  blocked ms  page")
            for path in PATHS:
                runs = [once(browser, url.rstrip("/") + path, net) for _ in range(RUNS)]
                found = {key: median(run[key] for run in runs) for key in runs[0]}
                print(
                    f"{found['bytes'] / 1000:4.1f}  {found['first'] / 1000:.1f}  {found['interactive'] / 1000:.1f}  "
                    f"{found['loaded'] / 1000:.1f}  {found['blocked']:.0f}  {path}",
                    flush=True,
                )
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
