"""What is to be told to people because of a fact: written beside the fact, delivered by the sender, proven by its way.

Our decision: the text is made by the rulebook from a template of the standard, so what was sent can be told from the
case alone. A text names nobody. A message to one person carries the person's reference; the address comes from the
vault at the moment of sending and is kept nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from domain.kernel.subjects import Subject

WAYS = ("sms", "wechat", "email", "page")
"""The ways in which the program can send. A standard names those that are in use."""

STAFF_WAYS = ("page", "email", "sms", "wechat", "webhook")
"""The ways in which staff can be told, by their role. "page" is the list on the page, which nobody delivers."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``kind``: what it is about, by which the sender knows whom to tell that it arrived.

    Either ``audience`` (codes: the districts where everybody gets it, or the roles of staff who do) or ``to`` (one
    person) says who gets it. The gateway knows who is in a district or a role; the program does not.
    """

    kind: str
    way: str
    title: str
    text: str
    audience: tuple[str, ...] = ()
    to: Subject | None = None

    def __post_init__(self) -> None:
        if bool(self.audience) == (self.to is not None):
            raise ValueError("a message is either for districts or for one person")

    @property
    def digest(self) -> str:
        """Of the text's bytes, as every way sends them."""
        return digest_of(self.text.encode())


def to_subject(kind: str, way: str, title: str, text: str, subject: Subject) -> Message:
    """A message to one person. The text must not name anybody: it is kept as it is."""
    return Message(kind, way, title, text, to=subject)


def digest_of(sent: bytes) -> str:
    """The digest of bytes, as events carry it."""
    return f"sha256:{sha256(sent).hexdigest()}"


def filled(template: str, words: Mapping[str, str]) -> str:
    """A template with its ``{names}`` replaced; a name that is not among ``words`` stays as it is."""
    text = template
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    return text
