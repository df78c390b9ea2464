"""Whom an installation can tell by which way, as its settings have it."""

from __future__ import annotations

from domain.kernel.roles import ADDRESSEES
from infra.settings import Settings


def reachable(settings: Settings) -> list[str]:
    """Which roles can be told by which ways, as "role way": what the settings have no way for is shown on the page and
    nowhere tried, so that an installation without a mail server does not fill with dead letters. Raises ValueError
    for a role that there is not."""
    if unknown := sorted(set(settings.staff_contacts) - ADDRESSEES):
        known = ", ".join(sorted(ADDRESSEES))
        raise ValueError(f"TONGSHUI_STAFF_CONTACTS: found the roles {', '.join(unknown)}; needed some of {known}")
    gateway = ("sms", "wechat") if settings.gateway_url and settings.gateway_secret else ()
    found = [f"{role} {way}" for role in ADDRESSEES for way in gateway]
    for role, contact in settings.staff_contacts.items():
        if contact.email and settings.smtp_host and settings.smtp_from:
            found.append(f"{role} email")
        if contact.webhook and settings.gateway_secret:
            found.append(f"{role} webhook")
    return sorted(found)
