"""The screen: what in a text looks like it tells who somebody is. It names the kind and the place, never the value.

An event is for ever, so what stands in one by mistake cannot be taken out again. Names and addresses have no form by
which a program could know them; numbers and mail addresses have one.

Sources: GB 11643-1999 (identity number, with the 15 digits before it), the numbering plan of China (mobiles begin with
13 to 19, area codes with 0), ISO/IEC 7812 (card numbers). Which separators are read over is our decision.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any, Literal
from uuid import UUID

from domain.kernel.refusals import NotAcceptable

Kind = Literal["mobile", "landline", "identity-number", "bank-card", "email"]
KIND_NAMES: Mapping[Kind, tuple[str, str]] = {
    "mobile": ("a mobile number", "手机号码"),
    "landline": ("a telephone number with its area code", "固定电话号码"),
    "identity-number": ("an identity card's number", "身份证号码"),
    "bank-card": ("a bank card's number", "银行卡号"),
    "email": ("a mail address", "电子邮箱"),
}
"""Kind → what it is called, in English and Chinese."""

_FEWEST_DIGITS = 10
"""Of the shortest of these numbers: an area code of three digits and a subscriber's of seven."""
_BETWEEN = r"[\s\-.·•_/,，、;；()\[\]]{0,3}"
"""What people put between the digits of a number."""
_NOT_A_NUMBER = re.compile(
    # A UUID, a SHA-256, a span of dates and an instant: digits that are nobody's, and many enough to hold a mobile's by
    # chance.
    r"(?<![0-9a-z])(?:"
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?:[0-9a-f]{64}|[0-9a-f]{128})"
    r"|(?:1[89]|2[01])\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[t ](?:[01]\d|2[0-3])(?::[0-5]\d){1,2}"
    r"(?:\.\d{1,9})?(?:z|[+-]\d\d:\d\d)?)?"
    r")(?![0-9a-z])",
    re.IGNORECASE | re.ASCII,
)
_NO_TEXT = frozenset({bool, int, float, Decimal, UUID, datetime, date, time})
"""Types that hold no text; asked first, for facts are mostly made of them."""
_DASHES = str.maketrans(dict.fromkeys("−‐‑‒–—―－", "-"))


def _spaced(*digits: str) -> str:
    """The digits, each a pattern of one character, with separators allowed between them."""
    return _BETWEEN.join(digits)


_ANY = (r"\d",)
_MOBILE_DIGITS = _spaced("1", "[3-9]", *_ANY * 9)
_COUNTRY = rf"(?:\+|00)?{_spaced('8', '6')}{_BETWEEN}"
_MOBILE = re.compile(rf"(?<!\d)(?:{_COUNTRY}|0)?({_MOBILE_DIGITS})(?!\d)", re.ASCII)
_LANDLINE = re.compile(
    rf"(?<!\d)(?:(?:\+|00)86{_BETWEEN}0?(?:10|2\d|[3-9]\d\d)|0(?:10|2\d|[3-9]\d\d)){_BETWEEN}"
    r"[2-8]\d{2,3}[\s-]?\d{4}(?!\d)",
    re.ASCII,
)
_IDENTITY_18 = re.compile(rf"(?<!\d)({_spaced('[1-8]', *_ANY * 16, '[0-9Xx]')})(?!\d)", re.ASCII)
_IDENTITY_15 = re.compile(rf"(?<!\d)({_spaced('[1-8]', *_ANY * 14)})(?!\d)", re.ASCII)
_CARD = re.compile(r"(?<!\d)((?:62|4\d|5[1-5]|35)\d\d(?:[\s-]?\d{4}){2}(?:[\s-]?\d{1,4}){1,2})(?!\d)", re.ASCII)
_EMAIL = re.compile(r"[\w.%+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}", re.IGNORECASE)

_PROVINCE = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"


@dataclass(frozen=True, slots=True)
class PersonalValue:
    """What was found: its kind, and where it stands (names of fields and numbers of entries). The value is not kept."""

    kind: Kind
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {KIND_NAMES[self.kind][0]}"


class PersonalValueFound(NotAcceptable):
    """What looks like a personal number or address, in a field that is kept for ever."""

    code = "personal-value"
    title_zh = "内容疑似含有个人信息"
    needed = "words and numbers that do not tell who somebody is"
    next_step = "take it out; particulars of a person belong in the fields that say so"
    next_step_zh = "请删除该内容；个人信息只能填入相应的个人信息栏"

    def __init__(self, found: PersonalValue) -> None:
        super().__init__(found=f"{found.where[:80]}: what looks like {KIND_NAMES[found.kind][0]}")


def kind_in(text: str) -> Kind | None:
    """The kind of what looks personal in the text; of several one is named. None where nothing does."""
    # Of most texts this is all that is looked at.
    if not _has_many_digits(text) and "@" not in text and "＠" not in text and "﹫" not in text:
        return None
    plain = _plain(text)
    if _has_many_digits(plain):
        digits_only = _NOT_A_NUMBER.sub("#", plain)
        for kind, looks_so in _LOOKS.items():
            if looks_so(digits_only):
                return kind
    return "email" if _EMAIL.search(plain) else None


def texts(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, in dataclasses, tables (keys too) and lists, each with where it stands. What is neither,
    such as a number, an id or an instant, holds none."""
    form: type = type(value)
    if isinstance(value, str):
        yield where, value
    elif (names := _fields_of(form)) is not None:
        for name in names:
            each = getattr(value, name)
            if isinstance(each, str):
                yield f"{where}.{name}" if where else name, each
            elif each is not None and type(each) not in _NO_TEXT:
                yield from texts(each, f"{where}.{name}" if where else name)
    elif isinstance(value, Mapping):
        for number, (key, each) in enumerate(value.items()):
            yield from texts(key, f"{where} key {number}".lstrip())
            # A key may be the very thing that is looked for, and is then not repeated.
            name = key if isinstance(key, str) and kind_in(key) is None else f"entry {number}"
            yield from texts(each, f"{where}.{name}" if where else name)
    elif isinstance(value, Sequence | frozenset | set) and not isinstance(value, bytes | bytearray):
        for number, each in enumerate(value):
            yield from texts(each, f"{where}[{number}]")


@cache
def _fields_of(form: type) -> tuple[str, ...] | None:
    """The names of a dataclass's fields; None of another type."""
    return tuple(field.name for field in fields(form)) if is_dataclass(form) else None


def find(value: Any, where: str = "") -> Iterator[PersonalValue]:
    """Everything in a value that looks personal. ``where``: what stands before the names of its fields."""
    for place, text in texts(value, where):
        kind = kind_in(text)
        if kind is not None:
            yield PersonalValue(kind, place)


def require_impersonal(value: Any, where: str = "") -> None:
    """Refuse ``personal-value`` where something in the value looks personal."""
    for found in find(value, where):
        raise PersonalValueFound(found)


def _has_many_digits(text: str) -> bool:
    return len(text) >= _FEWEST_DIGITS and sum(map(str.isdigit, text)) >= _FEWEST_DIGITS


def _plain(text: str) -> str:
    """Half-width, every decimal digit as 0 to 9, every dash as a hyphen, nothing that cannot be seen."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFKC", text).translate(_DASHES)
    seen = (each for each in composed if unicodedata.category(each) not in ("Cf", "Mn"))
    return "".join(str(unicodedata.decimal(each, each)) for each in seen)


def _is_mobile(text: str) -> bool:
    # Ten digits, a separator and one more are a number that counts: seconds of a clock and a serial number.
    return any(not re.match(r"\d{10}(?!\d)", found[1]) for found in _MOBILE.finditer(text))


def _is_landline(text: str) -> bool:
    return _LANDLINE.search(text) is not None


def _is_identity_number(text: str) -> bool:
    return any(_is_of_18(_digits(found[1])) for found in _each(_IDENTITY_18, text)) or any(
        _is_of_15(_digits(found[1])) for found in _each(_IDENTITY_15, text)
    )


def _is_bank_card(text: str) -> bool:
    return any(16 <= len(number := _digits(found[1])) <= 19 and _luhn(number) for found in _each(_CARD, text))


def _each(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Every match, those that overlap too: the first may be none of it, and the next begin within it."""
    at = 0
    while (found := pattern.search(text, at)) is not None:
        yield found
        at = found.start() + 1


def _digits(text: str) -> str:
    return re.sub(r"[^0-9X]", "", text.upper())


def _is_of_18(number: str) -> bool:
    """A right check digit is enough, and so is a day of birth: a number that was typed with one slip tells as much."""
    if not _PROVINCE.match(number):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    return _CHECK_DIGITS[total % 11] == number[17] or _is_birthday(number[6:14])


def _is_of_15(number: str) -> bool:
    return _PROVINCE.match(number) is not None and _is_birthday("19" + number[6:12])


def _is_birthday(digits: str) -> bool:
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return 1880 <= day.year <= 2099


def _luhn(number: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


# Identity numbers and cards first: digits of theirs may be a mobile's too.
_LOOKS: Mapping[Kind, Callable[[str], bool]] = {
    "identity-number": _is_identity_number,
    "bank-card": _is_bank_card,
    "mobile": _is_mobile,
    "landline": _is_landline,
}
