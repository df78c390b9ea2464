"""The record classes of evidence: what such a file may be, how large, how long it is kept, whether it is of a person.

Sources: our decisions, after 《会计档案管理办法》 for slips and contracts (thirty years) and the law on personal
information for whatever shows a person (no longer than needed). An installation may set other sizes and terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from domain.evidence.media_types import HEIC, JPEG, M4A, MP3, MP4, PDF, PNG, WAV, WEBP
from domain.kernel.facts import Name

MIB = 1024 * 1024
YEAR_DAYS = 365

PICTURES = (JPEG, PNG, HEIC, WEBP)
PAPERS = (PDF, *PICTURES)


@dataclass(frozen=True, slots=True)
class EvidenceClass:
    """A class of files. ``of_person``: it belongs to the person whom its case is about, and is erased with them."""

    title: Name
    media_types: tuple[str, ...]
    most_bytes: int
    keep_days: int
    of_person: bool


CLASSES: Mapping[str, EvidenceClass] = {
    "photo": EvidenceClass(Name("现场照片", "photo of the site"), PICTURES, 20 * MIB, 5 * YEAR_DAYS, of_person=False),
    "document": EvidenceClass(
        Name("证件材料", "document of the applicant"), PAPERS, 20 * MIB, 5 * YEAR_DAYS, of_person=True
    ),
    "drawing": EvidenceClass(Name("图纸", "drawing"), PAPERS, 50 * MIB, 30 * YEAR_DAYS, of_person=False),
    "slip": EvidenceClass(Name("签收回执", "signed slip"), PAPERS, 20 * MIB, 5 * YEAR_DAYS, of_person=True),
    "contract": EvidenceClass(Name("合同", "contract"), PAPERS, 50 * MIB, 30 * YEAR_DAYS, of_person=True),
    "recording": EvidenceClass(
        Name("录音录像", "recording"), (MP3, M4A, WAV, MP4), 100 * MIB, 2 * YEAR_DAYS, of_person=True
    ),
}
"""Code → class."""


def class_with(code: str, most_mb: Mapping[str, int], keep_days: Mapping[str, int]) -> EvidenceClass:
    """A class as an installation has it: its size in MiB and its term in days, where it says so. Raises KeyError."""
    shipped = CLASSES[code]
    return replace(
        shipped,
        most_bytes=most_mb[code] * MIB if code in most_mb else shipped.most_bytes,
        keep_days=keep_days.get(code, shipped.keep_days),
    )
