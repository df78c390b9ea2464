"""ID tokens of an OpenID Connect provider: held against its keys and against the sign-in that they answer.

OpenID Connect Core 1.0, 3.1.3.7. Only signatures with a key pair are taken: with a shared secret or none, whoever knows
the provider's public keys could make a token. No refusal repeats a value of a token.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from infra.identity.oidc_refusals import OidcTokenInvalid

KEY_TYPES: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Algorithm → the type of its keys, and their curve. No other algorithm is taken."""
RSA_BITS = 2048
"""A shorter key of RSA is not used."""
TOLERANCE_S = 60.0
"""By so much the provider's clock may differ from ours."""
OLDEST_S = 600.0
"""A token that was made longer ago is not of this sign-in."""
LONGEST = 64 * 1024
"""Characters of a token that is looked at."""


class UnknownKey(Exception):
    """The token names a key that is not among those at hand."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of the provider, as its key set describes it."""

    key: Key
    kid: str | None
    algorithm: str | None

    def is_for(self, algorithm: str, kid: str | None) -> bool:
        """Whether a token with that algorithm and key id can be signed with it."""
        type_, curve = KEY_TYPES[algorithm]
        return (
            self.key.key_type == type_
            and self.algorithm in (None, algorithm)
            and (kid is None or self.kid == kid)
            and (curve is None or getattr(self.key, "curve_name", None) == curve)
        )


class _Algorithms(jws.JWSRegistry):
    """The allowed algorithms. The library warns of the name EdDSA, which RFC 9864 replaces and providers still use."""

    def __init__(self) -> None:
        super().__init__(algorithms=list(KEY_TYPES), strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def signing_keys(keys: Iterable[Any]) -> tuple[SigningKey, ...]:
    """The keys of a JSON Web Key Set that a token can be signed with; what is unknown, weak or for something else is
    left out."""
    return tuple(found for each in keys if isinstance(each, dict) and (found := _signing_key(each)) is not None)


def _signing_key(said: Mapping[str, Any]) -> SigningKey | None:
    if said.get("kty") not in {type_ for type_, _ in KEY_TYPES.values()} or said.get("use", "sig") != "sig":
        return None
    if "key_ops" in said and "verify" not in said["key_ops"]:
        return None
    try:
        if said["kty"] == "RSA" and _bits(said["n"]) < RSA_BITS:
            return None
        key = JWKRegistry.import_key({name: value for name, value in said.items() if name not in ("use", "key_ops")})
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    kid, algorithm = said.get("kid"), said.get("alg")
    return SigningKey(key, kid if isinstance(kid, str) else None, algorithm if isinstance(algorithm, str) else None)


def _bits(number: str) -> int:
    """How long a number of a key is that base64url writes."""
    return int.from_bytes(urlsafe_b64decode(number + "==")).bit_length()


def read(token: str, keys: Iterable[SigningKey]) -> Mapping[str, Any]:
    """The claims of a token that one of the keys signed. Raises UnknownKey; refuses ``oidc-token-invalid``."""
    registry = _Algorithms()
    if len(token) > LONGEST:
        raise OidcTokenInvalid("a token that is too long")
    try:
        signed = jws.extract_compact(token.encode("ascii"), registry=registry)
        header = signed.headers()
    except (JoseError, ValueError, TypeError):
        raise OidcTokenInvalid("what is no signed token") from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in KEY_TYPES:
        raise OidcTokenInvalid("a signature by another algorithm than " + ", ".join(KEY_TYPES))
    able = [key for key in keys if key.is_for(algorithm, kid)]
    if not able:
        raise UnknownKey()
    if len(able) > 1:
        raise OidcTokenInvalid("a token that several keys could have signed, without a key id")
    try:
        right = jws.validate_compact(signed, able[0].key, registry=registry)
        claims = json.loads(signed.payload or b"")
    except (JoseError, ValueError, TypeError, RecursionError):
        right, claims = False, None
    if not right:
        raise OidcTokenInvalid("a signature that is not the provider's")
    if not isinstance(claims, dict):
        raise OidcTokenInvalid("a token without claims")
    return claims


def require_valid(claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, now: float) -> None:
    """Hold the claims against the provider, the client and the sign-in. ``now``: seconds since 1970. Refuses
    ``oidc-token-invalid``."""
    if claims.get("iss") != issuer:
        raise OidcTokenInvalid("a token of another issuer")
    said = claims.get("aud")
    audience = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    if client_id not in audience:
        raise OidcTokenInvalid("a token for another client")
    if claims.get("azp", client_id if len(audience) == 1 else None) != client_id:
        raise OidcTokenInvalid("a token that was given to another client")
    if not _number(claims, "exp") > now - TOLERANCE_S:
        raise OidcTokenInvalid("a token that is over")
    if not now - OLDEST_S - TOLERANCE_S <= _number(claims, "iat") <= now + TOLERANCE_S:
        raise OidcTokenInvalid("a token of another time")
    if "nbf" in claims and not _number(claims, "nbf") <= now + TOLERANCE_S:
        raise OidcTokenInvalid("a token of another time")
    shown = claims.get("nonce")
    if not isinstance(shown, str) or not hmac.compare_digest(shown.encode(), nonce.encode()):
        raise OidcTokenInvalid("a token of another sign-in")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise OidcTokenInvalid("a token of nobody")


def _number(claims: Mapping[str, Any], name: str) -> float:
    """The seconds that a claim says; not a number where it says none, which no comparison takes."""
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
