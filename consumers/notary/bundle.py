"""``tongshui audit bundle``: all about a case to hand over. ``bundle_verify`` checks it with nothing running.

events.jsonl       the case's events, the very bytes, by version
schemas/           the JSON Schema of each of their types
checkpoint         the signed note that covers them
handovers.jsonl    the notes in which one key handed over to the next, and the last one of each earlier log
proofs.json        for each event the proof that it is in that log; and that the log continues an earlier checkpoint
bundle.json        which case it is of, and up to where names and schemas had been published when it was made
words.json         the Chinese names that the page uses
case.html          to read
README.md          how to verify

The first five are proven by signature and hashes. Everything else follows from the events and from what the program
holds by itself, so whoever verifies makes it again and compares. Bundles of the first form have no bundle.json.
"""

from __future__ import annotations

import re
import stat
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from consumers.notary.keys import NotaryRefusal
from consumers.notary.merkle import Tree
from consumers.notary.note import Note
from consumers.notary.page import TOLD, AuditPage, number_of, page
from consumers.notary.published import PublishedLog, read_logs
from consumers.notary.wording import Edition, Wording, as_schema_file, as_words_file
from consumers.timeline import timeline
from infra.settings import Settings

PATIENCE_S = 30.0
NO_TIME = (1980, 1, 1, 0, 0, 0)
FORMAT = 2
"""Which form a bundle has. What a form's files say beside events and words, page and README, never changes: bundles
of it are out in the world, and must be the same when they are made again. Another page or README is another form."""
PARTS = re.compile(
    r"events\.jsonl|checkpoint|handovers\.jsonl|proofs\.json|bundle\.json|words\.json|case\.html|README\.md"
    r"|schemas/[A-Za-z0-9.]{1,100}\.json"
)
README_OF_THE_FIRST_FORM = "42ffdc2b2721fd45345a9ed84e72b1d5ec7bb345551ec267d2d97af664c45af9"
"""SHA-256 of README.md in bundles without a bundle.json."""

README = """# 审计卷宗 Audit bundle

`case.html` 供阅读；`events.jsonl`、`checkpoint`、`handovers.jsonl`、`proofs.json` 是证据。
核验（无需联网，也无需我方任何系统）：
`case.html` is for reading; `events.jsonl`, `checkpoint`, `handovers.jsonl` and `proofs.json` are the evidence.
To verify, with nothing of ours running:

```
tongshui audit verify-bundle THIS --checkpoint KEPT --key PUBLIC-KEY --case CASE --page MINE.html
```

* `KEPT`：您先前保存的检查点，卷宗须以 `--since KEPT` 制作。它证明现在的日志由您保存的日志延续而来。
  A checkpoint that you kept; the bundle is to be made with `--since KEPT`. It shows that today's log is the
  continuation of the one you kept.
* `PUBLIC-KEY`：公证公钥。不给公钥，则无从证明检查点由谁于何时签署。
  The notary's public key. Without it nothing shows who signed the checkpoint, and when.
* `CASE`：您索取的案件，编号或标识。 The case that you asked for, by its number or id.
* `MINE.html`：核验程序自行由事件生成的页面；如有疑问，以它为准。
  The page that your own program makes of the events: where in doubt, read that one.

退出码：0 全部核验通过；1 核验不通过；3 事件核验通过，但卷宗中另有内容未获证明，逐一列出。
It ends with 0: everything is verified; 1: it is not; 3: the events are verified, and something else in the bundle is
not proven, which is named.

`bundle.json`、`words.json`、`schemas/`、`case.html` 与本文件未经签署，由核验程序自行重新生成并比对。
其他文件不是卷宗的组成部分。
`bundle.json`, `words.json`, `schemas/`, `case.html` and this file are not signed: the verifying program makes them
again and compares. Any other file is no part of a bundle.

也可自行核验 By hand: 叶 leaf = SHA-256(0x00 ‖ a line of `events.jsonl` without its end of line); 节点 node =
SHA-256(0x01 ‖ left ‖ right); `proofs.json` 按 follows RFC 9162 §2.1.3; `checkpoint` 是 is a C2SP signed note
(tlog-checkpoint, Ed25519).

卷宗证明所列事件未经改动，版本连续，无一缺失于其间；其后是否还有事件，须以全部主题核验（`tongshui audit verify`）。
The bundle proves that the events in it are unaltered and that none is missing between them. Whether the case had later
ones is shown by verifying whole topics (`tongshui audit verify`).
"""


class Inclusion(msgspec.Struct):
    """That the event at a position is a leaf of the log: its number, and the hashes beside its way to the root."""

    position: int
    index: int
    proof: list[str]


class Consistency(msgspec.Struct):
    """That the log begins as one of ``size`` events that somebody kept."""

    size: int
    proof: list[str]


class Proofs(msgspec.Struct):
    """proofs.json."""

    events: list[Inclusion]
    consistency: Consistency | None = None


class About(msgspec.Struct):
    """bundle.json. Nobody signed it: what it says follows from the events, or is a claim that is put to the test."""

    format: int
    case: str
    number: str
    words: int
    schemas: int

    @property
    def edition(self) -> Edition:
        return Edition(self.words, self.schemas)


def about(events: Sequence[AuditPage], edition: Edition) -> About:
    """bundle.json of these events, by the words of an edition."""
    return About(FORMAT, events[0].subject, number_of(events), edition.words, edition.schemas)


def as_file(content: Proofs | About) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=1)


def handovers_file(notes: Sequence[Note]) -> bytes:
    return b"".join(msgspec.json.encode({"note": each.whole}) + b"\n" for each in notes)


# ---- making one


def bundle(
    settings: Settings,
    case: str,
    out: Path,
    *,
    wording: Wording,
    since: Note | None = None,
) -> list[str]:
    """Write the bundle of a case (id or number) to ``out``, a new folder or .zip. Returns what to tell.

    Raises UnknownCaseError, and NotaryRefusal "not-signed-yet", "not-continued", "folder-not-empty".
    """
    lines = [event.raw for event in timeline(settings, case)]
    *earlier, log = _covering(settings, TOLD.decode(lines[-1]).position)
    files = contents(lines, log, wording=wording, since=since, earlier=earlier)
    _write(out, files)
    checkpoint = log.newest.checkpoint
    return [
        f"{len(lines)} events of {TOLD.decode(lines[0]).subject}, proven by the checkpoint of {checkpoint.size} events",
        f"{out}: to read, case.html; to check, `tongshui audit verify-bundle {out} --key …`",
    ]


def _covering(settings: Settings, position: int) -> list[PublishedLog]:
    """Every log, once the newest one's checkpoint covers a position: the notary signs every few seconds."""
    deadline = time.monotonic() + PATIENCE_S
    pause_s = 0.2
    while True:
        logs = read_logs(settings)
        if logs and logs[-1].newest.checkpoint.position >= position:
            return logs
        if time.monotonic() > deadline:
            raise NotaryRefusal(
                "not-signed-yet",
                found=f"no checkpoint up to position {position}",
                needed="a checkpoint that covers the case's last event",
                next_step="see in `tongshui status` whether the notary runs, and try again",
            )
        time.sleep(pause_s)
        pause_s = min(2.0, pause_s * 2)


def contents(
    lines: Sequence[bytes],
    log: PublishedLog,
    *,
    wording: Wording,
    since: Note | None = None,
    earlier: Sequence[PublishedLog] = (),
) -> dict[str, bytes]:
    """The files of a bundle. ``log`` must cover the events; ``earlier``: the logs that it follows.

    Raises NotaryRefusal "not-continued" and "generation-between".
    """
    note = log.newest
    tree = Tree(bytes(log.leaves))
    events = [TOLD.decode(line) for line in lines]
    inclusions = []
    for event in events:
        index = note.checkpoint.index_of(event.position)
        assert index is not None
        proof = [each.hex() for each in tree.inclusion(index, note.checkpoint.size)]
        inclusions.append(Inclusion(event.position, index, proof))
    proofs = Proofs(inclusions, _continuing(tree, note, since) if since is not None else None)
    # Where the store has begun a new generation, the keys of the earlier log led to that of this one.
    handovers = [n for one in (*earlier, log) for n in one.notes if n.checkpoint.next_key]
    words = wording.words_of(lines, wording.newest)
    types = sorted({event.type for event in events} & wording.schemas.keys())
    return {
        "events.jsonl": b"\n".join([*lines, b""]),
        "checkpoint": note.whole.encode(),
        "handovers.jsonl": handovers_file([*handovers, *(each.newest for each in earlier)]),
        "proofs.json": as_file(proofs),
        "bundle.json": as_file(about(events, wording.newest)),
        "words.json": as_words_file(words),
        "case.html": page(lines, note, words).encode(),
        "README.md": README.encode(),
        **{f"schemas/{name}.json": as_schema_file(wording.schemas[name]) for name in types},
    }


def _continuing(tree: Tree, note: Note, since: Note) -> Consistency:
    old, new = since.checkpoint, note.checkpoint
    if new.follows is not None and old.origin != new.origin:
        raise NotaryRefusal(
            "generation-between",
            found=f"a log {new.origin} that began behind a break, after {old.origin}",
            needed="a checkpoint of the newer log: no proof leads from one log to another",
            next_step="have whole topics verified once, `tongshui audit verify`, and keep the newer checkpoint",
        )
    if old.origin != new.origin or old.size > new.size or tree.root(old.size) != old.root:
        raise NotaryRefusal(
            "not-continued",
            found=f"a log {new.origin} of {new.size} events that does not begin as the kept one of {old.size} events",
            needed="the log that the kept checkpoint was signed over",
            next_step="keep everything as it is, and run `tongshui audit verify` over an export",
        )
    return Consistency(old.size, [each.hex() for each in tree.consistency(old.size, new.size)])


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise NotaryRefusal("folder-not-empty", found=f"{out}", needed="a new one", next_step="name another one")
    if out.suffix == ".zip":
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(out, "x", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                # No time of the clock: the same case at the same checkpoint is the same file.
                member = zipfile.ZipInfo(name, NO_TIME)
                member.external_attr = (stat.S_IFREG | 0o644) << 16
                archive.writestr(member, content, zipfile.ZIP_DEFLATED)
        return
    for name, content in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
