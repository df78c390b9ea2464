"""The answer to whoever applied or reported: with the secret link by which they follow their case."""

from __future__ import annotations

import logging

import psycopg
from psycopg_pool import PoolTimeout
from starlette.concurrency import run_in_threadpool

from api.http.answers import Accepted, FollowedAccepted
from api.http.commanding import CommandRunner
from api.http.identity import FOLLOW
from domain import kinds
from infra.identity.follow import APPLICATION, FollowLinks

log = logging.getLogger(__name__)


async def with_link(runner: CommandRunner, accepted: Accepted) -> FollowedAccepted:
    """The answer with the address that its receiver follows the case by: of the report that the command made, or of the
    application. A request that is repeated under its key is told the same one. Without it where none could be made: the
    case is there all the same."""
    try:
        address = await run_in_threadpool(_address, runner, accepted)
    except (psycopg.Error, PoolTimeout) as error:
        log.warning("no link was made: %s", type(error).__name__)
        address = None
    return FollowedAccepted(**accepted.model_dump(), follow=address)


def _address(runner: CommandRunner, accepted: Accepted) -> str | None:
    report = APPLICATION
    if runner.kind is kinds.REPAIR:
        made = _report_made(runner, accepted)
        if made is None:
            return None
        report = made
    return FOLLOW + FollowLinks(runner.service).give(accepted.case_id, report)


def _report_made(runner: CommandRunner, accepted: Accepted) -> int | None:
    """The number of the report that the command made; None: it made none."""
    for event, recorded in runner.service.history(accepted.case_id):
        if accepted.first_version <= event.caseversion <= accepted.last_version and hasattr(recorded.fact, "subject"):
            return getattr(recorded.fact, "report", 1)
    return None
