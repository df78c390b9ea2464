"""All schemas in one document that validators take which refuse what they do not know, as ajv in its strict mode."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from api.contract import generate, published

PLAIN = json.loads(published.document("plain.json") or "")
ALONE = {**published.schemas(), **published.messages()}

_OF = {
    "number integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength", "pattern", "format", "contentEncoding"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "object": ("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
}
OF_TYPE = {keyword: frozenset(types.split()) for types, keywords in _OF.items() for keyword in keywords}
"""Keyword → the types that it says something of."""
OTHERS = {
    *("$schema", "$id", "$ref", "$defs", "type", "enum", "const", "anyOf"),
    *("title", "description", "deprecated", "examples"),
}
FORMATS = {"date", "date-time", "uuid"}
"""Formats of the standard; ajv-formats has each of them."""


def faults(schema: Any, where: str = "", outer: frozenset[str] = frozenset()) -> Iterator[str]:
    """What ajv's strict mode refuses: strictSchema, strictTypes, strictTuples and strictRequired. ``outer``: the types
    that the schemas around it have said."""
    if not isinstance(schema, Mapping):
        return
    said = schema.get("type", ())
    types = frozenset([said] if isinstance(said, str) else said)
    if len(types) > 1:
        yield f"{where}: a union of types"
    for keyword in schema.keys() - OTHERS:
        if keyword not in OF_TYPE:
            yield f"{where}: unknown keyword {keyword}"
        elif not (types or outer) & OF_TYPE[keyword]:
            yield f"{where}: {keyword} without the type that it is of"
    if schema.get("format", "uuid") not in FORMATS:
        yield f"{where}: unknown format {schema['format']}"
    row = schema.get("prefixItems")
    if row is not None and not (schema.get("minItems") == len(row) and schema.get("items") is False):
        yield f"{where}: a row that does not say how long it is"
    for field in sorted({*schema.get("required", ())} - {*schema.get("properties", {})}):
        yield f"{where}: {field} is required and not described"
    for keyword in ("properties", "$defs"):
        for name, each in schema.get(keyword, {}).items():
            yield from faults(each, f"{where}/{name}")
    for keyword in ("items", "additionalProperties"):
        yield from faults(schema.get(keyword), f"{where}/{keyword}")
    for keyword in ("anyOf", "prefixItems"):
        for number, each in enumerate(schema.get(keyword, ())):
            yield from faults(each, f"{where}/{keyword}/{number}", types if keyword == "anyOf" else frozenset())


def test_no_schema_has_what_a_strict_validator_refuses() -> None:
    assert list(faults(PLAIN)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.update({"x-title-zh": "到场"}), "unknown keyword x-title-zh"),
        (lambda s: s["properties"]["actor"].update(format="decimal"), "unknown format decimal"),
        (lambda s: s["properties"]["actor"].update(type=["string", "null"]), "/actor: a union of types"),
        (lambda s: s["properties"]["actor"].pop("type") and s["properties"]["actor"].update(minLength=1), "minLength"),
        (lambda s: s["properties"]["actor"].update(minimum=1), "/actor: minimum without the type"),
        (lambda s: s["required"].append("weather"), "weather is required and not described"),
        (lambda s: s["properties"].update(row={"type": "array", "prefixItems": [{}]}), "/row: a row that does not say"),
    ],
    ids=["keyword", "format", "types", "no type", "another type", "required", "row"],
)
def test_what_a_strict_validator_refuses_is_named(change: Callable[[Any], object], named: str) -> None:
    schema = copy.deepcopy(PLAIN["$defs"]["water.repair.CrewArrived.v1"])
    change(schema)
    assert any(named in fault for fault in faults(schema)), list(faults(schema))


def test_it_has_every_schema_but_for_our_own_keywords_and_formats() -> None:
    assert PLAIN["$defs"].keys() == ALONE.keys()
    for name, schema in ALONE.items():
        assert PLAIN["$defs"][name] == without_our_own(schema)
        own = {keyword for keyword in schema if keyword.startswith("x-")}
        assert own <= {*generate.ANNOTATIONS}


def without_our_own(schema: Any) -> Any:
    """By text, so that nothing of how the document is made is used."""
    text = json.dumps({key: each for key, each in schema.items() if not re.match(r"x-|examples$|\$schema$", key)})
    return json.loads(text.replace('"format": "decimal", ', ""))


@pytest.mark.parametrize("name", sorted(ALONE))
def test_each_of_its_schemas_takes_the_example_and_refuses_what_is_none(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(PLAIN["$defs"][name])
    example = ALONE[name]["examples"][0]
    validator = jsonschema.Draft202012Validator(PLAIN["$defs"][name])
    validator.validate(example)
    assert not validator.is_valid({"position": 0} if isinstance(example, dict) else 0)


AJV = """
const Ajv = require("ajv/dist/2020"), formats = require("ajv-formats"), fs = require("fs");
const { plain, examples } = JSON.parse(fs.readFileSync(0));
const said = [], log = (...words) => said.push(words.join(" "));
const strict = { strict: true, strictTypes: true, strictTuples: true, strictRequired: true };
const ajv = new Ajv({ ...strict, logger: { log, warn: log, error: log } });
formats.default(ajv);
ajv.addSchema(plain);
for (const [name, schema] of Object.entries(plain.$defs)) {
  const validate = ajv.getSchema(schema.$id);
  if (!validate(examples[name])) said.push(name + ": " + ajv.errorsText(validate.errors));
}
console.log(JSON.stringify(said));
"""


def test_ajv_takes_them_in_strict_mode() -> None:
    """Where it is there: NODE_PATH=…/node_modules, with ajv and ajv-formats in it."""
    node = shutil.which("node")
    if (
        node is None
        or subprocess.run([node, "-e", 'require("ajv-formats")'], capture_output=True, check=False).returncode
    ):
        pytest.skip("no node with ajv and ajv-formats (npm install ajv ajv-formats; NODE_PATH=…/node_modules)")
    given = json.dumps({"plain": PLAIN, "examples": {name: schema["examples"][0] for name, schema in ALONE.items()}})
    done = subprocess.run(
        [node, "-e", AJV], input=given, capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
