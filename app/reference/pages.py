"""All reference pages."""

from __future__ import annotations

from app.reference.codes import commands_page, law_page, powers_page, promises_page, refusals_page, settings_page
from app.reference.events import event_pages
from app.reference.http import api_document, api_pages
from app.reference.permissions import permissions_page
from app.reference.stored import tables_page, topics_page


def pages() -> dict[str, str]:
    """Path below ``docs`` → Markdown, in the order in which the navigation lists them."""
    document = api_document()
    return {
        **event_pages(),
        **api_pages(document),
        "reference/commands.md": commands_page(),
        "reference/settings.md": settings_page(),
        "reference/powers.md": powers_page(),
        "reference/permissions.md": permissions_page(document),
        "reference/promises.md": promises_page(),
        "reference/law.md": law_page(),
        "reference/refusals.md": refusals_page(),
        "reference/topics.md": topics_page(),
        "reference/tables.md": tables_page(),
    }
