"""``tongshui audit bundle``: all about a case to hand over; ``verify-bundle`` checks it with nothing running.

events.jsonl       the case's events, the very bytes, by version
schemas/           the JSON Schema of each of their types
checkpoint         the signed note that covers them
handovers.jsonl    the notes in which one key handed over to the next, and the last one of each earlier log
proofs.json        for each event the proof that it is in that log; and that the log continues an earlier checkpoint
words.json         the Chinese names that the page uses
case.html          to read
README.md          how to verify
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from consumers.notary.keys import NotaryRefusal
from consumers.notary.merkle import Tree, is_consistent, is_included, leaf_hash
from consumers.notary.note import Note, NoteError, VerifyKey, read_note
from consumers.notary.page import TOLD, Told, page
from consumers.notary.published import Log, read_logs, trust_of
from consumers.timeline import timeline
from infra.decoders import decoder
from infra.settings import Settings

PATIENCE_S = 30.0
LARGEST_BYTES = 256 * 1024 * 1024

README = """# 审计卷宗 Audit bundle

`case.html` 供阅读；其余文件是证据。核验（无需联网，也无需我方任何系统）：
`case.html` is for reading; the other files are the evidence. To verify, with nothing of ours running:

```
tongshui audit verify-bundle THIS --checkpoint KEPT --key PUBLIC-KEY
```

* `KEPT`：您先前保存的检查点，卷宗须以 `--since KEPT` 制作。 A checkpoint that you kept; the bundle is to be made
  with `--since KEPT`. 它证明现在的日志由您保存的日志延续而来。 It shows that today's log is the continuation of
  the one you kept.
* `PUBLIC-KEY`：公证公钥。 The notary's public key.

也可自行核验 By hand: 叶 leaf = SHA-256(0x00 ‖ a line of `events.jsonl` without its end of line); 节点 node =
SHA-256(0x01 ‖ left ‖ right); `proofs.json` 按 follows RFC 9162 §2.1.3; `checkpoint` 是 is a C2SP signed note
(tlog-checkpoint, Ed25519).

卷宗证明所列事件未经改动，版本连续，无一缺失于其间；其后是否还有事件，须以全部主题核验（`tongshui audit verify`）。
The bundle proves that the events in it are unaltered and that none is missing between them. Whether the case had later
ones is shown by verifying whole topics (`tongshui audit verify`).
"""


class _Inclusion(msgspec.Struct):
    position: int
    index: int
    proof: list[str]


class _Consistency(msgspec.Struct):
    size: int
    proof: list[str]


class _Proofs(msgspec.Struct):
    events: list[_Inclusion]
    consistency: _Consistency | None = None


_PROOFS = decoder(_Proofs)
_WORDS = decoder(dict[str, str])


# ---- making one


def bundle(
    settings: Settings,
    case: str,
    out: Path,
    *,
    schemas: Mapping[str, Any],
    words: Mapping[str, str],
    since: Note | None = None,
) -> list[str]:
    """Write the bundle of a case (id or number) to ``out``, a new folder or .zip. Returns what to tell.

    Raises UnknownCaseError, and NotaryRefusal "not-signed-yet", "not-continued", "folder-not-empty".
    """
    lines = [event.raw for event in timeline(settings, case)]
    *earlier, log = _covering(settings, TOLD.decode(lines[-1]).position)
    files = contents(lines, log, schemas=schemas, words=words, since=since, earlier=earlier)
    _write(out, files)
    checkpoint = log.newest.checkpoint
    return [
        f"{len(lines)} events of {TOLD.decode(lines[0]).subject}, proven by the checkpoint of {checkpoint.size} events",
        f"{out}: to read, case.html; to check, `tongshui audit verify-bundle {out} --key …`",
    ]


def _covering(settings: Settings, position: int) -> list[Log]:
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
    log: Log,
    *,
    schemas: Mapping[str, Any],
    words: Mapping[str, str],
    since: Note | None = None,
    earlier: Sequence[Log] = (),
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
        inclusions.append(_Inclusion(event.position, index, proof))
    proofs = _Proofs(inclusions, _continuing(tree, note, since) if since is not None else None)
    # Where the store has begun a new generation, the keys of the earlier log led to that of this one.
    last_words = [each.newest for each in earlier]
    handovers = [
        msgspec.json.encode({"note": each.whole})
        for each in [*(n for one in (*earlier, log) for n in one.notes if n.checkpoint.next_key), *last_words]
    ]
    types = sorted({event.type for event in events} & schemas.keys())
    used = {code: words[code] for code in sorted(words) if _is_said(code, lines)}
    return {
        "events.jsonl": b"\n".join([*lines, b""]),
        "checkpoint": note.whole.encode(),
        "handovers.jsonl": b"".join(each + b"\n" for each in handovers),
        "proofs.json": msgspec.json.format(msgspec.json.encode(proofs), indent=1),
        "words.json": msgspec.json.format(msgspec.json.encode(used), indent=1),
        "case.html": page(lines, note, used).encode(),
        "README.md": README.encode(),
        **{f"schemas/{name}.json": msgspec.json.format(msgspec.json.encode(schemas[name]), indent=2) for name in types},
    }


def _is_said(code: str, lines: Sequence[bytes]) -> bool:
    wanted = code.encode()
    return any(wanted in line for line in lines)


def _continuing(tree: Tree, note: Note, since: Note) -> _Consistency:
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
    return _Consistency(old.size, [each.hex() for each in tree.consistency(old.size, new.size)])


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise NotaryRefusal("folder-not-empty", found=f"{out}", needed="a new one", next_step="name another one")
    if out.suffix == ".zip":
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(out, "x", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return
    for name, content in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)


# ---- checking one


def verify_bundle(path: Path, *, kept: Note | None = None, keys: Sequence[VerifyKey] = ()) -> tuple[list[str], bool]:
    """What to tell of a bundle, and whether all of it holds. Raises NoteError where it cannot be read at all."""
    try:
        files = _read(path)
        note = read_note(files["checkpoint"].decode())
        proofs = _PROOFS.decode(files["proofs.json"])
        handovers = [read_note(msgspec.json.decode(line)["note"]) for line in files["handovers.jsonl"].splitlines()]
        words = _WORDS.decode(files["words.json"])
        lines = files["events.jsonl"].split(b"\n")[:-1]
        events = [TOLD.decode(line) for line in lines]
    except (KeyError, TypeError, UnicodeDecodeError, msgspec.DecodeError, zipfile.BadZipFile) as error:
        raise NoteError(
            f"{path}: {type(error).__name__}: {error}", "a bundle as `tongshui audit bundle` writes it"
        ) from error
    wrong = [
        *_vouched(note, handovers, proofs, kept, keys),
        *_included(lines, events, proofs, note),
        *_whole(events),
        *(
            f"schemas/{name}.json is missing"
            for name in {e.type for e in events}
            if f"schemas/{name}.json" not in files
        ),
    ]
    if not wrong and page(lines, note, words).encode() != files["case.html"]:
        wrong.append("case.html is not what the events say")
    told = [
        f"{len(events)} events, checkpoint of {note.checkpoint.size} events signed {note.checkpoint.at.isoformat()}"
    ]
    last = (
        "NOT VERIFIED 核验不通过"
        if wrong
        else "verified 核验通过: every event is as it was signed; none is missing between"
    )
    return [*told, *wrong, last], not wrong


def _vouched(
    note: Note, handovers: Sequence[Note], proofs: _Proofs, kept: Note | None, keys: Sequence[VerifyKey]
) -> list[str]:
    """A checkpoint that nobody the auditor trusts stands for proves nothing."""
    if kept is None and not keys:
        return ["nobody stands for the checkpoint: give --key, or --checkpoint with one that was kept"]
    wrong = []
    if keys and not trust_of(keys, [*handovers, note], note.checkpoint.origin).has_signed(note):
        wrong.append("the checkpoint has no signature of a key that counts for it")
    if kept is not None and not _continues(kept, note, proofs.consistency):
        wrong.append(
            f"it is not shown that the log continues the kept one of {kept.checkpoint.size} events; "
            "was the bundle made with --since this checkpoint?"
        )
    return wrong


def _continues(kept: Note, note: Note, shown: _Consistency | None) -> bool:
    old, new = kept.checkpoint, note.checkpoint
    if old.origin != new.origin:
        return False
    if old.size == new.size:
        return old.root == new.root
    proof = _hashes(shown.proof) if shown is not None and shown.size == old.size else None
    return proof is not None and is_consistent(old.size, old.root, new.size, new.root, proof)


def _included(lines: Sequence[bytes], events: Sequence[Told], proofs: _Proofs, note: Note) -> list[str]:
    """Every event's bytes are at its own position in the log."""
    shown = {each.position: each for each in proofs.events}
    wrong = []
    for line, event in zip(lines, events, strict=True):
        index, found = note.checkpoint.index_of(event.position), shown.get(event.position)
        proof = _hashes(found.proof) if found is not None else None
        holds = (
            index is not None
            and proof is not None
            and is_included(leaf_hash(line), index, note.checkpoint.size, proof, note.checkpoint.root)
        )
        if not holds:
            wrong.append(f"position {event.position}, version {event.caseversion}: is not what was signed")
    return wrong


def _whole(events: Sequence[Told]) -> list[str]:
    """One case, from its first version on, none left out."""
    if not events:
        return ["there is no event in it"]
    wrong = [f"position {e.position} is of another case" for e in events if e.subject != events[0].subject]
    for at, event in enumerate(events, start=1):
        if event.caseversion != at:
            wrong.append(f"version {at} is missing: position {event.position} is version {event.caseversion}")
            break
    return wrong


def _hashes(texts: Sequence[str]) -> list[bytes] | None:
    try:
        found = [bytes.fromhex(text) for text in texts]
    except ValueError:
        return None
    return found if all(len(each) == 32 for each in found) else None


def _read(path: Path) -> dict[str, bytes]:
    """Every file of a bundle. One that would unpack beyond bounds is refused."""
    sizes: dict[str, tuple[int, Callable[[], bytes]]] = {}
    if path.is_dir():
        for file in sorted(each for each in path.rglob("*") if each.is_file()):
            sizes[file.relative_to(path).as_posix()] = (file.stat().st_size, file.read_bytes)
        return _within(path, sizes)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            sizes[info.filename] = (info.file_size, lambda info=info: archive.read(info))  # type: ignore[misc]
        return _within(path, sizes)


def _within(path: Path, sizes: Mapping[str, tuple[int, Callable[[], bytes]]]) -> dict[str, bytes]:
    if sum(size for size, _ in sizes.values()) > LARGEST_BYTES:
        raise NoteError(f"{path} with more than {LARGEST_BYTES} bytes", "a bundle of one case")
    return {name: read() for name, (_, read) in sizes.items()}
