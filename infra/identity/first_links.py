"""The first secret link of a case, kept in the transaction that opens the case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from infra.eventstore.commands import NewLink
from infra.sql import sql


def put_first_links(cursor: Cursor[Any], links: Sequence[NewLink]) -> None:
    """Keep the links, in the cursor's transaction. Whoever opens cases for the public has the right to."""
    if links:
        cursor.execute(
            sql("follow_put_first"),
            {
                "code_hashes": [each.code_hash for each in links],
                "case_ids": [each.case_id for each in links],
                "reports": [each.report for each in links],
            },
            prepare=True,
        )
