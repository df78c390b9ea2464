"""What is done to the vault while no service is open: at every start, and when the master key is turned over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from infra.keys import add_key
from infra.settings import Settings
from infra.sql import sql
from infra.vault.vault import Vault


def vault_of(settings: Settings) -> Vault:
    """The vault over connections of its own."""

    @contextmanager
    def connection() -> Iterator[psycopg.Connection[DictRow]]:
        with psycopg.connect(settings.database_url, autocommit=True, connect_timeout=5, row_factory=dict_row) as opened:
            yield opened

    return Vault(settings, connection)


def seal_particulars(settings: Settings) -> int:
    """At every start: see that the key file is the installation's, erase again who is back from an older backup, seal
    what lies open from before there were seals, and let old rows be found by their address. How many rows were sealed.
    Raises KeyFileError."""
    vault = vault_of(settings)
    vault.check()
    vault.erase_again()
    sealed = vault.seal_plain()
    vault.index_addresses()
    return sealed


def rotate(settings: Settings, *, new_key: bool) -> int:
    """Seal everything with the newest master key, a new one first where ``new_key``. How many pieces were sealed anew.
    Raises KeyFileError."""
    vault = vault_of(settings)
    vault.check()
    if new_key:
        add_key(settings)
    return vault.reseal()


def status(settings: Settings) -> dict[str, Any]:
    """Counts of rows and reads, and how many pieces each master key seals: key id → what → how many. Raises
    KeyFileError."""
    vault = vault_of(settings)
    vault.check()
    with psycopg.connect(settings.database_url, autocommit=True, connect_timeout=5, row_factory=dict_row) as connection:
        counts = connection.execute(sql("vault_counts")).fetchone()
        rows = connection.execute(sql("vault_sealed_with")).fetchall()
    assert counts is not None
    keys: dict[str, dict[str, int]] = {}
    for row in rows:
        keys.setdefault(row["key"], {})[row["what"]] = row["pieces"]
    return {**counts, "newest_key": vault.newest_key(), "keys": keys}
