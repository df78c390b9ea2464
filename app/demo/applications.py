"""The demo's 240 applications, from the form to water: a mix that was published, with made-up people and days.

What is published: the numbers by category and channel, 27 users with papers outstanding, more than 30 home visits. How
the rest is dealt out (notices, pauses, broken commitments, refused charges) is made up, so that everything is seen.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.demo.script import MANAGER, Scene, Script, Who, digest, on_day, person
from domain.deadlines.calendar import LOCAL, Calendar, local_date
from domain.standard.fees import CataloguePublished, priced
from domain.standard.standards import Rules, Standard

PUBLISHED_CATEGORIES = {"business": 37, "institution": 14, "prefecture-platform": 2, "private": 187}
"""The 240 intakes of the published period, by applicant category (the report's own total, 238, is not their sum)."""
PUBLISHED_CHANNELS = {"website": 12, "wechat": 8, "hotline": 10, "platform": 2, "counter": 208}
"""The same 240 by channel; the report gives 20 online, split here between website and WeChat."""

APPLICATION_DAYS = 10
OPENS, CLOSES = 8 * 60 + 40, 17 * 60 + 10
"""Minutes of the day between which people of the utility act."""
SLOTS = (9 * 60, 10 * 60 + 10, 11 * 60 + 20, 14 * 60, 15 * 60 + 10, 16 * 60 + 20)
VISIT_MINUTES = 60
NOTICE_BEFORE_VISIT = timedelta(hours=2)
"""A visit is announced so long before: a fast clock must not have passed it when the booking arrives."""

FATES = {
    "outstanding-at-home": 22,
    "outstanding-by-upload": 3,
    "outstanding-broken": 1,
    "outstanding-repaired": 1,
    "approved-on-site": 10,
    "notice": 16,
    "withdrawn": 3,
    "late": 8,
    "paused": 2,
    "pause-declined": 1,
    "banned-charge": 4,
    "asked-again": 2,
    "second-trip": 5,
    "other-squad": 1,
    "paid-twice": 2,
}
"""How many applications have which story; each has at most one. The first four are the 27 with papers outstanding."""
AT_HOME = frozenset({"outstanding-at-home", "approved-on-site", "other-squad"})
OWNERS = {"private": ("owner-1", "owner-2")}
COMPANY_OWNERS = ("owner-3", "owner-4")
BANNED = (("account-opening", "开户费"), ("capacity", "增容费"), ("valve", "开关闸费"), ("meter", "水表费"))


def applications(rng: random.Random, start: datetime, rules: Rules, days: int = APPLICATION_DAYS) -> Iterator[Script]:
    """The 240 applications, spread over the first ``days``: in office hours at the counter and on the hotline, at any
    time online."""
    categories, channels = _shuffled(rng, PUBLISHED_CATEGORIES), _shuffled(rng, PUBLISHED_CHANNELS)
    # What came over the approval platform are the platform's own applicants.
    _pair(categories, channels, "prefecture-platform", "platform")
    fates = _fates(rng, categories, channels)
    at = [_received_at(rng, start, days, channel, rules.calendar) for channel in channels]
    squads = _Squads(rules.calendar)
    # Told in order of receipt, so that whoever came first gets the earlier visit.
    for place in sorted(range(len(at)), key=lambda place: at[place]):
        who = _Applicant(place + 1, categories[place], channels[place], fates.get(place, ""))
        yield _Story(who, at[place], Scene(rng), rules, squads).told()


def _shuffled(rng: random.Random, counts: dict[str, int]) -> list[str]:
    items = [name for name, count in counts.items() for _ in range(count)]
    rng.shuffle(items)
    return items


def _pair(categories: list[str], channels: list[str], category: str, channel: str) -> None:
    """Move the channel's places to those of the category."""
    wanted = [place for place, name in enumerate(categories) if name == category]
    for place in wanted:
        if channels[place] != channel:
            other = next(p for p, name in enumerate(channels) if name == channel and categories[p] != category)
            channels[place], channels[other] = channels[other], channels[place]


def _fates(rng: random.Random, categories: Sequence[str], channels: Sequence[str]) -> dict[int, str]:
    """Which application has which story. Only people (no companies) are visited at home."""
    free = [place for place, channel in enumerate(channels) if channel != "platform"]
    rng.shuffle(free)
    fates: dict[int, str] = {}
    for fate, count in FATES.items():
        fits = [place for place in free if fate not in AT_HOME or categories[place] == "private"]
        for place in fits[:count]:
            fates[place] = fate
            free.remove(place)
    return fates


def _received_at(rng: random.Random, start: datetime, days: int, channel: str, calendar: Calendar) -> datetime:
    if channel not in ("counter", "hotline"):
        return (start + timedelta(minutes=rng.uniform(1, days * 24 * 60))).replace(microsecond=0)
    first = local_date(start)
    working = [day for n in range(days) if calendar.is_working_day(day := first + timedelta(days=n))]
    return on_day(rng.choice(working), rng.randrange(OPENS, CLOSES - 20)) + timedelta(seconds=rng.randrange(60))


@dataclass(frozen=True, slots=True)
class _Applicant:
    number: int
    category: str
    channel: str
    fate: str

    @property
    def is_company(self) -> bool:
        return self.category != "private"

    @property
    def main(self) -> str:
        return "licence" if self.is_company else "identity"

    @property
    def deferrable(self) -> str:
        return "design-drawings" if self.is_company else "property-right"


@dataclass(slots=True)
class _Squads:
    """The three squads' days: one visit at a time."""

    calendar: Calendar
    taken: set[tuple[str, datetime]] = field(default_factory=set)

    def next_free(self, after: datetime, other_than: str = "") -> tuple[str, datetime, datetime]:
        """The earliest free visit that can still be announced: squad, begin, end."""
        free = (
            (squad, begin)
            for begin in self._slots(after + NOTICE_BEFORE_VISIT)
            for squad in ("squad-1", "squad-2", "squad-3")
            if squad != other_than and (squad, begin) not in self.taken
        )
        squad, begin = next(free)
        self.taken.add((squad, begin))
        return squad, begin, begin + timedelta(minutes=VISIT_MINUTES)

    def _slots(self, after: datetime) -> Iterator[datetime]:
        day = local_date(after)
        while True:
            if self.calendar.is_working_day(day):
                yield from (begin for minute in SLOTS if (begin := on_day(day, minute)) >= after)
            day += timedelta(days=1)


@dataclass(slots=True)
class _Story:
    """One application's story being written."""

    who: _Applicant
    received: datetime
    scene: Scene
    rules: Rules
    squads: _Squads

    def told(self) -> Script:
        self._receive()
        ready = self._papers()
        if self.who.fate == "withdrawn":
            self._withdraw(ready)
        elif self.who.fate in ("outstanding-broken", "outstanding-repaired"):
            self._broken(ready)
        else:
            self._to_water(*self._at_home(ready))
        return self.scene.script(f"application-{self.who.number}", "connections")

    # ---- who acts

    @property
    def rng(self) -> random.Random:
        return self.scene.rng

    @property
    def calendar(self) -> Calendar:
        return self.rules.calendar

    @property
    def standard(self) -> Standard:
        return self.rules.in_force(self.received)

    @property
    def owner(self) -> Who:
        owners = OWNERS.get(self.who.category, COMPANY_OWNERS)
        return (owners[self.who.number % 2], "case-owner", "office")

    @property
    def counter(self) -> Who:
        return (f"counter-{1 + self.who.number % 4}", "counter", "counter")

    @property
    def online(self) -> Who:
        """The applicant at home: whoever came to the counter does the rest on WeChat."""
        channel = self.who.channel if self.who.channel in ("website", "wechat") else "wechat"
        return (f"applicant-{self.who.number}", "applicant", channel)

    @property
    def squad(self) -> Who:
        return (f"squad-{1 + self.who.number % 3}", "squad", "crew-phone")

    def day(self, working_days: int, since: datetime | None = None) -> date:
        return self.calendar.add_working_days(local_date(since or self.received), working_days)

    # ---- step 1: apply

    def _receive(self) -> None:
        who, rng = self.who, self.rng
        points = rng.choice((1, 2, 3)) if who.category == "business" else 1
        body = {
            "category": who.category,
            "supply_points": points,
            "applicant": person(rng) | {"id_number": f"4331{rng.randrange(10**13):013d}X"},
            "points": [self._point() for _ in range(points)],
            "documents": [self._document(document) for document in self._on_the_form()],
        }
        by = {"counter": self.counter, "hotline": ("hotline-1", "hotline", "hotline")}.get(who.channel)
        self.scene.tell(self.received, "", body, by or (f"applicant-{who.number}", "applicant", who.channel))

    def _point(self) -> dict[str, Any]:
        cell = {"address_code": f"JS-{self.rng.randrange(100):02d}-{self.rng.randrange(100):02d}"}
        if self.who.is_company:
            return cell | {"usage_split": {"non-residential": 100}}
        return cell | {"usage_split": {"residential": 100}, "household_size": self.rng.randrange(1, 7)}

    def _on_the_form(self) -> list[str]:
        if self.who.fate.startswith("outstanding"):
            return [self.who.main]
        if self.who.fate == "notice":
            return [self.who.deferrable] if self.rng.random() < 0.5 else []
        return [self.who.main, self.who.deferrable]

    def _document(self, document: str) -> dict[str, str]:
        """Seen at the counter, shared by the platform, verified or uploaded online."""
        way = {"counter": "seen", "platform": "shared"}.get(self.who.channel)
        if way is None:
            way = "verified" if document == self.who.main and self.rng.random() < 0.6 else "upload"
        return {"document": document, "way": way} | ({"digest": digest(self.rng)} if way == "upload" else {})

    # ---- papers

    def _papers(self) -> datetime:
        """What is said about papers after the form. Returns when everything that admits is in."""
        fate = self.who.fate
        if fate == "notice":
            return self._noticed()
        if fate.startswith("outstanding"):
            self._promised(days=2 if fate in ("outstanding-broken", "outstanding-repaired") else 4)
        if fate == "asked-again":
            items = {"items": [{"document": self.who.main, "defect": "illegible"}]}
            at = self.received + self.scene.minutes(60, 120)
            self.scene.instruct(at, "/further-requests", items, self.owner, refusal="already-visible")
        return self.received

    def _noticed(self) -> datetime:
        """The one-time notice names everything; the applicant supplies it the same or the next working day."""
        there = self.scene.requests[0].body["documents"]
        lacking = {self.who.main, self.who.deferrable} - {document["document"] for document in there}
        items = [{"document": document, "defect": "missing"} for document in sorted(lacking)]
        at_once = self.who.channel == "counter"
        told = self.received + self.scene.minutes(2, 9) if at_once else on_day(self.day(1), OPENS + 30)
        self.scene.instruct(told, "/notice", {"items": items}, self.counter if at_once else self.owner)
        supplied = on_day(self.day(1, told), self.rng.randrange(OPENS, CLOSES))
        # The main paper last: it admits, and these applicants are not among those with papers outstanding.
        for minute, document in enumerate(sorted(lacking, key=lambda document: document == self.who.main)):
            body = {"document": document, "way": "upload", "digest": digest(self.rng)}
            self.scene.tell(supplied + timedelta(minutes=minute), "/documents", body, self.online)
        return supplied + timedelta(minutes=len(lacking))

    def _promised(self, days: int) -> None:
        body = {
            "papers": [self.who.deferrable],
            "deadline": self.day(days).isoformat(),
            "commitment_digest": digest(self.rng),
        }
        by = self.counter if self.who.channel == "counter" else self.online
        self.scene.instruct(self.received + self.scene.minutes(2, 6), "/papers-commitment", body, by)

    def _upload_deferrable(self, at: datetime) -> None:
        body = {"document": self.who.deferrable, "way": "upload", "digest": digest(self.rng)}
        self.scene.tell(at, "/documents", body, self.online)

    def _broken(self, ready: datetime) -> None:
        """The promised paper does not come: the case ends at the close of its day. One makes it good afterwards."""
        self._survey(on_day(self.day(1), OPENS + 60))
        if self.who.fate == "outstanding-repaired":
            late = on_day(self.day(3), OPENS + 90)
            self._upload_deferrable(late)
            repair = {"evidence_digest": digest(self.rng)}
            self.scene.instruct(late + timedelta(hours=1), "/papers-commitment/repair", repair, self.owner)

    def _withdraw(self, ready: datetime) -> None:
        self._survey(on_day(self.day(1, ready), OPENS + 60))
        reason = self.rng.choice(("no-longer-needed", "applied-twice", "other-source"))
        self.scene.instruct(on_day(self.day(2, ready), OPENS + 40), "/withdrawal", {"reason": reason}, self.online)

    # ---- at home

    def _at_home(self, ready: datetime) -> tuple[datetime, bool]:
        """The squad's visit, where there is one. Returns from when on the works go on, and whether they have begun."""
        fate = self.who.fate
        if fate not in AT_HOME:
            if fate == "outstanding-by-upload":
                self._upload_deferrable(on_day(self.day(1), self.rng.randrange(OPENS, CLOSES)))
            return ready, False
        visit = UUID(int=self.rng.getrandbits(128), version=4)
        booked = ready + self.scene.minutes(8, 20)
        squad, begin, end = self.squads.next_free(booked)
        purpose = {"approved-on-site": "approval", "outstanding-at-home": "papers"}.get(fate, "survey")
        body = {"visit": str(visit), "squad": squad, "purpose": purpose}
        self.scene.instruct(booked, "/visits", body | _span(begin, end), self.owner)
        if fate == "other-squad":
            squad, begin, end = self.squads.next_free(begin, other_than=squad)
            body = {"squad": squad} | _span(begin, end)
            self.scene.instruct(booked + timedelta(minutes=15), f"/visits/{visit}/reassignment", body, MANAGER)
        return self._visited(visit, squad, begin)

    def _visited(self, visit: UUID, squad: str, begin: datetime) -> tuple[datetime, bool]:
        at_the_door, made = (squad, "squad", "crew-phone"), begin + self.scene.minutes(40, 55)
        on_site = self.who.fate == "approved-on-site"
        if on_site:
            body = {"visit": str(visit), "squad": squad, "drawing_digest": digest(self.rng)}
            self.scene.tell(begin + self.scene.minutes(15, 35), "/on-site-approval", body, at_the_door)
        collected = [self.who.deferrable] if self.who.fate == "outstanding-at-home" else []
        self.scene.tell(made, f"/visits/{visit}/made", {"papers_collected": collected}, at_the_door)
        return made, on_site

    # ---- to water

    def _to_water(self, ready: datetime, begun: bool) -> None:
        """Everything from the survey to water on, one step after the other in office hours."""
        steps = self._steps(begun)
        on_at = self._on_at(ready)
        for step, at in zip(steps, self._moments(ready, on_at, len(steps)), strict=True):
            step(at)
        for point in range(1, len(self.scene.requests[0].body["points"]) + 1):
            self.scene.tell(on_at + timedelta(minutes=point), f"/supply-points/{point}/water-on", {}, self.squad)

    def _steps(self, begun: bool) -> list[Any]:
        fate = self.who.fate
        steps = [] if begun else [self._survey, self._design]
        steps += [self._quote]
        steps += [self._banned_charge] if fate == "banned-charge" else []
        steps += [self._second_trip] if fate == "second-trip" else []
        steps += [self._contract, self._pay]
        steps += [self._pay_twice] if fate == "paid-twice" else []
        steps += [] if begun else [self._start]
        steps += [self._pause, self._pause_decided, self._pause_ended] if fate in ("paused", "pause-declined") else []
        steps += [self._completed]
        steps += [self._failed, self._completed] if self.rng.random() < 0.05 else []
        return [*steps, self._passed, self._meters]

    def _on_at(self, ready: datetime) -> datetime:
        """In office hours: within four working days, two after a visit; late on the sixth or seventh."""
        days = {"late": (6, 7), "paused": (5,)}.get(self.who.fate, (1, 2))
        if ready == self.received and self.who.fate not in ("late", "paused"):
            days = (1, 1, 2, 2, 3, 3, 4)
        return on_day(self.day(self.rng.choice(days), ready), self.rng.randrange(13 * 60, 17 * 60))

    def _moments(self, since: datetime, until: datetime, count: int) -> list[datetime]:
        """So many moments in office hours between the two, in order and apart from each other."""
        spans = list(self._office_hours(since, until))
        whole = sum((end - begin for begin, end in spans), timedelta())
        places = [whole * (number + self.rng.uniform(0.2, 0.8)) / count for number in range(count)]
        return [_inside(spans, place).replace(microsecond=0) for place in places]

    def _office_hours(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        day = since.astimezone(LOCAL).date()
        while on_day(day, OPENS) < until:
            begin, end = max(on_day(day, OPENS), since), min(on_day(day, CLOSES), until)
            if self.calendar.is_working_day(day) and begin < end:
                yield begin, end
            day += timedelta(days=1)

    def _survey(self, at: datetime) -> None:
        findings = [self.rng.choice(("road-opening", "main-far", "pressure-low"))] if self.rng.random() < 0.2 else []
        self.scene.tell(at, "/survey", {"feasible": True, "findings": findings}, self.squad)

    def _design(self, at: datetime) -> None:
        self.scene.tell(at, "/design", {"drawing_digest": digest(self.rng)}, self.owner)
        if self.who.is_company:
            self._deliver(at + timedelta(minutes=2), "drawings")

    def _deliver(self, at: datetime, deliverable: str) -> None:
        way = self.rng.choice(("email", "wechat"))
        body = {"deliverable": deliverable, "way": way, "digest": digest(self.rng)}
        self.scene.tell(at, "/deliverables", body, self.owner)

    # ---- money

    def _quote(self, at: datetime) -> None:
        lines = [{"fee": fee, "quantity": str(quantity)} for fee, quantity in self._wanted()]
        self.scene.instruct(at, "/quotes", {"lines": lines}, self.owner)
        self._deliver(at + timedelta(minutes=2), "budget")

    def _wanted(self) -> list[tuple[str, Decimal]]:
        # The same each time it is asked for: the payment has to match the quote.
        metres = Decimal(40 + self.who.number % 260) / 10
        fees = [("water-loss", Decimal(1)), ("installation", metres)]
        return [*fees, ("survey-design", Decimal(1))] if self.who.is_company else fees

    def _banned_charge(self, at: datetime) -> None:
        charge, name_zh = BANNED[self.who.number % len(BANNED)]
        body = {"charge": charge, "name_zh": name_zh, "amount_fen": 5_000}
        self.scene.instruct(at, "/charges", body, self.counter, refusal="fee-banned")

    def _second_trip(self, at: datetime) -> None:
        self.scene.tell(at, "/appearances", {"place": "counter", "purpose": "contract"}, self.counter)

    def _contract(self, at: datetime) -> None:
        body = {"contract": f"HT-{self.who.number:04d}", "digest": digest(self.rng)}
        self.scene.instruct(at, "/contract", body, self.online)
        self._deliver(at + timedelta(minutes=2), "contract")

    def _payment(self, at: datetime, number: str) -> None:
        catalogue = self.rules.catalogue(at)
        assert isinstance(catalogue, CataloguePublished)
        payer_class = self.standard.connection.payer_classes[self.who.category]
        quoted = priced(catalogue, payer_class, self._wanted(), local_date(at))
        lines = [{"fee": line.fee, "amount_fen": line.amount_fen} for line in quoted]
        cashier = ("cashier-1", "cashier", "counter")
        by = cashier if self.who.is_company else ("payments-1", "platform", self.online[2])
        self.scene.tell(at, "/payments", {"payment": number, "lines": lines}, by)

    def _pay(self, at: datetime) -> None:
        self._payment(at, f"JF-{self.who.number:04d}-1")
        self._deliver(at + timedelta(minutes=2), "invoice")

    def _pay_twice(self, at: datetime) -> None:
        """The first payment bounced and was entered anew."""
        bounced = {"reason": "bounced"}
        by = ("cashier-1", "cashier", "counter")
        self.scene.instruct(at, f"/payments/JF-{self.who.number:04d}-1/reversal", bounced, by, second=MANAGER)
        self._payment(at + timedelta(minutes=3), f"JF-{self.who.number:04d}-2")

    # ---- construction, pauses, water

    def _start(self, at: datetime) -> None:
        self.scene.tell(at, "/construction/start", {"crew": f"crew-{1 + self.who.number % 12:02d}"}, self.squad)

    def _completed(self, at: datetime) -> None:
        self.scene.tell(at, "/construction/completion", {}, self.squad)

    def _failed(self, at: datetime) -> None:
        defects = [self.rng.choice(("leak", "backfill", "meter-box"))]
        self.scene.tell(at, "/inspection", {"passed": False, "defects": defects}, INSPECTOR)

    def _passed(self, at: datetime) -> None:
        self.scene.tell(at, "/inspection", {"passed": True, "defects": []}, INSPECTOR)

    def _pause(self, at: datetime) -> None:
        reason = "government-permit" if self.who.number % 2 else "site-not-ready"
        self.scene.tell(at, "/pauses", {"reason": reason, "evidence_digest": digest(self.rng)}, self.squad)

    def _pause_decided(self, at: datetime) -> None:
        verdict = "approval" if self.who.fate == "paused" else "decline"
        self.scene.instruct(at, f"/pauses/1/{verdict}", {}, MANAGER)

    def _pause_ended(self, at: datetime) -> None:
        if self.who.fate == "paused":
            self.scene.tell(at, "/pauses/1/end", {}, self.owner)

    def _meters(self, at: datetime) -> None:
        for point in range(1, len(self.scene.requests[0].body["points"]) + 1):
            installed = at + timedelta(seconds=40 * point)
            body = {"meter": _meter(self.rng, self.who.number, point, installed)}
            self.scene.tell(installed, f"/supply-points/{point}/meter", body, self.squad)


INSPECTOR = ("inspector-1", "inspector", "crew-phone")


def _span(begin: datetime, end: datetime) -> dict[str, str]:
    return {"begin": begin.isoformat(), "end": end.isoformat()}


def _inside(spans: Sequence[tuple[datetime, datetime]], place: timedelta) -> datetime:
    """The instant that lies so far into the spans, laid end to end."""
    for begin, end in spans:
        if place <= end - begin:
            return begin + place
        place -= end - begin
    return spans[-1][1]


def _meter(rng: random.Random, number: int, point: int, at: datetime) -> dict[str, Any]:
    verified = at.astimezone(LOCAL).date() - timedelta(days=rng.randrange(20, 200))
    return {
        "number": f"WM{number:04d}{point:02d}",
        "body_code": f"LXS-20E-{rng.randrange(10**6):06d}",
        "dn_mm": 20,
        "verified_on": verified.isoformat(),
        "expires_on": verified.replace(year=verified.year + 6, day=min(verified.day, 28)).isoformat(),
        "initial_reading_m3": "0.000",
        "dial_max_m3": 99999,
    }
