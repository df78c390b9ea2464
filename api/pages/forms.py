"""Forms made from the bodies of the API's commands, and read back into such bodies.

The document of the API (``/openapi.json``) says which fields a command takes, of which type, within which bounds. What
it does not say stands in ``labels``: what a field is called in both languages, and which codes there are to choose
from.
A field within another is named with dots, a row of a list with its number: ``reporter.phone``, ``lines.0.fee``.
Money is entered in yuan and sent in whole fen: the entry is called ``lines.0.amount_fen:yuan``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from starlette.datastructures import FormData, QueryParams, UploadFile

from api.pages.labels import Choices, label_of
from api.pages.page import CHINA
from domain.kernel.facts import Name

Schema = Mapping[str, Any]
Widget = Literal[
    "text",
    "number",
    "select",
    "radio",
    "check",
    "checks",
    "datetime",
    "date",
    "file",
    "group",
    "rows",
    "shares",
    "yuan",
]

NOT_ASKED = frozenset({"confirmed_by", "approved_by", "reported_at", "precision", "origin"})
"""Fields that no form asks for: a second person is asked, not typed; a page reports at once; the others are of imported
history."""
MOST_ROWS = 50
"""How many rows of a list a form shows at most."""
MOST_DIGITS = 20
"""Of an amount of money: a longer one is none."""
ROWS = 4
"""How many rows of a list a form offers."""
YUAN = ":yuan"
"""What the name of an entry in yuan ends with, behind that of its field, which is in fen."""
_DIGEST = "sha256:"
_AMOUNT = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,2}))?")
_IN_ROW = re.compile(r"\.\d+\.")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form. ``name``: its place in the body; ``value``: what stands in it; ``problem``: what is wrong with
    it, as the API said; ``fields``: those of a group, or of each row of a list."""

    name: str
    label: Name
    widget: Widget
    required: bool = False
    choices: Sequence[tuple[str, Name]] = ()
    value: Any = ""
    hint: str = ""
    problem: str = ""
    bounds: Mapping[str, Any] = field(default_factory=dict)
    fields: Sequence[Field] = ()

    @property
    def id(self) -> str:
        """The id of its element."""
        return "f-" + self.name.replace(".", "-")


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a command's body. ``schemas``: the API's named schemas; ``choices``: the codes of the standard."""

    schema: Schema
    schemas: Mapping[str, Schema]
    choices: Choices
    operation: str = ""

    def fields(
        self, values: Mapping[str, Any], problems: Mapping[str, str] | None = None, hidden: frozenset[str] = frozenset()
    ) -> list[Field]:
        """Its fields, with what stands in them (by name, as a form sends it) and what is wrong."""
        return self._fields(self.schema, "", values, problems or {}, hidden, needed=True)

    def body(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """The body that a form sent: what was left empty is left out. What does not fit goes into it as it is, so that
        the API says what is wrong with it. ``sent``: name → text, or a list of texts; a file → its digest."""
        found = self._object(self.schema, "", sent)
        return found if isinstance(found, dict) else {}

    # ---- fields

    def _fields(
        self,
        schema: Schema,
        prefix: str,
        values: Mapping[str, Any],
        problems: Mapping[str, str],
        hidden: frozenset[str],
        *,
        needed: bool,
    ) -> list[Field]:
        """``needed``: whether the group has to be filled in at all; of one that has not, no field has."""
        required = schema.get("required", ()) if needed else ()
        return [
            self._field(prefix + name, self._plain(each), name in required, values, problems, hidden)
            for name, each in schema.get("properties", {}).items()
            if name not in NOT_ASKED and prefix + name not in hidden
        ]

    def _field(
        self,
        name: str,
        schema: Schema,
        required: bool,
        values: Mapping[str, Any],
        problems: Mapping[str, str],
        hidden: frozenset[str],
    ) -> Field:
        key = _IN_ROW.sub(".", name)
        choices = self.choices.of(self.operation, key, schema)
        common: dict[str, Any] = {
            "label": label_of(self.operation, key),
            "required": required,
            "problem": problems.get(name, ""),
            "value": values.get(name, ""),
        }
        if "properties" in schema:
            inner = self._fields(schema, f"{name}.", values, problems, hidden, needed=required)
            return Field(name, widget="group", fields=inner, **common)
        if schema.get("type") == "array":
            items = self._plain(schema["items"])
            if "properties" in items:
                count = min(MOST_ROWS, max(ROWS, 1 + max(_rows(name, values), default=-1)))
                rows = [
                    Field(
                        f"{name}.{row}",
                        common["label"],
                        "group",
                        fields=self._fields(
                            items, f"{name}.{row}.", values, problems, hidden, needed=required and row == 0
                        ),
                    )
                    for row in range(count)
                ]
                return Field(name, widget="rows", fields=rows, **common)
            return Field(name, widget="checks" if choices else "text", choices=choices, **common)
        widget = _widget(name, schema, choices)
        if widget == "yuan":
            common["value"] = values.get(name + YUAN) or in_yuan(str(common["value"]))
        elif widget == "shares":
            common["value"] = {code: values.get(f"{name}.{code}", "") for code, _ in choices}
        elif widget == "radio" and _IN_ROW.search(name):
            # A row may stay empty, and a radio button that was pressed stays pressed.
            widget = "select"
        return Field(name, widget=widget, choices=choices, bounds=_bounds(schema, widget), **common)

    # ---- reading

    def _object(self, schema: Schema, prefix: str, sent: Mapping[str, Any]) -> dict[str, Any] | None:
        found = {}
        for name, each in schema.get("properties", {}).items():
            if (value := self._value(self._plain(each), prefix + name, sent)) is not None:
                found[name] = value
        return found or None

    def _value(self, schema: Schema, name: str, sent: Mapping[str, Any]) -> Any:
        if "properties" in schema:
            return self._object(schema, f"{name}.", sent)
        if schema.get("type") == "array":
            items = self._plain(schema["items"])
            if "properties" in items:
                rows = [self._object(items, f"{name}.{row}.", sent) for row in sorted(_rows(name, sent))]
                return [row for row in rows if row is not None] or None
            given = sent.get(name, "")
            several = list(given) if isinstance(given, list) else re.split(r"[\s,，、]+", given)
            return [_typed(items, each) for each in several if each != ""] or None
        if schema.get("type") == "object":
            shares = {key.removeprefix(f"{name}."): sent[key] for key in sent if key.startswith(f"{name}.")}
            return {code: _typed({"type": "integer"}, share) for code, share in shares.items() if share != ""} or None
        if (entered := sent.get(name + YUAN, "")) != "":
            return in_fen(str(entered))
        given = sent.get(name, "")
        text = given[-1] if isinstance(given, list) else given
        return _typed(schema, text) if text != "" else None

    def _plain(self, schema: Schema) -> Schema:
        """The schema itself: a reference followed, and of "this or nothing" the this."""
        while True:
            if "$ref" in schema:
                schema = self.schemas[schema["$ref"].rpartition("/")[2]]
            elif "anyOf" in schema:
                schema = next((each for each in schema["anyOf"] if each.get("type") != "null"), {})
            elif len(schema.get("allOf", ())) == 1:
                schema = schema["allOf"][0]
            else:
                return schema


def plain_values(body: Any, prefix: str = "") -> dict[str, Any]:
    """A body as a form would send it: name → text or list of texts."""
    if isinstance(body, Mapping):
        found: dict[str, Any] = {}
        for name, value in body.items():
            found |= plain_values(value, f"{prefix}.{name}" if prefix else str(name))
        return found
    if isinstance(body, list) and body and isinstance(body[0], Mapping):
        found = {}
        for row, value in enumerate(body):
            found |= plain_values(value, f"{prefix}.{row}")
        return found
    if isinstance(body, list):
        return {prefix: [str(each) for each in body]}
    if isinstance(body, bool):
        return {prefix: "true" if body else "false"}
    return {prefix: "" if body is None else str(body)}


def sent_values(form: FormData | QueryParams) -> dict[str, Any]:
    """The texts of a form that was sent, or of an address: name → text, or all texts of a name that came more than
    once. No files."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(form.keys()):
        # What is no text of any alphabet goes no further than here.
        given = (each for each in form.getlist(name) if not isinstance(each, UploadFile))
        texts = [each.encode("utf-8", "replace").decode().strip() for each in given]
        if texts:
            found[name] = texts if len(texts) > 1 else texts[0]
    return found


def in_yuan(fen: str) -> str:
    """Whole fen as yuan: 123450 → 1234.50; what is no number stays as it is."""
    if not (fen.isascii() and fen.isdecimal() and len(fen) <= MOST_DIGITS):
        return fen
    return f"{int(fen) // 100}.{int(fen) % 100:02}"


def in_fen(yuan: str) -> int | str:
    """Yuan as whole fen: 1,234.5 → 123450; what is no amount of whole fen stays as it is, for the API to refuse."""
    found = _AMOUNT.fullmatch(re.sub(r"[,，\s¥]", "", yuan)) if len(yuan) <= 2 * MOST_DIGITS else None
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found is not None else yuan


def is_file(schema: Schema, name: str) -> bool:
    """Whether a field is the digest of a file, so that its form asks for the file."""
    return _DIGEST in schema.get("pattern", "")


def _widget(name: str, schema: Schema, choices: Sequence[tuple[str, Name]]) -> Widget:
    if is_file(schema, name):
        return "file"
    if name.endswith("_fen"):
        return "yuan"
    if schema.get("type") == "boolean":
        return "radio"
    if schema.get("type") == "object":
        return "shares"
    if choices:
        return "radio" if len(choices) <= 4 else "select"
    if schema.get("type") in ("integer", "number"):
        return "number"
    return {"date-time": "datetime", "date": "date"}.get(schema.get("format", ""), "text")  # type: ignore[return-value]


def _bounds(schema: Schema, widget: Widget) -> dict[str, Any]:
    if widget == "number":
        step = {"step": "1" if schema.get("type") == "integer" else "any"}
        return step | {ours: schema[name] for name, ours in (("minimum", "min"), ("maximum", "max")) if name in schema}
    return {"maxlength": schema["maxLength"]} if widget == "text" and "maxLength" in schema else {}


def _rows(name: str, values: Mapping[str, Any]) -> set[int]:
    found = (re.match(re.escape(name) + r"\.(\d{1,3})\.", key) for key in values)
    return {int(each[1]) for each in found if each is not None}


def _typed(schema: Schema, text: str) -> Any:
    """The text as the schema's type; as it is where it cannot be read as one."""
    try:
        if schema.get("type") == "integer":
            return int(text)
        if schema.get("type") == "number":
            return float(text)
        if schema.get("type") == "boolean":
            return {"true": True, "false": False}.get(text, text)
        if schema.get("format") == "date-time":
            return _with_offset(text)
    except ValueError:
        return text
    return text


def _with_offset(text: str) -> str:
    """An instant of a form, which says the time in China, with its offset."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo is not None else found.replace(tzinfo=CHINA)).isoformat()
