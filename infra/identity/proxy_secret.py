"""The secret with which a front end of ours proves that it may say who asks; our own command line is one of them."""

from __future__ import annotations

import secrets

from infra.secret_files import make_once
from infra.settings import Settings

FILE_NAME = "proxy.secret"


def proxy_secret(settings: Settings) -> str:
    """The secret of the settings, else that of the file beside the data, which only its owner may read; the first who
    asks makes it."""
    if settings.proxy_secret:
        return settings.proxy_secret
    path = settings.data_dir / FILE_NAME
    make_once(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii").strip()
