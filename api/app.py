"""The HTTP application. Made by ``app.processes`` or a test; importing this module connects to nothing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from fastapi import Depends, FastAPI

from api import health
from api.approvals import routes as approvals
from api.board import alerts, board, breaches, cases, figures, indicators
from api.board.breach_notifier import Pulse
from api.citizens import follow, my
from api.complaints import own as complaints_own
from api.complaints import routes as complaints
from api.connections import desk
from api.connections import pre_applications as ahead
from api.connections import routes as connections
from api.contract import routes as contract
from api.crews import routes as crews
from api.crews import squads
from api.evidence import papers
from api.evidence import routes as evidence
from api.http import document as described_api
from api.http import errors
from api.http.access_log import Outer
from api.http.answers import IDENTITY_ERRORS
from api.http.described import describe_dataclasses
from api.http.drain_body import Linger
from api.http.identity import guard
from api.http.kept import Kept
from api.http.limits import RateLimits
from api.http.metrics import ProcessMetrics
from api.http.powers import describe_powers
from api.http.trust import Doorkeeper
from api.identity import oidc, people, sessions
from api.metering import abnormal_use as usage
from api.metering import meters as meter_lists
from api.metering import reading_rounds as books
from api.metering import readings
from api.outages import lists as outage_lists
from api.outages import routes as outages
from api.pages import site
from api.pages import static_files as pages
from api.publication import disclosure, reference, what_if, works
from api.publication import routes as publication
from api.repairs import dispatching, linking, mass, orders
from api.repairs import routes as repairs
from api.rights import routes as rights
from api.vault import routes as persons
from domain.deadlines.explain import WindowExplained
from domain.kernel.law import Article, Citation
from infra.eventstore.service import Service
from infra.identity.oidc import Provider
from projections.reports.figures import PeriodFigures
from projections.reports.published import Beside, Contradiction

COMMANDS = (
    mass,
    outages,
    repairs,
    orders,
    crews,
    connections,
    ahead,
    squads,
    works,
    publication,
    what_if,
    readings,
    usage,
    books,
    alerts,
    persons,
    approvals,
    evidence,
    papers,
    rights,
    complaints,
)
QUERIES = (
    linking,
    meter_lists,
    dispatching,
    outage_lists,
    cases,
    board,
    breaches,
    figures,
    indicators,
    disclosure,
    desk,
    reference,
    health,
    pages,
)
DATACLASSES = (WindowExplained, Article, Citation, PeriodFigures, Beside, Contradiction)
"""The dataclasses that answers hold; their fields say what they mean as those of facts do."""
DESCRIPTION = """
Commands answer once their events are committed; queries over lists and counts read Kafka's read models and may be a
moment behind. Errors are `application/problem+json` (RFC 9457) with a stable `code`, in English and Chinese.
Send `Idempotency-Key` with every command that you may have to repeat. Who asks is proven: by a session's cookie,
by a token (`Authorization: Bearer`), or by a front end that the installation trusts; whoever
proves nothing is of the public. `x-power` of an operation is the power that the role must have by
the standard in force, or else it is refused `wrong-role`; `none`: whoever it is. What a repair's facts say over a
channel of imported history needs `history.import` as well. A second person is asked at `/api/v1/approvals`; only a
trusted front end names one.
"""


def create_app(service: Service) -> FastAPI:
    """The application over a service: its routes, its table of errors, its figures. Holds nothing else open."""
    app = FastAPI(
        title="通水 tongshui",
        version=_version(),
        description=DESCRIPTION.strip(),
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        generate_unique_id_function=described_api.operation_id,
        dependencies=[Depends(guard)],
        responses=IDENTITY_ERRORS,
        # The framework's own records would carry exceptions' words; ours are in api.http.access_log.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.service = service
    app.state.intake = readings.ReadingsProducer(lambda: service.settings)
    settings = service.settings
    app.state.pulse = Pulse(
        lambda: breaches.heads(service), at_most=settings.streams_at_most, at_most_each=settings.actor_streams_at_most
    )
    app.state.figures = ProcessMetrics(lambda: health.status_of(service), lambda: app.state.pulse.open_streams)
    app.state.disclosed = Kept(settings.disclosed_figures_s)
    app.state.indicators = Kept(settings.disclosed_figures_s)
    app.state.limits = RateLimits(settings)
    app.state.oidc = Provider(settings)
    for module in (*COMMANDS, *QUERIES):
        app.include_router(module.router)
    accounts = (sessions.router, sessions.queries, sessions.tokens, oidc.router, people.router, people.queries)
    for router in (
        *accounts,
        follow.router,
        follow.staff,
        my.router,
        rights.my,
        complaints_own.my,
        complaints_own.link,
    ):
        app.include_router(router)
    app.include_router(contract.router)
    app.include_router(contract.page)
    app.router.routes.extend(site.routes())
    app.mount("/static", pages.assets())
    errors.install(app)
    app.add_middleware(Doorkeeper, settings=settings)
    app.add_middleware(Outer, figures=app.state.figures)
    app.add_middleware(Linger)
    _complete_document(app)
    return app


def _complete_document(app: FastAPI) -> None:
    """Put into the OpenAPI document what the framework does not: the form of errors, which no route returns itself, the
    meaning of the fields of dataclasses, the power that each command needs. Drop the framework's own form of errors."""
    made = app.openapi

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            document = made()
            schemas = document["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            problem = errors.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs", {}))
            schemas["Problem"] = problem
            describe_dataclasses(schemas, DATACLASSES)
            described_api.complete(document)
            describe_powers(document["paths"])
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _version() -> str:
    try:
        return version("tongshui")
    except PackageNotFoundError:
        return "0"
