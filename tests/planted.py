"""Values that tell who somebody is, made up: each form in which people write them, with the kind that it is."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from datetime import date, timedelta

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def identity_number(area: str, born: date, serial: int) -> str:
    """An identity number of 18 digits with the right check digit."""
    digits = f"{area}{born:%Y%m%d}{serial:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True))
    return digits + "10X98765432"[total % 11]


def luhn_digit(digits: str) -> str:
    """The last digit of a card's number, behind the others."""
    doubled = [int(each) * (1 if place % 2 else 2) for place, each in enumerate(reversed(digits))]
    return str(-sum(each - 9 if each > 9 else each for each in doubled) % 10)


def _mobile(chance: random.Random) -> str:
    return f"1{chance.randint(3, 9)}{chance.randrange(10**9):09d}"


def _grouped(chance: random.Random, mark: str) -> str:
    number = _mobile(chance)
    return mark.join((number[:3], number[3:7], number[7:]))


def _born(chance: random.Random) -> date:
    return date(1940, 1, 1) + timedelta(days=chance.randrange(25_000))


def _identity_18(chance: random.Random) -> str:
    return identity_number(
        chance.choice(("433101", "110105", "310115", "522229")), _born(chance), chance.randrange(1000)
    )


def _identity_15(chance: random.Random) -> str:
    return f"433101{_born(chance):%y%m%d}{chance.randrange(1000):03d}"


def _card(chance: random.Random) -> str:
    while True:
        digits = "62" + "".join(str(chance.randrange(10)) for _ in range(chance.randint(13, 16)))
        number = digits + luhn_digit(digits)
        # Of 18 digits one may be a right identity number as well.
        if len(number) != 18:
            return number


def _subscriber(chance: random.Random) -> str:
    return f"{chance.randint(2, 8)}{chance.randrange(10**6):06d}"


FORMS: Mapping[str, tuple[str, Callable[[random.Random], str]]] = {
    "mobile": ("mobile", _mobile),
    "mobile-blanks": ("mobile", lambda chance: _grouped(chance, " ")),
    "mobile-hyphens": ("mobile", lambda chance: _grouped(chance, "-")),
    "mobile-spread": ("mobile", lambda chance: " ".join(_mobile(chance))),
    "mobile-plus-86": ("mobile", lambda chance: f"+86 {_grouped(chance, ' ')}"),
    "mobile-86": ("mobile", lambda chance: f"86{_mobile(chance)}"),
    "mobile-0086": ("mobile", lambda chance: f"0086-{_mobile(chance)}"),
    "mobile-trunk": ("mobile", lambda chance: f"0{_mobile(chance)}"),
    "landline": ("landline", lambda chance: f"0743-{_subscriber(chance)}"),
    "landline-plain": ("landline", lambda chance: f"0743{_subscriber(chance)}"),
    "landline-brackets": ("landline", lambda chance: f"(010) {_subscriber(chance)}0"),
    "landline-plus-86": ("landline", lambda chance: f"+86 743 {_subscriber(chance)}"),
    "identity-18": ("identity-number", _identity_18),
    "identity-18-blanks": ("identity-number", lambda chance: _spaced(_identity_18(chance), 6, 14)),
    "identity-15": ("identity-number", _identity_15),
    "bank-card": ("bank-card", _card),
    "bank-card-blanks": ("bank-card", lambda chance: _in_fours(_card(chance))),
    "email": ("email", lambda chance: f"zhang.{chance.randrange(10**6)}@example{chance.randrange(100)}.com"),
}
"""Name of a form → its kind, and how one is made."""


def _spaced(text: str, *at: int) -> str:
    edges = (0, *at, len(text))
    return " ".join(text[begin:end] for begin, end in itertools.pairwise(edges))


def _in_fours(text: str) -> str:
    return " ".join(text[begin : begin + 4] for begin in range(0, len(text), 4))
