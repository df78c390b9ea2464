"""Of what kind a failure is: one that passes by itself, or one that a person must put right."""

from __future__ import annotations

import errno

import psycopg
from eventsourcing.persistence import InterfaceError, OperationalError
from kafka import errors as kafka
from kafka.errors import KafkaError

from infra.embedded.errors import OF_RESOURCES, EmbeddedError
from infra.kafka.diagnose import KafkaRefused, postgres_code

_OF_NETWORKS = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EINTR})
# Of psycopg's SQLSTATEs: connection, transaction rollback, resources, objects in use, operator's intervention, system.
_PASSING_CLASSES = ("08", "40", "53", "55", "57", "58")
# disk_full, insufficient_resources, io_error, read_only_sql_transaction.
_CANNOT_WRITE = frozenset({"53100", "53000", "58030", "25006"})
# The same of a file of ours.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
# What a server says to a connection that it refuses comes without a SQLSTATE; its words alone tell.
_SETTINGS_ARE_WRONG = (
    "does not exist",
    "permission denied",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "invalid connection option",
)
# Fewer brokers are there than a topic shall have copies, or one is not itself yet: the clients call these final.
_PASSING_KAFKA = (
    kafka.InvalidReplicationFactorError,
    kafka.BrokerNotAvailableError,
    kafka.StaleControllerEpochError,
    kafka.UnknownError,
)


def may_pass(error: BaseException) -> bool:
    """Whether another try may help without anybody's doing: a part is away, slow or out of a resource.

    False for what a person must put right (permissions, settings, versions, a taken port, another number of
    partitions), and for what nobody thought of: a defect does not pass.
    """
    if isinstance(error, EmbeddedError):
        return error.may_pass
    if isinstance(error, psycopg.Error):
        return _postgres_may_pass(error)
    if isinstance(error, OperationalError | InterfaceError):  # the event-sourcing library's, around psycopg's
        return error.__cause__ is None or may_pass(error.__cause__)
    if isinstance(error, KafkaError):
        return not isinstance(error, KafkaRefused) and (error.retriable or isinstance(error, _PASSING_KAFKA))
    if isinstance(error, OSError):
        return isinstance(error, ConnectionError | TimeoutError) or error.errno in OF_RESOURCES | _OF_NETWORKS
    return False


def why_it_cannot_write(error: BaseException | None) -> str | None:
    """What PostgreSQL, or the system for a file of ours, says where nothing can be written: a full or failing disk, one
    that is read-only. None: it is something else. Looks at what the error was raised from, too."""
    while error is not None:
        if isinstance(error, psycopg.Error) and error.sqlstate in _CANNOT_WRITE:
            return error.diag.message_primary or str(error).splitlines()[0]
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return error.strerror
        error = error.__cause__
    return None


def in_words(error: BaseException) -> str:
    """The failure in one line, with a code where it has none of its own."""
    said = (str(error).splitlines() or [type(error).__name__])[0]
    if why := why_it_cannot_write(error):
        return f"store-cannot-write: {why}"
    if isinstance(error, psycopg.OperationalError):
        return f"{postgres_code(str(error))}: {said}"
    if isinstance(error, KafkaError) and not isinstance(error, KafkaRefused):
        return f"kafka-unreachable: {type(error).__name__}: {said}"
    return said if isinstance(error, EmbeddedError | KafkaRefused) else f"{type(error).__name__}: {said}"


def _postgres_may_pass(error: psycopg.Error) -> bool:
    if error.sqlstate is not None:
        return error.sqlstate in _CANNOT_WRITE or error.sqlstate.startswith(_PASSING_CLASSES)
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    said = str(error)
    if postgres_code(said) != "postgres-unreachable":
        return False
    return not any(words in said.lower() for words in _SETTINGS_ARE_WRONG)
