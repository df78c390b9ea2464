"""How tests prove who asks: as a front end that the installation trusts."""

from __future__ import annotations

PROXY = "the front end's secret"
PROVEN = {"X-Proxy-Secret": PROXY}
"""Sent with X-Actor and X-Role, it makes them count."""
LOOKER = {**PROVEN, "X-Actor": "auditor-1", "X-Role": "auditor", "X-Channel": "office"}
"""Somebody who may read everything."""
