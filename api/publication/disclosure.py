"""What is public 公示: the standard and the fee catalogue in force, the works, and the figures, in one answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Request

from api.board.figures import snapshot
from api.http.answers import QUERY_ERRORS
from api.http.dependencies import ServiceDep
from api.http.kept import Kept
from api.http.powers import needs
from api.http.strict import StrictRoute
from api.publication.public_answers import (
    DisclosedArticle,
    DisclosedDocument,
    DisclosedDocuments,
    DisclosedFee,
    DisclosedLimit,
    DisclosedPromise,
    DisclosedWork,
    Disclosure,
    NamedCode,
)
from domain.deadlines.calendar import local_date
from domain.kernel.law import Article, Law, named_zh
from domain.standard.fees import CataloguePublished, FeeItem
from domain.standard.sections.connection import DocumentRequirement
from domain.standard.standards import Rules, Standard
from infra.sql import sql
from projections.reports import published
from projections.reports.figures import PeriodFigures, figures

router = APIRouter(prefix="/api/v1", tags=["figures 统计"], responses=QUERY_ERRORS, route_class=StrictRoute)

WORKS_SHOWN = 100


@router.get("/disclosure", summary="Everything that is public about connections 公示", openapi_extra=needs(None))
def disclosure(service: ServiceDep, request: Request) -> Disclosure:
    """The figures are counted over every case, for whoever asks: they are those of ``figures_at``, some seconds ago at
    most, and counted once for all who ask meanwhile."""
    now = service.clock.now()
    standard, catalogue, today = service.rules.in_force(now), service.rules.catalogue(now), local_date(now)

    def count() -> tuple[datetime, PeriodFigures, list[Mapping[str, Any]]]:
        with snapshot(service) as connection:
            found = figures(connection, at=now, customers=standard.outages.customers)
            return now, found, list(connection.execute(sql("list_works"), {"limit": WORKS_SHOWN}).fetchall())

    kept: Kept[tuple[datetime, PeriodFigures, list[Mapping[str, Any]]]] = request.app.state.disclosed
    counted_at, found, works = kept.get(count)
    return Disclosure(
        at=now,
        standard=standard.version,
        effective_from=standard.effective_from,
        promise=DisclosedPromise.model_validate(standard.connection.promise, from_attributes=True)
        if standard.connection.promise
        else None,
        steps=[NamedCode(code=step.code, name_zh=step.name_zh) for step in standard.connection.steps],
        documents=list(_documents(standard)),
        limits=[_with_basis(each, service.rules, now) for each in limits(standard)],
        catalogue=catalogue.version if catalogue is not None else None,
        fees=list(_fees(catalogue, now)),
        banned=_banned(catalogue, service.rules.law, today),
        law=[_article(each) for each in service.rules.law.articles if each.in_force(today)],
        works=[DisclosedWork.model_validate(row) for row in works],
        works_kinds=[NamedCode(code=code, name_zh=name) for code, name in standard.connection.works_kinds.items()],
        figures=found,
        figures_at=counted_at,
        published=list(published.beside(found)) if service.settings.demo else [],
        contradictions=list(published.contradictions()) if service.settings.demo else [],
    )


def _documents(standard: Standard) -> Iterator[DisclosedDocuments]:
    for category, requirements in standard.connection.documents.items():
        yield DisclosedDocuments(
            category=category,
            name_zh=standard.connection.applicant_categories.get(category, category),
            documents=[_document(standard, requirement) for requirement in requirements],
        )


def _document(standard: Standard, requirement: DocumentRequirement) -> DisclosedDocument:
    ways = [NamedCode(code=way, name_zh=standard.connection.document_ways.get(way, way)) for way in requirement.met_by]
    return DisclosedDocument(code=requirement.code, name_zh=requirement.name_zh, main=requirement.main, met_by=ways)


def limits(standard: Standard) -> Iterator[DisclosedLimit]:
    """Every time limit that the standard promises, in words that a citizen uses."""
    yield DisclosedLimit(
        commitment="connection.water_on",
        name="from admission to water on",
        name_zh="受理至验收通水",
        working_days=standard.connection.connection_working_days,
    )
    at_once = sorted(set(standard.connection.notice_minutes.values()))
    for minutes in at_once:
        yield DisclosedLimit(
            commitment="connection.notice",
            name="one-time notice, at the counter and at home",
            name_zh="窗口、上门申请的一次性告知",
            minutes=minutes,
        )
    yield DisclosedLimit(
        commitment="connection.notice",
        name="one-time notice, everywhere else" if at_once else "one-time notice",
        name_zh="其他渠道申请的一次性告知" if at_once else "一次性告知",
        working_days=standard.connection.notice_working_days,
    )
    yield DisclosedLimit(
        commitment="connection.silence",
        name="neither notice nor admission: counts as admitted",
        name_zh="逾期未告知视为受理",
        working_days=standard.connection.silence_working_days,
    )
    yield from _repair_limits(standard)
    yield DisclosedLimit(
        commitment="outage.notice",
        name="notice before a planned outage",
        name_zh="计划停水提前通知",
        minutes=standard.outages.outage_notice_hours * 60,
    )


def _with_basis(limit: DisclosedLimit, rules: Rules, now: datetime) -> DisclosedLimit:
    basis = [each.code for each in rules.cited("promise", limit.commitment, now)]
    return limit.model_copy(update={"basis": basis})


def _article(article: Article) -> DisclosedArticle:
    return DisclosedArticle(
        code=article.code,
        cited=named_zh(article),
        summary=article.summary_en,
        summary_zh=article.summary_zh,
        valid_from=article.valid_from,
        valid_until=article.valid_until,
        source=article.source,
        source_kind=article.source_kind,
    )


ZONES = {"urban": ("urban area", "市区"), "other": ("elsewhere", "市区以外")}


def _repair_limits(standard: Standard) -> Iterator[DisclosedLimit]:
    for zone, minutes in standard.repair.arrival_minutes.items():
        name, name_zh = ZONES[zone]
        yield DisclosedLimit(
            commitment="repair.arrival",
            name=f"crew on site, {name}",
            name_zh=f"{name_zh}抢修人员到场",
            minutes=minutes,
        )
    for severity, longest in standard.repair.completion_minutes.items():
        known = standard.repair.severity_classes.get(severity)
        yield DisclosedLimit(
            commitment="repair.completion",
            name=f"{severity} repair",
            name_zh=known.name_zh if known is not None else severity,
            minutes=longest,
        )


# ---- fees


def _banned(catalogue: CataloguePublished | None, law: Law, today: date) -> list[str]:
    """What the catalogue and the law forbid, each once."""
    listed = [name.name_zh for name in catalogue.banned] if catalogue is not None else []
    return list(dict.fromkeys([*listed, *law.banned_names(today)]))


def _fees(catalogue: CataloguePublished | None, now: datetime) -> Iterator[DisclosedFee]:
    items, today = catalogue.items if catalogue is not None else (), local_date(now)
    names = {item.code: item.name_zh for item in items}
    for item in items:
        name, name_zh = formula_words(item, names)
        yield DisclosedFee(
            code=item.code,
            name_zh=item.name_zh,
            legal_basis=item.legal_basis,
            formula=name,
            formula_zh=name_zh,
            unit_zh=item.unit_zh,
            cap_fen=item.cap_fen,
            payer_classes=list(item.payer_classes),
            valid_from=item.valid_from,
            valid_until=item.valid_until,
            chargeable=_is_chargeable(item, today),
            extent=item.extent,
        )


def _is_chargeable(item: FeeItem, today: date) -> bool:
    return item.active and item.valid_from <= today and (item.valid_until is None or today <= item.valid_until)


def formula_words(item: FeeItem, names: Mapping[str, str]) -> tuple[str, str]:
    """How the amount follows, in English and Chinese, in yuan as people read it. ``names``: fee → name."""
    formula = item.formula
    yuan = f"{formula.rate / 100:.2f}"
    match formula.kind:
        case "fixed":
            return f"¥{yuan} each", f"每{item.unit_zh} {yuan} 元"
        case "per-unit":
            inside, inside_zh = (
                (" inside the building's red line", "（建筑区划红线内）")
                if item.extent == "inside-red-line"
                else ("", "")
            )
            return f"¥{yuan} per {formula.quantity}{inside}", f"每{item.unit_zh}{inside_zh} {yuan} 元"
        case "per-mille-of":
            base = formula.of or ""
            return f"{formula.rate:f} ‰ of {base}", f"{names.get(base, base)}的 {formula.rate:f}‰"
