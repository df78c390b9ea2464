"""Why a broker, or PostgreSQL, does not let us in. Kafka's clients say no more than that they could not bootstrap.

Asked only once a client has failed: one connection to a broker, spoken by hand as far as the door: TCP, TLS, mechanism,
password. A broker that cannot be reached at all, or that lets us in, has no answer here.
"""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress
from typing import Any

from kafka.errors import KafkaError
from kafka.net.sasl import get_sasl_mechanism

from infra.settings import Settings

PATIENCE_S = 5.0
HANDSHAKE, AUTHENTICATE = 17, 36
UNKNOWN_MECHANISM, WRONG_STATE = 33, 34
_KNOWN = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class KafkaRefused(KafkaError):  # type: ignore[misc]  # untyped library
    """A broker is there and does not let us in: stable code, what was found, what was needed, the next step.

    ``kafka-certificate-unknown``, ``kafka-certificate-unreadable``, ``kafka-speaks-no-tls``, ``kafka-demands-tls``,
    ``kafka-demands-certificate``, ``kafka-demands-login``, ``kafka-mechanism-unknown``, ``kafka-login-refused``.
    """

    retriable = True  # a password is changed at the brokers first and in our settings after, or the other way round

    def __init__(self, code: str, *, found: str, needed: str, next_step: str) -> None:
        super().__init__(f"{code}: found {found}; needed {needed}; {next_step}")
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Whom we trust and what we show, for clients that take a context. None: the protocol has no TLS.

    Raises KafkaRefused ``kafka-certificate-unreadable``.
    """
    if settings.kafka_security_protocol not in ("SSL", "SASL_SSL"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
        if settings.kafka_ssl_certfile:
            context.load_cert_chain(settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
    except OSError as error:
        raise KafkaRefused(
            "kafka-certificate-unreadable",
            found=f"{error.strerror or error} in {settings.kafka_ssl_cafile} or {settings.kafka_ssl_certfile}",
            needed="PEM files that this user can read",
            next_step="see TONGSHUI_KAFKA_SSL_CAFILE, …_CERTFILE and …_KEYFILE",
        ) from error
    return context


_POSTGRES = (
    ("certificate verify failed", "postgres-certificate-unknown"),
    ("root certificate file", "postgres-certificate-unknown"),
    ("does not match host name", "postgres-certificate-unknown"),
    ("server does not support SSL", "postgres-speaks-no-tls"),
    ("no encryption", "postgres-demands-tls"),
    ("password authentication failed", "postgres-login-refused"),
    ("no password supplied", "postgres-login-refused"),
)


def postgres_code(said: str) -> str:
    """The code of what libpq said about a connection: who is at fault can be told by its words alone."""
    return next((code for words, code in _POSTGRES if words in said), "postgres-unreachable")


def why_refused(settings: Settings) -> KafkaRefused | None:
    """Why the first broker that answers does not let us in; None where none answers, or it does."""
    for address in settings.kafka_bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S) as plain:
                return _Door(settings, host, address).knock(plain)
        except (OSError, ValueError):
            continue
        except KafkaRefused as refused:
            return refused
    return None


class _Door:
    def __init__(self, settings: Settings, host: str, address: str) -> None:
        self.settings = settings
        self.host = host
        self.address = address

    def knock(self, plain: socket.socket) -> KafkaRefused | None:
        context = tls_context(self.settings)
        if context is None:
            if self._speaks_tls():
                return self.refused("demands-tls", "a broker that speaks TLS only", self.protocol("SSL or SASL_SSL"))
            return self.enter(plain)
        try:
            with context.wrap_socket(plain, server_hostname=self.host) as secure:
                return self.enter(secure)
        except ssl.SSLCertVerificationError as error:
            return self.refused(
                "certificate-unknown",
                f"a broker whose certificate is not to be trusted: {error.verify_message}",
                "one that the authority in TONGSHUI_KAFKA_SSL_CAFILE signed, for that host",
            )
        except ssl.SSLError as error:
            if "certificate required" in str(error).lower() or "CERTIFICATE_REQUIRED" in str(error):
                return self.refused(
                    "demands-certificate",
                    "a broker that wants to see a certificate of ours",
                    "TONGSHUI_KAFKA_SSL_CERTFILE and …_KEYFILE",
                )
            return self.refused("speaks-no-tls", "a broker that answers no TLS", self.protocol("one without SSL"))

    def enter(self, connection: socket.socket) -> KafkaRefused | None:
        """Past TLS: the mechanism, then the password."""
        wanted = self.settings.kafka_sasl_mechanism or "PLAIN"
        asks = self.settings.kafka_security_protocol.startswith("SASL")
        answer = _ask(connection, HANDSHAKE, 1, _text(wanted if asks else "PLAIN"))
        (code,) = struct.unpack_from(">h", answer)
        if not asks:
            if code == WRONG_STATE:
                return None
            return self.refused("demands-login", "a broker that wants a password", self.protocol("one with SASL"))
        if code == UNKNOWN_MECHANISM:
            return self.refused(
                "mechanism-unknown",
                f"a broker that does not know the mechanism {wanted}; it knows {', '.join(_texts(answer[2:]))}",
                "one of those in TONGSHUI_KAFKA_SASL_MECHANISM",
            )
        return self.log_in(connection, wanted) if wanted in _KNOWN else None

    def log_in(self, connection: socket.socket, wanted: str) -> KafkaRefused | None:
        mechanism: Any = get_sasl_mechanism(wanted)(
            sasl_mechanism=wanted,
            sasl_plain_username=self.settings.kafka_sasl_username or "",
            sasl_plain_password=self.settings.kafka_sasl_password or "",
        )
        while not mechanism.is_done():
            token: bytes = mechanism.auth_bytes()
            answer = _ask(connection, AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
            code, length = struct.unpack_from(">hh", answer)
            if code:
                return self.refused(
                    "login-refused",
                    f"a broker that refuses the user {self.settings.kafka_sasl_username!r} with this password",
                    "TONGSHUI_KAFKA_SASL_USERNAME and …_SASL_PASSWORD as the brokers have them",
                )
            mechanism.receive(answer[4 + max(0, length) + 4 :])
        return None

    def _speaks_tls(self) -> bool:
        """Whether a TLS greeting is answered; nobody's certificate is looked at."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        host, _, port = self.address.strip().rpartition(":")
        with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S) as plain:
            context.wrap_socket(plain, server_hostname=self.host).close()
            return True
        return False

    def protocol(self, wanted: str) -> str:
        return f"{wanted} in TONGSHUI_KAFKA_SECURITY_PROTOCOL, which is {self.settings.kafka_security_protocol}"

    def refused(self, code: str, found: str, needed: str) -> KafkaRefused:
        return KafkaRefused(
            f"kafka-{code}", found=f"{found} ({self.address})", needed=needed, next_step="correct the settings"
        )


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _texts(answer: bytes) -> list[str]:
    (count,), at, found = struct.unpack_from(">i", answer), 4, []
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        found.append(answer[at + 2 : at + 2 + length].decode())
        at += 2 + length
    return found


def _ask(connection: socket.socket, key: int, version: int, body: bytes) -> bytes:
    """A request and what was answered, without length and number. Raises OSError where the other end goes."""
    request = struct.pack(">hhi", key, version, 1) + _text("tongshui-door") + body
    connection.settimeout(PATIENCE_S)
    connection.sendall(struct.pack(">i", len(request)) + request)
    (length,) = struct.unpack(">i", _exactly(connection, 4))
    return _exactly(connection, length)[4:]


def _exactly(connection: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        more = connection.recv(length - len(found))
        if not more:
            raise ConnectionError("the broker closed the connection")
        found += more
    return found
