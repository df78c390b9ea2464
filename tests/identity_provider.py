"""OpenID Connect providers of the tests: one that says whatever a test wants, and a real one."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urljoin, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

ISSUER = "https://id.example/realms/water"
CLIENT = "tongshui"
SECRET = "client+secret/"


class AllAlgorithms(jws.JWSRegistry):
    """Signs with whatever a test asks for, without the library's warnings."""

    def __init__(self) -> None:
        super().__init__(strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: dict[str, Any], claims: Any, key: Key) -> str:
    return jws.serialize_compact(header, json.dumps(claims).encode(), key, registry=AllAlgorithms())


RSA = RSAKey.generate_key(2048)
OTHER_RSA = RSAKey.generate_key(2048)
_SHORT = rsa.generate_private_key(65_537, 1024)
SHORT_RSA = RSAKey(_SHORT, _SHORT)
EC = ECKey.generate_key("P-256")
ED = OKPKey.generate_key("Ed25519")


class FakeProvider:
    """The provider over a transport of httpx. ``now``: seconds since 1970. ``claims`` go over those of a good token,
    None takes one out; ``token`` makes the whole token of the good claims; ``answers``: what to say at a path instead,
    or what to raise."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.keys: dict[str, tuple[str, Key]] = {"one": ("RS256", RSA)}
        self.signs_with = "one"
        self.actor = "hotline-7"
        self.claims: dict[str, Any] = {}
        self.token: Callable[[dict[str, Any]], str] = self.good_token
        self.answers: dict[str, httpx.Response | Exception] = {}
        self.description: dict[str, Any] = {}
        self.asked: list[str] = []
        self.given: list[tuple[httpx.Headers, dict[str, str]]] = []
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def authorize(self, url: str) -> str:
        """What the provider does with the browser that was led to it; the code."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert url.startswith(f"{ISSUER}/auth?"), url
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return code

    def good_token(self, claims: dict[str, Any]) -> str:
        algorithm, key = self.keys[self.signs_with]
        return signed({"alg": algorithm, "kid": self.signs_with}, claims, key)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/realms/water")
        self.asked.append(path)
        if (said := self.answers.get(path)) is not None:
            if isinstance(said, Exception):
                raise said
            return said
        if path == "/.well-known/openid-configuration":
            return httpx.Response(200, json=self._described())
        if path == "/keys":
            return httpx.Response(200, json={"keys": [self._public(kid) for kid in self.keys]})
        assert path == "/token", path
        return self._redeemed(request)

    def _described(self) -> dict[str, Any]:
        where = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
        return {"issuer": ISSUER, **{name: f"{ISSUER}/{path}" for name, path in where.items()}, **self.description}

    def _public(self, kid: str) -> dict[str, Any]:
        algorithm, key = self.keys[kid]
        return {**key.as_dict(private=False), "kid": kid, "alg": algorithm, "use": "sig"}

    def _redeemed(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.given.append((request.headers, form))
        asked = self._codes.pop(form["code"], None)
        if asked is None or form["redirect_uri"] != asked["redirect_uri"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        if base64url(sha256(form["code_verifier"].encode()).digest()) != asked["code_challenge"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        now = int(self.now())
        good = {"iss": ISSUER, "aud": CLIENT, "sub": self.actor, "nonce": asked["nonce"], "iat": now, "exp": now + 300}
        claims = {name: value for name, value in {**good, **self.claims}.items() if value is not None}
        return httpx.Response(200, json={"access_token": "at", "token_type": "Bearer", "id_token": self.token(claims)})


# ---- a real one

SCRIPT = Path(__file__).with_name("oidc_provider.cjs")
NO_NODE = "no node with oidc-provider (npm install oidc-provider; NODE_PATH=…/node_modules)"


class RealProvider:
    """oidc-provider under node, which waits to be told its client."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running
        self.issuer = self._line()

    @property
    def settings(self) -> dict[str, str]:
        """The settings of an installation of ours that has it."""
        return {"oidc_issuer": self.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}

    def meet_client(self, callback: str, algorithm: str = "RS256") -> None:
        """Tell it its client, and by which algorithm it signs for it."""
        client = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uris": [callback],
            "post_logout_redirect_uris": [urljoin(callback, "/login")],
            "id_token_signed_response_alg": algorithm,
        }
        assert self._running.stdin is not None
        self._running.stdin.write(json.dumps(client) + "\n")
        self._running.stdin.flush()
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._running.stdout is not None
        return self._running.stdout.readline().strip()


@contextmanager
def real_provider() -> Iterator[RealProvider]:
    """A real provider on a free port, where it can run here; the test is skipped where not."""
    node = shutil.which("node")
    can = [node or "", "-e", 'require("oidc-provider")']
    if node is None or subprocess.run(can, capture_output=True, check=False).returncode:
        pytest.skip(NO_NODE)
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([node, str(SCRIPT)], text=True, **pipes) as running:
        try:
            yield RealProvider(running)
        finally:
            running.kill()
