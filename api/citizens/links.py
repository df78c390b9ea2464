"""The answer to whoever applied or reported: with the secret link by which they follow their case."""

from __future__ import annotations

import logging
from dataclasses import replace

import psycopg
from psycopg_pool import PoolTimeout
from starlette.concurrency import run_in_threadpool

from api.http.answers import Accepted, FollowedAccepted
from api.http.commanding import CommandRunner, PendingCommand
from api.http.identity import FOLLOW
from domain import kinds
from infra.identity.follow import APPLICATION, FollowLinks

log = logging.getLogger(__name__)

FIRST_REPORT = 1
"""The number of the report that opens an incident."""


async def open_case_with_link(runner: CommandRunner, command: PendingCommand) -> FollowedAccepted:
    """Carry out a command that opens a case. The answer tells the address by which whoever applied or reported follows
    it; the link is kept in the transaction that opens the case."""
    report = FIRST_REPORT if runner.kind is kinds.REPAIR else APPLICATION
    code, link = FollowLinks(runner.service).first(command.command.case.id, report)
    command.command = replace(command.command, link=link)
    accepted = await runner.carry_out(command, creates=True)
    if "Idempotency-Replayed" in runner.response.headers:  # maybe another link holds since
        return await with_link(runner, accepted)
    return FollowedAccepted(**accepted.model_dump(), follow=FOLLOW + code)


async def with_link(runner: CommandRunner, accepted: Accepted) -> FollowedAccepted:
    """The answer with the address by which whoever made the report or the application follows the case. A request that
    is repeated under its key is told the same one. Without it where none could be made: the case is there all the same.
    """
    try:
        address = await run_in_threadpool(_address, runner, accepted)
    except (psycopg.Error, PoolTimeout) as error:
        log.warning("no link was made: %s", type(error).__name__)
        address = None
    return FollowedAccepted(**accepted.model_dump(), follow=address)


def _address(runner: CommandRunner, accepted: Accepted) -> str | None:
    report: int | None = APPLICATION
    if runner.kind is kinds.REPAIR:
        report = _report_made(runner, accepted)
    return FOLLOW + FollowLinks(runner.service).give(accepted.case_id, report) if report is not None else None


def _report_made(runner: CommandRunner, accepted: Accepted) -> int | None:
    """The number of the report that the command made; None: it made none."""
    for event, recorded in runner.service.history(accepted.case_id):
        if accepted.first_version <= event.caseversion <= accepted.last_version and hasattr(recorded.fact, "subject"):
            return getattr(recorded.fact, "report", 1)
    return None
