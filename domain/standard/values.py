"""What texts, codes and numbers of a fact are held to, whoever says it: what a screen can show, a reader take."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, get_type_hints

from domain.kernel.refusals import CodeTwice, OutOfRange, UnknownCode
from domain.standard.fees import first_repeated
from domain.standard.refusals import BadCode, BadText, TableEmpty, UnknownNotice

LONGEST_TEXT = 200
MOST_DAYS = 366
MOST_MINUTES = 366 * 24 * 60
_CODE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def require_clean(document: Any) -> None:
    """Refuse ``bad-text`` where a text of the document is too long, or has what cannot be seen."""
    for where, text in _texts(document, ""):
        if len(text) > LONGEST_TEXT or any(unicodedata.category(character) in _UNSEEN for character in text):
            raise BadText(
                found=f"{where[:80]}: a text of {len(text)} characters, or one with characters that cannot be seen",
                needed=f"at most {LONGEST_TEXT} visible characters",
                next_step="correct the text",
                next_step_zh="文字过长或含有不可见字符，请更正",
            )


def require_said(what: str, text: str) -> None:
    """Refuse ``bad-text`` where nothing is said."""
    if not text.strip():
        raise BadText(
            found=f"{what}: nothing", needed="words", next_step="fill it in", next_step_zh="内容不得为空，请填写"
        )


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Every text in a document, keys of tables included, each with where it stands (positions, never contents)."""
    if isinstance(value, str):
        yield where, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name), f"{where}.{field.name}" if where else field.name)
    elif isinstance(value, Mapping):
        for number, (key, each) in enumerate(value.items()):
            yield from _texts(key, f"{where} key {number}")
            yield from _texts(each, f"{where} entry {number}")
    elif isinstance(value, tuple):
        for number, each in enumerate(value):
            yield from _texts(each, f"{where} entry {number}")


def require_known(unknown: type[UnknownCode], found: str, known: Iterable[str]) -> None:
    """Refuse as ``unknown`` where ``found`` is none of ``known``."""
    if found not in (listed := set(known)):
        raise unknown(found, listed)


def require_codes(where: str, codes: Collection[str]) -> None:
    """Refuse ``bad-code`` for what is no code, ``code-twice`` for one that is given twice."""
    for code in codes:
        if not _CODE.fullmatch(code) or len(code) > 64:
            raise BadCode(where, code)
    if twice := first_repeated(codes):
        raise CodeTwice(found=f"{twice} twice in {where}", needed="each code once", next_step_zh="代码重复，请删除其一")


def require_range(what: str, value: int, least: int, most: int) -> None:
    """Refuse ``out-of-range`` for a number outside ``least``..``most``."""
    if not least <= value <= most:
        raise OutOfRange(
            found=f"{what} {value}",
            needed=f"{least} to {most}",
            next_step="correct the number",
            next_step_zh="数值超出范围，请更正",
        )


def require_texts(texts: Mapping[str, str], about: Collection[str], words: Collection[str]) -> None:
    """Refuse ``unknown-notice`` for a text about something else than ``about``, or with a word in braces that is none
    of ``words``."""
    for what, text in texts.items():
        require_known(UnknownNotice, what, about)
        for word in re.findall(r"\{([^{}]*)\}", text):
            require_known(UnknownNotice, word, words)


@dataclass(frozen=True, slots=True)
class Between:
    """In a field's annotation: the least and the most that its number, or each number of its table, can be. What is
    None has no bounds."""

    least: int
    most: int

    def require(self, name: str, value: Any) -> None:
        """Refuse ``out-of-range``."""
        if isinstance(value, Mapping):
            for code, each in value.items():
                self.require(f"{name}: {code}", each)
        elif value is not None:
            require_range(name, value, self.least, self.most)


@dataclass(frozen=True, slots=True)
class Codes:
    """In a field's annotation: its entries, of a table its keys, are codes. ``required``: it has at least one."""

    required: bool = False

    def require(self, name: str, value: Collection[str]) -> None:
        """Refuse ``bad-code``, ``code-twice``, ``table-empty``."""
        require_codes(name, list(value))
        if self.required and not value:
            raise TableEmpty(name)


def require_fields(part: Any, form: type, where: str = "") -> None:
    """Refuse a value of the dataclass ``form`` that is not what ``Between`` and ``Codes`` say in its annotations; also
    within a field that is a dataclass itself. ``where``: what stands before the field's name in a refusal."""
    for name, said in _said_of(form).items():
        value = getattr(part, name)
        for each in said:
            each.require(f"{where}{name}", value)
        if is_dataclass(value):
            require_fields(value, type(value), f"{where}{name}: ")


@cache
def _said_of(form: type) -> Mapping[str, tuple[Between | Codes, ...]]:
    hints = get_type_hints(form, include_extras=True)
    return {
        each.name: tuple(
            said for said in getattr(hints[each.name], "__metadata__", ()) if isinstance(said, Between | Codes)
        )
        for each in fields(form)
    }
