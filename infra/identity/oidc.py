"""Sign-in at an identity provider: the authorization code flow of OpenID Connect with PKCE (RFC 7636, S256).

The provider says who somebody is; what they may do says the account that they have here. Of a sign-in under way nothing
is kept in the program: what its answer is held against travels with the browser, sealed by the installation's key, so
that any process can end what another began. No code, token or claim is in a log or in a refusal.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import secrets
import ssl
import time
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx

from infra.identity import id_tokens
from infra.identity.id_tokens import SigningKey, UnknownKey
from infra.identity.oidc_refusals import (
    OidcClaimMissing,
    OidcCodeRefused,
    OidcDenied,
    OidcNotSetUp,
    OidcProviderError,
    OidcProviderUnavailable,
    OidcStateMismatch,
    OidcTokenInvalid,
)
from infra.keys import MasterKey
from infra.settings import Settings

log = logging.getLogger(__name__)

DISCOVERY = "/.well-known/openid-configuration"
ATTEMPT_S = 600
"""How long a sign-in may take."""
FRESH_S = 3600.0
"""How long what the provider says about itself, and its keys, are used before they are asked for again."""
TIMEOUT_S = 5.0
"""Of one question to the provider, until its whole answer is there."""
LONGEST_ANSWER = 256 * 1024
LONGEST_PATH = 512
LONGEST_HINT = 3_800
"""Browsers keep 4,096 bytes of a cookie, its name and attributes among them."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that may be asked without TLS."""
AWAY = ("server_error", "temporarily_unavailable")
ERRORS = frozenset(
    {
        *("invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "invalid_client"),
        *("interaction_required", "login_required", "account_selection_required", "consent_required"),
        *("unsupported_grant_type", "unmet_authentication_requirements", *AWAY),
    }
)
"""The words for errors that the standards have; only these are repeated."""
_CONTEXT = b"oidc sign-in"
_HINT = b"oidc sign-out"
_OWN_PATH = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", re.ASCII)


def own_path(wanted: str | None) -> str:
    """The path of one of our pages that somebody wants to come to after signing in; ``/`` where it could lead anywhere
    else: to another host, to the page where one signs in, to the interface."""
    if wanted is None or len(wanted) > LONGEST_PATH or not _OWN_PATH.fullmatch(wanted):
        return "/"
    return "/" if wanted.startswith(("/login", "/api/")) else wanted


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """A sign-in under way. ``next``: the path to come to after it; ``began``: seconds since 1970."""

    state: str
    nonce: str
    verifier: str
    next: str
    began: float

    @classmethod
    def begin(cls, next_path: str | None, now: float) -> Attempt:
        """A new one, that nobody can guess."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, own_path(next_path), now)

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier before it sees it (S256)."""
        return urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def sealed(self, key: MasterKey) -> str:
        """The attempt as a cookie keeps it."""
        return urlsafe_b64encode(key.seal(json.dumps(asdict(self)).encode(), _CONTEXT)).rstrip(b"=").decode()

    @classmethod
    def of(cls, cookie: str | None, state: str | None, key: MasterKey, now: float) -> Attempt:
        """The attempt that an answer with this state ends. Refuses ``oidc-state-mismatch``."""
        try:
            text = urlsafe_b64decode((cookie or "").encode("ascii") + b"==")
            attempt = cls(**json.loads(key.open(text, _CONTEXT)))
        except (KeyError, ValueError, TypeError):
            raise OidcStateMismatch() from None
        if not 0 <= now - attempt.began <= ATTEMPT_S or not hmac.compare_digest(
            attempt.state.encode(), (state or "").encode()
        ):
            raise OidcStateMismatch()
        return attempt


@dataclass(frozen=True, slots=True)
class Named:
    """Whom the provider names: the id of an account, and whether they showed a second factor there. ``id_token``: its
    token, which it wants to see again when they sign out."""

    actor: str
    has_second_factor: bool
    id_token: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Described:
    """What the provider says about itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool
    names_itself: bool
    """Whether each of its answers says who it is from (RFC 9207)."""
    fetched: float
    end_session_endpoint: str | None = None
    """Where it ends its own session; None: it says no address that is safe."""


class Provider:
    """The identity provider of the settings. Asked over blocking connections; may be used by several threads.
    ``clock``: seconds since 1970; ``transport``: how it is reached, in a test."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.now = clock
        self._settings = settings
        self._transport = transport
        self._tls: ssl.SSLContext | None = None
        self._described: Described | None = None
        self._keys: tuple[tuple[SigningKey, ...], float] | None = None

    def require_set_up(self) -> None:
        """Refuse ``oidc-not-set-up`` where the settings name no provider."""
        if not self._settings.oidc_issuer:
            raise OidcNotSetUp()

    def authorization_url(self, attempt: Attempt, callback: str) -> str:
        """Where the browser is led to. ``callback``: where the provider sends it back to. Refuses
        ``oidc-provider-unavailable``."""
        settings, endpoint = self._settings, self._description().authorization_endpoint
        asked = {
            "response_type": "code",
            "client_id": settings.oidc_client_id,
            "redirect_uri": callback,
            "scope": settings.oidc_scope,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
            **({"acr_values": " ".join(settings.oidc_acr_values)} if settings.oidc_acr_values else {}),
        }
        return _with_query(endpoint, asked)

    def require_code(self, code: str | None, error: str | None, issuer: str | None) -> str:
        """The code of the provider's answer. Refuses ``oidc-denied``, ``oidc-provider-error``,
        ``oidc-provider-unavailable``, and ``oidc-state-mismatch`` for an answer of another provider."""
        if issuer is None and self._description().names_itself:
            raise OidcStateMismatch()
        if issuer is not None and issuer != self._settings.oidc_issuer:
            raise OidcStateMismatch()
        if error == "access_denied":
            raise OidcDenied()
        if error in AWAY:
            raise OidcProviderUnavailable(f"{error} from the provider")
        if error is not None or not code:
            raise OidcProviderError(_word(error))
        return code

    def named(self, attempt: Attempt, code: str, callback: str) -> Named:
        """Whom the provider names for its code. Refuses ``oidc-code-refused``, ``oidc-token-invalid``,
        ``oidc-claim-missing``, ``oidc-provider-error``, ``oidc-provider-unavailable``."""
        settings = self._settings
        id_token = self._id_token(attempt, code, callback)
        claims = self._read(id_token)
        id_tokens.require_valid(
            claims,
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            nonce=attempt.nonce,
            now=self.now(),
        )
        actor, amr = claims.get(settings.oidc_actor_claim), claims.get("amr")
        if not isinstance(actor, str) or not actor:
            raise OidcClaimMissing(settings.oidc_actor_claim)
        ways = {each for each in amr if isinstance(each, str)} if isinstance(amr, list) else set()
        has_second_factor = bool(ways & {*settings.oidc_amr}) or claims.get("acr") in settings.oidc_acr_values
        return Named(actor, has_second_factor, id_token)

    def end_session_url(self, id_token: str | None, back: str) -> str | None:
        """Where the browser is led to sign out at the provider too (OpenID Connect RP-Initiated Logout 1.0); None where
        it says no such address, or cannot be asked: the session here has ended all the same. ``id_token``: of the
        sign-in, where it is still there. ``back``: where the provider sends the browser back to."""
        try:
            self.require_set_up()
            endpoint = self._description().end_session_endpoint
        except (OidcNotSetUp, OidcProviderUnavailable):
            return None
        if endpoint is None:
            return None
        asked = {"client_id": self._settings.oidc_client_id, "post_logout_redirect_uri": back}
        return _with_query(endpoint, asked | ({"id_token_hint": id_token} if id_token else {}))

    # ---- parts

    def _id_token(self, attempt: Attempt, code: str, callback: str) -> str:
        settings, described = self._settings, self._description()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "code_verifier": attempt.verifier,
        }
        headers: dict[str, str] = {}
        if settings.oidc_client_secret and described.takes_basic:
            # Both are written as in a form before they are joined (RFC 6749, 2.3.1).
            both = f"{quote_plus(settings.oidc_client_id)}:{quote_plus(settings.oidc_client_secret)}"
            headers["Authorization"] = f"Basic {_base64(both)}"
        else:
            form["client_id"] = settings.oidc_client_id
            if settings.oidc_client_secret:
                form["client_secret"] = settings.oidc_client_secret
        status, said = self._ask("POST", described.token_endpoint, data=form, headers=headers)
        if status == 200 and isinstance(said.get("id_token"), str):
            return str(said["id_token"])
        if status == 200:
            raise OidcTokenInvalid("an answer without an ID token")
        if said.get("error") == "invalid_grant":
            raise OidcCodeRefused()
        log.warning("the identity provider gives no token: %d %s", status, _word(said.get("error")))
        raise OidcProviderError(_word(said.get("error")))

    def _read(self, token: str) -> Mapping[str, Any]:
        """The claims of a token. A key that is not known yet is looked for once: the provider may have a new one."""
        keys, are_fresh = self._signing_keys()
        try:
            return id_tokens.read(token, keys)
        except UnknownKey:
            if not are_fresh:
                try:
                    return id_tokens.read(token, self._fetch_keys())
                except UnknownKey:
                    pass
        raise OidcTokenInvalid("a signature with a key that the provider does not publish")

    def _signing_keys(self) -> tuple[tuple[SigningKey, ...], bool]:
        """The keys, and whether they were fetched just now."""
        known = self._keys
        if known is not None and time.monotonic() - known[1] < FRESH_S:
            return known[0], False
        return self._fetch_keys(), True

    def _fetch_keys(self) -> tuple[SigningKey, ...]:
        status, said = self._ask("GET", self._description().jwks_uri)
        if status != 200 or not isinstance(said.get("keys"), list):
            raise _unavailable("no keys of the provider")
        keys = id_tokens.signing_keys(said["keys"])
        self._keys = keys, time.monotonic()
        return keys

    def _description(self) -> Described:
        known = self._described
        if known is not None and time.monotonic() - known.fetched < FRESH_S:
            return known
        issuer = self._settings.oidc_issuer
        status, said = self._ask("GET", issuer.rstrip("/") + DISCOVERY)
        if status != 200:
            raise _unavailable("no description of the provider")
        if said.get("issuer") != issuer:
            raise _unavailable("the description of another issuer")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        authorization, token, jwks = where = [str(said.get(name, "")) for name in names]
        if not all(map(is_safe_url, where)):
            raise _unavailable("a description without addresses that begin with https://")
        ways = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        basic = not isinstance(ways, list) or "client_secret_basic" in ways or "client_secret_post" not in ways
        names_itself = said.get("authorization_response_iss_parameter_supported") is True
        ends = said.get("end_session_endpoint")
        ends = ends if isinstance(ends, str) and is_safe_url(ends) else None
        self._described = Described(authorization, token, jwks, basic, names_itself, time.monotonic(), ends)
        return self._described

    def _ask(self, method: str, url: str, **options: Any) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON object of an answer; an empty one where a status other than 200 has none."""
        ends, body = time.monotonic() + TIMEOUT_S, bytearray()
        try:
            with (
                httpx.Client(
                    transport=self._transport, verify=self._context(), trust_env=False, timeout=TIMEOUT_S
                ) as to,
                to.stream(method, url, **options) as answer,
            ):
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > LONGEST_ANSWER or time.monotonic() > ends:
                        raise _unavailable("an answer that is too long or too slow")
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _unavailable(f"no answer of the provider ({type(error).__name__})") from None
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            said = None
        if status >= 500 or (status == 200 and not isinstance(said, dict)):
            raise _unavailable(f"an answer of the provider with status {status} that is of no use")
        return status, said if isinstance(said, dict) else {}

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._settings.oidc_ssl_cafile)
        return self._tls


def is_safe_url(url: str) -> bool:
    """Whether nobody between here and there can change what is said: TLS, or this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    except ValueError:
        return False


def sealed_hint(id_token: str, key: MasterKey) -> str | None:
    """The ID token as a cookie keeps it until its owner signs out; None where no browser would keep one so long."""
    sealed = urlsafe_b64encode(key.seal(id_token.encode(), _HINT)).rstrip(b"=").decode()
    return sealed if len(sealed) <= LONGEST_HINT else None


def opened_hint(cookie: str | None, key: MasterKey) -> str | None:
    """The ID token of such a cookie; None where there is none, or it is not ours."""
    try:
        return key.open(urlsafe_b64decode((cookie or "").encode("ascii") + b"=="), _HINT).decode()
    except (KeyError, ValueError):
        return None


def _with_query(endpoint: str, asked: Mapping[str, str]) -> str:
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"


def _unavailable(found: str) -> OidcProviderUnavailable:
    log.warning("the identity provider cannot be asked: %s", found)
    return OidcProviderUnavailable(found)


def _word(error: object) -> str:
    return error if isinstance(error, str) and error in ERRORS else "an unknown error"


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
