"""``tongshui up``: every part of an installation on one machine, supervised."""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path

from app.forks import ForkServer
from app.supervisor import Addresses, Part, ServicePart, StartStep, Supervisor, running_state, take_lock
from infra import first_use
from infra.embedded import EmbeddedKafka, EmbeddedPostgres, kafka_logins
from infra.embedded.children import writing
from infra.embedded.errors import EmbeddedError
from infra.http_address import base_url, client_context, is_loopback, server_context
from infra.kafka.access import OPERATOR, grants
from infra.kafka.cluster import ensure_canary_topic, ensure_checkpoint_topic, ensure_readings_topic, ensure_topics
from infra.postgres.migrate import migrate
from infra.postgres.roles import as_process, settle_roles
from infra.settings import Settings
from infra.vault.upkeep import seal_particulars

STATE_FILE = "up.json"
DEMO_DIR = "demo"
"""The demo's folder below the data directory."""
ANSWER_S = 15.0
"""How long the API may take to answer on a busy machine."""
PROCESSES = ("relay", "views", "watch", "billing", "readings", "sender", "notary", "api")


def state_file(settings: Settings) -> Path:
    """Where ``up`` writes down what runs, and where."""
    return settings.data_dir / STATE_FILE


def with_addresses(settings: Settings, principal: str = OPERATOR) -> Settings:
    """The settings with the addresses of the running ``up`` where they name none; with its own embedded Kafka also the
    login of ``principal``.

    Raises EmbeddedError "nothing-runs" where there are none to be had, "kafka-logins-unreadable" where this user did
    not start it.
    """
    if settings.database_url and settings.kafka_bootstrap:
        return settings
    state = running_state(state_file(settings))
    if state is None:
        demo = settings.data_dir / DEMO_DIR
        demo_runs = running_state(demo / STATE_FILE) is not None
        raise EmbeddedError(
            "nothing-runs",
            found=f"no `tongshui up` on {settings.data_dir}",
            needed="a running installation, or TONGSHUI_DATABASE_URL and TONGSHUI_KAFKA_BOOTSTRAP",
            next_step=f"for the demo that runs set TONGSHUI_DATA_DIR={demo}"
            if demo_runs
            else "run `tongshui up`, or name the data directory with TONGSHUI_DATA_DIR",
        )
    found = settings
    if not found.database_url:
        found = settings.model_copy(update={"database_url": state["database_url"]})
        if "postgres" in state["parts"]:
            found = as_process(found, principal)
    if found.kafka_bootstrap:
        return found
    found = found.model_copy(update={"kafka_bootstrap": state["kafka"]})
    return logged_in(found, principal) if "kafka" in state["parts"] else found


def logged_in(settings: Settings, principal: str) -> Settings:
    """The settings with a principal's login at the embedded Kafka. One without rights there keeps what it has.

    Raises EmbeddedError "kafka-logins-unreadable".
    """
    password = kafka_logins.logins(_kafka_home(settings)).get(principal)
    if password is None:
        return settings
    login = {
        "kafka_security_protocol": "SASL_PLAINTEXT",
        "kafka_sasl_mechanism": kafka_logins.MECHANISM,
        "kafka_sasl_username": principal,
        "kafka_sasl_password": password,
    }
    return settings.model_copy(update=login)


def _kafka_home(settings: Settings) -> Path:
    return settings.data_dir / "kafka"


@contextmanager
def parts_alone(settings: Settings, say: Callable[[str], None]) -> Iterator[Settings]:
    """Settings with addresses, and no process of ours running: the embedded parts are started where none are named.

    Raises EmbeddedError "already-running" and what the embedded parts raise.
    """
    refuse_second(settings)
    with ExitStack() as stack:
        if not settings.database_url:
            postgres = stack.enter_context(EmbeddedPostgres(settings.data_dir / "postgres", say=say))
            settings = settings.model_copy(update={"database_url": postgres.conninfo()})
        if not settings.kafka_bootstrap:
            kafka = stack.enter_context(EmbeddedKafka(_kafka_home(settings), say=say, access=grants(settings)))
            settings = logged_in(settings.model_copy(update={"kafka_bootstrap": kafka.bootstrap}), OPERATOR)
        yield settings


def supervisor(
    settings: Settings,
    say: Callable[[str], None],
    *,
    external: bool,
    workers: int = 1,
    forks: ForkServer | None = None,
) -> Supervisor:
    """The supervisor of a whole installation. ``external``: PostgreSQL and Kafka are the settings' own. ``forks``: what
    starts every part from memory that all share.

    Raises EmbeddedError "already-running", "port-in-use", "settings-missing" and what the embedded parts raise.
    """
    refuse_second(settings)
    refuse_open_http(settings)
    refuse_taken_port(settings)
    close_to_others(settings)
    first_use.prepare()
    services: list[ServicePart] = []
    if external:
        _require_addresses(settings)
    else:
        logs = settings.data_dir.resolve() / "log"
        postgres = EmbeddedPostgres(settings.data_dir / "postgres", say=say, log=logs / "postgres.log")
        access = grants(settings)
        kafka = EmbeddedKafka(_kafka_home(settings), say=say, log=logs / "kafka.log", access=access)
        services = [ServicePart("postgres", postgres), ServicePart("kafka", kafka)]
        settings = settings.model_copy(update={"database_url": postgres.conninfo(), "kafka_bootstrap": kafka.bootstrap})
        with writing():
            kafka_logins.settled_logins(kafka.home)
    http = base_url(settings)

    def of(principal: str) -> Settings:
        """The settings as one process has them: with its own logins, and nobody else's."""
        return settings if external else logged_in(as_process(settings, principal), principal)

    return Supervisor(
        [
            *services,
            StartStep(
                "migrate",
                lambda: prepare(of(OPERATOR), own_roles=not external),
                waited_for="tables and topics are brought to this program's",
            ),
            *_processes(of, workers, forks),
            StartStep("told", lambda: _tell(say, f"up: {http}/  (Ctrl-C stops everything)")),
        ],
        say,
        state_file(settings),
        addresses=Addresses(settings.database_url, settings.kafka_bootstrap, http),
        on_stopped=forks.close if forks is not None else lambda: None,
    )


def close_to_others(settings: Settings) -> None:
    """Make the data directory so that other users of the machine cannot read what is in it.

    A data directory that is there keeps its own permissions, for somebody may have chosen them; its logs and Kafka's
    data are closed all the same. Root lets others pass through, for PostgreSQL runs as a user of its own.
    """
    mode = 0o711 if os.geteuid() == 0 else 0o700
    wanted = settings.data_dir.resolve() / "postgres"
    with writing():
        for directory in reversed([wanted, *wanted.parents]):
            if not directory.exists():
                directory.mkdir()
                directory.chmod(mode)
        logs = settings.data_dir / "log"
        logs.mkdir(exist_ok=True)
        logs.chmod(0o700)


def _tell(say: Callable[[str], None], line: str) -> None:
    """Say it where somebody still listens; a terminal that is gone is no reason to try again."""
    with suppress(OSError, ValueError):
        say(line)


def prepare(settings: Settings, *, own_roles: bool = False) -> None:
    """The schema and the topics, before any process needs them. ``own_roles``: each process has a role at the
    database, whose rights are settled too."""
    migrate(settings.database_url)
    if own_roles:
        settle_roles(settings.database_url)
    seal_particulars(settings)
    ensure_topics(settings)
    ensure_readings_topic(settings)
    ensure_canary_topic(settings)
    ensure_checkpoint_topic(settings)


def _processes(settings_of: Callable[[str], Settings], workers: int, forks: ForkServer | None) -> list[Part]:
    parts = []
    for name in PROCESSES:
        environment = _environment(settings_of(name))
        copies = workers if name in ("views", "watch", "readings") else 1
        for copy in range(1, copies + 1):
            ready = partial(_answers, settings_of(name)) if name == "api" else None
            title = name if copies == 1 else f"{name}-{copy}"
            fork = partial(forks.start, name) if forks is not None else None
            parts.append(Part(title, [sys.executable, "-m", "app.cli", name], environment, ready, fork=fork))
    return parts


def _environment(settings: Settings) -> Mapping[str, str]:
    """The settings as the children read them."""
    values = settings.model_dump(mode="json", exclude_none=True) | {"log_stamped": True}
    written = {
        name: json.dumps(value) if isinstance(value, list | dict) else str(value) for name, value in values.items()
    }
    return {f"TONGSHUI_{name.upper()}": value for name, value in written.items()} | {"PYTHONUNBUFFERED": "1"}


def _answers(settings: Settings) -> bool:
    """Whether the API answers at all; this machine is asked itself, whatever proxy the environment names.

    One that says what is wrong is alive: starting it again would mend nothing.
    """
    try:
        without_proxy, by_tls = (
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=client_context(settings)),
        )
        opener = urllib.request.build_opener(without_proxy, by_tls)
        opener.open(f"{base_url(settings)}/healthz", timeout=ANSWER_S).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, HTTPException):  # nobody listens yet, nobody has the time, or it ends as it answers
        return False
    return True


def refuse_second(settings: Settings) -> None:
    """Raise EmbeddedError "already-running" where another program runs on the data directory.

    Asked first, because a second program finds the port taken too, and another port is not what it needs. Whoever
    starts in the same moment is still kept out by the supervisor's own lock.
    """
    file = state_file(settings)
    with writing():
        second = running_state(file) is not None
    if second:
        take_lock(file).close()


def refuse_open_http(settings: Settings) -> None:
    """Raise EmbeddedError "demo-not-on-loopback", "tls-needed" and "tls-file-unusable" where the settings would let
    others of the network ask in a way that keeps nothing secret, or could not serve them at all."""
    try:
        server_context(settings)
    except OSError as error:
        raise EmbeddedError(
            "tls-file-unusable",
            found=f"{settings.tls_cert_file}, {settings.tls_key_file or 'its key in the same file'}: "
            f"{error.strerror or 'no such pair'}",
            needed="a certificate and the key that belongs to it, in PEM files that this user may read",
            next_step="set TONGSHUI_TLS_CERT_FILE and TONGSHUI_TLS_KEY_FILE, or leave both out 请核对证书与私钥文件",
        ) from error
    if is_loopback(settings.http_host):
        return
    if settings.demo:
        raise EmbeddedError(
            "demo-not-on-loopback",
            found=f"TONGSHUI_HTTP_HOST={settings.http_host}",
            needed="the loopback address: the accounts of the demo have no passwords",
            next_step="leave TONGSHUI_HTTP_HOST out, and show the demo elsewhere through a tunnel 演示仅限本机",
        )
    if settings.tls_cert_file is None and all(map(is_loopback, settings.trusted_proxies)):
        raise EmbeddedError(
            "tls-needed",
            found=f"TONGSHUI_HTTP_HOST={settings.http_host} without TLS and without a front end on another machine",
            needed="a certificate, or the address of the front end that has one",
            next_step="set TONGSHUI_TLS_CERT_FILE, or TONGSHUI_TRUSTED_PROXIES 对外服务须配置证书或前置代理",
        )


def refuse_taken_port(settings: Settings) -> None:
    """Raise EmbeddedError "port-in-use" where something else listens on the port of the API."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.http_host, settings.http_port))
        except OSError as error:
            raise EmbeddedError(
                "port-in-use",
                found=f"port {settings.http_port} on {settings.http_host}: {error.strerror}",
                needed="a free port for the API and the page",
                next_step="stop what uses it, or choose another one with TONGSHUI_HTTP_PORT",
            ) from error


def _require_addresses(settings: Settings) -> None:
    missing = [
        f"TONGSHUI_{name.upper()}" for name in ("database_url", "kafka_bootstrap") if not getattr(settings, name)
    ]
    if missing:
        raise EmbeddedError(
            "settings-missing",
            found=f"no {' and no '.join(missing)}",
            needed="both, for parts that run elsewhere",
            next_step="set them, or leave out --external to run embedded parts",
        )
