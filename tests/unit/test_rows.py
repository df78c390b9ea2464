"""Rows of read models with changes: the same as the standard library makes of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from domain.kernel.copies import changed
from projections.read_models.views import VIEWS


@pytest.mark.parametrize("row", [model.row for model in VIEWS])
def test_a_changed_row_is_what_the_standard_library_makes(row: type[Any]) -> None:
    names = [field.name for field in dataclasses.fields(row)]
    before = row(**{name: f"of {name}" for name in names})
    for name in names:
        assert changed(before, **{name: 225}) == dataclasses.replace(before, **{name: 225})
    assert before == row(**{name: f"of {name}" for name in names})
    with pytest.raises(AttributeError):
        changed(before, no_such_field=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(changed(before), names[0], 1)
