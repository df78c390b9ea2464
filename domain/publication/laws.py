"""The law on its way to the public: articles with their validity, published whole; and what a new version changes.

Our decisions: a code that was published never goes away, since cases that are closed cite it; an article that was left
out by mistake, or written wrongly, is corrected by a later version that says why. Only codes that the program knows can
have a basis: anything else would be cited by nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from domain.kernel.law import LEGAL_RULES, NO_LAW, Article, BasisOf, Law, LawPublished
from domain.kernel.refusals import DatesOutOfOrder, refusals
from domain.publication.documents import require_new_version
from domain.publication.publishing import Laws
from domain.publication.refusals import (
    ArticleLeftOut,
    ArticleUnclear,
    LawUnchanged,
    RevisionWithoutReason,
    UnknownLegalRule,
    UnknownRefusal,
)
from domain.publication.standards import COMMITMENTS
from domain.standard.context import CommandContext, require_power
from domain.standard.fees import plain
from domain.standard.refusals import UnknownCommitment
from domain.standard.values import require_clean, require_codes, require_known, require_range, require_said

PROMISES = COMMITMENTS | {"connection.silence"}
"""What an article can be the basis of as a promise; the applicant's own limit, after which silence admits, is one."""
MOST_ARTICLES = 500
KINDS: tuple[BasisOf, ...] = ("promise", "refusal", "rule")


def publish(state: Laws | None, ctx: CommandContext, *, document: Law) -> LawPublished:
    """Publish a version of the law. Refuses ``wrong-role`` and what ``require_publishable`` refuses."""
    require_power(ctx, "law.publish")
    require_publishable(state, document)
    return document


def require_publishable(state: Laws | None, document: Law) -> None:
    """Refuse a version that cannot be published, whoever would: for a dry run too.

    Refuses ``bad-version``, ``version-used``, ``bad-text``, ``out-of-range``, ``bad-code``,
    ``code-twice``, ``article-unclear``, ``dates-out-of-order``, ``unknown-commitment``, ``unknown-refusal``,
    ``unknown-legal-rule``, ``article-left-out``, ``revision-without-reason``, ``law-unchanged``.
    """
    published = [each for _, each in (state or Laws()).published]
    require_new_version(document.version, [each.version for each in published])
    require_clean(document)
    require_range("number of articles", len(document.articles), 1, MOST_ARTICLES)
    require_codes("the law", [each.code for each in document.articles])
    for article in document.articles:
        _require_sound(article)
    if published:
        _require_going_on(published[-1], document)


def _require_sound(article: Article) -> None:
    for name in ("act_zh", "act_number", "summary_zh", "summary_en", "source"):
        require_said(f"{article.code}: {name}", getattr(article, name))
    if article.source_kind not in ("primary", "secondary"):
        raise ArticleUnclear(article, "a source kind of primary or secondary")
    for word in (*article.banned_names, *article.watched_names):
        # A single character would be a part of too many names.
        if len(plain(word)) < 2:
            raise ArticleUnclear(article, "names of charges of at least two characters")
    if article.valid_until is not None and article.valid_until < article.valid_from:
        raise DatesOutOfOrder(
            found=f"{article.code} in force from {article.valid_from} until {article.valid_until}",
            needed="a last day that is not before the first",
        )
    _require_known_codes(article)


def _require_known_codes(article: Article) -> None:
    for promise in article.basis_for.promises:
        require_known(UnknownCommitment, promise, PROMISES)
    for refusal in article.basis_for.refusals:
        require_known(UnknownRefusal, refusal, refusals())
    for rule in article.basis_for.rules:
        require_known(UnknownLegalRule, rule, LEGAL_RULES)


def _require_going_on(latest: Law, document: Law) -> None:
    codes = {each.code for each in document.articles}
    if left_out := [each.code for each in latest.articles if each.code not in codes]:
        raise ArticleLeftOut(left_out, latest)
    if document.articles == latest.articles:
        raise LawUnchanged(latest)
    if document.reason is None or not document.reason.strip():
        raise RevisionWithoutReason(document)


# ---- what a new version changes


@dataclass(frozen=True, slots=True)
class BasisChange:
    """From ``since`` until ``until`` (None: without an end) a promise, refusal or rule rests on other articles than by
    the law as it was; ``old`` and ``new`` are their codes, none: it has no basis."""

    kind: BasisOf
    code: str
    since: date
    until: date | None
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LawChanges:
    """What a new version of the law changes. ``replaced``: the code of an article that ends, of the one that is the
    basis of the same from the next day on, and that day. ``corrected``: everything else that is said otherwise."""

    begins: tuple[Article, ...]
    ends: tuple[Article, ...]
    replaced: tuple[tuple[str, str, date], ...]
    corrected: tuple[Article, ...]
    basis: tuple[BasisChange, ...]


def changes(before: Law | None, after: Law) -> LawChanges:
    """What ``after`` changes of the law as it was (None: nothing was published)."""
    old = before or NO_LAW
    known = {each.code: each for each in old.articles}
    moved = [each for each in after.articles if each.code in known and each != known[each.code]]
    ends = tuple(each for each in moved if each.valid_until not in (None, known[each.code].valid_until))
    return LawChanges(
        begins=tuple(each for each in after.articles if each.code not in known),
        ends=ends,
        replaced=tuple(_replaced(ends, after.articles)),
        corrected=tuple(each for each in moved if each not in ends),
        basis=tuple(_basis_changes(old, after)),
    )


def _replaced(ends: Iterable[Article], articles: Iterable[Article]) -> Iterator[tuple[str, str, date]]:
    for ended in ends:
        assert ended.valid_until is not None
        next_day = ended.valid_until + timedelta(days=1)
        for each in articles:
            shared = any(set(each.basis_for.of(kind)) & set(ended.basis_for.of(kind)) for kind in KINDS)
            if each.valid_from == next_day and shared:
                yield ended.code, each.code, next_day


def _basis_changes(before: Law, after: Law) -> Iterator[BasisChange]:
    days = sorted(_turning_days((*before.articles, *after.articles)))
    for kind in KINDS:
        codes = {code for each in (*before.articles, *after.articles) for code in each.basis_for.of(kind)}
        for code in sorted(codes):
            yield from _changes_of(kind, code, days, before, after)


def _changes_of(kind: BasisOf, code: str, days: list[date], before: Law, after: Law) -> Iterator[BasisChange]:
    """The stretches on which it rests on other articles, each as long as both sides stay the same."""
    found: BasisChange | None = None
    for day in days:
        old, new = (tuple(each.code for each in law.cited(kind, code, day)) for law in (before, after))
        if found is not None and (old, new) != (found.old, found.new):
            yield BasisChange(kind, code, found.since, day - timedelta(days=1), found.old, found.new)
            found = None
        if found is None and old != new:
            found = BasisChange(kind, code, day, None, old, new)
    if found is not None:
        yield found


def _turning_days(articles: Collection[Article]) -> set[date]:
    begin = {each.valid_from for each in articles}
    return begin | {each.valid_until + timedelta(days=1) for each in articles if each.valid_until is not None}
