"""The command ``tongshui`` (通水, "water on"): a module for each group of commands."""

from __future__ import annotations

from app.cli import (
    audit,
    billing,
    cases,
    counted,
    dead_letters,
    evidence,
    outbox,
    people,
    published,
    read_models,
    run,
    store,
    topics,
    vault,
)
from app.cli.terminal import main

PARTS = (
    *(audit, billing, cases, counted, dead_letters, evidence, outbox, people, published, read_models),
    *(run, store, topics, vault),
)
"""Each adds its commands to ``main`` when it is imported."""

__all__ = ["PARTS", "main"]
