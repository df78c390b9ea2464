"""Bodies that are whole documents: forms made from the domain's own dataclasses, so that no field is forgotten."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, StrictBool, StrictInt, StrictStr, create_model
from pydantic import Field as Bounded

from api.http.described import words
from api.http.fields import Body, DayOfAnyYear, Instant, clean_text
from domain.kernel.law import Law
from domain.standard.fees import Catalogue
from domain.standard.flat import StandardPublished, in_sections
from domain.standard.standards import Standard
from infra.decoders import converter

Text = Annotated[StrictStr, Bounded(max_length=200), AfterValidator(clean_text)]
Key = Annotated[StrictStr, Bounded(min_length=1, max_length=64)]
TimeOfDay = Annotated[StrictStr, Bounded(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$", examples=["17:30:00"])]
Rate = Annotated[StrictStr, Bounded(pattern=r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?$", examples=["12850"])]
MOST_ENTRIES = 1_000

_STANDARD = converter(StandardPublished)
_CATALOGUE = converter(Catalogue)
_LAW = converter(Law)

_PLAIN: Mapping[Any, Any] = {
    str: Text,
    int: StrictInt,
    bool: StrictBool,
    datetime: Instant,
    date: DayOfAnyYear,
    time: TimeOfDay,
    Decimal: Rate,
}


def body_of(document: type, name: str) -> type[Body]:
    """A strict body with the fields of a dataclass; every field of the document itself must be given."""
    return _form(document, name, whole=True)


def standard_of(body: Body) -> Standard:
    """The standard that a StandardBody says."""
    return in_sections(_STANDARD(_plain(body)))


def catalogue_of(body: Body) -> Catalogue:
    """The fee catalogue that a CatalogueBody says."""
    return _CATALOGUE(_plain(body))


def law_of(body: Body) -> Law:
    """The version of the law that a LawBody says."""
    return _LAW(_plain(body))


def _plain(body: Body) -> dict[str, Any]:
    # What was left out stands there as the domain has it, a tuple or a time: no reason to warn whoever runs the API.
    return body.model_dump(mode="json", warnings=False)


@cache
def _form(document: type, name: str, *, whole: bool = False) -> type[Body]:
    hints = get_type_hints(document)
    told = get_type_hints(document, include_extras=True)
    made: dict[str, Any] = {
        field.name: (
            Annotated[_type(hints[field.name]), Bounded(description=words(told[field.name]))],
            ... if whole else _default(field),
        )
        for field in fields(document)
    }
    model: type[Body] = create_model(name, __base__=Body, __doc__=document.__doc__, **made)
    return model


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return Bounded(default_factory=field.default_factory)
    return ... if field.default is MISSING else field.default


def _type(hint: Any) -> Any:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if is_dataclass(hint) and isinstance(hint, type):
        return _form(hint, f"{hint.__name__}Form")
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return hint
    if origin in (Union, types.UnionType):
        return Union[tuple(type(None) if one is type(None) else _type(one) for one in inner)]  # noqa: UP007 built here
    if origin is tuple:
        return _tuple(inner)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key: Any = Key if inner[0] is str else inner[0]
        value: Any = _type(inner[1])
        return Annotated[dict[key, value], Bounded(max_length=MOST_ENTRIES)]
    raise TypeError(f"no body for {hint}: enter it in api/publication/documents.py")


def _tuple(inner: tuple[Any, ...]) -> Any:
    if len(inner) == 2 and inner[1] is Ellipsis:
        each: Any = _type(inner[0])
        return Annotated[list[each], Bounded(max_length=MOST_ENTRIES)]
    return tuple[tuple(_type(one) for one in inner)]  # type: ignore[misc]


StandardBody = body_of(StandardPublished, "StandardDocument")
CatalogueBody = body_of(Catalogue, "CatalogueDocument")
LawBody = body_of(Law, "LawDocument")
