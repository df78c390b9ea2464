"""Papers of a case: their words follow from its events, and the PDF of the same paper is the same, byte for byte."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from domain import kinds
from domain.evidence.papers import TITLES, Paper, digest_of_words, papers_of
from domain.kernel.facts import Recorded
from domain.kinds import Kind
from infra.eventstore.envelope import read
from infra.eventstore.shipped_rules import shipped_rules
from infra.evidence.pdf import characters, made
from tests.api_world import DIGEST, PAPERS, Client, FakeService, app_over, application, ready_for_water, staff, step
from tests.unit.test_histories import FOLDER

RULES = shipped_rules()
PERSON = {"name": "张*", "phone": "138****1234"}


def of_history(name: str, kind: Kind) -> tuple[Paper, ...]:
    return papers_of(kind, [read(line)[1] for line in (FOLDER / f"{name}.jsonl").read_bytes().splitlines()], RULES)


def streams(pdf: bytes) -> Iterator[bytes]:
    """What the PDF's compressed streams hold."""
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            yield zlib.decompress(found[1])
        except zlib.error:
            yield found[1]


@pytest.fixture
def client() -> Client:
    return Client(app_over(FakeService()))


def test_every_kind_of_paper_comes_out_of_a_history() -> None:
    found = {
        paper.kind
        for path in sorted(FOLDER.glob("*.jsonl"))
        for kind in (kinds.CONNECTION, kinds.OUTAGE)
        if path.name.startswith(f"{kind.name}-")
        for paper in of_history(path.stem, kind)
    }
    assert found == set(TITLES)


def test_the_one_time_notice_names_everything_at_once_by_its_chinese_names(client: Client) -> None:
    case = client.post("/api/v1/connections", application(), headers=staff("counter")).json()["case_id"]
    items = [{"document": "property-right", "defect": "missing"}, {"document": "identity", "defect": "missing"}]
    assert step(client, case, "notice", {"items": items}, "counter").status_code == 200
    (paper,) = client.get(f"/api/v1/cases/{case}/papers").json()["papers"]
    assert (paper["kind"], paper["number"], paper["name_zh"]) == ("one-time-notice", 1, "一次性告知书")
    (of_case,) = papers_of(kinds.CONNECTION, history(client, case), RULES)
    assert of_case.table == (("1", "房产或用地证明", "缺少"), ("2", "身份证明", "缺少"))
    assert paper["digest"] == digest_of_words(of_case)


def history(client: Client, case: str) -> list[Recorded]:
    return [each for _, each in client.app.state.service.history(UUID(case))]


def test_a_refusal_says_its_reason_and_points_to_the_signed_paper(client: Client) -> None:
    case = client.post("/api/v1/connections", application(documents=PAPERS), headers=staff("counter")).json()["case_id"]
    told = step(client, case, "refusal", {"reason": "arrears", "document_digest": DIGEST}, "manager")
    assert told.status_code == 200, told.text
    paper = client.get(f"/api/v1/cases/{case}/papers").json()["papers"][-1]
    assert (paper["kind"], paper["file_digest"]) == ("refusal", DIGEST)
    made_out = papers_of(kinds.CONNECTION, history(client, case), RULES)[-1]
    assert made_out.rows == (("不予受理的原因", "欠费"),)


def test_a_quote_adds_up_and_names_the_basis_of_each_fee(client: Client) -> None:
    case = ready_for_water(client)
    papers = papers_of(kinds.CONNECTION, history(client, case), RULES)
    assert [paper.kind for paper in papers] == ["acceptance", "quote", "contract"]
    (water, works, total) = papers[1].table
    assert (water[2], works[2], total[2]) == ("60.00", "1,285.00", "1,345.00")
    assert water[3]
    assert works[3]
    assert papers[2].rows[0] == ("合同编号", "HT-1")


def test_admission_with_papers_outstanding_names_them_with_their_day() -> None:
    (paper,) = (
        each
        for each in of_history("connection-ended-and-upheld", kinds.CONNECTION)
        if each.kind == "acceptance-outstanding"
    )
    assert [(name, re.fullmatch(r"\d{4}年\d+月\d+日", day) is not None) for _, name, day in paper.table] == [
        ("房产或用地证明", True)
    ]


def test_an_outage_notice_is_made_once_for_each_notice_and_has_the_standards_words() -> None:
    papers = of_history("outage-planned", kinds.OUTAGE)
    assert papers
    assert [paper.number for paper in papers] == list(range(1, len(papers) + 1))
    assert papers[0].case_number in papers[0].opening
    assert papers[0].subject is None


def test_the_same_paper_is_the_same_file_on_any_machine_at_any_time(tmp_path: Path) -> None:
    """Made by another process, in another time zone and language: no clock, no locale and no font of the machine."""
    paper = of_history("connection-at-the-door", kinds.CONNECTION)[0]
    here = made(paper, PERSON, issuer="示例供水", is_masked=True)
    script = (
        "import sys; from hashlib import sha256; from domain import kinds; from infra.evidence.pdf import made;"
        "from tests.unit.test_papers import of_history, PERSON;"
        "paper = of_history('connection-at-the-door', kinds.CONNECTION)[0];"
        "print(sha256(made(paper, PERSON, issuer='示例供水', is_masked=True)).hexdigest())"
    )
    environment = {"TZ": "America/Lima", "LANG": "C", "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    there = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == sha256(here).hexdigest()


def test_the_pdf_carries_its_font_its_words_digest_and_nothing_that_was_typed_as_markup() -> None:
    paper = of_history("connection-at-the-door", kinds.CONNECTION)[0]
    pdf = made(paper, PERSON, issuer="#panic() *供水*", is_masked=True)
    inside = b"\n".join(streams(pdf)) + pdf
    assert pdf.startswith(b"%PDF-1.7")
    assert b"pdfaid:part>2<" in inside
    assert b"NotoSansSC" in inside
    assert b"FontFile" in inside
    qr_text = f"{paper.case_number} {paper.kind} {paper.number} {digest_of_words(paper)}"
    assert qr_text.encode() in inside or qr_text.encode("utf-16-be") in inside, "as the words of the QR code"
    assert len(pdf) < 200_000


def test_the_digest_of_a_papers_words_changes_with_each_of_them_and_not_with_the_person() -> None:
    paper = of_history("connection-at-the-door", kinds.CONNECTION)[0]
    others = [
        replace(paper, opening=paper.opening + "。"),
        replace(paper, number=2),
        replace(paper, rows=(*paper.rows, ("a", "b"))),
        replace(paper, closing=()),
    ]
    assert len({digest_of_words(each) for each in (paper, *others)}) == 5
    assert digest_of_words(replace(paper, subject=None)) == digest_of_words(paper)


def test_a_character_that_the_font_does_not_have_is_printed_as_a_mark() -> None:
    assert {"张", "喆", "㎡", "〓", "A", "￥"} <= characters()
    paper = of_history("connection-at-the-door", kinds.CONNECTION)[0]
    assert made(paper, {"name": "张𠮷"}, issuer="x", is_masked=False) == made(
        paper, {"name": "张〓"}, issuer="x", is_masked=False
    )


def test_the_list_of_characters_is_that_of_the_font() -> None:
    """The font's own table, format 4: segments of characters that it maps."""
    font = Path("infra/data/papers/NotoSansSC-subset.ttf").read_bytes()
    tables = {font[12 + 16 * n : 16 + 16 * n]: font[20 + 16 * n : 28 + 16 * n] for n in range(font[5])}
    start = int.from_bytes(tables[b"cmap"][:4], "big")
    cmap = font[start:]
    found = {int.from_bytes(cmap[8 + 8 * n : 12 + 8 * n], "big") for n in range(int.from_bytes(cmap[2:4], "big"))}
    table = next(cmap[each:] for each in found if cmap[each : each + 2] == b"\x00\x04")
    segments = int.from_bytes(table[6:8], "big") // 2
    ends = [int.from_bytes(table[14 + 2 * n : 16 + 2 * n], "big") for n in range(segments)]
    starts = [
        int.from_bytes(table[16 + 2 * segments + 2 * n : 18 + 2 * segments + 2 * n], "big") for n in range(segments)
    ]
    mapped = {code for first, last in zip(starts, ends, strict=True) for code in range(first, last + 1)} - {0xFFFF}
    missing = {character for character in characters() if ord(character) <= 0xFFFF and ord(character) not in mapped}
    assert not missing


def test_a_paper_is_given_by_its_kind_and_number_and_one_that_there_is_not_is_refused(client: Client) -> None:
    case = client.post("/api/v1/connections", application(), headers=staff("counter")).json()["case_id"]
    items = [{"document": each, "defect": "missing"} for each in ("identity", "property-right")]
    assert step(client, case, "notice", {"items": items}, "counter").status_code == 200
    platform = client.get(f"/api/v1/cases/{case}/papers/one-time-notice.pdf", headers=staff("operator"))
    assert platform.status_code == 200, platform.text
    assert platform.content.startswith(b"%PDF")
    assert platform.headers["content-type"] == "application/pdf"
    assert platform.headers["content-disposition"] == ('attachment; filename="BZ-2026-000001-one-time-notice-1.pdf"')
    for path in ("refusal.pdf", "one-time-notice.pdf?number=2"):
        refused = client.get(f"/api/v1/cases/{case}/papers/{path}")
        assert (refused.status_code, refused.json()["code"]) == (404, "no-such-paper")
    unknown = client.get("/api/v1/cases/00000000-0000-4000-8000-000000000000/papers")
    assert unknown.json()["code"] == "no-such-case"
