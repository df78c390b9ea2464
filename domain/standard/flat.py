"""The flat form of a standard: the one document with all fields side by side that is stored, published and sent.

The program reads a standard in sections. Its published form came first, and is frozen: so the fact has the fields of
every section, taken from the sections themselves, in the order in which they were published. A standard is made of the
fact once, where the fact is folded or a document is read; whoever goes over the fields by their names does it here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field, fields, replace
from typing import Any, TypeVar, get_type_hints

from domain.kernel.facts import fact
from domain.standard.sections.common import CommonSection
from domain.standard.standards import Standard

T = TypeVar("T")

_AT_THE_TOP = frozenset(each.name for each in fields(CommonSection))
SECTIONS: Mapping[str, type] = {
    name: section for name, section in get_type_hints(Standard).items() if name not in _AT_THE_TOP
}
"""The sections of a standard, by their names in it. What is common to all stands at its top."""

ORDER = (
    "version",
    "effective_from",
    "arrival_minutes",
    "completion_minutes",
    "unassessed_as",
    "connection_working_days",
    "close_of_business",
    "calendar_regions",
    "ladders",
    "notify_on_lapse",
    "districts",
    "fault_kinds",
    "applicant_categories",
    "allowed_lateness_minutes",
    "future_tolerance_seconds",
    "max_supply_points",
    "meter_verification_years",
    "promise",
    "steps",
    "documents",
    "document_ways",
    "defects",
    "hidden_defects",
    "notice_minutes",
    "notice_working_days",
    "silence_working_days",
    "papers",
    "pause_reasons",
    "pause_cap_working_days",
    "remote_channels",
    "desks",
    "routing",
    "refusal_reasons",
    "withdrawal_reasons",
    "survey_findings",
    "inspection_defects",
    "deliverables",
    "delivery_ways",
    "payer_classes",
    "price_version",
    "price_classes",
    "squads",
    "visit_purposes",
    "consultation_topics",
    "preservices",
    "works_kinds",
    "severity_classes",
    "calendar_warning_from",
    "crew_skills",
    "decline_reasons",
    "mass_causes",
    "outage_notice_hours",
    "emergency_notice_minutes",
    "emergency_report_minutes",
    "planned_outages",
    "outage_cancel_reasons",
    "notice_ways",
    "outage_texts",
    "customers",
    "completion_from",
    "arrival_evidence_minutes",
    "assessment_minutes",
    "reassessment_second_person_percent",
    "continuity_minutes",
    "work_notes",
    "fault_families",
    "link_suggestion_minutes",
    "history_channels",
    "origins",
    "dismissal_reasons",
    "rejection_reasons",
    "pipe_materials",
    "incident_details",
    "answer_minutes",
    "answer_ways",
    "answer_texts",
    "apologies",
    "order_sources",
    "geofence_metres",
    "late_upload_minutes",
    "readings",
    "usage_audit_minutes",
    "usage_notice_minutes",
    "usage_ways",
    "usage_dismissals",
    "usage_outcomes",
    "leak_findings",
    "meter_replacements",
    "reading_exceptions",
    "escalations",
    "alerts",
    "kind_limits",
    "intake",
    "uncounted_stages",
    "class_changes",
    "customer_changes",
    "class_change_ahead_days",
    "meter_verification",
    "meter_expiry_warning_days",
    "powers",
)
"""The order in which the fields stand in the published document. A field that is added is not entered here: it follows
these, as its section has it."""


def _fields_of_all_sections(cls: type[T]) -> type[T]:
    """Give a class the fields of every section, with their types, descriptions and defaults."""
    hints: dict[str, Any] = {}
    found: dict[str, Field[Any]] = {}
    for section in (CommonSection, *SECTIONS.values()):
        hints |= get_type_hints(section, include_extras=True)
        found |= {each.name: each for each in fields(section)}
    order = dict.fromkeys([*ORDER, *found])
    cls.__annotations__ = {name: hints[name] for name in order}
    for name in order:
        if found[name].default is not MISSING:
            setattr(cls, name, found[name].default)
        elif found[name].default_factory is not MISSING:
            setattr(cls, name, field(default_factory=found[name].default_factory))
    return cls


@fact("发布标准", "standard published", topic="public", changes_rules=True)
@_fields_of_all_sections
class StandardPublished:
    """A standard was published. The whole document; later versions replace it from their date on."""


# The type checker does not see the fields that the class is given.
_made: Callable[..., StandardPublished] = StandardPublished


def as_published(standard: Standard) -> StandardPublished:
    """The flat form of a standard."""
    return _made(
        **_values(standard, CommonSection),
        **{
            name: value
            for section, form in SECTIONS.items()
            for name, value in _values(getattr(standard, section), form).items()
        },
    )


def in_sections(document: StandardPublished) -> Standard:
    """The standard that a flat document says."""
    sections = {name: section(**_values(document, section)) for name, section in SECTIONS.items()}
    return Standard(**_values(document, CommonSection), **sections)


def with_changes(standard: Standard, **changes: Any) -> Standard:
    """The standard with other values of some fields, by their names in the flat document. Raises TypeError for a field
    that it does not have."""
    return in_sections(replace(as_published(standard), **changes))


def _values(of: object, section: type) -> dict[str, Any]:
    """The values that something has for the fields of a section."""
    return {each.name: getattr(of, each.name) for each in fields(section)}
