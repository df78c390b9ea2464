"""What a standard says of numbers that other bodies give out: how each kind of them looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from domain.kernel.personal import require_impersonal
from domain.standard.refusals import NumberNotInShape, UnknownKindOfNumber
from domain.standard.shapes import has_shape, pieces
from domain.standard.values import Codes, require_fields, require_known

if TYPE_CHECKING:
    from domain.standard.standards import Standard

KindOfNumber = Literal["order", "approval", "document", "contract", "payment", "meter"]
# Our decision: as wide as what was taken before standards said it; a city that knows its own numbers says less.
SHAPES: Mapping[str, tuple[str, ...]] = {
    "order": ("N{1,40}",),
    "approval": ("W{1,80}",),
    "document": ("W{1,80}",),
    "contract": ("N{1,64}",),
    "payment": ("N{1,64}",),
    "meter": ("N{3,32}",),
}


@dataclass(frozen=True, slots=True)
class NumbersSection:
    """Of numbers that other bodies give out."""

    number_shapes: Annotated[
        Mapping[str, tuple[str, ...]],
        "Kind of number (order, approval, document, contract, payment, meter) → the shapes that it may have: 9 is a "
        "digit, A a letter, 汉 a Chinese character, N a letter, a digit or a mark, W also a Chinese character or a "
        "blank, {1,8} how many. A kind that is left out may have any shape.",
        Codes(),
    ] = field(default_factory=lambda: dict(SHAPES))

    def require_sound(self) -> None:
        """Refuse ``unknown-kind-of-number``, ``bad-shape``."""
        require_fields(self, NumbersSection)
        for kind, shapes in self.number_shapes.items():
            require_known(UnknownKindOfNumber, kind, SHAPES)
            for shape in shapes:
                pieces(shape)


def require_number(standard: Standard, kind: KindOfNumber, number: str) -> None:
    """Refuse ``personal-value`` for a number that looks personal, ``number-not-in-shape`` for one that has none of the
    shapes that the standard gives its kind."""
    require_impersonal(number, f"the {kind} number")
    shapes = standard.numbers.number_shapes.get(kind, ())
    if shapes and not any(has_shape(number, shape) for shape in shapes):
        raise NumberNotInShape(kind, shapes)
