"""The commands of the API as actions of the pages: what they are called, whom they are for, which form they have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from api.http.powers import power_of
from api.pages.calls import PREFIX, at
from api.pages.forms import Form
from api.pages.labels import Choices
from api.pages.language import split_title
from domain.kernel.facts import Name

_PARAMETER = re.compile(r"\{(\w+)\}")
_CACHE = "tongshui_actions"

FILE_CLASSES: Mapping[str, str] = {
    "evidence.photo_digest": "photo",
    "drawing_digest": "drawing",
    "connections_sign_contract digest": "contract",
    "connections_deliver digest": "slip",
    "connections_confirm_delivery digest": "slip",
    "outages_send_notice digest": "photo",
    "repairs_dismiss evidence_digest": "photo",
    "repairs_reassess evidence_digest": "photo",
    "usage_confirm evidence_digest": "photo",
    "usage_notify proof_digest": "slip",
}
"""Field, or operation and field → the class of evidence of its file; a document else."""


@dataclass(frozen=True, slots=True)
class Action:
    """A command: its operation's id, its path below /api/v1 with parameters in braces, its name, the power that it
    needs (None: none), and the model of its body (None: it takes none)."""

    operation: str
    path: str
    name: Name
    power: str | None
    model: type[BaseModel] | None

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of its body, as the API's document has it."""
        return _schema(self.model) if self.model is not None else {}

    @property
    def properties(self) -> Mapping[str, Any]:
        """The fields of its body."""
        found: Mapping[str, Any] = self.schema.get("properties", {})
        return found

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of what its path says."""
        return tuple(_PARAMETER.findall(self.path))

    def path_with(self, given: Mapping[str, str]) -> str:
        """Its path with the parameters filled in. Raises KeyError for one that is missing or empty."""
        parts = []
        for part in self.path.strip("/").split("/"):
            name = _PARAMETER.fullmatch(part)
            value = given[name[1]] if name is not None else part
            if not value:
                raise KeyError(part)
            parts.append(value)
        return at(*parts)

    def form(self, choices: Choices) -> Form:
        """The form of its body."""
        return Form(self.schema, self.schema.get("$defs", {}), choices, self.operation)

    def file_class(self, field: str) -> str:
        """The class of evidence of a file in a field."""
        return FILE_CLASSES.get(f"{self.operation} {field}") or FILE_CLASSES.get(field) or "document"


def actions_of(app: FastAPI) -> Mapping[str, Action]:
    """Operation id → action, of every command that takes JSON or nothing; read from the routes once, and the schema of
    each when its form is first asked for: the whole document of the API takes seconds."""
    found: Mapping[str, Action] | None = getattr(app.state, _CACHE, None)
    if found is None:
        found = {
            each.operation: each for each in map(_action, iter_route_contexts(app.router.routes)) if each is not None
        }
        setattr(app.state, _CACHE, found)
    return found


def _action(route: Any) -> Action | None:
    path = str(getattr(route, "path", ""))
    if "POST" not in (route.methods or ()) or not path.startswith(PREFIX) or getattr(route, "dependant", None) is None:
        return None
    body = route.body_field.field_info.annotation if route.body_field is not None else None
    if body is not None and not (isinstance(body, type) and issubclass(body, BaseModel)):
        return None
    name = split_title(route.summary or "")
    return Action(route.unique_id, path.removeprefix(PREFIX), name, power_of(route), body)


@cache
def _schema(model: type[BaseModel]) -> Mapping[str, Any]:
    return model.model_json_schema()
