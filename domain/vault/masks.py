"""How particulars look to who does not need them: 张*, 138****1234, the district of an address."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

HIDDEN = "****"
MOBILE = re.compile(r"1\d{10}")


def masked(particulars: Mapping[str, str], district: str | None, but: Collection[str] = ()) -> dict[str, str]:
    """The particulars masked, except the fields in ``but``. ``district``: the name of the case's own district, which is
    all that is shown of an address; what somebody typed is not cut, since a cut may leave too much. A field that has no
    mask of its own is hidden whole."""
    return {name: text if name in but else _mask(name, text, district) for name, text in particulars.items()}


def _mask(field: str, text: str, district: str | None) -> str:
    match field:
        case "name":
            return text[:1] + "*"
        case "phone":
            return _phone(text)
        case "address":
            return (district or "") + HIDDEN
        case _:
            return HIDDEN


def _phone(text: str) -> str:
    """A mobile keeps its operator and its end; of another number, whose subscriber's part is short, the end stays."""
    digits = re.sub(r"\D", "", text.partition("转")[0])
    digits = digits.removeprefix("86") if text.startswith("+") else digits
    if MOBILE.fullmatch(digits):
        return digits[:3] + HIDDEN + digits[-4:]
    return HIDDEN + digits[-2:] if len(digits) > 6 else HIDDEN
