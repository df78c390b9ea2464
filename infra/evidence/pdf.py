"""A paper as PDF/A with a QR code. The same paper gives the same bytes: no clock, no font of the machine, no network.

PDF/A-2b, because papers go into archives."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC
from functools import cache
from importlib import resources
from io import BytesIO
from pathlib import Path

import segno
import typst

from domain.evidence.papers import Paper, civil_day, digest_of_words

FONT_FOLDER = Path(str(resources.files("infra.data") / "papers"))
UNKNOWN = "〓"
"""What printers put for a character that the font does not have."""
LABELS = {"name": "姓名（名称）", "phone": "联系电话", "address": "地址"}
"""What a paper says of the person, in this order: field of the vault → label."""

_lock = threading.Lock()


def made(paper: Paper, person: Mapping[str, str], *, issuer: str, is_masked: bool) -> bytes:
    """The PDF. ``person``: particulars as they may be shown, masked or not; empty for a paper to the public."""
    digest, at = digest_of_words(paper), paper.at.astimezone(UTC)
    qr_text = f"{paper.case_number} {paper.kind} {paper.number} {digest}"
    said = {
        "title": paper.title.zh,
        "issuer": issuer,
        "number_label": "编号：",
        "case_number": paper.case_number,
        "day": civil_day(paper.at),
        "instant": {name: getattr(at, name) for name in ("year", "month", "day", "hour", "minute", "second")},
        "person": [[label, person[field]] for field, label in LABELS.items() if person.get(field)],
        "opening": paper.opening,
        "rows": paper.rows,
        "head": paper.head,
        "table": paper.table,
        "closing": paper.closing,
        "footer": f"{paper.title.zh}　{paper.case_number}",
        "qr": _qr(qr_text),
        "qr_text": qr_text,
        "proof": [
            f"内容摘要 {digest}",
            f"依据的事件 {paper.event_id}；服务标准 {paper.standard}",
            *(["个人信息已脱敏。"] if is_masked and person else []),
        ],
    }
    return printed("paper.typ", said)


def printed(template: str, said: Mapping[str, object]) -> bytes:
    """The words of a paper as PDF/A by one of our templates. The same words give the same bytes."""
    text = json.dumps(_printable(said), ensure_ascii=False)
    with _lock:  # one at a time: it takes a core and some 100 MB
        pdf = typst.compile(
            _template(template),
            format="pdf",
            font_paths=_fonts(),
            sys_inputs={"paper": text},
            pdf_standards=["a-2b"],
        )
    assert isinstance(pdf, bytes)
    return pdf


def _qr(text: str) -> str:
    svg = BytesIO()
    segno.make(text, error="m", micro=False).save(svg, kind="svg", xmldecl=False, svgns=True, nl=False)
    return svg.getvalue().decode()


@cache
def _fonts() -> typst.Fonts:
    """Read once: it takes longer than a paper."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONT_FOLDER])


@cache
def _template(name: str) -> bytes:
    return (FONT_FOLDER / name).read_bytes()


@cache
def characters() -> frozenset[str]:
    """The characters that the font has."""
    return frozenset((FONT_FOLDER / "characters.txt").read_text(encoding="utf-8"))


def _printable(value: object) -> object:
    if isinstance(value, str):
        known = characters()
        return "".join(each if each in known else UNKNOWN for each in value)
    if isinstance(value, Mapping):
        return {name: each if name == "qr" else _printable(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(each) for each in value]
    return value
