"""Who may speak with the embedded Kafka: passwords in a file that only this user can read, rights as Kafka's ACLs.

The broker knows nobody when its data is new, and a data directory from before it asked for passwords knows nobody
either. So the program that starts it lets everybody else in, at every start: it speaks as the broker itself, with a
password that is made anew for each start and stands only in the broker's own file.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError, KafkaTimeoutError

from infra.embedded.errors import EmbeddedError
from infra.embedded.files import write_whole
from infra.kafka.access import ADMIN, PRINCIPALS, Grant

MECHANISM = "SCRAM-SHA-512"
BROKER = "broker"
"""The broker's own name, also to itself."""
_FILE = "logins.json"
_ITERATIONS = 4_096
"""Kafka's least. The passwords are random, so that guessing them is hopeless at any number."""
_KNOWN_WITHIN_S = 20.0

_PROPERTIES = """\
listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
listener.name.clients.sasl.enabled.mechanisms={mechanism},PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.clients.plain.sasl.jaas.config={plain}
listener.name.controller.plain.sasl.jaas.config={plain}
listener.name.clients.scram-sha-512.sasl.jaas.config={scram}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{broker};User:{admin}
"""
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def properties(password: str) -> dict[str, str]:
    """The broker's properties that close it: whoever has no password is refused, whoever has no right denied."""
    plain = f'{_PLAIN} username="{BROKER}" password="{password}" user_{BROKER}="{password}";'
    text = _PROPERTIES.format(mechanism=MECHANISM, plain=plain, scram=_SCRAM, broker=BROKER, admin=ADMIN)
    return dict(line.split("=", 1) for line in text.splitlines())


def as_broker(password: str) -> dict[str, Any]:
    """Settings of kafka-python with which the starting program speaks as the broker itself."""
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": BROKER,
        "sasl_plain_password": password,
    }


def logins(home: Path) -> dict[str, str]:
    """Principal → password, of the Kafka below ``home``. Raises EmbeddedError ``kafka-logins-unreadable``."""
    file = home / _FILE
    try:
        found: dict[str, str] = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise EmbeddedError(
            "kafka-logins-unreadable",
            found=f"{file}: {getattr(error, 'strerror', None) or 'no JSON'}",
            needed="the passwords of the embedded Kafka, which only the user who started `tongshui up` can read",
            next_step="run the command as that user; where the file is gone or broken, delete it and start "
            "`tongshui up` again, which makes new passwords",
        ) from error
    return found


def settled_logins(home: Path) -> dict[str, str]:
    """As ``logins``; those that are missing are made and kept."""
    known = logins(home) if (home / _FILE).exists() else {}
    missing = [name for name in (ADMIN, *PRINCIPALS) if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(32) for name in missing}
        write_whole(home / _FILE, json.dumps(known, indent=1), mode=0o600)
    return known


def let_in(admin: Any, passwords: Mapping[str, str], wanted: Collection[Grant]) -> None:
    """Make the broker know these passwords and exactly these rights. Raises KafkaError.

    ``admin``: a kafka-python admin client of the broker itself. Rights first: once the last name is known they are in
    force, for the broker takes up changes in their order.
    """
    there = _rights(admin)
    if missing := set(wanted) - there:
        _created(admin.create_acls([_acl(grant) for grant in sorted(missing)]))
    if surplus := there - set(wanted):
        admin.delete_acls([_only(grant) for grant in sorted(surplus)])
    answer = admin.alter_user_scram_credentials(
        [
            UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, password, iterations=_ITERATIONS)
            for name, password in passwords.items()
        ]
    )
    if refused := {name: said for name, said in answer.items() if said}:
        raise KafkaError(f"passwords were refused by the broker: {refused}")
    deadline = time.monotonic() + _KNOWN_WITHIN_S
    while not passwords.keys() <= _known(admin):
        if time.monotonic() > deadline:
            raise KafkaTimeoutError("the broker does not take up the passwords that it was told")
        time.sleep(0.02)


def _known(admin: Any) -> set[str]:
    return set(admin.describe_user_scram_credentials())


def _created(answer: Mapping[str, Any]) -> None:
    if answer["failed"]:
        raise KafkaError(f"rights were refused by the broker: {answer['failed'][0]}")


def _acl(grant: Grant) -> ACL:
    pattern = ResourcePattern(ResourceType[grant.kind.upper()], grant.name)
    return ACL(f"User:{grant.principal}", "*", ACLOperation[grant.right], ACLPermissionType.ALLOW, pattern)


def _only(grant: Grant) -> ACLFilter:
    kind = ResourceType[grant.kind.upper()]
    pattern = ResourcePatternFilter(kind, grant.name, ACLResourcePatternType.LITERAL)
    return ACLFilter(f"User:{grant.principal}", "*", ACLOperation[grant.right], ACLPermissionType.ALLOW, pattern)


def _rights(admin: Any) -> set[Grant]:
    every = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    found, _ = admin.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, every))
    return set(_of_ours(found))


def _of_ours(found: Iterable[ACL]) -> Iterable[Grant]:
    """Rights that are as we give them; any other was given by a person with the administrator's password."""
    for acl in found:
        pattern = acl.resource_pattern
        name = acl.principal.removeprefix("User:")
        if name in PRINCIPALS and acl.host == "*" and acl.permission_type == ACLPermissionType.ALLOW:
            kind = pattern.resource_type.name.lower()
            if pattern.pattern_type == ACLResourcePatternType.LITERAL and kind in ("topic", "group"):
                yield Grant(name, kind, pattern.resource_name, acl.operation.name)
