"""What answers are made with: the errors that a route may answer with, a command's receipt, codes that recur."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from api.http import described
from api.http.errors import PROBLEM_JSON

CaseKind = Literal["repair", "connection", "order", "outage", "usage", "book"]
"""The kinds of case, as lists name them."""
WindowState = Literal["running", "met", "lapsed", "cancelled", "unknown"]
BreachChange = Literal["nearing", "lapsed", "retracted", "escalated"]


def documented(**described: str) -> dict[int | str, dict[str, Any]]:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status.removeprefix("_"): {"description": text, "content": content} for status, text in described.items()}


IDENTITY_ERRORS = documented(
    _400="bad-header",
    _401="session-ended, identity-not-proven",
    _403="wrong-role, not-your-role, session-limited, not-yours, not-your-crew, scope-not-granted",
    _422="unknown-role",
    _429="too-many-requests",
    _503="store-unavailable",
)
"""Of every route, since who asks is looked at first."""
QUERY_ERRORS = documented(
    _422="bad-parameter, unknown-role",
    _429="too-many-requests",
    _503="store-unavailable",
)
CASE_ERRORS = QUERY_ERRORS | documented(_404="no-such-case")
COMMAND_ERRORS = documented(
    _400="not-json, bad-header",
    _403="wrong-role",
    _404="no-such-case, no-such-supply-point",
    _408="body-too-slow",
    _412="case-changed",
    _409="an instruction in the wrong state, something taken, or busy",
    _413="body-too-large, event-too-large",
    _415="wrong-content-type",
    _422="bad-body, naive-time, unknown-…, future-time, idempotency-key-reused, …",
    _429="too-many-requests",
    _503="store-unavailable, store-cannot-write",
)


WINDOW_ERRORS = CASE_ERRORS | documented(
    _404="no-such-case, no-such-window",
    _422="bad-parameter, future-time",
)


class Accepted(BaseModel):
    """What became of a command: the case, its versions that were written, and the log's position after them."""

    case_id: described.CaseId
    case_number: described.CaseNumber = Field(examples=["BX-2026-000017"])
    first_version: Annotated[int, Field(description="Version in its case of the first event that was written.")]
    last_version: Annotated[
        int,
        Field(
            description="Version in its case of the last event that was written; below the first one where none was."
        ),
    ]
    position: Annotated[int, Field(description="Position of the store's log after them; 0 where none was written.")]
    recorded_at: Annotated[datetime | None, Field(description="When they were recorded; null where none was written.")]


class FollowedAccepted(Accepted):
    """What became of an application or a report, and where whoever made it follows it."""

    follow: Annotated[
        str | None,
        Field(
            examples=["/api/v1/follow/Zm9sbG93LXRoaXMtY2FzZS1zZWNyZXRseQ"],
            description="Address of the secret link, for the applicant or the reporter alone; null: none.",
        ),
    ] = None
