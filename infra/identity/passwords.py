"""Passwords: how they are kept, and which are taken.

Rules: NIST SP 800-63B-4 (August 2025), section 3.1.1: at least 15 characters where the password stands alone and 8
where a second factor stands beside it, at least 64 allowed, every printable character and blanks, no rule about kinds
of characters, no expiry, and none that is common or names the account or the service. Kept with argon2id.
"""

from __future__ import annotations

import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from infra.identity.refusals import PasswordTooWeak

SHORTEST_ALONE = 15
SHORTEST_WITH_CODE = 8
LONGEST = 256
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_HASHER = PasswordHasher()
COMMON = (
    "password",
    "passw0rd",
    "12345678",
    "87654321",
    "11111111",
    "00000000",
    "qwertyui",
    "1q2w3e4r",
    "abcd1234",
    "a1b2c3d4",
    "iloveyou",
    "woaini",
    "admin",
    "tongshui",
    "letmein",
    "welcome",
    "changeme",
)
"""What a password may not be made of alone, nor of repetitions of it and digits: the most used ones of China and the
world, and our own name."""
_NOBODY = _HASHER.hash("nobody has this password")


def hashed(password: str) -> str:
    """The argon2id hash of a password or of a machine's secret, with its own salt."""
    return _HASHER.hash(_plain(password))


def is_right(secret_hash: str | None, password: str) -> bool:
    """Whether it is the password. ``secret_hash`` None: there is no account; it takes as long all the same, so that
    nobody learns from the time which accounts there are."""
    try:
        return _HASHER.verify(secret_hash or _NOBODY, _plain(password)) and secret_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(secret_hash: str) -> bool:
    """Whether it was hashed with weaker parameters than are used now."""
    return _HASHER.check_needs_rehash(secret_hash)


def require_strong(password: str, actor: str, *, with_code: bool) -> None:
    """Refuse ``password-too-weak``."""
    plain = _plain(password)
    shortest = SHORTEST_WITH_CODE if with_code else SHORTEST_ALONE
    if not shortest <= len(plain) <= LONGEST:
        raise PasswordTooWeak(f"{len(plain)} characters", f"{shortest} to {LONGEST} characters")
    folded = "".join(each for each in plain.lower() if each.isalnum())
    left = folded
    for word in (*COMMON, actor.replace("-", "")):
        left = left.replace(word, "")
    if len(set(folded)) < 5 or len(left.strip("0123456789")) < 4:
        raise PasswordTooWeak("a common word, the name of the account, or few different characters", "one of its own")


def new_password() -> str:
    """A password that somebody gets to sign in with once: 20 characters in groups, about 98 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


def _plain(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
