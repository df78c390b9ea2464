"""``python -m infra.embedded.lock_kafka``: write ``kafka-jars.lock`` anew from what jgo resolves now.

For a change of version only, and then to be reviewed line by line: whatever is fetched at that moment is believed.
"""

from __future__ import annotations

import sys

from infra.embedded.jars import LOCK, resolved, sha256


def main() -> None:
    jars = sorted(resolved(print), key=lambda jar: jar.name)
    LOCK.write_text("".join(f"{sha256(jar)}  {jar.name}\n" for jar in jars))
    sys.stdout.write(f"{len(jars)} jars in {LOCK.name}\n")


if __name__ == "__main__":
    main()
