"""Webhooks, to a gateway for SMS and the WeChat account and to the systems of staff: one POST of JSON, signed, answered
with a receipt.

The receiver's rule: ``X-Tongshui-Signature`` is ``sha256=`` and the hex HMAC-SHA256 of the timestamp header, a dot and
the body, with the shared secret; what is older than a few minutes is refused; a second request with the same
``Idempotency-Key`` is answered like the first and sends nothing. The answer is ``{"receipt": "...", "status": "..."}``,
the status being ``accepted`` or ``delivered``.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import replace
from hashlib import sha256

import httpx
import msgspec

from infra.decoders import decoder
from infra.outbox.delivery import Delivery, DeliveryError, Outgoing, delivery
from infra.settings import Settings

ANSWER_LIMIT_BYTES = 64 * 1024
TAKEN = ("accepted", "delivered")
AGAIN = frozenset({408, 409, 425, 429})
"""Answers of the kind 4xx after which another try may help."""

_ANSWER = decoder(dict[str, object])


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What stands in ``X-Tongshui-Signature``."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()


class Gateway:
    """The adapter of the ways ``sms`` and ``wechat``."""

    needs: tuple[str, ...] = ("phone",)

    def __init__(self, settings: Settings) -> None:
        self._url = settings.gateway_url
        self._secret = settings.gateway_secret
        self._timeout_s = settings.gateway_timeout_s
        # Settings alone say where things go: no proxy, no certificate store from the environment behind their back.
        self._client = httpx.Client(timeout=httpx.Timeout(self._timeout_s), trust_env=False, follow_redirects=False)

    def deliver(self, outgoing: Outgoing) -> Delivery:
        return self._hand_over(self._url, outgoing)

    def _hand_over(self, url: str, outgoing: Outgoing) -> Delivery:
        if not url or not self._secret:
            raise DeliveryError("gateway-not-configured", permanent=True)
        body = msgspec.json.encode(_letter(outgoing))
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": str(outgoing.id),
            "X-Tongshui-Timestamp": timestamp,
            "X-Tongshui-Signature": signature(self._secret, timestamp, body),
        }
        try:
            status, answer = self._post(url, body, headers)
        except httpx.TimeoutException:
            raise DeliveryError("gateway-timeout") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise DeliveryError("gateway-bad-url", permanent=True) from None
        except httpx.HTTPError:  # its words may repeat the address: they are not kept
            raise DeliveryError("gateway-unreachable") from None
        return _read(status, answer)

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        end = time.monotonic() + self._timeout_s
        answer = bytearray()
        with self._client.stream("POST", url, content=body, headers=headers) as response:
            for part in response.iter_bytes():
                answer += part
                if len(answer) > ANSWER_LIMIT_BYTES:
                    raise DeliveryError("gateway-answer-too-long", permanent=True)
                if time.monotonic() > end:  # one that drips would hold the lease for ever
                    raise DeliveryError("gateway-timeout")
            return response.status_code, bytes(answer)


class Webhook(Gateway):
    """The adapter of the way ``webhook``: to the address that the settings have for a role, by the same rule."""

    needs: tuple[str, ...] = ("webhook",)

    def deliver(self, outgoing: Outgoing) -> Delivery:
        if outgoing.address is None:
            raise DeliveryError("not-for-everybody", permanent=True)
        # The address is where it goes and no part of what is said.
        return self._hand_over(outgoing.address["webhook"], replace(outgoing, address=None))


def _letter(outgoing: Outgoing) -> dict[str, object]:
    said: dict[str, object] = {
        "id": str(outgoing.id),
        "kind": outgoing.kind,
        "way": outgoing.way,
        "title": outgoing.title,
        "text": outgoing.text,
        "digest": outgoing.digest,
    }
    whom = {"audience": list(outgoing.audience)} if outgoing.address is None else {"to": dict(outgoing.address)}
    return said | whom


def _read(status: int, answer: bytes) -> Delivery:
    if not 200 <= status < 300:
        raise DeliveryError(f"gateway-http-{status}", permanent=300 <= status < 500 and status not in AGAIN)
    try:
        found = _ANSWER.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DeliveryError("no-receipt") from None
    taken = delivery(found.get("receipt"), found.get("status"), answer)
    if taken.status not in TAKEN:
        raise DeliveryError("gateway-refused", permanent=True)
    return taken
