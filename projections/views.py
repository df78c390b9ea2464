"""Every read model of the views process, in the order in which they are applied."""

from __future__ import annotations

from typing import Any

from projections.ahead import AHEAD
from projections.breaches import BREACHES
from projections.cases import CASES
from projections.charges import CHARGES
from projections.connections import CONNECTIONS
from projections.crews import CREWS
from projections.model import Journal, Model
from projections.outages import OUTAGES
from projections.usage import USAGE
from projections.visits import VISITS
from projections.windows import WINDOWS
from projections.works import WORKS

VIEWS: tuple[Model[Any] | Journal[Any], ...] = (
    CASES,
    WINDOWS,
    BREACHES,
    CONNECTIONS,
    CHARGES,
    VISITS,
    AHEAD,
    WORKS,
    CREWS,
    OUTAGES,
    USAGE,
)
