"""The schema file beside the migrations is what they make."""

from __future__ import annotations

import psycopg

from infra.postgres.schema import FILE, schema_of


def test_the_schema_file_is_what_the_migrations_make(database: str) -> None:
    """Else: `make schema`."""
    assert schema_of(database) == FILE.read_text(encoding="utf-8")


def test_a_table_that_no_migration_made_shows(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE views.stray (id uuid PRIMARY KEY)")
    assert "CREATE TABLE views.stray" in schema_of(database)
