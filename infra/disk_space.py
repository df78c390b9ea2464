"""Whether there is room: for the store's next command, and on the disks of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from infra.failures import why_it_cannot_write
from infra.settings import Settings
from infra.sql import sql

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that something lies on, and the bytes that are free there. ``is_low``: fewer than settings say."""

    of: str
    free_bytes: int
    is_low: bool


def refusal_to_write(connection: psycopg.Connection[Any]) -> str | None:
    """Why PostgreSQL writes nothing now, in its own words; None: it does. The connection commits by itself.

    Tried, because nothing tells it beforehand: rows of a quarter of a megabyte go into a temporary table, which makes
    the server ask its disk for that much, and are given back. They are in no log and cost some two milliseconds. A beat
    or another small row proves nothing: it finds room on a page that is there already.
    """
    try:
        with connection.transaction():
            connection.execute(sql("try_to_write"))
    except psycopg.errors.InsufficientPrivilege:
        return None  # a server of somebody else's, on which we may make no temporary table
    except psycopg.errors.QueryCanceled:
        return "a quarter of a megabyte was not written within 5 s"
    except psycopg.Error as error:
        why = why_it_cannot_write(error)
        if why is None:
            raise
        return why
    return None


def disks(connection: psycopg.Connection[Any], settings: Settings) -> tuple[Disk, ...]:
    """The disks that the data directory and a PostgreSQL of this machine lie on."""
    paths = {"data": settings.data_dir}
    if connection.info.host.startswith("/"):  # reached through a socket: it runs here
        row = connection.execute(sql("data_directory")).fetchone()
        if row is not None and row["path"] is not None:
            paths["postgres"] = Path(row["path"])
    return tuple(disk for of, path in paths.items() if (disk := _disk(of, path, settings)) is not None)


def _disk(of: str, path: Path, settings: Settings) -> Disk | None:
    try:
        found = os.statvfs(path)
    except OSError:
        return None  # not there, or not ours to look at
    free = found.f_bavail * found.f_frsize
    return Disk(of, free, free < settings.disk_floor_mb * MB)
