"""Citizens: a session for whoever has the telephone that a case was applied for or reported with.

A one-time code of six digits goes to the telephone, holds for five minutes and five tries. What is answered, and how
long it takes, is the same whether anybody is known by the telephone or not: the work is done after the answer.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from domain import kinds, particulars
from domain.kernel.messages import digest_of
from domain.people.people import Work
from infra.eventstore.service import Service
from infra.identity.accounts import Opened, Session, token_hash
from infra.identity.citizen_key import citizen_key
from infra.identity.follow import digitless
from infra.identity.refusals import WrongPhoneCode
from infra.sql import sql

log = logging.getLogger(__name__)

CODE_S = 300.0
TRIES = 5
SESSION_S = 3600.0
ROLES = ("applicant", "reporter")
MESSAGE = "phone-code"
"""The kind of message that a code is sent with."""
TITLE = "验证码"
TEXT = "【通水】验证码{code}，5分钟内有效，用于查询您的用水申请和报修。请勿告诉他人。"


class Citizens:
    """Sessions of citizens of one installation."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def send_code(self, phone: str) -> None:
        """Send a code to the telephone, where a case names it. The code from before holds no more."""
        self._do("phone_codes_forget", lasts_s=CODE_S)
        self._do("phone_code_messages_forget", kind=MESSAGE, lasts_s=CODE_S)
        of_phone = self._service.vault.phone_hash(phone)
        if of_phone is None:
            return
        known = [subject for subject, cases in self._service.vault.with_phone_now(of_phone).items() if cases]
        if not known:
            self._do("phone_code_put", phone_hash=of_phone, code_hash=None)
            return
        code = f"{secrets.randbelow(1_000_000):06d}"
        text = TEXT.format(code=code)
        if self._service.settings.demo:  # nothing is real there, and no gateway sends
            log.warning("demo: the code is %s", code)
        self._do("phone_code_put", phone_hash=of_phone, code_hash=self._hashed(of_phone, code))
        self._do(
            "phone_code_message",
            id=uuid4(),
            kind=MESSAGE,
            title=TITLE,
            text=text,
            digest=digest_of(text.encode()),
            subject=known[0],
        )

    def sign_in(self, phone: str, code: str, *, browser: bool) -> Opened:
        """A session for whoever has the code. Refuses ``wrong-phone-code``, the same for whatever is wrong."""
        of_phone = self._service.vault.phone_hash(phone)
        if of_phone is None:
            raise WrongPhoneCode()
        wanted = self._one("phone_code_try", phone_hash=of_phone, most=TRIES, lasts_s=CODE_S)
        given = self._hashed(of_phone, code)
        if wanted is None or not hmac.compare_digest(bytes(wanted["code_hash"] or b""), given):
            raise WrongPhoneCode()
        if self._one("phone_code_use", phone_hash=of_phone, code_hash=given) is None:
            raise WrongPhoneCode()
        token = secrets.token_urlsafe(32)
        actor = f"citizen-{digitless(sha256(token.encode()).digest())}"
        self._do(
            "identity_open_citizen",
            token_hash=token_hash(token),
            actor=actor,
            role=ROLES[0],
            roles=list(ROLES),
            for_browser=browser,
            phone_hash=of_phone,
            lasts_s=SESSION_S,
        )
        return Opened(Session(actor, ROLES[0], Work(ROLES), False, browser, False, of_phone), token)

    def cases(self, phone_hash: bytes) -> frozenset[UUID]:
        """The applications and incidents that name somebody who has the telephone now."""
        found = self._service.vault.with_phone_now(phone_hash)
        return frozenset(
            case_id for subject, cases in found.items() for case_id in cases if self._names(case_id, subject)
        )

    def _names(self, case_id: UUID, subject: UUID) -> bool:
        """Whether the case still names the person: a report may have been moved to another case."""
        history = self._service.history(case_id)
        kind = kinds.opened_as(history[0][0].type) if history else None
        if kind not in (kinds.CONNECTION, kinds.REPAIR):
            return False
        return any(each.id == subject for each in particulars.subjects_of(recorded for _, recorded in history))

    def _hashed(self, phone_hash: bytes, code: str) -> bytes:
        """Six digits are soon tried out: their hash needs a secret that is not in the database."""
        key = citizen_key(self._service.settings)
        return hmac.new(key, b"phone code" + phone_hash + code.strip().encode(), sha256).digest()

    def _one(self, query: str, **values: Any) -> dict[str, Any] | None:
        with self._service.connection() as connection:
            row: dict[str, Any] | None = connection.execute(sql(query), values).fetchone()
        return row

    def _do(self, query: str, **values: Any) -> None:
        with self._service.connection() as connection:
            connection.execute(sql(query), values)
