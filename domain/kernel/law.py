"""The law that promises, refusals and rules rest on: articles with their validity, published as data.

An article says what it is the basis of; which article counts at an instant is looked up by its validity, never written
into the program. The program quotes no law: ``summary_zh`` and ``summary_en`` are our own words. A document is
published whole, as calendars are: a later version corrects or adds, and what an earlier one said stays on record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from domain.kernel.facts import Name, fact
from domain.kernel.fields import Version

SourceKind = Literal["primary", "secondary"]
"""Where we read an article: at the body that issued it, or only somewhere else."""
BasisOf = Literal["promise", "refusal", "rule"]

LEGAL_RULES: Mapping[str, Name] = {
    "day.start": Name("开始的当日不计入", "the starting day does not count"),
    "day.end": Name("期间末日的截止", "when the last day ends"),
    "outage.shortest-notice": Name("停水通知的最短提前时间", "the shortest notice before an outage"),
    "meter.verification": Name("水表检定周期", "how long a meter's verification holds"),
    "fee.banned-names": Name("禁收名目", "names that may not be charged"),
    "fee.free-meter": Name("水表及强制检定免费", "the meter and its verification are free"),
    "fee.red-line": Name("红线外工程不收费", "works outside the red line are free"),
    "contract.transfer": Name("供水合同转让", "a supply contract passes to another"),
    "complaint": Name("投诉处理与反馈", "complaints are dealt with and answered"),
    "price.tiers": Name("阶梯水价与累进加价", "tiered prices and surcharges"),
    "network.pressure": Name("管网压力", "pressure in the network"),
}
"""What else than promises and refusals an article can be the basis of."""


@dataclass(frozen=True, slots=True)
class BasisFor:
    """What an article is the basis of, by codes."""

    promises: Annotated[tuple[str, ...], "Codes of promises, for example outage.notice."] = ()
    refusals: Annotated[tuple[str, ...], "Codes of refusals, for example notice-too-short."] = ()
    rules: Annotated[tuple[str, ...], "Codes of rules, for example day.start."] = ()

    def of(self, kind: BasisOf) -> tuple[str, ...]:
        """The codes of one kind."""
        return {"promise": self.promises, "refusal": self.refusals, "rule": self.rules}[kind]


@dataclass(frozen=True, slots=True)
class Article:
    """An article of an act, or a whole document where it has none. Both days of its validity are days on which it is in
    force."""

    code: Annotated[str, "Stable code of the article, by which it is named."]
    act_zh: Annotated[str, "Chinese name of the act."]
    act_number: Annotated[str, "Number of the act or of the order that issued it."]
    article: Annotated[str | None, "Number of the article in its act; null where the whole document is meant."]
    summary_zh: Annotated[str, "What it says, in our own Chinese words."]
    summary_en: Annotated[str, "What it says, in our own English words."]
    valid_from: Annotated[date, "First day on which it is in force."]
    valid_until: Annotated[date | None, "Last day on which it is in force; null: in force without an end."]
    source: Annotated[str, "Where it was read."]
    source_kind: Annotated[SourceKind, "Whether it was read at the body that issued it, or somewhere else only."]
    basis_for: Annotated[BasisFor, "What it is the basis of."] = BasisFor()
    by_analogy: Annotated[bool, "Whether it is applied by analogy: it does not bind a utility itself."] = False
    banned_names: Annotated[tuple[str, ...], "Chinese names of charges that it forbids."] = ()
    watched_names: Annotated[
        tuple[str, ...],
        "Chinese words in names of charges that the authorities look at: they may hide a forbidden one.",
    ] = ()

    def in_force(self, on: date) -> bool:
        """Whether it is in force on that civil day (China)."""
        return self.valid_from <= on and (self.valid_until is None or on <= self.valid_until)


@dataclass(frozen=True, slots=True)
class Citation:
    """An article as the basis of something, by what was published of it then. ``of``: the code of what it is the basis
    of."""

    of: Annotated[str, "Code of the promise, refusal or rule that rests on the article."]
    code: Annotated[str, "Stable code of the article."]
    act_zh: Annotated[str, "Chinese name of the act."]
    act_number: Annotated[str, "Number of the act or of the order that issued it."]
    article: Annotated[str | None, "Number of the article in its act; null where the whole document is meant."]
    by_analogy: Annotated[bool, "Whether it is applied by analogy."]
    source_kind: Annotated[SourceKind, "secondary: it was read somewhere else than at the body that issued it."]
    law: Annotated[str, "Version of the published law that says so."]

    @property
    def zh(self) -> str:
        """In Chinese, as a letter or a page names it."""
        return named_zh(self)

    def __str__(self) -> str:
        return named(self)


def named(article: Article | Citation) -> str:
    """An article in both languages, for a line at a terminal."""
    number = f" §{article.article}" if article.article else ""
    analogy = ", by analogy 参照" if article.by_analogy else ""
    return f"{article.act_zh}{number} ({article.act_number}{analogy}{SEEN[article.source_kind]})"


def named_zh(article: Article | Citation) -> str:
    """An article in Chinese, as a letter or a page names it."""
    number = f"第{article.article}条" if article.article else ""
    analogy = "，参照适用" if article.by_analogy else ""
    seen = "，仅见于二手来源" if article.source_kind == "secondary" else ""
    return f"{article.act_zh}{number}（{article.act_number}{analogy}{seen}）"


SEEN: Mapping[SourceKind, str] = {"primary": "", "secondary": ", seen in a secondary source only 仅见于二手来源"}
"""What is said wherever an article is shown."""


@fact("发布法律依据", "law published", topic="public", changes_rules=True)
class LawPublished:
    """The articles that promises, refusals and rules rest on were published or revised; all of them, not a
    difference."""

    version: Version
    articles: Annotated[tuple[Article, ...], "Every article."]
    reason: Annotated[str | None, "Why it was revised; null of the first version."] = None

    def article(self, code: str) -> Article | None:
        """The article of that code; None where there is none."""
        return next((each for each in self.articles if each.code == code), None)

    def cited(self, kind: BasisOf, of: str, on: date) -> tuple[Citation, ...]:
        """The articles that are the basis of that promise, refusal or rule on a civil day (China), in their order."""
        return tuple(
            Citation(
                of,
                each.code,
                each.act_zh,
                each.act_number,
                each.article,
                each.by_analogy,
                each.source_kind,
                self.version,
            )
            for each in self.articles
            if of in each.basis_for.of(kind) and each.in_force(on)
        )

    def banned_names(self, on: date) -> tuple[str, ...]:
        """The names of charges that an article in force on that day forbids."""
        return tuple(name for each in self.articles if each.in_force(on) for name in each.banned_names)

    def watched_names(self, on: date) -> tuple[str, ...]:
        """The words in names of charges that the authorities look at on that day."""
        return tuple(name for each in self.articles if each.in_force(on) for name in each.watched_names)


Law = LawPublished
NO_LAW = Law("none", ())
"""Before anything is published."""
