"""What the office does from the command line: publish rules, and see what is published. One line for each answer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from uuid import uuid4

from domain.deadlines.calendar import LOCAL, local_date
from domain.kernel.law import SEEN, Article, BasisOf, named
from domain.kernel.refusals import UnknownRole
from domain.kernel.roles import ROLES
from domain.publication.catalogues import watched
from domain.publication.refusals import NoSuchArticle
from domain.standard.refusals import BadActor
from domain.standard.values import require_known
from infra.eventstore import documents, law_trial, publication, recompute
from infra.eventstore.commands import Command, Stamp
from infra.eventstore.documents import DocumentError
from infra.eventstore.publication import CalendarWanted
from infra.eventstore.service import Service, open_service
from infra.settings import Settings
from infra.status import calendar_status

CHANNEL = "office"
_BASIS_KINDS: tuple[tuple[BasisOf, str], ...] = (("promise", "承诺"), ("refusal", "拒绝"), ("rule", "规则"))
_ACTOR = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,31}")


@contextmanager
def at_the_office(settings: Settings) -> Iterator[Service]:
    """The service, for one command of an operator."""
    service = open_service(settings)
    try:
        yield service
    finally:
        service.close()


def stamp(actor: str, role: str) -> Stamp:
    """Who acts, from the options. Refuses ``unknown-role``, ``bad-actor``."""
    require_known(UnknownRole, role, ROLES)
    _require_staff_id(actor)
    command_id = str(uuid4())
    return Stamp(actor, role, CHANNEL, command_id, correlation_id=command_id)


def _require_staff_id(actor: str) -> None:
    if not _ACTOR.fullmatch(actor):
        raise BadActor()


# ---- standards and fees


def draft_standard(service: Service, raw: bytes, who: Stamp) -> str:
    """Draft what the file holds."""
    document = documents.standard_of(raw)
    return _done(service, publication.draft_standard(who, document), f"standard {document.version} is drafted")


def approve_standard(service: Service, version: str, who: Stamp) -> str:
    """Approve a draft."""
    regions = publication.regions_of_draft(service, version)
    return _done(service, publication.approve_standard(who, version, regions), f"standard {version} is published")


def draft_catalogue(service: Service, raw: bytes, who: Stamp) -> str:
    """Draft what the file holds."""
    catalogue = documents.catalogue_of(raw)
    done = _done(service, publication.draft_catalogue(who, catalogue), f"catalogue {catalogue.version} is drafted")
    found = watched(catalogue, service.rules.law, local_date(service.clock.now()))
    return "\n".join([done, *(f"WATCHED 留意 {item.code} {item.name_zh}: {word}" for item, word in found)])


def review_catalogue(service: Service, version: str, outcome: str, document: str, who: Stamp) -> str:
    """Record an opinion."""
    command = publication.review_catalogue(who, version, outcome, document)
    return _done(service, command, f"{who.role} {outcome} to catalogue {version}")


def publish_catalogue(service: Service, version: str, who: Stamp) -> str:
    """Publish a reviewed catalogue."""
    return _done(service, publication.publish_catalogue(who, version), f"catalogue {version} is published")


def _done(service: Service, command: Command, what: str) -> str:
    receipt = service.run(command)
    return f"{what}, position {receipt.position}"


# ---- the law


def publish_law(service: Service, raw: bytes, who: Stamp) -> str:
    """Publish what the file holds."""
    document = documents.law_of(raw)
    return _done(service, publication.publish_law(who, document), f"law {document.version} is published")


def try_law(service: Service, raw: bytes) -> Iterator[str]:
    """What the file would change; nothing is stored."""
    found = law_trial.try_law(service, documents.law_of(raw))
    changes = found.changes
    for each in changes.begins:
        yield f"begins 新增  {each.code}  {named(each)}  {_validity(each)}"
    for each in changes.ends:
        yield f"ends 失效  {each.code}  {named(each)}  {_validity(each)}"
    for old, new, day in changes.replaced:
        yield f"replaced 替换  {old} -> {new}  from 自 {day}"
    for each in changes.corrected:
        yield f"corrected 更正  {each.code}  {named(each)}  {_validity(each)}"
    for change in changes.basis:
        until = f" until 至 {change.until}" if change.until is not None else ""
        yield (
            f"{change.kind} {change.code}: {_codes(change.old)} -> {_codes(change.new)}  from 自 {change.since}{until}"
        )
    yield (
        f"dry run of law {found.version}: begins {len(changes.begins)}, ends {len(changes.ends)}, corrected "
        f"{len(changes.corrected)}; open windows that would cite other articles {found.windows}, of cases {found.cases}"
    )


def list_law(service: Service, on: date | None) -> Iterator[str]:
    """Every article, or those in force on a day, and how each was seen."""
    law = service.rules.law
    shown = [each for each in law.articles if on is None or each.in_force(on)]
    for each in shown:
        yield f"{each.code:<30} {_validity(each)}  {named(each)}"
    yield f"law {law.version}: {len(shown)} articles" + (f" in force on {on}" if on is not None else "")


def show_article(service: Service, code: str) -> Iterator[str]:
    """One article, whole. Refuses ``no-such-article``."""
    law = service.rules.law
    found = law.article(code)
    if found is None:
        raise NoSuchArticle(code, law)
    yield named(found)
    yield f"  {found.summary_zh}"
    yield f"  {found.summary_en}"
    yield f"  in force 有效 {_validity(found)}"
    yield f"  seen at 来源 ({found.source_kind}{SEEN[found.source_kind]}): {found.source}"
    for kind, name_zh in _BASIS_KINDS:
        if codes := found.basis_for.of(kind):
            yield f"  basis of {kind} {name_zh}: {', '.join(codes)}"
    if found.banned_names:
        yield f"  forbids to charge 禁收: {'、'.join(found.banned_names)}"
    if found.watched_names:
        yield f"  watched in names of charges 留意: {'、'.join(found.watched_names)}"
    yield f"  law {law.version}" + (f", because {law.reason}" if law.reason else "")


def _validity(article: Article) -> str:
    return f"{article.valid_from} … {article.valid_until or ''}".rstrip()


def _codes(codes: tuple[str, ...]) -> str:
    return ", ".join(codes) or "no basis 无依据"


# ---- calendars


def calendar_wanted(
    raw: bytes, file_name: str, *, region: str, source: str | None, version: str | None, confirmed_by: str | None = None
) -> CalendarWanted:
    """What a file wants published; ``confirmed_by``: the staff id of the second person, which the event will hold.
    Refuses ``bad-actor``. Raises DocumentError, also where the file says that it is of another region."""
    if confirmed_by is not None:
        _require_staff_id(confirmed_by)
    notice = documents.notice_of(raw)
    about = json.loads(raw.decode("utf-8-sig"))
    if about.get("region", region) != region:
        raise DocumentError(f"the file is of region {str(about['region'])[:40]!r}, found --region {region}")
    papers = about.get("source") or "; ".join(map(str, about.get("papers") or ())) or file_name
    return CalendarWanted(region, notice, source or str(papers)[:200], version, confirmed_by)


def publish_calendar(service: Service, wanted: CalendarWanted, who: Stamp) -> Iterator[str]:
    """Publish, and bring the open deadlines to the new calendar; counted as a dry run counts, whoever moved them: the
    watch does so too, at the same time."""
    open_cases = recompute.open_cases(service)
    receipt = service.run(publication.publish_calendar(who, wanted))
    yield f"calendar of {wanted.region} is published, position {receipt.position}"
    yield f"in use: {service.rules.calendar.version}"
    begun = time.monotonic()
    recompute.run(service)
    moved = recompute.moved_since(service, receipt.position)
    yield f"deadlines moved {moved}, open cases {open_cases}, {time.monotonic() - begun:.1f} s"


def try_calendar(service: Service, wanted: CalendarWanted) -> Iterator[str]:
    """Every open deadline that would move, and how many; nothing is stored."""
    document = publication.calendar_to_try(service, wanted)
    missing = publication.calendar_leaves_out(service, document)
    for day in missing.worked:
        yield f"statutory day that would be worked  {day}"
    for day in missing.fallen:
        yield f"day that would fall away  {day}"
    if missing:
        yield "to publish it all the same, have a second person confirm: --confirmed-by"
    try:
        found = recompute.dry_run(service, document)
    except LookupError as error:
        yield f"dry run: {error}; nothing would move"
        return
    for move in found.moves:
        old, new = _local(move.old_due_at), _local(move.new_due_at)
        marks = f"{_mark(move.old_tentative)} -> {_mark(move.new_tentative)}"
        yield f"{move.case_number}  {move.commitment}  {old} -> {new}  {marks}"
    yield f"dry run of {found.calendar}: deadlines that would move {len(found.moves)}, open cases {found.looked_at}"


def show_calendars(service: Service) -> Iterator[str]:
    """Each region's calendar, and what is missing."""
    for region, state in publication.published_calendars(service).items():
        published_at, newest = state.published[-1]
        yield (
            f"{region:<12} {newest.version:<8} settled until {newest.settled_until}, {len(newest.days)} days moved, "
            f"published {_local(published_at)}, {len(state.published)} versions"
        )
        yield f"             source: {newest.source}"
    now = service.clock.now()
    standing = calendar_status(service.rules, now)
    yield f"in use: {standing.version}, {standing.settled_days} settled days from today"
    yield from map(str, standing.warnings)


def _mark(tentative: bool) -> str:
    return "tentative 暂定" if tentative else "settled"


def _local(instant: datetime | None) -> str:
    return instant.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M") if instant is not None else "none"
