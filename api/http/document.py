"""What the OpenAPI document says beside the routes' own words: where the service is, how one proves who asks, what each
group of routes is about, and names for the operations that a generated client can use as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi.routing import APIRoute

from api.http.identity import COOKIE, CSRF_HEADER, FOLLOW, PROXY_HEADER, SIGN_IN
from api.http.powers import NONE, POWER
from infra.eventstore.shipped_rules import shipped_rules

SERVERS = [{"url": "/", "description": "This installation. 本系统"}]
TAGS: Mapping[str, str] = {
    "mass incidents 群发事件": "A cause that many report, and its reports taken together. 同因群发事件",
    "outages 停水": "Planned, emergency and unannounced outages, their notices and water in the meantime. 停水与通知",
    "repairs 报修": "A fault from the first report to the closed file. 报修全过程",
    "orders 热线工单": "Orders of the 12345 hotline: the reply, and more time for it. 热线工单答复与延期",
    "crews 班组": "Crews, their shifts and where they are. 班组、班次与位置",
    "connections 报装": "An application for water until it flows, and the account after that. 报装全过程",
    "ahead 咨询与前置": "Consultations, and requests ahead of building. 咨询与前置服务",
    "squads 专班": "Squads that accompany applications. 报装专班",
    "works 社区工程": "Works in a community. 社区工程",
    "publication 公开": "Standards, fees, calendars and law, as they are published. 标准、收费、日历与法规",
    "readings 抄表": "Meter readings, and which of them stand out or were set aside. 抄表数据",
    "usage 用量异常": "Cases of abnormal use. 用量异常案件",
    "reading books 抄表册": "Reading rounds, their exceptions and audits. 抄表册",
    "evidence 凭证": "Files behind the digests of events: uploaded, kept sealed, read. 凭证上传、保管与调取",
    "vault 个人信息": "Particulars of persons: masked, shown, found, erased. 个人信息查阅与删除",
    "rights 个人信息权利": "Persons see, export, correct, restrict and erase what is kept of them. 个人信息权利请求",
    "complaints 投诉": "Whoever is not content complains and is answered; how satisfied people are. 投诉与评价",
    "approvals 复核": "A second person is asked to stand behind a command, and answers. 请第二人复核",
    "alerts 告警": "Who was told that a promise is in danger, and who has taken note. 告警与确认",
    "meters 水表": "Meters whose verification has run out or ends soon. 水表检定",
    "dispatch 调度": "What the dispatcher sees. 调度视图",
    "cases 案件": "Every case, its events and its windows. 案件与时限",
    "board 看板": "Running limits and counts. 时限与计数",
    "breaches 超时": "Lapses, reminders, escalations and retractions, also as a stream. 超时与撤销",
    "figures 统计": "Figures of a period, and what is disclosed. 统计与公示",
    "desk 窗口": "What the counter sees. 窗口视图",
    "reference 参考": "Due dates, names of codes, and the demo. 到期日、代码名称与演示",
    "health 运行状态": "Whether the service can take a command, and figures for Prometheus. 运行状态",
    "session 登录": "Signing in and out, second factors, tokens of machines. 登录与令牌",
    "people 人员": "Who may act as what. 人员与岗位",
    "follow 查询链接": "A case by its secret link: how it stands, and what its applicant may do. 凭链接查询与办理",
    "my 我的": "One's own cases by telephone and one-time code. 凭手机验证码查询",
    "contract 事件约定": "The contract of events. 事件约定",
}
"""Group of routes → what it is about; a test holds that every group is here."""

SCHEMES: Mapping[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a session, of POST /api/v1/session with `bearer`. 会话令牌",
    },
    "clientCredentials": {
        "type": "oauth2",
        "description": "A machine's token, sent as a bearer token. 机器令牌",
        "flows": {"clientCredentials": {"tokenUrl": "/api/v1/token", "scopes": {}}},
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The session of a browser. 浏览器会话",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": CSRF_HEADER,
        "description": "With the cookie, for every change: the `csrf_token` of GET /api/v1/session. 页面校验码",
    },
    "frontEnd": {
        "type": "apiKey",
        "in": "header",
        "name": PROXY_HEADER,
        "description": "A front end that the installation trusts; it says who asks in X-Actor and X-Role. 受信前端",
    },
}
PUBLIC = "public"
"""The role of who proves nothing."""


def operation_id(route: APIRoute) -> str:
    """``repairs_dispatch``: the group and the function. Generated clients name their methods by it, so a test keeps
    every one that was published."""
    group = re.sub(r"[^a-z]+", "_", str(route.tags[0] if route.tags else "page").encode("ascii", "ignore").decode())
    return f"{group.strip('_')}_{route.name}"


def complete(document: dict[str, Any]) -> None:
    """Put all of it into a document."""
    document["servers"] = SERVERS
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["components"]["securitySchemes"] = dict(SCHEMES)
    public = _powers_of_the_public()
    for path, method, operation in operations(document):
        operation["security"] = _security(path, method, operation.get(POWER, NONE), public)
    for schema in document["components"]["schemas"].values():
        _drop_titles(schema)


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method in capitals, and operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _security(path: str, method: str, power: str, public: frozenset[str]) -> list[dict[str, list[str]]]:
    """The ways to prove who asks, of which one is enough; an empty one where the public may ask, by the shipped
    standard. A published standard may give the public other powers."""
    if path.startswith(FOLLOW):
        return [{}]  # the code in the path says who asks
    if method == "POST" and path in SIGN_IN:
        return []  # whoever signs in proves it there
    session: list[dict[str, list[str]]] = [
        {"bearer": []},
        {"cookie": []} if method == "GET" else {"cookie": [], "csrf": []},
    ]
    if method == "POST" and path.startswith("/api/v1/session/"):
        return session
    nobody: list[dict[str, list[str]]] = [{}] if power == NONE or power in public else []
    return [*nobody, *session, {"clientCredentials": []}, {"frontEnd": []}]


def _powers_of_the_public() -> frozenset[str]:
    standard = shipped_rules().standards[-1]
    return frozenset(power for power, roles in standard.powers.items() if PUBLIC in roles)


def _drop_titles(schema: dict[str, Any]) -> None:
    """Take out the titles that are made from the names of fields: a generator takes a title for the name of a class,
    and two fields of one name would be one class, or none."""
    for each in schema.get("properties", {}).values():
        _drop_title(each)


def _drop_title(schema: dict[str, Any]) -> None:
    schema.pop("title", None)
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for each in schema.get(name, ()):
            _drop_title(each)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            _drop_title(schema[name])
    _drop_titles(schema)
