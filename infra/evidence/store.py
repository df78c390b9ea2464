"""The evidence store: files come in parts, are checked, sealed and kept, and are read by their digest.

Parts lie sealed in PostgreSQL until the upload is complete, so that any process of the API goes on with any upload and
a crash costs at most the part under way. What is kept lies sealed in the object store. A file's key is in PostgreSQL,
sealed by the master key: whoever destroys it has destroyed the file, wherever copies of the object are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID, uuid4

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.rows import DictRow

from domain.evidence.media_types import HEAD_BYTES, media_type_of
from domain.evidence.refusals import (
    EvidenceDigestMismatch,
    EvidenceInfected,
    EvidenceTypeMismatch,
    NoSuchUpload,
    PartBeyondSize,
    UploadIncomplete,
)
from infra.evidence.objects import Objects, object_name, objects_of
from infra.evidence.scanner import scan
from infra.evidence.sealing import opened, sealed, sealed_size
from infra.keys import KEY_BYTES, NONCE_BYTES
from infra.settings import Settings
from infra.sql import sql
from infra.vault.vault import Vault, evidence_context, upload_context

PART_BYTES = 1024 * 1024
"""A part of an upload at most."""

Connect = Callable[[], AbstractContextManager[psycopg.Connection[DictRow]]]
State = Literal["kept", "quarantined", "missing", "purged", "erased"]
"""What there is behind a digest. ``missing``: no file ever came, or its object is not where it was put;
``quarantined``: no scanner has looked at it yet; ``purged``: its time was up, or the scanner called it infected."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody says of a file before it comes. ``subject_id``: the person it is of."""

    digest: str
    evidence_class: str
    media_type: str
    size_bytes: int
    case_id: UUID | None
    subject_id: UUID | None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that goes on, or is complete."""

    id: UUID
    claim: Claim
    received_bytes: int
    touched_at: datetime
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Link:
    """For which case a file is kept, and who handed it in. ``is_over``: it does not hold the file any more."""

    evidence_class: str
    case_id: UUID | None
    subject_id: UUID | None
    actor: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class File:
    """A file as the store knows it."""

    digest: str
    media_type: str
    size_bytes: int
    state: State
    links: tuple[Link, ...]
    generation: int
    sealed_key: bytes | None


class TooManyUploadsError(Exception):
    """The actor has as many unfinished uploads as the settings allow."""


@dataclass
class WrongOffsetError(Exception):
    """A part that leaves a gap. ``offset``: where the next one begins."""

    offset: int


class EvidenceStore:
    """Takes and gives files, for one process. Every method may raise what PostgreSQL raises, and KeyFileError."""

    def __init__(
        self, settings: Settings, vault: Vault, connect: Connect, objects: Callable[[Settings], Objects] = objects_of
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._connect = connect
        self._open_objects = objects
        self._opened_objects: Objects | None = None

    @property
    def objects(self) -> Objects:
        """The object store, opened when it is first needed. Raises ObjectsUnavailableError."""
        if self._opened_objects is None:
            self._opened_objects = self._open_objects(self._settings)
        return self._opened_objects

    # ---- uploads

    def begin(self, claim: Claim, *, actor: str, role: str, at: datetime) -> Upload:
        """Begin an upload; the one that goes on, where the actor claims the same again. Raises TooManyUploadsError."""
        id_, values = uuid4(), {**_values(claim), "actor": actor, "role": role, "at": at}
        with self._connect() as connection, connection.transaction():
            connection.execute(sql("evidence_lock_actor"), values)
            row = connection.execute(sql("evidence_open_upload"), values).fetchone()
            if row is None or (row["media_type"], row["size_bytes"]) != (claim.media_type, claim.size_bytes):
                if row is not None:
                    connection.execute(sql("evidence_drop_upload"), {"id": row["id"]})
                self._require_room(connection, actor)
                key = self._vault.seal_key(os.urandom(KEY_BYTES), upload_context(id_))
                row = connection.execute(sql("evidence_begin"), {**values, "id": id_, "sealed_key": key}).fetchone()
        assert row is not None
        return _upload(row)

    def upload(self, id_: UUID, *, actor: str) -> Upload:
        """An upload of the actor. Refuses ``no-such-upload``."""
        with self._connect() as connection:
            row = connection.execute(sql("evidence_upload"), {"id": id_, "actor": actor}).fetchone()
        if row is None:
            raise NoSuchUpload()
        return _upload(row)

    def add(self, id_: UUID, offset: int, part: bytes, *, actor: str, at: datetime) -> Upload:
        """Take a part that begins at ``offset``; bytes that are there already are passed over, whatever they are: the
        digest tells in the end. Refuses ``no-such-upload`` and ``part-beyond-size``; raises WrongOffsetError where
        bytes before it are missing."""
        with self._connect() as connection, connection.transaction():
            row = connection.execute(sql("evidence_lock_upload"), {"id": id_, "actor": actor}).fetchone()
            if row is None:
                raise NoSuchUpload()
            received: int = row["received_bytes"]
            if offset > received:
                raise WrongOffsetError(received)
            if offset + len(part) > row["size_bytes"]:
                raise PartBeyondSize(offset + len(part), row["size_bytes"])
            new = part[received - offset :]
            if new and row["completed_at"] is None:
                key = self._vault.open_key(bytes(row["sealed_key"]), upload_context(id_))
                nonce = os.urandom(NONCE_BYTES)
                text = nonce + AESGCM(key).encrypt(nonce, new, _part_context(id_, received))
                connection.execute(sql("evidence_add_part"), {"id": id_, "first": received, "sealed": text})
                received += len(new)
                connection.execute(sql("evidence_received"), {"id": id_, "received": received, "at": at})
                row = {**row, "received_bytes": received, "touched_at": at}
        return _upload(row)

    def complete(self, id_: UUID, *, actor: str, at: datetime) -> File:
        """Check the whole file, seal it into the object store, and keep it; again for one that is complete: the file.

        Refuses ``no-such-upload``, ``upload-incomplete``; and, with the upload thrown away,
        ``evidence-digest-mismatch``, ``evidence-type-mismatch``, ``evidence-infected``. Raises ObjectsUnavailableError;
        the upload stays then. May be killed at any point and called again.
        """
        with self._connect() as connection:
            row = connection.execute(sql("evidence_upload"), {"id": id_, "actor": actor}).fetchone()
        if row is None:
            raise NoSuchUpload()
        upload = _upload(row)
        if upload.is_complete:
            return self._known(upload.claim.digest)
        if upload.received_bytes < upload.claim.size_bytes:
            raise UploadIncomplete(upload.received_bytes, upload.claim.size_bytes)
        key = self._vault.open_key(bytes(row["sealed_key"]), upload_context(id_))
        self._require_as_claimed(upload, key)
        verdict = scan(self._settings, self._parts(upload, key))
        if verdict == "infected":
            self._drop(id_)
            raise EvidenceInfected()
        state = "kept" if verdict == "clean" else "quarantined"
        while not self._keep(row, upload, key, state, at):
            pass  # its key was destroyed while it was stored: it gets another one
        return self._known(upload.claim.digest)

    def keep(self, claim: Claim, content: bytes, *, actor: str, role: str, at: datetime) -> File:
        """Keep a file that came in one piece, as ``begin``, ``add`` and ``complete`` do. Refuses and raises what they
        do."""
        upload = self.begin(claim, actor=actor, role=role, at=at)
        for first in range(upload.received_bytes, len(content), PART_BYTES):
            self.add(upload.id, first, content[first : first + PART_BYTES], actor=actor, at=at)
        return self.complete(upload.id, actor=actor, at=at)

    # ---- reading

    def digests_from(self, case_id: UUID, roles: Collection[str]) -> set[str]:
        """The digests of the files that somebody in one of these roles handed in for the case."""
        values = {"case_id": case_id, "roles": list(roles)}
        with self._connect() as connection:
            return {row["digest"] for row in connection.execute(sql("evidence_digests_from"), values)}

    def file(self, digest: str) -> File | None:
        """What is known of a digest; None: nothing. Does not ask the object store."""
        with self._connect() as connection:
            row = connection.execute(sql("evidence_file"), {"digest": digest}).fetchone()
            links = connection.execute(sql("evidence_links"), {"digest": digest}).fetchall()
        return _file(row, links) if row is not None else None

    def files(self, digests: Sequence[str]) -> dict[str, File]:
        """Digest → what there is behind it, by the object store's word. A digest without a file is left out. Raises
        ObjectsUnavailableError."""
        with self._connect() as connection:
            rows = connection.execute(sql("evidence_files"), {"digests": list(digests)}).fetchall()
        found = {row["digest"]: _file(row, []) for row in rows}
        return {digest: self._as_stored(file) for digest, file in found.items()}

    def of_case(self, case_id: UUID) -> list[tuple[str, str]]:
        """Digest and class of the files that were handed in for the case, oldest first."""
        with self._connect() as connection:
            rows = connection.execute(sql("evidence_links_of_case"), {"case_id": case_id}).fetchall()
        return [(row["digest"], row["class"]) for row in rows]

    def open(self, file: File) -> Iterator[bytes] | None:
        """Its bytes, piece by piece; None: its object is not there. The first piece is opened before this returns.
        Raises ObjectsUnavailableError, and DamagedError at a piece that was changed."""
        if file.sealed_key is None:
            return None
        key = self._vault.open_key(file.sealed_key, evidence_context(file.digest))
        stored = self.objects.get(object_name(file.digest, file.generation))
        if stored is None:
            return None
        pieces = opened(key, file.digest.encode(), stored)
        try:
            return _from(next(pieces), pieces)
        except BaseException:
            _close(stored)  # now, and not when the exception is forgotten
            raise

    def note(self, digest: str, *, actor: str, role: str, at: datetime) -> None:
        """Write down who reads a file, before it is given."""
        with self._connect() as connection:
            connection.execute(sql("evidence_note"), {"at": at, "actor": actor, "role": role, "digest": digest})

    # ---- parts

    def _require_room(self, connection: psycopg.Connection[DictRow], actor: str) -> None:
        row = connection.execute(sql("evidence_open_uploads"), {"actor": actor}).fetchone()
        if row is not None and row["uploads"] >= self._settings.evidence_uploads_at_most:
            raise TooManyUploadsError

    def _require_as_claimed(self, upload: Upload, key: bytes) -> None:
        hashed, head = sha256(), b""
        for piece in self._parts(upload, key):
            hashed.update(piece)
            if len(head) < HEAD_BYTES:
                head += piece[:HEAD_BYTES]
        found, media_type = f"sha256:{hashed.hexdigest()}", media_type_of(head)
        if found != upload.claim.digest:
            self._drop(upload.id)
            raise EvidenceDigestMismatch(found, upload.claim.digest)
        if media_type != upload.claim.media_type:
            self._drop(upload.id)
            raise EvidenceTypeMismatch(media_type, upload.claim.media_type)

    def _parts(self, upload: Upload, key: bytes) -> Iterator[bytes]:
        """The upload's bytes, part by part, each read by itself: none of them holds a connection while it is used."""
        cipher, first = AESGCM(key), 0
        while first < upload.received_bytes:
            with self._connect() as connection:
                row = connection.execute(sql("evidence_next_part"), {"id": upload.id, "first": first}).fetchone()
            if row is None:
                raise NoSuchUpload()  # its person was erased, or it was thrown away, in between
            text = bytes(row["sealed"])
            plain = cipher.decrypt(text[:NONCE_BYTES], text[NONCE_BYTES:], _part_context(upload.id, first))
            yield plain
            first += len(plain)

    def _keep(self, row: DictRow, upload: Upload, upload_key: bytes, state: str, at: datetime) -> bool:
        """Store the object and say in PostgreSQL that it is kept; False: its key was destroyed in between."""
        claim = upload.claim
        new_key = self._vault.seal_key(os.urandom(KEY_BYTES), evidence_context(claim.digest))
        with self._connect() as connection:
            made = connection.execute(
                sql("evidence_file_key"), {**_values(claim), "sealed_key": new_key, "at": at}
            ).fetchone()
        assert made is not None
        key = self._vault.open_key(bytes(made["sealed_key"]), evidence_context(claim.digest))
        name, size = object_name(claim.digest, made["generation"]), sealed_size(claim.size_bytes)
        if made["state"] == "storing" or self.objects.size(name) != size:
            self.objects.put(name, sealed(key, claim.digest.encode(), self._parts(upload, upload_key)), size)
        values = {**_values(claim), "id": upload.id, "actor": row["actor"], "role": row["role"], "at": at}
        with self._connect() as connection, connection.transaction():
            if connection.execute(sql("evidence_lock_upload"), values).fetchone() is None:
                raise NoSuchUpload()
            kept = connection.execute(
                sql("evidence_set_kept"), {**values, "state": state, "generation": made["generation"]}
            ).fetchone()
            if kept is None:
                return False
            connection.execute(sql("evidence_link"), {**values, "untold": "kept"})
            connection.execute(sql("evidence_drop_parts"), values)
            connection.execute(sql("evidence_end_upload"), values)
        return True

    def _known(self, digest: str) -> File:
        found = self.file(digest)
        assert found is not None, "a complete upload has a file"
        return found

    def _as_stored(self, file: File) -> File:
        if file.state not in ("kept", "quarantined"):
            return file
        size = self.objects.size(object_name(file.digest, file.generation))
        return file if size == sealed_size(file.size_bytes) else _missing(file)

    def _drop(self, id_: UUID) -> None:
        with self._connect() as connection:
            connection.execute(sql("evidence_drop_upload"), {"id": id_})


def _part_context(upload: UUID, first: int) -> bytes:
    return f"evidence-part:{upload}:{first}".encode()


def _values(claim: Claim) -> dict[str, Any]:
    return {
        "digest": claim.digest,
        "class": claim.evidence_class,
        "media_type": claim.media_type,
        "size_bytes": claim.size_bytes,
        "case_id": claim.case_id,
        "subject_id": claim.subject_id,
    }


def _upload(row: DictRow) -> Upload:
    claim = Claim(row["digest"], row["class"], row["media_type"], row["size_bytes"], row["case_id"], row["subject_id"])
    return Upload(row["id"], claim, row["received_bytes"], row["touched_at"], row["completed_at"] is not None)


_STATES: dict[str, State] = {
    "storing": "missing",
    "kept": "kept",
    "quarantined": "quarantined",
    "purged": "purged",
    "infected": "purged",
    "erased": "erased",
}


def _file(row: DictRow, links: Sequence[DictRow]) -> File:
    key = bytes(row["sealed_key"]) if row["sealed_key"] is not None else None
    return File(
        row["digest"],
        row["media_type"],
        row["size_bytes"],
        _STATES[row["state"]],
        tuple(
            Link(each["class"], each["case_id"], each["subject_id"], each["actor"], each["gone"] is not None)
            for each in links
        ),
        row["generation"],
        key,
    )


def _missing(file: File) -> File:
    return File(file.digest, file.media_type, file.size_bytes, "missing", file.links, file.generation, None)


def _close(pieces: Iterator[bytes]) -> None:
    if isinstance(pieces, Generator):
        pieces.close()


def _from(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others
