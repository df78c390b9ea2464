"""Who is told from outside: servers of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.outside import GatewayServer, MailServer, running


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    with running(GatewayServer()) as server:
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with running(MailServer()) as server:
        yield server
