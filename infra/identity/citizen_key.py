"""The key of what citizens are given: codes of secret links, and the hashes of one-time codes.

It is no front end's: whoever may say who asks could else work out the link of every case. The file lies beside the
data, and only its owner may read it. Without it links that were given still open; a request that is repeated is given
another.
"""

from __future__ import annotations

import secrets

from infra.secret_files import make_once
from infra.settings import Settings

FILE_NAME = "citizens.key"


def citizen_key(settings: Settings) -> bytes:
    """The key of the settings, else that of the file; the first who asks makes it."""
    if settings.citizen_key:
        return settings.citizen_key.encode()
    path = settings.data_dir / FILE_NAME
    make_once(path, secrets.token_urlsafe(32))
    return path.read_bytes().strip()
