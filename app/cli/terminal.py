"""What every command has: the group it belongs to, settings, and how it speaks and ends."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import click
import psycopg
from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.days import is_day
from infra.settings import Settings, unknown_variables

P = ParamSpec("P")
R = TypeVar("R")


def say(line: str) -> None:
    """One line for the person at the terminal."""
    click.echo(line, err=True)


def fail(line: str, code: int = 1) -> NoReturn:
    """End with one clear line."""
    click.echo(f"tongshui: {line}", err=True)
    sys.exit(code)


@contextlib.contextmanager
def one_clear_line() -> Iterator[None]:
    """What an operator can mend is said in a line, without a traceback; everything else is a defect and shows one."""
    from kafka.errors import KafkaError

    from consumers.notary.note import NoteError
    from consumers.recount.policy import NoPolicyError
    from consumers.recount.published_events import BadLineError
    from consumers.timeline import UnknownCaseError
    from domain.kernel.refusals import Refusal
    from infra.embedded.errors import EmbeddedError
    from infra.eventstore.commands import StoreUnavailableError
    from infra.eventstore.documents import DocumentError
    from infra.failures import why_it_cannot_write
    from infra.kafka.cluster import BusRefusal
    from infra.kafka.diagnose import KafkaRefused, postgres_code
    from infra.keys import KeyFileError
    from infra.postgres.migrate import MigrationError

    try:
        yield
    except (
        EmbeddedError,
        BusRefusal,
        MigrationError,
        UnknownCaseError,
        NoPolicyError,
        BadLineError,
        NoteError,
        KeyFileError,
    ) as error:
        fail(str(error))
    except DocumentError as error:
        fail(f"bad-document: {error}")
    except StoreUnavailableError as error:
        why = why_it_cannot_write(error)
        fail(f"store-cannot-write: {why}" if why else f"store-unavailable: {error}; see `tongshui status`")
    except Refusal as error:
        fail(f"{error} ({error.next_step_zh})")
    except psycopg.errors.UndefinedTable:
        fail("not-migrated: found a database without our tables; needed those of this program; run `tongshui migrate`")
    except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
        said = str(error).splitlines()[0]
        code = "store-cannot-write" if why_it_cannot_write(error) else postgres_code(str(error))
        fail(f"{code}: {said}; see `tongshui status`, or TONGSHUI_DATABASE_URL")
    except KafkaRefused as refused:
        fail(str(refused))
    except KafkaError as error:
        fail(f"kafka-unreachable: {type(error).__name__}: {error}; see `tongshui status`, or TONGSHUI_KAFKA_BOOTSTRAP")


def given_settings() -> Settings:
    for name, nearest in unknown_variables().items():
        advice = f"did you mean {nearest}?" if nearest else "the settings are listed in the documents"
        fail(f"unknown-setting: found the variable {name}; needed the name of a setting; {advice} Else unset it.")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "TONGSHUI_" + "_".join(map(str, first["loc"])).upper()
        fail(f"bad-setting: {name}: found {first['input']!r}; {first['msg']}")
    except SettingsError as error:
        # Its text names the setting; what was given may be a secret and is not repeated.
        fail(f"bad-setting: found a value that is no JSON; needed JSON for a list or a table; {error}")


def located_settings(principal: str | None = None) -> Settings:
    """The settings with the addresses of what runs. ``principal``: who logs in at the embedded Kafka; None: the
    operator."""
    from app.up import with_addresses
    from infra.kafka.access import OPERATOR

    return with_addresses(given_settings(), principal or OPERATOR)


def command(work: Callable[P, R]) -> Callable[P, R]:
    """Wrap a command so that what an operator can mend is one line."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with one_clear_line():
            return work(*args, **kwargs)

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tongshui")
def main() -> None:
    """通水 tongshui: a water utility's promises, kept and proven.

    Settings are environment variables TONGSHUI_…; the data directory is TONGSHUI_DATA_DIR (default .tongshui).
    """


def kafka_settings() -> Settings:
    """Settings for commands that live on Kafka alone."""
    settings = given_settings()
    return settings if settings.kafka_bootstrap else located_settings()


def connected() -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(located_settings().database_url, connect_timeout=5, autocommit=True)


# ---- options that several commands have


WHO = (
    click.option("--actor", required=True, help="Your staff id."),
    click.option("--role", required=True, help="The role in which you act, for example manager."),
)


def as_somebody(run: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(WHO):
        run = option(run)
    return run


def impersonal(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Callback of an option whose text is kept: refuses what looks personal, and does not repeat it."""
    from domain.kernel.personal import KIND_NAMES, kind_in

    if text is not None and (kind := kind_in(text)) is not None:
        raise click.BadParameter(f"it holds what looks like {KIND_NAMES[kind][0]}; it is kept, so take that out")
    return text


def with_reason(run: Callable[..., None]) -> Callable[..., None]:
    reason = click.option("--reason", required=True, help="Kept with it.", callback=impersonal)
    return click.option("--actor", required=True, help="Your staff id.", callback=impersonal)(reason(run))


def instant(text: str) -> datetime:
    from domain.deadlines.calendar import LOCAL

    needed = "needed an instant, for example 2026-09-22T17:30:00+08:00"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        fail(f"bad-parameter: found --as-of {text[:40]!r}; {needed}")
    if is_day(text):
        # At a day's beginning nothing of it was known.
        fail(f"bad-parameter: found --as-of {text[:40]!r}, a day without a time of day; {needed}")
    return found if found.tzinfo is not None else found.replace(tzinfo=LOCAL)
