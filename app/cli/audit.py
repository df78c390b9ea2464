"""What auditors ask."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.terminal import command, fail, given_settings, kafka_settings, main, say
from domain.kernel.facts import TOPICS

if TYPE_CHECKING:
    from consumers.notary.wording import Wording


@main.group()
def audit() -> None:
    """Doubt us and check: exports, checkpoints, proofs. `verify` and `verify-bundle` need nothing running."""


@audit.command("export")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option(
    "--hashes-only",
    "topics",
    multiple=True,
    type=click.Choice(TOPICS),
    help="Of this topic leaf hashes alone, for who may not read it; may be given again.",
)
@command
def audit_export(out: Path, topics: tuple[str, ...]) -> None:
    """Write every topic of events, the checkpoints and the leaf hashes into a folder, from Kafka alone.

    Exit 1 where the topics do not have everything that is signed, or nothing is signed yet.
    """
    from consumers.notary.export import export

    lines, whole = export(kafka_settings(), out, hashes_only=topics)
    for line in lines:
        click.echo(line)
    sys.exit(0 if whole else 1)


KEY = click.option(
    "--key", "keys", multiple=True, help="A public key, or a file with it, that the auditor kept; may be given again."
)


@audit.command("verify")
@click.option(
    "--file",
    "files",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="A folder that `audit export` wrote, a file of events, or the list of what a new generation gave up; may be "
    "given again.",
)
@click.option(
    "--checkpoint",
    "kept",
    multiple=True,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that the auditor kept; may be given again.",
)
@KEY
@click.option(
    "--leaves",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Leaf hashes of an earlier export: they name what was altered since.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@command
def audit_verify(
    files: tuple[Path, ...], kept: tuple[Path, ...], keys: tuple[str, ...], leaves: tuple[Path, ...], as_json: bool
) -> None:
    """Whether an export is the log that was signed: nothing changed, removed, added, reordered, cut off.

    Each finding is named with position and case. Exit 1 where there is one; 3 where all stands, but for a break: a new
    generation of the store between the kept checkpoint and the export, which is named.
    """
    from consumers.notary import verify as verifying
    from consumers.notary.export import gather
    from consumers.notary.note import read_note, verify_keys

    found = gather(files)
    evidence = verifying.AuditEvidence(
        [read_note(path.read_text(encoding="utf-8")) for path in kept],
        found.notes,
        [*(path.read_bytes() for path in leaves), *found.leaves],
        [key for text in keys for key in verify_keys(text)],
    )
    report = verifying.with_cases(verifying.verify(found.files, evidence), found.files)
    for line in [verifying.as_json(report)] if as_json else verifying.describe(report):
        click.echo(line)
    sys.exit(report.exit_code)


@audit.command("bundle")
@click.argument("case")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder, or a new file named ….zip.")
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that the auditor kept: the bundle shows that the log went on from it.",
)
@command
def audit_bundle(case: str, out: Path, since: Path | None) -> None:
    """Everything about CASE (id or number) to hand over: events, schemas, checkpoint, proofs, a page to read."""
    from consumers.notary.bundle import bundle
    from consumers.notary.note import read_note

    kept = read_note(since.read_text(encoding="utf-8")) if since is not None else None
    for line in bundle(kafka_settings(), case, out, wording=_wording(), since=kept):
        click.echo(line)


def _wording() -> Wording:
    """What this program calls things, and has ever called them."""
    from api.contract.published import editions, schemas
    from consumers.notary.wording import Wording

    return Wording(editions().words, editions().schemas, schemas())


@audit.command("verify-bundle")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--checkpoint",
    "kept",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that the auditor kept.",
)
@KEY
@click.option("--case", help="The case that it is to be of: its id or number.")
@click.option(
    "--page",
    "page_file",
    type=click.Path(path_type=Path),
    help="A new file for the page that this program makes of the events: to read instead of the bundle's own.",
)
@command
def audit_verify_bundle(
    path: Path, kept: Path | None, keys: tuple[str, ...], case: str | None, page_file: Path | None
) -> None:
    """Whether a bundle says what was signed. Offline.

    Events are held against the signature; page, words, schemas and README against what this program makes of them.
    Exit 1 where something contradicts that; 3 where all of it stands, but there is something more in the bundle that
    nothing proves, which is named.
    """
    from consumers.notary.bundle_verify import verify_bundle
    from consumers.notary.note import read_note, verify_keys

    note = read_note(kept.read_text(encoding="utf-8")) if kept is not None else None
    given = [key for text in keys for key in verify_keys(text)]
    report = verify_bundle(path, _wording(), kept=note, keys=given, case=case)
    for line in report.describe():
        click.echo(line)
    if page_file is not None and report.page is not None and report.exit_code != 1:
        try:
            with page_file.open("x", encoding="utf-8") as file:
                file.write(report.page)
        except FileExistsError:
            fail(f"file-exists: found {page_file}; needed the name of a new file")
    sys.exit(report.exit_code)


@audit.command("keys")
@command
def audit_keys() -> None:
    """The notary's public keys: the one in use on this machine, and those that the topic tells were handed over to."""
    from consumers.notary.keys import Keys
    from consumers.notary.published import public_keys, read_logs

    settings = kafka_settings()
    current = Keys(settings).current()
    click.echo(f"in use here: {current.public}" if current is not None else "in use here: none")
    for log in read_logs(settings):
        for size, key in public_keys(log.notes):
            click.echo(f"{log.origin} from {size} events on: {key}")


@audit.command("rotate-key")
@command
def audit_rotate_key() -> None:
    """Lay down a new key beside the old one; the notary hands over to it at once, signing with both."""
    from consumers.notary.keys import Keys

    keys = Keys(given_settings())
    say(f"a new key lies in {keys.next_file}; the running notary takes it up")
    click.echo(str(keys.lay_down_next().public))
