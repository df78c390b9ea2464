"""Which pages a role finds in its menu. What the role may do there is the API's to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.kernel.facts import Name

if TYPE_CHECKING:
    from api.pages.page import PageOf


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the menu: the address, its name, and the roles that find it; empty: everybody. ``power``: what its
    page asks the API for; who lacks it does not find the entry."""

    href: str
    name: Name
    roles: frozenset[str] = frozenset()
    power: str | None = None


_DISPATCH = frozenset({"dispatcher", "duty-dispatcher", "duty-manager", "crew-lead", "manager", "deputy-director"})
_COUNTER = frozenset({"counter", "case-owner", "cashier", "squad", "inspector", "manager", "deputy-director"})
_RULES = frozenset({"manager", "deputy-director", "price-authority", "market-regulator", "operator", "auditor"})

PUBLIC: tuple[Link, ...] = (
    Link("/apply", Name("用水报装", "apply for water")),
    Link("/report", Name("报修", "report a fault")),
    Link("/follow", Name("查进度", "follow my case")),
    Link("/outages", Name("停水通知", "outages")),
    Link("/disclosure", Name("信息公开", "disclosure")),
)
"""For everybody, and the first entries of who has no account."""

STAFF: tuple[Link, ...] = (
    Link("/desk", Name("报装窗口", "applications"), _COUNTER | {"auditor"}),
    Link("/intake", Name("收件", "take in"), frozenset({"counter", "case-owner"})),
    Link("/visits", Name("上门", "visits"), frozenset({"squad", "inspector", "case-owner"})),
    Link("/dispatch", Name("调度", "dispatch"), _DISPATCH | {"auditor"}),
    Link("/crews", Name("班组", "crews"), _DISPATCH),
    Link("/crew", Name("我的工单", "my jobs"), frozenset({"crew", "crew-lead"})),
    Link("/hotline", Name("热线", "hotline"), frozenset({"hotline", "counter", "duty-manager"})),
    Link("/complaints", Name("投诉", "complaints"), frozenset({"hotline", "counter", "duty-manager", "manager"})),
    Link("/rounds", Name("抄表", "meter reading"), frozenset({"meter-reader", "manager"})),
    Link("/usage", Name("用量异常", "abnormal use"), frozenset({"meter-reader", "manager", "case-owner"})),
    Link("/approvals", Name("待我复核", "approvals")),
    Link("/rights", Name("个人信息请求", "particulars"), frozenset({"counter", "case-owner", "manager"})),
    Link("/rules", Name("标准与日历", "rules"), _RULES),
    Link("/audit", Name("核查", "audit"), frozenset({"auditor", "manager", "deputy-director", "operator"})),
    Link("/charges", Name("收费", "charges"), frozenset({"price-authority", "market-regulator", "manager", "auditor"})),
    Link("/indicators", Name("指标", "indicators")),
    Link("/board", Name("看板", "board"), power="case.read"),
    Link("/search", Name("查找", "search"), power="case.read"),
)
"""For who has an account, by role; the demo's visitor finds them all."""


def links_of(page: PageOf) -> Mapping[str, list[Link]]:
    """The menu of whoever looks: public pages, and those of their role."""
    if not page.signed_in and page.role == "public":
        return {"public": list(PUBLIC), "staff": []}
    everything = not page.signed_in
    staff = [
        each for each in STAFF if everything or (page.may(each.power) and page.role in (each.roles or {page.role}))
    ]
    return {"public": list(PUBLIC), "staff": staff}
