"""A refusal: the rulebook says no, before any event exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


# Not frozen: the runtime sets an exception's traceback. Compared by identity, as exceptions are.
@dataclass(eq=False)
class Refusal(Exception):
    """A command that the rules do not allow.

    ``code`` is stable and public. ``found`` and ``needed`` say what stood against what; the next step is given in
    English and in Chinese, because a person at the counter reads it.
    """

    code: str
    found: str
    needed: str
    next_step: str
    next_step_zh: str

    def __str__(self) -> str:
        return f"{self.code}: found {self.found}; needed {self.needed}; {self.next_step}"


@dataclass(eq=False)
class AttemptRefused(Refusal):
    """A refusal whose attempt is itself a fact: ``attempt`` goes into the case, for auditors and supervisors to see."""

    attempt: Any
