"""Every read model of the views process, in the order in which they are applied."""

from __future__ import annotations

from typing import Any

from projections.read_models.abnormal_use import USAGE
from projections.read_models.breaches import BREACHES
from projections.read_models.cases import CASES
from projections.read_models.charges import CHARGES
from projections.read_models.connections import CONNECTIONS
from projections.read_models.crews import CREWS
from projections.read_models.meters import METERS
from projections.read_models.model import Journal, Model
from projections.read_models.outages import OUTAGES
from projections.read_models.pre_applications import AHEAD
from projections.read_models.visits import VISITS
from projections.read_models.windows import WINDOWS
from projections.read_models.works import WORKS

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
    METERS,
)
