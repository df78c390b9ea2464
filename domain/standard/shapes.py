"""Shapes of numbers that other bodies give out: a small language, so that a standard can say how such a number looks.

A shape is read from left to right; each piece stands for one character, or for as many as the braces behind it say:

    9  a digit                          汉  a Chinese character
    A  a letter, large or small         N  a letter, a digit, or one of - _ . / : 〔 〕 [ ] ( )
    W  what N is, a Chinese character, a blank, or one of 《 》 、 ， （ ） 【 】 #

Every other character stands for itself, and so does one behind a backslash. ``{4}``: four of it; ``{1,8}``: one to
eight.
``9{4}-9{1,6}`` is 2026-17, ``汉{2,8}〔9{4}〕9{1,4}号`` is 示例停水批复〔2026〕7号.

No regular expressions: whoever publishes a standard could then stop every process with one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from domain.standard.refusals import BadShape

LONGEST_NUMBER = 80
MOST_PIECES = 40
_MARKS = frozenset("-_./:〔〕[]()")
_WIDE_MARKS = _MARKS | frozenset(" 《》、，（）【】#")
_PIECE = re.compile(r"(?:\\(?P<quoted>.)|(?P<plain>[^\\{}]))(?:\{(?P<least>\d{1,2})(?:,(?P<most>\d{1,2}))?\})?")


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a shape: which characters it stands for, and how many of them."""

    takes: Callable[[str], bool]
    least: int
    most: int


def _is_digit(each: str) -> bool:
    return each.isascii() and each.isdigit()


def _is_letter(each: str) -> bool:
    return each.isascii() and each.isalpha()


def _is_han(each: str) -> bool:
    return "㐀" <= each <= "鿿" or each == "〇"


def _is_of_number(each: str) -> bool:
    return (each.isascii() and each.isalnum()) or each in _MARKS


def _is_of_words(each: str) -> bool:
    return (each.isascii() and each.isalnum()) or each in _WIDE_MARKS or _is_han(each)


_TAKES: Mapping[str, Callable[[str], bool]] = {
    "9": _is_digit,
    "A": _is_letter,
    "汉": _is_han,
    "N": _is_of_number,
    "W": _is_of_words,
}


@lru_cache(maxsize=256)
def pieces(shape: str) -> tuple[Piece, ...]:
    """The pieces of a shape. Refuses ``bad-shape``."""
    found, at = [], 0
    while at < len(shape):
        match = _PIECE.match(shape, at)
        if match is None:
            raise BadShape(f"character {at + 1} cannot be read")
        least = int(match["least"] or 1)
        most = int(match["most"] or least)
        if not 0 <= least <= most <= LONGEST_NUMBER or most == 0:
            raise BadShape(f"the braces before character {match.end() + 1} say no number of characters")
        character = match["quoted"] or match["plain"]
        takes = _TAKES.get(character) if match["quoted"] is None else None
        found.append(Piece(takes or character.__eq__, least, most))
        at = match.end()
    if not 1 <= len(found) <= MOST_PIECES:
        raise BadShape(f"{len(found)} pieces")
    return tuple(found)


def has_shape(text: str, shape: str) -> bool:
    """Whether the whole text has the shape."""
    if len(text) > LONGEST_NUMBER:
        return False
    reached = {0}
    for piece in pieces(shape):
        after: set[int] = set()
        for start in reached:
            end = start
            while end - start < piece.most and end < len(text) and piece.takes(text[end]):
                end += 1
            after.update(range(start + piece.least, end + 1))
        reached = after
    return len(text) in reached
