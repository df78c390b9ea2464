"""The service as a command sees it that a second person is asked to approve: its events go with the approval's own, or
nowhere while it is only tried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from domain.approvals import approvals
from domain.approvals.approvals import Approver
from infra.approvals.asked_commands import stream_of
from infra.eventstore.commands import Command, Receipt, Snapshot, Stamp, StreamEvent
from infra.eventstore.service import Service

_TRIALS = ThreadPoolExecutor(4, thread_name_prefix="approval-trial")


class CommandPassed(Exception):
    """The command would be carried out. Nothing was written."""


class _Redirected:
    """The service, whose commands go through ``submit``."""

    def __init__(self, service: Service, submit: Callable[[Command], Future[Receipt]]) -> None:
        self._service = service
        self.submit = submit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def run(self, command: Command) -> Receipt:
        return self.submit(command).result()


def trying(service: Service) -> Service:
    """The service that decides a command and writes nothing: its sender gets the refusal, or ``CommandPassed``."""

    def passed(command: Command) -> Receipt:
        service.try_out(command)
        raise CommandPassed()

    return cast(Service, _Redirected(service, lambda command: _TRIALS.submit(passed, command)))


def giving(service: Service, approval: UUID, approver: Approver, channel: str) -> Service:
    """The service that writes a command's events and the second person's yes in one transaction: none is there without
    the other, and of two who give at once one is too late."""
    stream = stream_of(approval)

    def submit(command: Command) -> Future[Receipt]:
        by = command.stamp
        stamp = Stamp(approver.actor, approver.role, channel, by.command_id, by.correlation_id)

        def decide(snapshot: Snapshot) -> Sequence[StreamEvent]:
            ctx = snapshot.context(stamp)
            given = approvals.give(snapshot.of(stream), ctx, approver, case_id=command.case.id)
            return [*command.decide(snapshot), (stream, ctx.event(given))]

        others, stamps = (*command.others, stream), {**command.stamps, stream.id: stamp}
        return service.submit(replace(command, decide=decide, others=others, stamps=stamps))

    return cast(Service, _Redirected(service, submit))
