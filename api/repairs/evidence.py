"""What proves an arrival: the phone's fix measured against the site. Neither is kept in an event."""

from __future__ import annotations

from uuid import UUID

from api.repairs import bodies
from domain import kinds
from domain.kernel.geo import GeoPoint, distance_m
from domain.repairs.case import Repair
from domain.repairs.facts import ArrivalEvidence, SuppliedEvidence
from infra.eventstore.commands import Stream
from infra.eventstore.service import Service


def measured(service: Service, case_id: UUID, proof: bodies.ArrivalProof | None) -> ArrivalEvidence | None:
    """The evidence as the event keeps it: inside or outside, a distance, an accuracy, a digest. Blocks."""
    if proof is None:
        return None
    if proof.fix is None:
        assert proof.accuracy_m is not None, "the body demands it"
        return ArrivalEvidence(proof.inside_geofence, proof.distance_m, proof.accuracy_m, proof.photo_digest)
    site = site_of(service, case_id)
    if site is None:
        return ArrivalEvidence(None, None, proof.fix.accuracy_m, proof.photo_digest)
    away = round(distance_m(site, GeoPoint(proof.fix.latitude, proof.fix.longitude)))
    reach = service.rules.in_force(service.clock.now()).repair.geofence_metres
    return ArrivalEvidence(away <= reach, away, proof.fix.accuracy_m, proof.photo_digest)


def measured_later(service: Service, case_id: UUID, proof: bodies.LaterProof) -> SuppliedEvidence:
    """The evidence that comes after its arrival, as the event keeps it. Blocks."""
    if proof.fix is None and proof.accuracy_m is None:
        return SuppliedEvidence(None, None, None, proof.photo_digest)
    found = measured(service, case_id, proof)
    assert found is not None, "there is a proof"
    return SuppliedEvidence(found.inside_geofence, found.distance_m, found.accuracy_m, found.photo_digest)


def site_of(service: Service, case_id: UUID) -> GeoPoint | None:
    """Where the incident is, by the first report that told it; None where none did, or there is no such case."""
    case: Repair | None = service.load(Stream(kinds.REPAIR, case_id))[0]
    if case is None:
        return None
    known = service.particulars([report.subject for report in case.reported if report.number not in case.unlinked])
    for particulars in known:
        if "latitude" in particulars:
            return GeoPoint(float(particulars["latitude"]), float(particulars["longitude"]))
    return None
