"""What a standard says of persons' rights over their particulars: how soon they are answered, and how long is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from domain.standard.values import Between, require_fields


@dataclass(frozen=True, slots=True)
class RightsSection:
    """Of requests of persons about their particulars. All three numbers are our decision: the law (《个人信息保护法》
    §§44 to 50) says "in good time" and names no number of days."""

    rights_answer_working_days: Annotated[
        int, "Working days in which a person's request about their particulars is answered.", Between(1, 60)
    ] = 15
    rights_copy_days: Annotated[
        int, "Days in which a person can take the copy of their particulars that they were granted.", Between(1, 365)
    ] = 30
    # As long as the general limitation of claims: who is sued for a repair must be able to say whose it was.
    particulars_keep_days: Annotated[
        int, "Days for which particulars are kept after the last event of the person's last case.", Between(0, 36_500)
    ] = 1095

    def require_sound(self) -> None:
        """Refuse what ``require_fields`` refuses."""
        require_fields(self, RightsSection)
