"""Places on the earth: how far a fix lies from a site, and the square of some 200 m that a place lies in.

Coordinates enter as arguments and leave as a distance or a square: no event keeps them (finer than 100 m they are
personal data). Degrees are WGS 84; lengths are metres.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import asin, cos, floor, radians, sin, sqrt

EARTH_RADIUS_M = 6_371_008.8
SQUARE_DEGREES = 0.002
"""The side of a square: 222 m from north to south; from east to west 195 m in Jishou, less further north."""

_CELL = re.compile(r"(-?[0-9]{1,6}):(-?[0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class GeoPoint:
    """A point on the earth."""

    latitude: float
    longitude: float


def distance_m(one: GeoPoint, other: GeoPoint) -> float:
    """The length of the great circle between two points."""
    north, east = radians(other.latitude - one.latitude), radians(other.longitude - one.longitude)
    chord = sin(north / 2) ** 2 + cos(radians(one.latitude)) * cos(radians(other.latitude)) * sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(chord)))


def cell_of(place: GeoPoint) -> str:
    """The square that the point lies in, as ``<row>:<column>``."""
    return f"{floor(place.latitude / SQUARE_DEGREES)}:{floor(place.longitude / SQUARE_DEGREES)}"


def cells_around(cell: str) -> tuple[str, ...]:
    """The square and the eight around it. Raises ValueError for what is no square."""
    match = _CELL.fullmatch(cell)
    if match is None:
        raise ValueError(f"{cell[:20]!r} is no square")
    row, column = int(match[1]), int(match[2])
    return tuple(f"{row + down}:{column + across}" for down in (-1, 0, 1) for across in (-1, 0, 1))
