"""The pseudonym of an applicant across applications: the same for the same person, and of use to nobody outside.

A broken commitment bars the *person*, so applications of one person must be recognised as theirs; events may not say
who that is. An identity number has too few possible values to be hidden by hashing alone, so the hash is keyed: without
the key, which lies in the vault and nowhere else, no pseudonym can be derived or tried out.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from hashlib import sha256
from uuid import UUID

from infra.eventstore.service import Service
from infra.sql import sql


def pseudonym_key(service: Service) -> bytes:
    """The installation's key, made once by a migration. Raises LookupError where the database has none."""
    with service.connection() as connection:
        row = connection.execute(sql("pseudonym_key")).fetchone()
    if row is None:
        raise LookupError("vault.pseudonym_key has no row; run `tongshui migrate`")
    return bytes(row["key"])


def pseudonym(key: bytes, *, name: str, phone: str, id_number: str | None = None) -> UUID:
    """HMAC-SHA256 over the normalised identity number (of a person or a body); over name and phone where none was
    given. Formatted as a UUID of version 8 (RFC 9562), so that it can name a stream."""
    who = f"id:{_plain(id_number)}" if id_number else f"name:{_plain(name)}\nphone:{_digits(phone)}"
    digest = bytearray(hmac.new(key, who.encode(), sha256).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return UUID(bytes=bytes(digest))


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).upper()


def _digits(phone: str) -> str:
    """The digits, without China's own country code."""
    plain = unicodedata.normalize("NFKC", phone).strip()
    digits = re.sub(r"\D", "", plain)
    return digits.removeprefix("86") if plain.startswith("+") else digits
