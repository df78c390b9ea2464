"""The secret with which a front end of ours proves that it may say who asks; our own command line is one of them."""

from __future__ import annotations

import os
import secrets

from infra.settings import Settings

FILE_NAME = "proxy.secret"


def proxy_secret(settings: Settings) -> str:
    """The secret of the settings, else that of the file beside the data, which only its owner may read; the first who
    asks makes it."""
    if settings.proxy_secret:
        return settings.proxy_secret
    path = settings.data_dir / FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{FILE_NAME}.{os.getpid()}")
    if not path.exists():
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its secret counts
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()
