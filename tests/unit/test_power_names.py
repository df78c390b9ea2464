"""A power and a promise have two names; a standard from before that is read under the old ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.kinds import POWERS
from domain.publication.standards import COMMITMENTS, try_out
from domain.standard.context import CommandContext, Person
from domain.standard.powers import NAMED_BEFORE, roles_with
from infra.eventstore.shipped_rules import shipped_rules, shipped_standards
from infra.status import standard_status
from tests.unit.cases import NINE

SHIPPED = shipped_standards()[-1]
BEFORE = replace(SHIPPED, powers={NAMED_BEFORE.get(power, power): roles for power, roles in SHIPPED.powers.items()})
"""The shipped standard as it was written while five powers had the names of promises."""


def test_no_power_has_the_name_of_a_promise() -> None:
    assert POWERS.isdisjoint(COMMITMENTS)
    assert set(NAMED_BEFORE) <= POWERS
    assert POWERS.isdisjoint(NAMED_BEFORE.values())


@pytest.mark.parametrize("power", sorted(POWERS))
def test_an_old_standard_gives_each_power_to_whom_it_did(power: str) -> None:
    assert roles_with(BEFORE, power) == roles_with(SHIPPED, power) != ()


def test_a_power_that_a_standard_gives_to_nobody_is_nobodys() -> None:
    assert roles_with(replace(SHIPPED, powers={}), "book.view") == ()


def test_an_old_standard_lacks_no_power_and_can_be_published_again() -> None:
    rules = shipped_rules()
    old = replace(rules, standards=(replace(BEFORE, effective_from=NINE),))
    assert standard_status(old, NINE).missing_powers == ()
    ctx = CommandContext(NINE, NINE, "office", old, Person("manager-1", "manager"))
    again = replace(BEFORE, version="of-a-utility")
    assert try_out(None, ctx, document=again, regions=("CN",)) == again
