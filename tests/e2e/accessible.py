"""What is wrong with a page for who sees, hears or moves otherwise: WCAG 2.2 AA, as axe-core looks for it, and what
does not fit where the page is looked at enlarged."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
_RUN = """async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags } });
  return found.violations.map((each) => `${each.id}: ${each.nodes.length} × ${each.nodes[0].html}`);
}"""


def violations(page: Page) -> list[str]:
    """Each rule that the page breaks, with how often and the first element. The page's own policy lets no script in, so
    the rules are evaluated and not loaded. Nothing moves meanwhile: between two colours the contrast is neither's."""
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(_AXE)
    found: list[str] = page.evaluate(_RUN)
    return found


_CUT_OFF = """() => {
  const found = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`the page is ${wide} pixels wide`);
  const hides = (overflow) => ["hidden", "clip"].includes(overflow);
  const scrolls = (style) => [style.overflowX, style.overflowY].some((each) => ["auto", "scroll"].includes(each));
  for (const each of document.querySelectorAll("body *")) {
    const words = [...each.childNodes].some((one) => one.nodeType === Node.TEXT_NODE && one.textContent.trim());
    if (!words || !each.checkVisibility({ visibilityProperty: true }) || each.closest(".sr, .skip, svg")) continue;
    const range = document.createRange();
    range.selectNodeContents(each);
    const text = range.getBoundingClientRect();
    const sticksOut = (box, across, down) => (across && (text.left < box.left - 1 || text.right > box.right + 1))
      || (down && (text.top < box.top - 1 || text.bottom > box.bottom + 1));
    let isCut = false;
    let up = each;
    // What can be scrolled can be read: what lies around it hides nothing.
    for (; up !== document.documentElement && !scrolls(getComputedStyle(up)); up = up.parentElement) {
      const style = getComputedStyle(up);
      isCut ||= sticksOut(up.getBoundingClientRect(), hides(style.overflowX), hides(style.overflowY));
    }
    if (up === document.documentElement) isCut ||= sticksOut({ left: 0, right: innerWidth }, true, false);
    if (isCut) found.push(`${each.tagName.toLowerCase()}: ${each.textContent.trim().slice(0, 40)}`);
  }
  return found;
}"""


def cut_off(page: Page) -> list[str]:
    """What of the page's texts cannot be read in a window of its size: the page is to be scrolled sideways, or a text
    sticks out of what holds it."""
    found: list[str] = page.evaluate(_CUT_OFF)
    return found
