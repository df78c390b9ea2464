"""Places: distances on the earth, and squares that hide where exactly something is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.geo import GeoPoint, cell_of, cells_around, distance_m

JISHOU = GeoPoint(28.3117, 109.7382)
PLACES = st.builds(GeoPoint, st.floats(-90, 90), st.floats(-180, 180))


def test_a_thousandth_of_a_degree_north_is_111_metres() -> None:
    assert distance_m(JISHOU, GeoPoint(28.3127, 109.7382)) == pytest.approx(111.2, abs=0.1)


def test_from_pole_to_pole_is_half_the_way_round() -> None:
    assert distance_m(GeoPoint(90, 0), GeoPoint(-90, 0)) == pytest.approx(math.pi * 6_371_008.8)


@given(PLACES, PLACES)
def test_the_way_there_is_as_long_as_the_way_back_and_never_longer_than_half_round(
    one: GeoPoint, other: GeoPoint
) -> None:
    away = distance_m(one, other)
    assert away == pytest.approx(distance_m(other, one), abs=0.01)
    assert 0 <= away <= math.pi * 6_371_009


@given(PLACES)
def test_a_place_lies_in_its_square_and_among_the_nine(read_position: GeoPoint) -> None:
    around = cells_around(cell_of(read_position))
    assert cell_of(read_position) in around
    assert len(set(around)) == 9


@given(st.floats(-60, 60), st.floats(-179, 179), st.floats(0, 2 * math.pi))
def test_what_is_90_metres_away_lies_in_the_same_square_or_beside_it(north: float, east: float, towards: float) -> None:
    step = 90 / 111_200
    other = GeoPoint(north + step * math.cos(towards), east + step * math.sin(towards) / math.cos(math.radians(north)))
    assert cell_of(other) in cells_around(cell_of(GeoPoint(north, east)))


@pytest.mark.parametrize("cell", ["", "1", "1:2:3", "a:b", "28.3:109.7"])
def test_what_is_no_square_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="is no square"):
        cells_around(cell)
