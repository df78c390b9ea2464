"""The fee catalogue on its way to the public: drafted, reviewed by two authorities, published by a second person.

Sources: the price authority (发改) and the market regulator (市场监管) review the catalogue, published; four eyes and
the order of the steps are our decision. What a catalogue may hold is checked when it is drafted and again when it is
published, since the promise or the bans may have changed in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import cast

from domain.deadlines.calendar import local_date
from domain.kernel.law import Law
from domain.kernel.refusals import DatesOutOfOrder, FeeBanned, OutOfRange
from domain.publication.documents import no_such_draft, require_new_version, require_to_come
from domain.publication.publishing import CatalogueDraft, Catalogues, Review
from domain.publication.refusals import (
    BadBan,
    BeyondThePromise,
    FeeExtentMissing,
    FeeOfUnknownLine,
    FeeOutsideRedLine,
    FeeWithoutBasis,
    ReviewMissing,
    ReviewObjected,
    ReviewUnchanged,
    UnknownOutcome,
    UnknownPayerClass,
)
from domain.standard.context import CommandContext, require_one_of, require_power, require_second_person
from domain.standard.fees import (
    Authority,
    BannedName,
    Catalogue,
    CatalogueDrafted,
    CataloguePublished,
    CatalogueReviewed,
    FeeItem,
    ReviewOutcome,
    banned_name,
    named_in,
    plain,
)
from domain.standard.sections.connection import Promise
from domain.standard.sections.numbers import require_number
from domain.standard.standards import Rules
from domain.standard.values import require_clean, require_codes, require_known, require_range, require_said

AUTHORITIES: tuple[Authority, ...] = ("price-authority", "market-regulator")
OUTCOMES: tuple[ReviewOutcome, ...] = ("agreed", "objected")
HIGHEST_RATE = Decimal(1_000_000_000)
SMALLEST_STEP = Decimal("0.000001")
HIGHEST_CAP_FEN = 10**12
MOST_ITEMS = 50
MOST_BANNED = 200
LENGTHS = frozenset({"metre", "meter", "m", "米", "延米", "公尺"})
"""How a fee says that it counts a length."""
OUTSIDE = ("红线外", "红线以外", "区划外")
"""How a name says that works lie outside the building's red line."""


def draft(state: Catalogues | None, ctx: CommandContext, *, catalogue: Catalogue) -> CatalogueDrafted:
    """Draft a new version; nothing can be charged by it.

    Refuses ``wrong-role``, ``version-used``, ``bad-version`` and what ``_require_sound`` refuses.
    """
    require_power(ctx, "fees.draft")
    known = state or Catalogues()
    require_new_version(catalogue.version, {*known.drafts, *(each.version for each in known.published)})
    _require_sound(known, ctx, catalogue)
    return CatalogueDrafted(catalogue)


def review(
    state: Catalogues | None, ctx: CommandContext, *, version: str, outcome: str, document: str
) -> CatalogueReviewed:
    """An authority's opinion of a draft; which authority, the role says. It may come to another opinion later.

    Refuses ``wrong-role``, ``no-such-draft``, ``same-person`` (who drafted it, or reviewed it for the other authority),
    ``unknown-outcome``, ``review-unchanged``.
    """
    require_power(ctx, "fees.review")
    require_one_of(ctx.by, AUTHORITIES, "fees.review")
    authority = cast(Authority, ctx.by.role)
    waiting = _drafted(state, version)
    require_known(UnknownOutcome, outcome, OUTCOMES)
    require_second_person(ctx, waiting.drafted_by, f"catalogue {version}")
    for other, opinion in waiting.reviews.items():
        if other != authority:
            require_second_person(ctx, opinion.reviewer, f"the review of catalogue {version} for {other}")
    opinion = Review(outcome == "agreed", document, ctx.by.actor)
    require_clean(opinion)
    require_said("the number of the opinion", document)
    require_number(ctx.standard, "document", document)
    if waiting.reviews.get(authority) == opinion:
        raise ReviewUnchanged(authority)
    return CatalogueReviewed(version, authority, cast(ReviewOutcome, outcome), document)


def publish(state: Catalogues | None, ctx: CommandContext, *, version: str) -> CataloguePublished:
    """Publish a draft that both authorities agreed to. Quotes bind to it from its date on.

    Refuses ``wrong-role``, ``no-such-draft``, ``same-person``, ``review-objected``, ``review-missing`` and what
    ``_require_sound`` refuses.
    """
    require_power(ctx, "fees.publish")
    waiting = _drafted(state, version)
    require_second_person(ctx, waiting.drafted_by, f"catalogue {version}")
    _require_agreed(waiting)
    catalogue = waiting.catalogue
    _require_sound(state or Catalogues(), ctx, catalogue)
    return CataloguePublished(catalogue.version, catalogue.effective_from, catalogue.items, catalogue.banned)


def _drafted(state: Catalogues | None, version: str) -> CatalogueDraft:
    found = state.drafts.get(version) if state is not None else None
    if found is None:
        raise no_such_draft(version)
    return found


def _require_agreed(waiting: CatalogueDraft) -> None:
    version = waiting.catalogue.version
    for authority in AUTHORITIES:
        opinion = waiting.reviews.get(authority)
        if opinion is None:
            raise ReviewMissing(version, authority)
        if not opinion.agreed:
            raise ReviewObjected(version, authority)


# ---- what a catalogue may hold


def _require_sound(known: Catalogues, ctx: CommandContext, catalogue: Catalogue) -> None:
    """Refuses ``effective-in-the-past``, ``bad-text``, ``bad-code``, ``code-twice``, ``out-of-range``,
    ``fee-banned``, ``bad-ban``, ``fee-without-basis``, ``fee-outside-red-line``, ``fee-extent-missing``,
    ``fee-of-unknown-line``, ``dates-out-of-order``,
    ``unknown-payer-class``, ``beyond-the-promise``."""
    require_to_come(catalogue.effective_from, ctx.at)
    require_clean(catalogue)
    require_range("number of fees", len(catalogue.items), 0, MOST_ITEMS)
    require_range("number of forbidden names", len(catalogue.banned), 0, MOST_BANNED)
    require_codes("the catalogue", [item.code for item in catalogue.items])
    _require_bans_readable(catalogue.banned)
    _require_no_forbidden_name(known, catalogue, ctx.rules.law.banned_names(local_date(ctx.at)))
    payers = set(ctx.rules.in_force(catalogue.effective_from).connection.payer_classes.values())
    for item in catalogue.items:
        _require_item(item, payers)
        _require_base(item, catalogue.items)
    _require_within_the_promise(ctx, catalogue)


def _require_bans_readable(banned: Iterable[BannedName]) -> None:
    for ban in banned:
        # A single character, or only signs, would forbid nearly every name.
        if len(plain(ban.name_zh)) < 2 or not ban.source.strip():
            raise BadBan(ban)


def _require_no_forbidden_name(known: Catalogues, catalogue: Catalogue, by_law: Collection[str]) -> None:
    # The bans in force count too: otherwise one version could lift a ban and charge for it in the same breath.
    before = known.published[-1].banned if known.published else ()
    both = replace(catalogue, banned=(*catalogue.banned, *before))
    for item in catalogue.items:
        for name in (item.code, item.name_zh):
            if (forbidden := banned_name(both, name, by_law)) is not None:
                raise FeeBanned(
                    found=f"{name}, which is {forbidden}",
                    needed="a name that the law does not forbid to charge",
                    next_step="take the item out: another name for it does not make it lawful",
                    next_step_zh="该名目依法禁止收取，请删除；更换名称亦不得收取",
                )


def _require_item(item: FeeItem, payers: Iterable[str]) -> None:
    if not item.name_zh.strip() or not item.legal_basis.strip():
        raise FeeWithoutBasis(item)
    _require_inside_the_red_line(item)
    rate = item.formula.rate
    if not rate.is_finite() or not 0 <= rate <= HIGHEST_RATE or rate != rate.quantize(SMALLEST_STEP):
        raise OutOfRange(
            found=f"{item.code}: a rate of {rate:.6g}",
            needed=f"0 to {HIGHEST_RATE}, in steps of {SMALLEST_STEP}",
            next_step="correct the rate",
            next_step_zh="费率超出范围，请更正",
        )
    if item.cap_fen is not None:
        require_range(f"{item.code}: a cap in fen of", item.cap_fen, 0, HIGHEST_CAP_FEN)
    if item.valid_until is not None and item.valid_until < item.valid_from:
        raise DatesOutOfOrder(
            found=f"{item.code} valid from {item.valid_from} until {item.valid_until}",
            needed="an end that is not before the beginning",
            next_step="correct the dates",
            next_step_zh="有效期起止颠倒，请更正",
        )
    _require_payers(item, payers)


def _require_inside_the_red_line(item: FeeItem) -> None:
    """Nothing is charged for works outside the building's red line; a fee by length says on which side it counts."""
    if item.extent == "outside-red-line" or named_in(item.name_zh + item.unit_zh, OUTSIDE) is not None:
        raise FeeOutsideRedLine(item)
    by_length = item.formula.quantity in LENGTHS or plain(item.unit_zh) in LENGTHS
    if item.formula.kind == "per-unit" and by_length and item.extent is None:
        raise FeeExtentMissing(item)


def watched(catalogue: Catalogue | CataloguePublished, law: Law, on: date) -> tuple[tuple[FeeItem, str], ...]:
    """The fees whose name has a word that the authorities look at, each with that word: it may hide a forbidden
    charge."""
    words = law.watched_names(on)
    found = ((item, named_in(item.name_zh, words)) for item in catalogue.items)
    return tuple((item, word) for item, word in found if word is not None)


def _require_payers(item: FeeItem, payers: Iterable[str]) -> None:
    require_codes(f"the payers of {item.code}", item.payer_classes)
    for payer in item.payer_classes or ("nobody",):
        require_known(UnknownPayerClass, payer, payers)


def _require_base(item: FeeItem, items: Iterable[FeeItem]) -> None:
    formula = item.formula
    others = {other.code for other in items if other.formula.kind != "per-mille-of"}
    # A base may be switched off: then its part cannot be charged either, and one change was enough.
    unsound = formula.of not in others if formula.kind == "per-mille-of" else formula.of is not None
    if unsound or (formula.kind == "per-unit") != (formula.quantity is not None):
        raise FeeOfUnknownLine(item, formula)


def _require_within_the_promise(ctx: CommandContext, catalogue: Catalogue) -> None:
    charged = [item.code for item in catalogue.items if item.active]
    for promise in _promised(ctx.rules, catalogue):
        if len(charged) > promise.fees:
            raise BeyondThePromise(
                found=f"{len(charged)} fees: {', '.join(charged)}",
                needed=f"at most {promise.fees}, as promise {promise.version} says",
                next_step="switch fees off, or publish a standard with a new promise first",
                next_step_zh="收费项目超过公开承诺，请减少，或先公布新的承诺",
            )


def _promised(rules: Rules, catalogue: Catalogue) -> Iterator[Promise]:
    """What is promised when the catalogue begins, and by the standards that follow while it is charged by."""
    begin = catalogue.effective_from
    governing = [rules.in_force(begin)]
    for later in rules.standards:
        replaced_by = rules.catalogue(later.effective_from)
        if later.effective_from > begin and (replaced_by is None or replaced_by.effective_from <= begin):
            governing.append(later)
    for standard in governing:
        if standard.connection.promise is not None:
            yield standard.connection.promise
