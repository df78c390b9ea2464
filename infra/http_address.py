"""Where the API of this installation is reached from this machine, and how a client knows that it is ours."""

from __future__ import annotations

import ssl
from ipaddress import ip_address

from infra.settings import Settings


def base_url(settings: Settings) -> str:
    """Scheme, address and port, without a slash at the end; of a server on every address, the loopback address."""
    host = settings.http_host
    try:
        address = ip_address(host)
    except ValueError:
        pass
    else:
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
        host = f"[{host}]" if address.version == 6 else host
    return f"{'https' if settings.tls_cert_file else 'http'}://{host}:{settings.http_port}"


def is_loopback(name: str) -> bool:
    """Whether an address or name is this machine's own."""
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """How the API speaks TLS; None: it does not. TLS 1.2 and newer. Raises OSError and ssl.SSLError where the files of
    the settings cannot be read or do not belong together."""
    if settings.tls_cert_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    return context


def client_context(settings: Settings) -> ssl.SSLContext | None:
    """How a client on this machine asks the API: by the very certificate of the settings, whatever names it is for.

    The loopback address is none of these. None: without TLS. Raises OSError where the file cannot be used.
    """
    if settings.tls_cert_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(settings.tls_cert_file)
    return context
