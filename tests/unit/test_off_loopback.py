"""The API beyond this machine: TLS, the names it answers to, front ends, and connections that say nothing."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from api.http.identity import came_by_tls
from app.up import refuse_open_http
from infra.embedded.errors import EmbeddedError
from infra.http_address import base_url, client_context
from infra.settings import Settings
from tests.api_world import Client, FakeService, app_over, serving
from tests.secured import Authority, authority

ELSEWHERE = "192.0.2.7"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"), "authority")


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["code"])


def tls_service(pair: tuple[Path, Path], **settings: Any) -> FakeService:
    return FakeService(tls_cert_file=pair[0], tls_key_file=pair[1], **settings)


def presented(address: str) -> int:
    """The serial number of the certificate that the server shows now."""
    url = httpx.URL(address)
    shown = ssl.get_server_certificate((url.host, url.port or 0), timeout=10)
    return x509.load_pem_x509_certificate(shown.encode()).serial_number


# ---- who is let in


def test_who_comes_from_elsewhere_in_the_open_is_turned_away() -> None:
    asked = Client(app_over(FakeService(http_names=("water.example",))), host="water.example", peer=ELSEWHERE)
    assert code_of(asked.get("/api/v1/labels")) == "not-loopback"


def test_who_comes_from_elsewhere_by_tls_is_let_in_and_told_to_come_by_nothing_else() -> None:
    app = app_over(FakeService(http_names=("Water.Example",)))
    asked = Client(app, host="water.example", peer=ELSEWHERE, scheme="https", proxy_secret=None)
    answer = asked.get("/api/v1/labels")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in Client(app).get("/api/v1/labels").headers


def test_a_front_end_of_the_settings_may_ask_from_another_machine() -> None:
    app = app_over(FakeService(http_names=("water.example",), trusted_proxies=("192.0.2.7",)))
    assert Client(app, host="water.example", peer=ELSEWHERE).get("/api/v1/labels").status_code == 200
    other = Client(app, host="water.example", peer="192.0.2.8")
    assert code_of(other.get("/api/v1/labels")) == "not-loopback"


@pytest.mark.parametrize("host", ["evil.example", "water.example.evil", "0.0.0.0", "::"])
def test_only_names_of_the_settings_are_answered_to(host: str) -> None:
    app = app_over(FakeService(http_host="0.0.0.0", http_names=("water.example",)))
    asked = Client(app, scheme="https").get("/api/v1/labels", headers={"Host": host})
    assert code_of(asked) == "wrong-host"


@pytest.mark.parametrize(
    ("scheme", "peer", "proto", "by_tls"),
    [
        ("https", ELSEWHERE, None, True),
        ("http", "127.0.0.1", None, False),
        ("http", "127.0.0.1", "https", True),
        ("http", ELSEWHERE, "https", False),
    ],
)
def test_a_cookie_is_for_tls_alone_where_whoever_asks_came_by_it(
    scheme: str, peer: str, proto: str | None, by_tls: bool
) -> None:
    from starlette.requests import Request

    headers = [(b"host", b"x")] + ([(b"x-forwarded-proto", proto.encode())] if proto else [])
    scope = {"type": "http", "scheme": scheme, "client": (peer, 1), "headers": headers, "path": "/", "method": "GET"}
    assert came_by_tls(Request(scope), FakeService()) is by_tls  # type: ignore[arg-type]


# ---- TLS


def test_the_server_speaks_tls_with_its_own_certificate_and_nothing_else(trusted: Authority) -> None:
    with serving(app_over(tls_service(trusted.issue()))) as (_, address):
        known = ssl.create_default_context(cafile=str(trusted.certificate))
        assert httpx.get(f"{address}/api/v1/labels", verify=known).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{address}/api/v1/labels")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{address.replace('https', 'http')}/api/v1/labels")


def test_this_machine_knows_its_own_certificate_whatever_name_it_is_for(trusted: Authority) -> None:
    service, other = tls_service(trusted.issue("DNS:water.example")), tls_service(trusted.issue("DNS:other.example"))
    with serving(app_over(service)) as (_, address):
        own = client_context(service.settings)
        assert own is not None
        assert httpx.get(f"{address}/api/v1/labels", verify=own).status_code == 200
        foreign = client_context(other.settings)
        assert foreign is not None
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}/api/v1/labels", verify=foreign)


def test_a_certificate_that_was_renewed_counts_from_the_next_connection_on(trusted: Authority, tmp_path: Path) -> None:
    pair = (tmp_path / "tls.crt", tmp_path / "tls.key")

    def install(*files: Path) -> None:
        for source, target in zip(files, pair, strict=True):
            shutil.copy(source, target.with_suffix(".new"))
            target.with_suffix(".new").replace(target)

    first, second = trusted.issue("DNS:one.example"), trusted.issue("DNS:two.example")
    install(*first)
    with serving(app_over(tls_service(pair))) as (server, address):
        before = presented(address)
        install(second[0], first[1])  # the key of another certificate
        server.renew()
        assert presented(address) == before
        install(*second)
        server.renew()
        assert presented(address) not in (before, 0)
        pair[0].unlink()
        server.renew()
        assert presented(address) != before


# ---- connections that say nothing


def ended(connection: socket.socket) -> bool:
    """Whether the server ends the connection; waits for it."""
    connection.settimeout(20)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET /api/v1/la", b"GET /api/v1/labels HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A"])
def test_a_connection_whose_headers_do_not_come_ends(said: bytes) -> None:
    with serving(app_over(FakeService(http_header_s=0.2))) as (_, address):
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port or 0)) as connection:
            connection.sendall(said)
            assert ended(connection)


def test_a_second_request_that_does_not_come_whole_ends_the_connection() -> None:
    with serving(app_over(FakeService(http_header_s=0.2))) as (_, address):
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port or 0)) as connection:
            connection.settimeout(20)
            connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 404")
            connection.sendall(b"GET /api/v1/la")
            while (rest := connection.recv(65_536)) != b"":
                assert rest


def test_an_answer_may_take_longer_than_the_headers() -> None:
    app = app_over(FakeService(http_header_s=0.2))
    release = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    @app.get("/slow")
    async def slow() -> str:
        loops.append(asyncio.get_running_loop())
        await release.wait()
        return "answered"

    with serving(app) as (_, address):
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port or 0)) as patient:
            patient.settimeout(20)
            patient.sendall(b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            with socket.create_connection((url.host, url.port or 0)) as silent:
                assert ended(silent)  # so the limit has passed
            loops[0].call_soon_threadsafe(release.set)
            came = b""
            while not came.endswith(b'answered"'):
                more = patient.recv(65_536)
                assert more, came
                came += more


# ---- what `up` refuses


def refused(settings: Settings) -> str:
    try:
        refuse_open_http(settings)
    except EmbeddedError as error:
        return error.code
    return ""


def test_up_refuses_settings_that_would_let_others_listen(trusted: Authority, tmp_path: Path) -> None:
    certificate, key = trusted.issue()
    tls = {"tls_cert_file": certificate, "tls_key_file": key}
    made: Callable[..., Settings] = Settings
    assert refused(made()) == ""
    assert refused(made(http_host="0.0.0.0")) == "tls-needed"
    assert refused(made(http_host="water.example")) == "tls-needed"
    assert refused(made(http_host="0.0.0.0", trusted_proxies=("192.0.2.7",))) == ""
    assert refused(made(http_host="0.0.0.0", **tls)) == ""
    assert refused(made(http_host="0.0.0.0", demo=True, **tls)) == "demo-not-on-loopback"
    assert refused(made(tls_cert_file=tmp_path / "none.crt")) == "tls-file-unusable"
    assert refused(made(tls_cert_file=certificate, tls_key_file=trusted.issue("DNS:b.example")[1])) == (
        "tls-file-unusable"
    )


def test_the_address_of_this_machine_follows_from_the_settings(tmp_path: Path) -> None:
    assert base_url(Settings(http_host="0.0.0.0", http_port=1)) == "http://127.0.0.1:1"
    assert base_url(Settings(http_host="::", http_port=1, tls_cert_file=tmp_path / "a")) == "https://[::1]:1"
    assert base_url(Settings(http_host="water.example", http_port=1)) == "http://water.example:1"
