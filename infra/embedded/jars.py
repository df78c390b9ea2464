"""The jars of Apache Kafka: found once through jgo, and at every start compared with ``kafka-jars.lock``."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from infra.embedded.children import Say
from infra.embedded.errors import EmbeddedError
from infra.embedded.files import write_whole

VERSION = "4.4.0"
COORDINATE = f"org.apache.kafka:kafka_2.13:{VERSION}"
LOCK = Path(__file__).with_name("kafka-jars.lock")


def verified_jars(remembered: Path, say: Say) -> list[Path]:
    """The jars, each with the SHA-256 of the lock file.

    ``remembered`` is a file in which the list is kept, so that a later start asks neither jgo nor the network.
    Raises EmbeddedError: ``kafka-jars-unavailable``, ``kafka-jar-mismatch``.
    """
    jars = _remembered(remembered)
    if jars:
        verify(jars, read_lock(LOCK))
        return jars
    jars = resolved(say)
    verify(jars, read_lock(LOCK))
    write_whole(remembered, json.dumps([str(jar) for jar in jars], indent=1))
    return jars


def read_lock(lock: Path) -> dict[str, str]:
    """SHA-256 in hex by file name, from lines ``<sha256>  <file name>``."""
    rows = (line.split() for line in lock.read_text().splitlines())
    return {name: digest for digest, name in rows}


def verify(jars: Sequence[Path], lock: Mapping[str, str]) -> None:
    """Raise EmbeddedError ``kafka-jar-mismatch`` unless exactly the files of the lock are there, byte for byte."""
    names = {jar.name for jar in jars}
    for name in sorted(lock.keys() - names):
        raise _mismatch(f"no {name} among {len(jars)} jars", "every jar of kafka-jars.lock", jars[0].parent)
    for jar in jars:
        found = sha256(jar)
        if found != lock.get(jar.name):
            needed = f"SHA-256 {lock[jar.name]}" if jar.name in lock else "no jar that kafka-jars.lock does not name"
            raise _mismatch(f"{jar} with SHA-256 {found}", needed, jar)


def _mismatch(found: str, needed: str, path: Path) -> EmbeddedError:
    return EmbeddedError(
        "kafka-jar-mismatch",
        found=found,
        needed=needed,
        next_step=f"delete {path} and the file of the same name in the Maven repository (~/.m2), and start again",
    )


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remembered(remembered: Path) -> list[Path]:
    """The list of an earlier start; empty where there is none or a jar of it is gone."""
    try:
        jars = [Path(name) for name in json.loads(remembered.read_text())]
    except (OSError, ValueError):
        return []
    return jars if all(jar.is_file() for jar in jars) else []


def resolved(say: Say) -> list[Path]:
    """The jars as jgo finds them, not compared with anything."""
    # Here, because it takes a noticeable part of a start that does not need it.
    import jgo
    from jgo.maven import PythonResolver

    say(f"kafka: looking for Apache Kafka {VERSION}; what this machine does not have of it is fetched, some 40 MB")
    try:
        environment = jgo.build(COORDINATE, resolver=PythonResolver(progress_callback=_progress(say)))
        jars: list[Path] = list(environment.all_jars)
    except Exception as error:  # jgo raises errors of its own, of requests, of the file system
        raise EmbeddedError(
            "kafka-jars-unavailable",
            found=f"{type(error).__name__}: {error}",
            needed=f"{COORDINATE} and what it needs, from a Maven repository or its cache on this machine",
            next_step="see that this machine reaches a Maven repository (jgo's settings name them), and start again; "
            "or set TONGSHUI_KAFKA_BOOTSTRAP to a Kafka of your own",
        ) from error
    if not jars:
        raise _mismatch("no jar at all", "every jar of kafka-jars.lock", Path(environment.path))
    return jars


def _progress(say: Say) -> Callable[[str, int], contextlib.AbstractContextManager[Callable[[int], None]]]:
    fetched = 0

    @contextlib.contextmanager
    def one_file(name: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
        nonlocal fetched
        if name.endswith(".jar"):
            fetched += 1
            say(f"kafka: fetching {fetched}: {name} ({total_bytes / 1e6:.1f} MB)")
        yield lambda _: None

    return one_file
