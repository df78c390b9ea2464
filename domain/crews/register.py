"""The register of repair crews: every crew that was formed. A command that names a crew names one of them.

Our decisions: a crew that nobody formed is refused with the formed ones whose codes are nearest, since nearly always it
is a slip of the hand. Three things are taken all the same: what imported history says, the crew that the incident has
already, and any crew while none was ever formed at all, so that the first day works; the last is flagged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from domain.crews.refusals import UnknownCrew

if TYPE_CHECKING:
    from domain.standard.context import CommandContext

NO_CREW_FORMED = "no-crew-formed"
"""The flag of a fact that names a crew, told while no crew was formed at all."""
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class FormedCrew:
    """A crew by its code, as it was formed with, and its Chinese name."""

    code: str
    name_zh: str


@dataclass(frozen=True, slots=True)
class CrewRegister:
    """Every crew that was formed, by its code in small letters: how a code is written makes no other crew."""

    formed: Mapping[str, FormedCrew]

    def has(self, crew: str) -> bool:
        """Whether the crew of that code was formed."""
        return crew.lower() in self.formed

    def nearest(self, crew: str) -> tuple[FormedCrew, ...]:
        """The crews whose codes look most like that one, the most alike first; none where none does."""
        return tuple(self.formed[code] for code in get_close_matches(crew.lower(), self.formed, n=MOST_NAMED))


def crew_register(crews: Iterable[FormedCrew]) -> CrewRegister:
    """The register of these crews; of one that was formed again the later name holds."""
    return CrewRegister({crew.code.lower(): crew for crew in crews})


def require_formed(
    ctx: CommandContext, *crews: str, on_it: str | None = None, also: Collection[str] = ()
) -> tuple[str, ...]:
    """What is odd about the crews that a command names. Refuses ``unknown-crew``.

    ``on_it``: the crew that the incident has already; ``also``: codes that name somebody else who does such work. Where
    the command was not given the register (``ctx.crews`` None), nothing is looked at.
    """
    register = ctx.crews
    if register is None or _imports(ctx):
        return ()
    taken = {code.lower() for code in (*also, on_it or "")}
    strange = [crew for crew in crews if crew.lower() not in taken and not register.has(crew)]
    if strange and register.formed:
        raise UnknownCrew(strange[0], register.nearest(strange[0]))
    return (NO_CREW_FORMED,) if strange else ()


def _imports(ctx: CommandContext) -> bool:
    """Whether it is imported history, told by who may import it."""
    return ctx.is_history and ctx.by.role in ctx.standard.powers.get("history.import", ())
