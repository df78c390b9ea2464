"""Servers that demand TLS and a password: a real Kafka with a SASL_SSL listener, and PostgreSQL behind a TLS front."""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.embedded import EmbeddedKafka

USER, PASSWORD = "tongshui", "a-password-of-the-test"
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSS_REQUEST = struct.pack("!ii", 8, 80877104)


@dataclass(frozen=True)
class Authority:
    """A certificate authority made for the run."""

    folder: Path
    name: str

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.name}.crt"

    def issue(self, host: str = "IP:127.0.0.1") -> tuple[Path, Path]:
        """(certificate, key) of a server, for that subject alternative name."""
        name = f"{self.name}-{host.replace(':', '-')}"
        key, request, certificate, extension = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt", "ext"))
        extension.write_text(f"subjectAltName={host}\n")
        _openssl(
            "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-subj", f"/CN={name}", "-out", request
        )
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.folder / f"{self.name}.key"),
            *("-CAcreateserial", "-days", "2", "-extfile", extension, "-out", certificate),
        )
        return certificate, key


def authority(folder: Path, name: str) -> Authority:
    """A new authority. Skips the test where there is no `openssl` to make one."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl to make certificates")
    made = Authority(folder, name)
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-keyout", folder / f"{name}.key", "-out", made.certificate),
    )
    return made


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def secured_kafka(home: Path, trusted: Authority) -> EmbeddedKafka:
    """A broker that lets in nobody but over TLS and with a password."""
    certificate, key = trusted.issue()
    keystore = trusted.folder / "broker.pem"
    keystore.write_text(key.read_text() + certificate.read_text())
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    client: dict[str, Any] = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": USER,
        "sasl_plain_password": PASSWORD,
        "ssl_cafile": str(trusted.certificate),
    }
    return EmbeddedKafka(
        home,
        client=client,
        properties={
            "listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "listener.name.clients.plain.sasl.jaas.config": f'{login} username="broker" password="b" '
            f'user_broker="b" user_{USER}="{PASSWORD}";',
            "listener.name.clients.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(trusted.certificate),
        },
    )


class TlsFront:
    """What stands in front of PostgreSQL and demands TLS, as a server with nothing but ``hostssl`` lines does.

    The server of the wheel is built without TLS. The client's side, which is ours, is the real one: libpq asks for TLS,
    checks the certificate, and speaks through it with the real server behind.
    """

    def __init__(self, server: Path, certificate: Path, key: Path) -> None:
        self._server = str(server)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.plain = 0
        """How many came without asking for TLS."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            first = client.recv(8)
            if first == GSS_REQUEST:
                client.sendall(b"N")
                first = client.recv(8)
            if first != SSL_REQUEST:
                self.plain += 1
                text = b"SFATAL\0C28000\0Mno pg_hba.conf entry for host, no encryption\0\0"
                client.sendall(b"E" + struct.pack("!i", len(text) + 4) + text)
                return
            client.sendall(b"S")
            with self._context.wrap_socket(client, server_side=True) as secure, socket.socket(socket.AF_UNIX) as server:
                server.connect(self._server)
                answering = threading.Thread(target=_copy, args=(server, secure), daemon=True)
                answering.start()
                _copy(secure, server)
                answering.join(5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def tls_front(server: Path, certificate: Path, key: Path) -> Iterator[TlsFront]:
    """A front for as long as the block lasts."""
    front = TlsFront(server, certificate, key)
    try:
        yield front
    finally:
        front.close()
