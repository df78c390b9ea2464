"""``python -m tests.jars``: fetch, from Maven Central, the jars that only the tests need.

``make test`` does it beside the unit tests, which leave the network alone. On a machine that has none of these jars a
worker of the integration tests waited for them, the 149 of the S3 server above all. Without a network it says so and
ends well; the test that needs a jar then fails for want of it, as before.
"""

from __future__ import annotations

import signal
import sys

import jgo
from jgo.maven import PythonResolver

S3_SERVER = "org.gaul:s3proxy:4.1.0"
COMPILER = "org.eclipse.jdt:ecj:3.44.0"
PATIENCE_S = 600
"""After so many seconds it ends, so that a network that hangs does not hold up the run."""


def main() -> None:
    """Fetch what is missing; what is compared with a lock is compared where it is used."""
    if hasattr(signal, "alarm"):
        signal.alarm(PATIENCE_S)
    for coordinate in (S3_SERVER, COMPILER):
        try:
            _ = jgo.build(coordinate, resolver=PythonResolver()).all_jars
        except Exception as error:  # jgo raises errors of its own, of requests, of the file system
            print(f"tests: {coordinate} could not be fetched ahead: {type(error).__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
