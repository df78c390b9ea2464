"""Accounts and sessions: who somebody is, proven by a password and a code, and remembered by a token.

What an actor may act as stands in its stream of events (``domain.people``); secrets and sessions stand beside it in
PostgreSQL. A session carries what the actor may act as from the instant it was opened; whoever moves or leaves loses
all sessions. All times here are real times: a service clock that runs faster would end sessions early.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyotp

from domain.people.people import PersonState, Work
from infra.eventstore.service import Service
from infra.eventstore.shipped_rules import person_stream
from infra.identity import passwords
from infra.identity.oidc_refusals import OidcAccountUnknown, SecondFactorNeeded
from infra.identity.refusals import (
    AccountLocked,
    CodeNeeded,
    NotYourRole,
    SecondFactorSet,
    SessionEnded,
    SessionLimited,
    WrongCode,
    WrongCredentials,
)
from infra.keys import MasterKey, master_key
from infra.sql import sql
from infra.vault.vault import second_factor_context

FAILURES = 10
"""So many wrong attempts in a row lock an account."""
LOCK_S = 60.0
"""How long the first time; each further one doubles it, up to an hour."""
USED_EVERY_S = 30.0
"""How often the last use of a session is written down."""
ONE_TIME_PASSWORD_S = 24 * 3600
"""How long a password that somebody else set can be used to sign in."""
MACHINE_TOKEN_S = 3600.0
RECOVERY_CODES = 10
STEP_S = 30
ISSUER = "tongshui"


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it stands. ``is_limited``: its owner has something to do first, and may do nothing else."""

    actor: str
    role: str
    work: Work
    is_machine: bool
    for_browser: bool
    is_limited: bool
    phone_hash: bytes | None = None
    """Of a citizen: the keyed hash of the telephone that they proved."""
    by_provider: bool = False
    """Whether an identity provider said who they are."""

    def require_whole(self) -> None:
        """Refuse ``session-limited``, or ``second-factor-needed`` to whom an identity provider sent without one."""
        if self.is_limited and self.by_provider:
            raise SecondFactorNeeded()
        if self.is_limited:
            raise SessionLimited(f"{self.actor}, who has not set up the account yet")


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was just opened, and the token that it is known by, which is kept nowhere."""

    session: Session
    token: str


class Accounts:
    """Accounts of one installation. ``key``: what second factors are sealed with."""

    def __init__(self, service: Service, key: MasterKey | None = None) -> None:
        self._service = service
        self._given_key = key

    # ---- signing in

    def sign_in(self, actor: str, password: str, code: str | None = None, *, browser: bool) -> Opened:
        """A session for whoever has the password, and the code where the account has a second factor.

        Refuses ``wrong-credentials`` (the same for a wrong password and for no account), ``account-locked``,
        ``code-needed``.
        """
        known = self._credentials(actor)
        if known is not None and known["locked_s"] > 0:
            raise AccountLocked(known["locked_s"])
        person = self.person(actor)
        right = passwords.is_right(known["secret_hash"] if known is not None else None, password)
        if known is None or person is None or person.has_left or not right or _is_spent(known):
            self._failed(actor)
            raise WrongCredentials()
        counter = self._checked_code(known, code)
        if self._one("identity_signed_in", actor=actor, code=counter) is None:
            self._failed(actor)
            raise WrongCredentials()
        if passwords.is_outdated(known["secret_hash"]):
            self._do("identity_rehash", actor=actor, secret_hash=passwords.hashed(password))
        limited = known["must_change"] or self._lacks_second_factor(known, person.work)
        return self.open_session(person, browser=browser, is_limited=limited)

    def machine_token(self, client: str, secret: str) -> tuple[Opened, float]:
        """A token for a machine, and for how many seconds. Refuses ``wrong-credentials``, ``account-locked``."""
        known = self._credentials(client)
        if known is not None and known["locked_s"] > 0:
            raise AccountLocked(known["locked_s"])
        person = self.person(client)
        right = passwords.is_right(known["secret_hash"] if known is not None else None, secret)
        if known is None or person is None or person.has_left or person.kind != "machine" or not right:
            self._failed(client)
            raise WrongCredentials()
        self._one("identity_signed_in", actor=client, code=None)
        return self.open_session(person, browser=False, lasts_s=MACHINE_TOKEN_S), MACHINE_TOKEN_S

    def sign_in_by_provider(self, actor: str, *, has_second_factor: bool) -> Opened:
        """A browser's session for whom an identity provider names. It is limited where a role needs a second factor and
        the provider asked for none. Refuses ``oidc-account-unknown``: nobody, a machine, or who left."""
        person = self.person(actor)
        if person is None or person.has_left or person.kind != "person":
            raise OidcAccountUnknown()
        is_limited = self._needs_second_factor(person.work) and not has_second_factor
        return self.open_session(person, browser=True, is_limited=is_limited, by_provider=True)

    def open_session(
        self,
        person: PersonState,
        *,
        browser: bool,
        is_limited: bool = False,
        lasts_s: float | None = None,
        by_provider: bool = False,
    ) -> Opened:
        """A session of somebody who is known already, in the first of their roles. Refuses ``wrong-credentials`` to who
        left."""
        if person.has_left:
            raise WrongCredentials()
        token = secrets.token_urlsafe(32)
        is_machine = person.kind == "machine"
        session = Session(
            person.number, person.work.roles[0], person.work, is_machine, browser, is_limited, by_provider=by_provider
        )
        self._do("identity_forget_sessions")
        self._do(
            "identity_open_session",
            token_hash=token_hash(token),
            actor=session.actor,
            role=session.role,
            roles=list(person.work.roles),
            crew=person.work.crew,
            squad=person.work.squad,
            districts=list(person.work.districts),
            scopes=list(person.work.scopes),
            is_machine=is_machine,
            for_browser=browser,
            is_limited=is_limited,
            by_provider=by_provider,
            lasts_s=lasts_s or self._service.settings.session_hours * 3600,
        )
        return Opened(session, token)

    # ---- sessions

    def session(self, token: str) -> Session:
        """The session of a token. Refuses ``session-ended``."""
        row = self._one("identity_session", token_hash=token_hash(token))
        if row is None:
            raise SessionEnded()
        if not row["is_machine"] and row["idle_s"] > self._service.settings.session_idle_minutes * 60:
            self.close(token)
            raise SessionEnded()
        if row["idle_s"] > USED_EVERY_S:
            self._do("identity_session_used", token_hash=token_hash(token))
        work = Work(tuple(row["roles"]), row["crew"], row["squad"], tuple(row["districts"]), tuple(row["scopes"]))
        phone = bytes(row["phone_hash"]) if row["phone_hash"] is not None else None
        return Session(
            row["actor"],
            row["role"],
            work,
            row["is_machine"],
            row["for_browser"],
            row["is_limited"],
            phone,
            row["by_provider"],
        )

    def switch_role(self, token: str, role: str) -> Session:
        """The same session in another of the actor's roles. Refuses ``session-ended``, ``not-your-role``."""
        session = self.session(token)
        if role not in session.work.roles:
            raise NotYourRole(role, session.work.roles)
        self._do("identity_switch_role", token_hash=token_hash(token), role=role)
        return self.session(token)

    def close(self, token: str) -> None:
        """End the session."""
        self._do("identity_close_session", token_hash=token_hash(token))

    def close_all(self, actor: str, *, but: str | None = None) -> None:
        """End every session of an actor, except the one of the token ``but``."""
        self._do("identity_close_sessions", actor=actor, **{"except": token_hash(but) if but else b""})

    # ---- secrets

    def set_secret(self, actor: str, secret: str, *, must_change: bool) -> None:
        """Set the password of a person or the secret of a machine; every session ends."""
        self._do("identity_set_secret", actor=actor, secret_hash=passwords.hashed(secret), must_change=must_change)
        self.close_all(actor)

    def new_secret(self, actor: str, *, must_change: bool = True) -> str:
        """A new secret, which is shown once and kept nowhere."""
        secret = passwords.new_password()
        self.set_secret(actor, secret, must_change=must_change)
        return secret

    def change_password(self, token: str, old: str, new: str) -> Opened:
        """Somebody sets their own password; every other session ends, and this one goes on under a new token. Refuses
        ``session-ended``, ``wrong-credentials``, ``account-locked``, ``password-too-weak``."""
        session = self.session(token)
        known = self._credentials(session.actor)
        if known is None or known["locked_s"] > 0:
            raise AccountLocked(known["locked_s"] if known else 1)
        if not passwords.is_right(known["secret_hash"], old):
            self._failed(session.actor)
            raise WrongCredentials()
        passwords.require_strong(new, session.actor, with_code=known["second_factor_confirmed"])
        if new == old:
            passwords.require_strong("", session.actor, with_code=True)
        self.set_secret(session.actor, new, must_change=False)
        return self._again(session)

    def begin_second_factor(self, token: str) -> str:
        """The address (otpauth) of a new second factor, for the authenticator app; it counts once it is confirmed.
        Refuses ``session-ended``, and ``second-factor-set`` for who has one: whoever manages accounts resets it."""
        session = self.session(token)
        known = self._credentials(session.actor)
        if known is None or known["second_factor_confirmed"]:
            raise SecondFactorSet()
        secret = pyotp.random_base32()
        sealed = self._key.seal(secret.encode(), second_factor_context(session.actor))
        self._do("identity_set_second_factor", actor=session.actor, sealed=sealed, confirmed=False)
        return pyotp.TOTP(secret).provisioning_uri(name=session.actor, issuer_name=ISSUER)

    def confirm_second_factor(self, token: str, code: str) -> tuple[Opened, tuple[str, ...]]:
        """The second factor counts from now on; the recovery codes are shown once. A limited session that an identity
        provider began is whole after it; whose account has a second factor already shows its code, or a recovery code,
        and gets no new ones. Refuses ``session-ended``, ``wrong-code``, ``wrong-credentials``, ``account-locked``."""
        session = self.session(token)
        known = self._credentials(session.actor)
        if session.by_provider and session.is_limited and known is not None and known["second_factor_confirmed"]:
            self._show_code(known, code)
            self.close(token)
            return self._again(session, has_shown_code=True), ()
        if known is None or known["second_factor"] is None or self._counter(known, code) is None:
            raise WrongCode()
        sealed = bytes(known["second_factor"])
        self._do("identity_set_second_factor", actor=session.actor, sealed=sealed, confirmed=True)
        codes = tuple(secrets.token_hex(5) for _ in range(RECOVERY_CODES))
        self._do("identity_forget_recovery_codes", actor=session.actor)
        self._do("identity_add_recovery_codes", actor=session.actor, hashes=[token_hash(each) for each in codes])
        self.close_all(session.actor)
        return self._again(session, has_shown_code=True), codes

    def forget(self, actor: str) -> None:
        """Somebody left: no secret, no session."""
        self._do("identity_forget", actor=actor)
        self.close_all(actor)

    def reset(self, actor: str) -> str:
        """A new one-time password for somebody who lost theirs, or their second factor: that one is gone."""
        self._do("identity_set_second_factor", actor=actor, sealed=None, confirmed=False)
        self._do("identity_forget_recovery_codes", actor=actor)
        return self.new_secret(actor)

    def has_secret(self, actor: str) -> bool:
        """Whether a password or a secret was ever set for it; the demo's people have none."""
        return self._credentials(actor) is not None

    def person(self, actor: str) -> PersonState | None:
        """What an actor may act as; None: nobody with that id ever joined."""
        state: PersonState | None = self._service.load(person_stream(actor))[0]
        return state

    # ---- parts

    @property
    def _key(self) -> MasterKey:
        if self._given_key is None:
            self._given_key = master_key(self._service.settings)
        return self._given_key

    def _again(self, session: Session, *, has_shown_code: bool = False) -> Opened:
        """The session under a new token. One that a provider began stays limited until a code was shown in it, whatever
        the account has: its password was not asked for."""
        person = self.person(session.actor)
        known = self._credentials(session.actor)
        assert person is not None
        assert known is not None
        limited = known["must_change"] or self._lacks_second_factor(known, person.work)
        if session.by_provider:
            limited = session.is_limited and not has_shown_code
        return self.open_session(
            person, browser=session.for_browser, is_limited=limited, by_provider=session.by_provider
        )

    def _lacks_second_factor(self, known: Mapping[str, Any], work: Work) -> bool:
        return self._needs_second_factor(work) and not known["second_factor_confirmed"]

    def _needs_second_factor(self, work: Work) -> bool:
        return bool(set(self._service.settings.second_factor_roles) & set(work.roles))

    def _show_code(self, known: Mapping[str, Any], code: str) -> None:
        """Take a code of the second factor. It counts once, and a wrong one counts as a wrong attempt to sign in."""
        if known["locked_s"] > 0:
            raise AccountLocked(known["locked_s"])
        counter = self._checked_code(known, code)
        if self._one("identity_signed_in", actor=known["actor"], code=counter) is None:
            self._failed(known["actor"])
            raise WrongCredentials()

    def _checked_code(self, known: Mapping[str, Any], code: str | None) -> int | None:
        """The step of the code that was given; None where the account needs none, or a recovery code was used up."""
        if not known["second_factor_confirmed"]:
            return None
        if not code:
            raise CodeNeeded()
        counter = self._counter(known, code)
        if counter is not None:
            return counter
        used = self._one("identity_use_recovery_code", actor=known["actor"], code_hash=token_hash(code.strip().lower()))
        if used is None:
            self._failed(known["actor"])
            raise WrongCredentials()
        return None

    def _counter(self, known: Mapping[str, Any], code: str) -> int | None:
        """The time step whose code it is: now, the one before, or the one after; None: of none of them."""
        secret = self._key.open(bytes(known["second_factor"]), second_factor_context(known["actor"])).decode()
        totp, now = pyotp.TOTP(secret), int(time.time()) // STEP_S
        given = "".join(code.split())
        steps = (now - 1, now, now + 1)
        return next((step for step in steps if hmac.compare_digest(totp.at(step * STEP_S), given)), None)

    def _credentials(self, actor: str) -> Mapping[str, Any] | None:
        return self._one("identity_credentials", actor=actor)

    def _failed(self, actor: str) -> None:
        self._do("identity_failed", actor=actor, at_most=FAILURES, lock_s=LOCK_S)

    def _one(self, query: str, **values: Any) -> Mapping[str, Any] | None:
        with self._service.connection() as connection:
            row: Mapping[str, Any] | None = connection.execute(sql(query), values).fetchone()
        return row

    def _do(self, query: str, **values: Any) -> None:
        with self._service.connection() as connection:
            connection.execute(sql(query), values)


def csrf_token(token: str) -> str:
    """What a page must repeat with every change, beside the cookie that the browser sends by itself."""
    return hmac.new(token.encode(), b"tongshui csrf", sha256).hexdigest()


def _is_spent(known: Mapping[str, Any]) -> bool:
    """Whether it is a one-time password that nobody used in its time."""
    return bool(known["must_change"]) and known["age_s"] > ONE_TIME_PASSWORD_S


def token_hash(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode()).digest()
