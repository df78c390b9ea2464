"""The fee catalogue: what may be charged, on what legal basis, reviewed by two authorities before it is published.

Sources: the published promise of three fees; 国办函〔2020〕129号 (in force since 2021-03-01) and provincial lists for
the names that may never be charged. Which names the law forbids, and since when, is data of the published law.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Annotated, Literal

from domain.kernel.facts import fact
from domain.kernel.fields import ChineseName, Version
from domain.kernel.refusals import FeeBanned
from domain.standard.refusals import (
    BadQuantity,
    BaseLineMissing,
    FeeNotForPayer,
    FeeNotInCatalogue,
    FeeNotValid,
    FeeSwitchedOff,
    FeeTwice,
    NothingToCharge,
)

Authority = Literal["price-authority", "market-regulator"]
ReviewOutcome = Literal["agreed", "objected"]
Extent = Literal["inside-red-line", "outside-red-line"]
"""On which side of the building's red line (建筑区划红线) the works of a fee lie."""


@dataclass(frozen=True, slots=True)
class Formula:
    """How an amount follows: ``fixed`` is ``rate`` fen; ``per-unit`` is ``rate`` fen for each unit of ``quantity``
    (a code, for example ``metre``); ``per-mille-of`` is ``rate`` thousandths of the line ``of`` of the same quote."""

    kind: Annotated[
        Literal["fixed", "per-unit", "per-mille-of"],
        "How the amount is found: a fixed sum, so much per unit, or so many per mille of another amount.",
    ]
    rate: Annotated[Decimal, "Fen for a fixed sum, fen for each unit, or thousandths of the other line."]
    quantity: Annotated[str | None, "Code of the unit that is counted, for example metre; null for other formulas."] = (
        None
    )
    of: Annotated[str | None, "Code of the fee that the per mille are of; null for other formulas."] = None


@dataclass(frozen=True, slots=True)
class FeeItem:
    """One fee. ``legal_basis``: the document's number. ``cap_fen`` None: the formula alone bounds it. ``active``
    False: switched off by this version, and not chargeable."""

    code: Annotated[str, "Code of the fee."]
    name_zh: ChineseName
    legal_basis: Annotated[str, "Number of the document that allows it."]
    formula: Annotated[Formula, "How the amount is found."]
    unit_zh: Annotated[str, "What is counted, in Chinese."]
    cap_fen: Annotated[int | None, "Most that may be charged, in fen; null: the formula alone bounds it."]
    payer_classes: Annotated[tuple[str, ...], "Classes that pay the fee; empty: all."]
    valid_from: Annotated[date, "First day on which it may be charged."]
    valid_until: Annotated[date | None, "Last day on which it may be charged; null: no end."]
    active: Annotated[bool, "Whether it may be charged by this version."]
    extent: Annotated[
        Extent | None, "On which side of the building's red line the works lie; null where the fee does not say so."
    ] = None

    def valid_on(self, day: date) -> bool:
        """Whether the fee may be charged on that civil day; both ends are days on which it may."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


@dataclass(frozen=True, slots=True)
class BannedName:
    """A charge that the law names and forbids."""

    name_zh: ChineseName
    source: Annotated[str, "The document that bans the charge."]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One version of the catalogue, whole. Amounts are fen (分)."""

    version: Version
    effective_from: Annotated[datetime, "From when on it is in force."]
    items: Annotated[tuple[FeeItem, ...], "The fees."]
    banned: Annotated[tuple[BannedName, ...], "Charges that may not be asked for, whatever they are called."]


@fact("起草收费目录", "fee catalogue drafted", topic="public")
class CatalogueDrafted:
    """A new version was drafted; nothing can be charged by it."""

    catalogue: Annotated[Catalogue, "The whole fee catalogue."]


@fact("审核收费目录", "fee catalogue reviewed", topic="public")
class CatalogueReviewed:
    """An authority reviewed a draft. ``document``: the number of its written opinion."""

    version: Version
    authority: Annotated[Authority, "The authority that reviewed: the price authority or the market regulator."]
    outcome: Annotated[ReviewOutcome, "Whether the authority agreed or objected."]
    document: Annotated[str, "Number of the authority's written opinion."]


@fact("发布收费目录", "fee catalogue published", topic="public", changes_rules=True)
class CataloguePublished:
    """Both authorities had agreed, and the version was published. Quotes bind to it from ``effective_from`` on."""

    version: Version
    effective_from: Annotated[datetime, "From when on it is in force."]
    items: Annotated[tuple[FeeItem, ...], "The fees."]
    banned: Annotated[tuple[BannedName, ...], "Charges that may not be asked for, whatever they are called."]


# ---- names that may never be charged

# The traditional forms of the characters that the forbidden names are written with: the same word in other clothes.
_SIMPLIFIED = str.maketrans("費報裝開戶閘關驗測線頭圖錶檢導鑽證", "费报装开户闸关验测线头图表检导钻证")


def banned_name(catalogue: Catalogue | CataloguePublished, name: str, by_law: Collection[str] = ()) -> str | None:
    """The forbidden name that ``name`` is or contains; None where it is not forbidden. ``by_law``: the names that the
    law forbids, whatever a catalogue lists.

    Spelling does not help: spaces, punctuation, brackets (with or without what stands in them), invisible characters,
    full-width and traditional forms are looked through.
    """
    return named_in(name, (*(banned.name_zh for banned in catalogue.banned), *by_law))


def named_in(name: str, words: Iterable[str]) -> str | None:
    """The first of ``words`` that the name is or contains, however it is spelt; None where it has none of them."""
    spellings = {plain(name), plain(_without_brackets(name))}
    return next((word for word in words if any(plain(word) in spelling for spelling in spellings)), None)


def plain(name: str) -> str:
    """The letters and digits of a name, in one form: what is left when spelling tricks are taken away."""
    folded = unicodedata.normalize("NFKC", name).casefold().translate(_SIMPLIFIED)
    return "".join(character for character in folded if unicodedata.category(character)[0] in "LN")


def _without_brackets(name: str) -> str:
    kept, depth = [], 0
    for character in unicodedata.normalize("NFKC", name):
        category = unicodedata.category(character)
        depth += category == "Ps"
        if not depth:
            kept.append(character)
        depth -= category == "Pe" and depth > 0
    return "".join(kept)


# ---- what may be charged

LARGEST_QUANTITY = Decimal(1_000_000)
SMALLEST_PART = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Priced:
    """What one fee comes to: ``quantity`` of the item's unit, ``amount_fen`` in fen."""

    fee: str
    quantity: Decimal
    amount_fen: int


def chargeable(
    catalogue: Catalogue | CataloguePublished, code: str, payer_class: str, on: date, by_law: Collection[str] = ()
) -> FeeItem:
    """The item that may be charged to that payer class on that civil day. ``by_law``: the names that the law forbids.

    Refuses ``fee-banned``, ``fee-not-in-catalogue``, ``fee-switched-off``, ``fee-not-valid``, ``fee-not-for-payer``.
    """
    item = next((item for item in catalogue.items if item.code == code), None)
    _require_not_banned(catalogue, code, item, by_law)
    if item is None:
        known = ", ".join(sorted(item.code for item in catalogue.items if item.active)) or "none: nothing is charged"
        raise FeeNotInCatalogue(found=code, needed=f"one of {known}")
    if not item.active:
        needed = f"a fee that catalogue {catalogue.version} has not switched off"
        raise FeeSwitchedOff(found=code, needed=needed)
    if not item.valid_on(on):
        needed = f"a day from {item.valid_from} until {item.valid_until or 'further notice'}"
        raise FeeNotValid(found=f"{code} on {on}", needed=needed)
    if payer_class not in item.payer_classes:
        needed = "one of " + ", ".join(item.payer_classes)
        raise FeeNotForPayer(found=f"{code} for {payer_class}", needed=needed)
    return item


def _require_not_banned(
    catalogue: Catalogue | CataloguePublished, code: str, item: FeeItem | None, by_law: Collection[str]
) -> None:
    for name in (code, item.name_zh if item is not None else code):
        if (banned := banned_name(catalogue, name, by_law)) is not None:
            needed = f"a charge that the law allows; {banned} is forbidden"
            raise FeeBanned(
                found=name,
                needed=needed,
            )


def amount_fen(item: FeeItem, quantity: Decimal, other_lines: Mapping[str, int]) -> int:
    """What the item comes to in fen: half-up, never above its cap. ``other_lines``: fee → fen, of the same quote.

    Refuses ``bad-quantity`` (not above 0, above 1,000,000, finer than 0.001; other than 1 where the fee is not per
    unit), ``base-line-missing`` (per mille of a line that the quote does not have).
    """
    _require_quantity(item, quantity)
    # Fractions, since a product of decimals may be longer than a decimal's precision and would be rounded twice.
    exact = Fraction(item.formula.rate) * _base(item, quantity, other_lines)
    half_up = floor(exact + Fraction(1, 2))
    return half_up if item.cap_fen is None else min(half_up, item.cap_fen)


def priced(
    catalogue: Catalogue | CataloguePublished,
    payer_class: str,
    wanted: Sequence[tuple[str, Decimal]],
    on: date,
    by_law: Collection[str] = (),
) -> tuple[Priced, ...]:
    """The lines of a quote for (fee code, quantity) pairs, in their order.

    Refuses what ``chargeable`` and ``amount_fen`` refuse, ``nothing-to-charge`` (no line), ``fee-twice``.
    """
    _require_lines(wanted)
    items = {code: chargeable(catalogue, code, payer_class, on, by_law) for code, _ in wanted}
    # Lines that are a part of others come last; what they are a part of is never itself such a line (``soundness``).
    amounts: dict[str, int] = {}
    for code, quantity in sorted(wanted, key=lambda line: items[line[0]].formula.kind == "per-mille-of"):
        amounts[code] = amount_fen(items[code], quantity, amounts)
    return tuple(Priced(code, quantity, amounts[code]) for code, quantity in wanted)


def _require_lines(wanted: Sequence[tuple[str, Decimal]]) -> None:
    if not wanted:
        raise NothingToCharge()
    named = [code for code, _ in wanted]
    if twice := first_repeated(named):
        raise FeeTwice(twice, named.count(twice))


def _base(item: FeeItem, quantity: Decimal, other_lines: Mapping[str, int]) -> Fraction:
    """What the rate is multiplied by."""
    match item.formula.kind:
        case "fixed":
            return Fraction(1)
        case "per-unit":
            return Fraction(quantity)
        case "per-mille-of":
            base = other_lines.get(item.formula.of or "")
            if base is None:
                raise BaseLineMissing(item)
            return Fraction(base, 1000)


def _require_quantity(item: FeeItem, quantity: Decimal) -> None:
    needed = f"above 0, at most {LARGEST_QUANTITY}, in steps of {SMALLEST_PART}"
    sound = quantity.is_finite() and 0 < quantity <= LARGEST_QUANTITY and _is_step(quantity)
    if item.formula.kind != "per-unit":
        needed, sound = "1: the fee is not per unit", sound and quantity == 1
    if not sound:
        raise BadQuantity(quantity, item, needed)


def _is_step(quantity: Decimal) -> bool:
    return quantity == quantity.quantize(SMALLEST_PART)


def first_repeated(codes: Iterable[str]) -> str | None:
    """The first code that comes a second time; None where each comes once."""
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            return code
        seen.add(code)
    return None
