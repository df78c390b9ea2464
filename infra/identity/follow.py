"""Secret links with which an applicant or a reporter follows their own case. Whoever has the link is taken as them.

A code is made from a key of the installation, so that a request that is repeated gets the same link; only its hash is
kept, so that a copy of the database opens no case. A link that was revoked never opens again; the next one is another.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from infra.eventstore.commands import NewLink
from infra.eventstore.service import Service
from infra.identity.citizen_key import citizen_key
from infra.identity.proxy_secret import proxy_secret
from infra.identity.refusals import NoSuchLink
from infra.sql import sql

APPLICATION = 0
"""Stands for the number of a report in the link of an application."""
CODE_BYTES = 24


@dataclass(frozen=True, slots=True)
class Followed:
    """What a link opens: a case, and of an incident the report whose link it is (``APPLICATION``: an application)."""

    case_id: UUID
    report: int
    actor: str

    @property
    def role(self) -> str:
        """As whom its holder acts."""
        return "applicant" if self.report == APPLICATION else "reporter"


class FollowLinks:
    """The links of one installation."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def give(self, case_id: UUID, report: int) -> str:
        """The code of the link that holds, which is made where there is none."""
        newest = self._newest(case_id, report)
        generation = newest["generation"] if newest is not None else 0
        if newest is not None and newest["revoked"] is False:
            for key in self._keys():
                code = _code(key, case_id, report, generation)
                if newest["code_hash"] == hashed(code):
                    return code
        return self._make(case_id, report, generation + 1)

    def first(self, case_id: UUID, report: int) -> tuple[str, NewLink]:
        """The code of the first link of a case that a command opens, and what the command is to keep of it."""
        code = _code(self._keys()[0], case_id, report, 1)
        return code, NewLink(hashed(code), case_id, report)

    def standing(self, case_id: UUID, report: int) -> str | None:
        """The code of the link that holds, which is made where there never was one; None: it was revoked, and nobody
        asked for another."""
        newest = self._newest(case_id, report)
        return None if newest is not None and newest["revoked"] else self.give(case_id, report)

    def renew(self, case_id: UUID, report: int) -> str:
        """A new code; those from before open nothing any more."""
        newest = self._newest(case_id, report)
        self._do("follow_revoke_case", case_id=case_id, report=report)
        return self._make(case_id, report, (newest["generation"] if newest is not None else 0) + 1)

    def find(self, code: str) -> Followed:
        """What the code opens. Refuses ``no-such-link``."""
        with self._service.connection() as connection:
            row = connection.execute(sql("follow_find"), {"code_hash": hashed(code)}).fetchone()
        if row is None:
            raise NoSuchLink()
        return Followed(row["case_id"], row["report"], f"link-{digitless(hashed(code))}")

    def revoke(self, code: str) -> None:
        """Let the code open nothing any more."""
        self._do("follow_revoke", code_hash=hashed(code))

    def _make(self, case_id: UUID, report: int, generation: int) -> str:
        code = _code(self._keys()[0], case_id, report, generation)
        self._do("follow_put", code_hash=hashed(code), case_id=case_id, report=report, generation=generation)
        return code

    def _keys(self) -> tuple[bytes, bytes]:
        """The key that codes are made with, and the one before it: links had the front end's secret at first, and one
        that was given then is told again."""
        settings = self._service.settings
        return citizen_key(settings), proxy_secret(settings).encode()

    def _newest(self, case_id: UUID, report: int) -> dict[str, Any] | None:
        with self._service.connection() as connection:
            row = connection.execute(sql("follow_newest"), {"case_id": case_id, "report": report}).fetchone()
        return {**row, "code_hash": bytes(row["code_hash"])} if row is not None else None

    def _do(self, query: str, **values: Any) -> None:
        with self._service.connection() as connection:
            connection.execute(sql(query), values)


def _code(key: bytes, case_id: UUID, report: int, generation: int) -> str:
    named = f"follow\n{case_id}\n{report}\n{generation}".encode()
    return urlsafe_b64encode(hmac.new(key, named, sha256).digest()[:CODE_BYTES]).decode()


def hashed(code: str) -> bytes:
    """What is kept of a code."""
    return sha256(code.encode()).digest()


def digitless(digest: bytes) -> str:
    """Sixteen letters of a digest, for an actor's id: no digits, which could look like somebody's number."""
    return digest[:8].hex().translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop"))
