"""Topics and database tables."""

from __future__ import annotations

import re
from itertools import groupby

from api.contract.auxiliary_messages import MESSAGES
from api.contract.generate import BREACHES
from app.reference.markdown import page, table
from domain.kernel.facts import TOPICS
from infra.kafka.topic_settings import every_topic, needed, partitions_needed
from infra.postgres.schema import FILE
from infra.settings import Settings

SCHEMAS = {
    "approvals": "Commands that wait for a second person, sealed; forgotten once they are decided or too old.",
    "billing": "Billing's books, in builds, and the differences found by reconciliation.",
    "identity": "Secrets of accounts, and sessions; no name and no telephone.",
    "notary": "The notary's checkpoints and the breaks between generations.",
    "outbox": "Messages to people and staff that wait, were sent or were given up.",
    "public": "Which migrations were applied.",
    "readings": "Meter readings by month, each meter's history, what stands out.",
    "rebuild": "A rebuild of read models under way: which, and how far; empty else.",
    "store": "The event store: events, the head of the log, keys of accepted commands, the relay's memory.",
    "evidence": "Files behind the digests of events: whose they are, their sealed keys, unfinished uploads, reads.",
    "vault": "Particulars of persons, sealed, with the keys of each person; who read them.",
    "views": "Read models, each with the read positions of its reader.",
    "watch": "The window watch: when which case is evaluated next, the canary, lateness.",
}
"""What each schema of the database is for; one that is not listed is shown without words."""


def topics_page() -> str:
    """Every topic with what is on it and the settings that it must have."""
    settings = Settings.model_construct()
    about = {settings.home_topic(name): words for name, words in TOPICS.items()}
    about[settings.breach_topic] = BREACHES
    about |= {f"{settings.topic_prefix}{each.topic}.v1": each.about for each in MESSAGES}
    rows = (
        (
            f"`{name}`",
            about.get(name, ""),
            partitions_needed(settings, name) or settings.readings_partitions,
            "<br>".join(f"`{key}`: {need.words}" for key, need in needed(settings, name).items()),
        )
        for name in every_topic(settings)
    )
    made = table(("topic", "what is on it", "partitions", "settings that it must have"), rows)
    return page(
        "Topics",
        "Every record of the store's topics is one event, with the case's id as its key. The relay holds the settings "
        "against this table when it starts and every minute; `tongshui topics check` does the same. The numbers of "
        "partitions are the defaults of [the settings](settings.md).",
        [line.replace("&lt;br>", "<br>") for line in made],
        [
            "## How to read each event exactly once { #readers-rule }",
            "",
            "Keep, with your own data, the last position *p* that you applied in each partition. Of a record "
            "(`position` in the JSON, header `previousposition`): position ≤ p, drop it; previous ≤ p < position, "
            "apply it; previous > p, apply nothing of that partition until a record fits again. Words and test "
            "vectors for everything else that you may meet are in `api/contract/v1/readers-rule.json`.",
        ],
    )


def tables_page() -> str:
    """Every table, index, view and function, schema by schema."""
    found = re.split(r";\n\n", FILE.read_text(encoding="utf-8"))
    named = [(match[1], each) for each in found if (match := re.search(r"\b([a-z]+)\.[a-z_]+", each))]
    named.sort(key=lambda pair: pair[0])
    sections = []
    for name, own in groupby(named, key=lambda pair: pair[0]):
        statements = [statement for _, statement in own]
        tables = sorted(m[1] for each in statements if (m := re.search(r"CREATE TABLE [a-z]+\.([a-z_]+)", each)))
        sections.append(
            [
                f"## Schema {name} {{ #{name} }}",
                "",
                SCHEMAS.get(name, ""),
                "",
                "Tables: " + ", ".join(f"`{each}`" for each in tables),
                "",
                "```sql",
                *"\n\n".join(f"{each.strip()};" for each in statements).splitlines(),
                "```",
                "",
            ]
        )
    return page(
        "Database tables",
        "All tables as the migrations in `infra/sql/migrations` make them, from `infra/sql/schema.sql`.",
        *sections,
    )
