"""A standard: one published version of all promises, in sections. Every number of the service is in it, as data.

Sources of the numbers in the first standard: the published "0225" promises and four of the eight repair promises; where
they are silent, the practice of other water companies or the utility's own decision, marked so in
``infra/data/README.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

from domain.deadlines.calendar import Calendar, CalendarPublished, CalendarVersion, local_date, versions
from domain.kernel.law import NO_LAW, BasisOf, Citation, Law
from domain.kernel.refusals import Refusal
from domain.kernel.remembered import remembered
from domain.standard.fees import CataloguePublished
from domain.standard.refusals import FutureTime, UnknownDistrict
from domain.standard.sections.alerting import AlertingSection
from domain.standard.sections.approvals import ApprovalsSection
from domain.standard.sections.common import CommonSection, District
from domain.standard.sections.complaints import ComplaintsSection
from domain.standard.sections.connection import ConnectionSection
from domain.standard.sections.crews import CrewsSection
from domain.standard.sections.metering import MeteringSection
from domain.standard.sections.numbers import NumbersSection
from domain.standard.sections.outages import OutagesSection
from domain.standard.sections.repair import RepairSection
from domain.standard.sections.rights import RightsSection

R = TypeVar("R", bound=Refusal)
Precision = Literal["second", "day", "by"]
"""How closely a time is known: of ``day`` only the day is, and the instant is that day's beginning; ``by`` the instant
it had happened (imported history that says no more than how it ended)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard(CommonSection):
    """One version of everything that is promised, in sections. It is published as one flat document, which
    ``domain.standard.flat`` makes of it."""

    repair: RepairSection
    connection: ConnectionSection
    metering: MeteringSection
    outages: OutagesSection
    alerting: AlertingSection
    crews: CrewsSection
    approvals: ApprovalsSection
    numbers: NumbersSection
    rights: RightsSection
    complaints: ComplaintsSection

    def require_sound(self) -> None:
        """Refuse what could not be worked by, each section for itself. What relates it to other documents, and to what
        the program knows by name, is looked at where it is drafted (``domain.publication.standards``)."""
        CommonSection.require_sound(self)
        sections = (
            self.repair,
            self.connection,
            self.metering,
            self.outages,
            self.alerting,
            self.crews,
            self.approvals,
            self.numbers,
            self.rights,
            self.complaints,
        )
        for section in sections:
            section.require_sound()


@dataclass(frozen=True, slots=True)
class Rules:
    """What judges: every published standard, calendar and fee catalogue. ``position``: the log's, of the newest.
    ``laws``: every published version of the law, oldest first."""

    standards: tuple[Standard, ...]
    calendars: Mapping[tuple[str, ...], tuple[CalendarVersion, ...]]
    catalogues: tuple[CataloguePublished, ...] = ()
    position: int = 0
    laws: tuple[Law, ...] = ()

    def in_force(self, at: datetime) -> Standard:
        """The standard that governs a limit which starts at ``at``; the oldest one for anything earlier still."""
        return self._begun(at) or min(self.standards, key=lambda standard: standard.effective_from)

    def _begun(self, at: datetime) -> Standard | None:
        latest: Standard | None = None
        for begins, standard in _by_date(self):
            if begins > at:
                break
            latest = standard
        return latest

    def version(self, name: str) -> Standard | None:
        """The standard of that version; None where none was published under it."""
        return next((standard for standard in reversed(self.standards) if standard.version == name), None)

    def calendars_of(self, standard: Standard) -> tuple[CalendarVersion, ...]:
        """Every version of the calendar that the standard counts by, oldest first."""
        return self.calendars[standard.calendar_regions]

    @property
    def newest(self) -> Standard:
        """The standard with the latest date, in force already or not."""
        return max(reversed(self.standards), key=lambda standard: standard.effective_from)

    @property
    def calendar(self) -> Calendar:
        """The calendar as it stands now, of the newest standard's regions."""
        return self.calendars_of(self.newest)[-1].calendar

    def catalogue(self, at: datetime) -> CataloguePublished | None:
        """The fee catalogue in force at ``at``; None before the first."""
        begun = [catalogue for catalogue in reversed(self.catalogues) if catalogue.effective_from <= at]
        return max(begun, key=lambda catalogue: catalogue.effective_from, default=None)

    @property
    def law(self) -> Law:
        """The law as it was published last: a correction counts for what lies before it too."""
        return self.laws[-1] if self.laws else NO_LAW

    def cited(self, kind: BasisOf, of: str, at: datetime) -> tuple[Citation, ...]:
        """The articles in force at an instant that are the basis of that promise, refusal or rule."""
        return self.law.cited(kind, of, local_date(at))

    def citing(self, refusal: R, at: datetime) -> R:
        """The refusal with the articles that it rests on at ``at``."""
        refusal.basis = self.cited("refusal", refusal.code, at)
        return refusal


@remembered
def _by_date(rules: Rules) -> tuple[tuple[datetime, Standard], ...]:
    """The standards in the order of their dates; of two with one date the one published last is the later one. The
    dates are in UTC, as instants are: those of two zones are compared at twenty times the cost."""
    dated = [(standard.effective_from.astimezone(UTC), standard) for standard in rules.standards]
    return tuple(sorted(dated, key=lambda each: each[0]))


def make_rules(
    standards: Iterable[Standard],
    calendars: Iterable[tuple[datetime, CalendarPublished]],
    catalogues: Iterable[CataloguePublished] = (),
    position: int = 0,
    laws: Iterable[Law] = (),
) -> Rules:
    """Rules from everything that was published, calendars with the time of publication.

    Raises LookupError where no standard is published, or a region that one of them counts by.
    """
    known, published = tuple(standards), tuple(calendars)
    if not known:
        raise LookupError("no standard is published: run `tongshui migrate`")
    chains = {standard.calendar_regions for standard in known}
    return Rules(
        known, {chain: versions(chain, published) for chain in chains}, tuple(catalogues), position, tuple(laws)
    )


def district(standard: Standard, code: str) -> District:
    """The district with that code. Refuses ``unknown-district``."""
    found = standard.districts.get(code)
    if found is None:
        raise UnknownDistrict(standard)
    return found


def is_backdated(standard: Standard, channel: str, happened_at: datetime, at: datetime) -> bool:
    """Whether a fact comes later than the channel's allowed lateness (允许迟报). A channel without a limit: never."""
    allowed = standard.allowed_lateness_minutes.get(channel)
    return allowed is not None and (at - happened_at).total_seconds() > allowed * 60


def require_not_future(standard: Standard, happened_at: datetime, at: datetime) -> None:
    """Refuse ``future-time``: nothing can have happened later than now (plus the tolerance for device clocks)."""
    if (happened_at - at).total_seconds() > standard.future_tolerance_seconds:
        raise FutureTime(
            found=f"happened_at {happened_at.isoformat()}",
            needed=f"not later than {at.isoformat()} (+ {standard.future_tolerance_seconds} s)",
        )
