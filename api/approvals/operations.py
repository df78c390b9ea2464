"""Which commands a second person can be asked to approve: those that take the header ``X-Confirmed-By`` and are carried
out by one command of the store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from api.http.caller import the_caller
from domain.approvals.refusals import NotForApproval

PREFIX = "/api/v1"
NEVER = frozenset(
    {
        # Many commands, none, or one for the bus.
        "mass_incidents_report_many",
        "publication_try_law",
        "publication_try_calendar",
        "readings_send",
        # Their answers are particulars or secrets, which are for whoever asks and nobody else.
        "vault_unmasked_particulars",
        "vault_search",
        "vault_search_address",
        "evidence_unmasked_paper",
        "people_join",
        "people_move",
        "people_leave",
        "people_reset",
        # The applicant's own doing, by the link of their case.
        "follow_hand_in",
        "follow_hand_in_file",
        "follow_withdraw",
        "follow_confirm",
        # Its bytes come in parts.
        "evidence_complete",
        # What a person asked of their particulars is answered by who is asked; an erasure has its own second person.
        "rights_ask",
        "rights_take_my_copy",
        "rights_receive",
        "rights_grant",
        "rights_refuse",
        "rights_take_copy",
        "rights_correct",
        "rights_finish",
        "rights_lift",
        # A person's own words about what was done for them, and the answer to them.
        "complaints_complain",
        "complaints_escalate_mine",
        "complaints_withdraw_mine",
        "complaints_rate",
        "complaints_complain_by_link",
        "complaints_escalate_by_link",
        "complaints_withdraw_by_link",
        "complaints_rate_by_link",
        "complaints_unmasked",
        "complaints_take_down",
        "complaints_answer",
        "complaints_escalate",
        "complaints_withdraw",
        # A yes needs no other yes.
        "approvals_ask",
        "approvals_give",
        "approvals_decline",
        "approvals_withdraw",
    }
)
"""Operations that take the header like every command, and are not carried out for somebody else."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API: its id, its path as a pattern, and whether its body says when something happened."""

    id: str
    path: str
    pattern: re.Pattern[str]
    says_when: bool


def operations(app: FastAPI) -> list[Operation]:
    """Every operation that can be asked for."""
    return list(_operations(app))


def operation_of(app: FastAPI, path: str) -> tuple[Operation, UUID | None]:
    """The operation at a path below /api/v1, and the case that the path names. Refuses ``not-for-approval``."""
    for operation in _operations(app):
        if (matched := operation.pattern.fullmatch(f"{PREFIX}{path}")) is not None:
            return operation, _uuid(matched.groupdict().get("case_id"))
    raise NotForApproval(found="a path that is no such command's")


def _operations(app: FastAPI) -> Iterator[Operation]:
    for route in iter_route_contexts(app.router.routes):
        dependant = getattr(route, "dependant", None)
        if "POST" not in (route.methods or ()) or dependant is None or not _takes_caller(dependant):
            continue
        if route.unique_id not in NEVER:
            yield Operation(route.unique_id, str(route.path), route.path_regex, _says_when(route.body_field))


def _takes_caller(dependant: Any) -> bool:
    return any(each.call is the_caller or _takes_caller(each) for each in dependant.dependencies)


def _says_when(body_field: Any) -> bool:
    form = body_field.field_info.annotation if body_field is not None else None
    return isinstance(form, type) and issubclass(form, BaseModel) and "happened_at" in form.model_fields


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        return None
