"""Ask a public list whether a package that we ship has a known vulnerability: ``make audit``.

Ends with 1 where one has. Where no list answers, it says that nothing was tested and ends with 0: a machine without
a way out must be able to run every other test.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOCKED = Path(__file__).parents[1] / "requirements.txt"
LISTS = ("pypi", "osv")
"""The services that pip-audit can ask, in the order in which they are tried."""


def main() -> int:
    """The exit code."""
    for service in LISTS:
        answer = asked(service)
        if answer is not None:
            found = vulnerable(answer)
            print("\n".join(found) or f"audit: no known vulnerability in the {len(answer['dependencies'])} packages")
            return 1 if found else 0
    print(f"NOT TESTED: known vulnerabilities of {LOCKED.name}: none of {', '.join(LISTS)} answers from this machine")
    return 0


def asked(service: str) -> Mapping[str, Any] | None:
    """What the service says of every locked package; None where it does not answer or knows none of them."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--vulnerability-service", service, "--progress-spinner", "off"),
            *("--requirement", str(LOCKED), "--require-hashes", "--disable-pip", "--format", "json", "--timeout", "15"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        return None
    known = [each for each in answer["dependencies"] if "skip_reason" not in each]
    return answer if known else None


def vulnerable(answer: Mapping[str, Any]) -> list[str]:
    """A line for each vulnerability that is known of a package."""
    return [
        f"audit: {each['name']} {each['version']}: {known['id']}, mended in {', '.join(known['fix_versions']) or '-'}"
        for each in answer["dependencies"]
        for known in each.get("vulns", ())
    ]


if __name__ == "__main__":
    sys.exit(main())
