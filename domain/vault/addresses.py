"""An address as it is looked for: the same door is written in many ways."""

from __future__ import annotations

import re
import unicodedata

_DIGITS = {sign: number for number, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = r"号楼|号院|号|栋|幢|座|单元|弄|巷号|室|房|户|楼|层|#"
_SPELLED = re.compile(rf"[零〇一二两三四五六七八九十百]+(?={_UNITS})")
_UNIT = re.compile(rf"(?<=[0-9a-z])(?:{_UNITS})")
_SEPARATORS = re.compile(r"[\s,.，。、;；:：/\\_~·()\[\]【】—–-]+")


def plain_address(text: str) -> str:
    """The address without what is written in one way or another: full-width signs, blanks, 号/栋/单元/室 and their
    like, numbers in Chinese numerals. Numbers stay apart: 人民北路１号 二栋 3单元401室 → 人民北路1-2-3-401. Empty where
    nothing is left."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = re.sub(r"\s+(?=[^\W\d_])|(?<=[^\W\d_])\s+", "", plain)
    plain = _SPELLED.sub(lambda found: str(_number(found[0])), plain)
    plain = _SEPARATORS.sub("-", _UNIT.sub("-", plain))
    # Between words a sign says nothing, between numbers it keeps them apart.
    plain = re.sub(r"-+(?![0-9a-z])|(?<![0-9a-z])-+", "", plain)
    # What stood apart and now stands together may be one sign.
    return unicodedata.normalize("NFKC", re.sub(r"-+", "-", plain).strip("-"))


def _number(spelled: str) -> int:
    """A numeral below a thousand: 十二 → 12, 一百零三 → 103; digits one after the other where it is spelled so."""
    if not re.search("[十百]", spelled):
        return int("".join(str(_DIGITS[sign]) for sign in spelled))
    total, digit = 0, 0
    for sign in spelled:
        if sign in "十百":
            total += (digit or 1) * (10 if sign == "十" else 100)
            digit = 0
        else:
            digit = _DIGITS[sign]
    return total + digit
