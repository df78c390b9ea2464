"""What a standard says of complaints and of satisfaction: how soon one is answered, how long the other is corrected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from domain.standard.values import Between, require_fields


@dataclass(frozen=True, slots=True)
class ComplaintsSection:
    """Of complaints and satisfaction. Both numbers are our decision: the law (《供水条例》 §27) asks for an answer and
    names no number of days."""

    complaint_answer_working_days: Annotated[int, "Working days in which a complaint is answered.", Between(1, 60)] = 5
    satisfaction_correction_days: Annotated[
        int, "Days in which a person can correct what they said of their satisfaction.", Between(0, 365)
    ] = 7

    def require_sound(self) -> None:
        """Refuse what ``require_fields`` refuses."""
        require_fields(self, ComplaintsSection)
