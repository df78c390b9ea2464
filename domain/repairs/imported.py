"""Imported history: reports and closes of an earlier order book, told long after, over channels of their own.

Its reports may say that only their day is known, have no particulars of whoever reported, and name the way of the
source's own (``origin``) by which the fault was told there. Those channels and codes are data of the standard.

``origin`` is a field beside the channel (our decision): the channel says how we were told, and with it how late that
may be; how the source was told is another thing, and both are counted.
"""

from __future__ import annotations

from domain.repairs.refusals import BadPrecision, UnknownOrigin
from domain.standard.context import CommandContext
from domain.standard.standards import Precision
from domain.standard.values import require_known


def require_import_fields(ctx: CommandContext, precision: Precision, origin: str | None = None) -> None:
    """Refuses ``bad-precision`` for a time that is not known to the second outside imported history (our decision:
    whoever tells now knows it), and ``unknown-origin``."""
    if precision != "second" and not ctx.is_history:
        raise BadPrecision(precision, ctx)
    if origin is not None:
        require_known(UnknownOrigin, origin, ctx.standard.repair.origins if ctx.is_history else ())
