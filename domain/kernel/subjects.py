"""A subject: the person or body behind a case, as events may name them — an opaque id and a revision, nothing else."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from domain.kernel.frozen import frozen


@frozen
class Subject:
    """Whose particulars lie in the vault under ``id``, as they stood in ``revision`` (≥ 1)."""

    id: Annotated[UUID, "Id of the person's entry in the vault."]
    revision: Annotated[int, "Which revision of the particulars is meant, from 1."]
