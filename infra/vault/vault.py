"""The vault's seals: particulars are sealed by a key of their subject's own, and that one by the master key.

Whoever has the database and not the key file reads nothing of anybody. Whoever destroys a subject's key has destroyed
their particulars wherever they lie. Telephones and addresses can be looked for by a keyed hash, whose key is sealed as
well.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import re
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import Cursor
from psycopg.rows import DictRow

from domain.kernel.subjects import Subject
from domain.vault.addresses import plain_address
from infra.eventstore.commands import NewSubject
from infra.keys import KEY_BYTES, NONCE_BYTES, KeyFileError, MasterKey, key_file, master_key
from infra.settings import Settings
from infra.sql import sql

log = logging.getLogger(__name__)

FORMAT = b"\x01"
SEARCH = b"vault-search"
BATCH = 500
"""So many rows at once are sealed, or sealed anew."""

MOST_FOUND = 200
"""So many pairs of subject and case a telephone or an address is looked up to."""

Connect = Callable[[], AbstractContextManager[psycopg.Connection[DictRow]]]
"""Gives a connection with autocommit and rows as dicts."""


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    master: MasterKey
    search: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """Who reads, when, of which case and what for; None: of no single one, for nothing in particular."""

    at: datetime
    actor: str
    role: str
    case_id: UUID | None = None
    reason: str | None = None


class Vault:
    """Seals and opens for one process. Reads the key file when it first needs it, and again where a key is missing:
    somebody may have turned the master key over."""

    def __init__(self, settings: Settings, connect: Connect) -> None:
        self._settings = settings
        self._connect = connect
        self._lock = threading.Lock()
        self._read: _Keys | None = None

    # ---- putting in

    def put(self, cursor: Cursor[DictRow], subjects: Sequence[NewSubject]) -> None:
        """Seal particulars into the vault, in the cursor's transaction; those of a subject that was erased are not
        kept. Raises KeyFileError."""
        new = [each for each in subjects if not each.corrects]
        if new:
            keys = self._data_keys(cursor, [each.id for each in new])
            cursor.execute(sql("vault_put"), self._sealed([(each, each.particulars) for each in new], keys))
        for each in subjects:
            if each.corrects:
                self._correct(cursor, each.id, each.particulars)

    def _correct(self, cursor: Cursor[DictRow], subject: UUID, fields: Mapping[str, str]) -> None:
        """Replace fields in every revision, and what the subject is looked for by; one that was erased stays empty."""
        cursor.execute(sql("vault_lock_revisions"), {"id": subject})
        cursor.execute(sql("vault_revisions"), {"id": subject})
        pieces = []
        for row in cursor.fetchall():
            if (known := self._opened(row)) is not None:
                kept = {name: text for name, text in known.items() if name != "phone_as_given" or "phone" not in fields}
                pieces.append((Subject(subject, row["revision"]), {**kept, **fields}))
        if pieces:
            cursor.execute(sql("vault_seal_plain"), self._sealed(pieces, self._data_keys(cursor, [subject])))
            cursor.execute(sql("vault_make_rewrite_due"))

    def seal_plain(self) -> int:
        """Seal what lies open from before there were seals; how many rows. May be killed and run again, and twice at
        once. The table's file holds nothing of the old text afterwards. Raises KeyFileError."""
        done = 0
        while True:
            with self._connect() as connection, connection.transaction(), connection.cursor() as cursor:
                cursor.execute(sql("vault_plain"), {"most": BATCH})
                rows = cursor.fetchall()
                if not rows:
                    break
                pieces = [(Subject(row["subject_id"], row["revision"]), row["particulars"]) for row in rows]
                keys = self._data_keys(cursor, sorted({row["subject_id"] for row in rows}))
                cursor.execute(sql("vault_seal_plain"), self._sealed(pieces, keys))
                cursor.execute(sql("vault_make_rewrite_due"))
                done += len(rows)
        self.rewrite()
        return done

    def index_addresses(self) -> int:
        """Let what was sealed before addresses were looked for be found by its address; how many rows. May be killed
        and run again, and twice at once. Raises KeyFileError."""
        done = 0
        while True:
            with self._connect() as connection, connection.transaction(), connection.cursor() as cursor:
                cursor.execute(sql("vault_addresses_due"), {"most": BATCH})
                rows = cursor.fetchall()
                if not rows:
                    return done
                search = self._keys().search
                addresses = [self._address_of(row) for row in rows]
                values = {
                    "ids": [row["subject_id"] for row in rows],
                    "revisions": [row["revision"] for row in rows],
                    "addresses": [_address_hash(search, each) for each in addresses],
                }
                cursor.execute(sql("vault_index_addresses"), values)
                done += len(rows)

    def erase(self, cursor: Cursor[DictRow], subjects: Sequence[UUID]) -> None:
        """Destroy the subjects' keys, what they sealed and could be looked for by, and the keys of the files that are
        theirs alone, in the cursor's transaction."""
        ids = {"ids": list(subjects)}
        for query in ("vault_erase_keys", "vault_erase_rows", "evidence_erase_uploads"):
            cursor.execute(sql(query), ids)
        cursor.execute(sql("evidence_erase_links"), ids)
        digests = [row["digest"] for row in cursor.fetchall()]
        cursor.execute(sql("evidence_lock_files"), {"digests": digests})
        cursor.execute(sql("evidence_destroy"), {"digests": digests, "state": "erased"})
        cursor.execute(sql("evidence_make_purges_untold"), {"digests": [row["digest"] for row in cursor.fetchall()]})
        cursor.execute(sql("vault_make_rewrite_due"))

    def erase_again(self) -> int:
        """Erase whom the events say was erased and who is there: the vault was restored from an older backup. How many
        subjects."""
        with self._connect() as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.execute(sql("vault_erased_before"))
            subjects = [row["subject_id"] for row in cursor.fetchall()]
            if subjects:
                self.erase(cursor, subjects)
        return len(subjects)

    def rewrite(self) -> None:
        """Write the tables anew where a row was emptied since the last time: its old text lies in their files till
        then. Needs a connection without a time limit; nobody reads the vault meanwhile."""
        with self._connect() as connection:
            row = connection.execute(sql("vault_rewrite_due")).fetchone()
            if row is not None and row["rewrite_due"]:
                connection.execute(sql("vault_rewrite"))
                connection.execute(sql("vault_rewritten"))

    # ---- reading

    def particulars(self, subjects: Sequence[Subject]) -> dict[Subject, Mapping[str, str]]:
        """What is kept of subjects; one that was erased, or that the vault does not have, is left out. Raises
        KeyFileError where the key file is not the installation's, ValueError where a row was changed by hand."""
        wanted = {"ids": [each.id for each in subjects], "revisions": [each.revision for each in subjects]}
        with self._connect() as connection:
            rows = connection.execute(sql("vault_particulars"), wanted).fetchall()
        opened = ((Subject(row["subject_id"], row["revision"]), self._opened(row)) for row in rows)
        return {subject: found for subject, found in opened if found is not None}

    def newest(self, subject: UUID) -> Mapping[str, str] | None:
        """What the newest revision says; None: it was erased, or there is none."""
        with self._connect() as connection:
            row = connection.execute(sql("vault_newest"), {"id": subject}).fetchone()
        return self._opened(row) if row is not None else None

    def revisions(self, subject: UUID) -> dict[int, Mapping[str, str]]:
        """Revision → what it says, of a subject that was not erased. Raises KeyFileError."""
        with self._connect() as connection:
            rows = connection.execute(sql("vault_revisions"), {"id": subject}).fetchall()
        opened = ((row["revision"], self._opened(row)) for row in rows)
        return {revision: found for revision, found in opened if found is not None}

    def knows(self, subject: UUID) -> bool:
        """Whether there is, or was, anything of the subject."""
        with self._connect() as connection:
            row = connection.execute(sql("vault_knows"), {"id": subject}).fetchone()
        return row is not None and bool(row["known"])

    def with_phone(self, phone: str) -> dict[UUID, list[UUID]]:
        """Subject → cases that name it, of the subjects that have or had this telephone; at most ``MOST_FOUND`` pairs.
        Raises KeyFileError."""
        hashed = self.phone_hash(phone)
        return self._with_phone_hash(hashed) if hashed is not None else {}

    def with_address(self, address: str) -> dict[UUID, list[UUID]]:
        """The same, of those that have or had this address, however it is written (``plain_address``). Raises
        KeyFileError."""
        hashed = _address_hash(self._keys().search, address)
        return self._with_hash("vault_cases_of_address", hashed) if hashed is not None else {}

    def phone_hash(self, phone: str) -> bytes | None:
        """The keyed hash that a telephone is looked for by; None where it has no digit. Raises KeyFileError."""
        return _phone_hash(self._keys().search, phone)

    def with_phone_now(self, hashed: bytes) -> dict[UUID, list[UUID]]:
        """As ``with_phone``, by the hash, of the subjects whose newest particulars have the telephone: a number may be
        somebody else's by now. Raises KeyFileError."""
        return {
            subject: cases
            for subject, cases in self._with_phone_hash(hashed).items()
            if self.phone_hash((self.newest(subject) or {}).get("phone", "")) == hashed
        }

    def _with_phone_hash(self, hashed: bytes) -> dict[UUID, list[UUID]]:
        return self._with_hash("vault_cases_of_phone", hashed)

    def _with_hash(self, query: str, hashed: bytes) -> dict[UUID, list[UUID]]:
        with self._connect() as connection:
            rows = connection.execute(sql(query), {"hash": hashed, "most": MOST_FOUND}).fetchall()
        found: dict[UUID, list[UUID]] = {}
        for row in rows:
            found.setdefault(row["subject_id"], []).extend([row["case_id"]] if row["case_id"] is not None else [])
        return found

    def note(self, reading: Reading, shown: Mapping[UUID | None, bool]) -> None:
        """Write down who reads what, before it is given. ``shown``: subject → whether masked; None: nobody found."""
        values = {
            "at": reading.at,
            "actor": reading.actor,
            "role": reading.role,
            "case_id": reading.case_id,
            "reason": reading.reason,
            "ids": list(shown),
            "masked": list(shown.values()),
        }
        with self._connect() as connection:
            connection.execute(sql("vault_read"), values)

    # ---- what else is sealed by the master key

    def seal(self, text: bytes, context: bytes) -> bytes:
        """The text sealed by the master key; ``context``: what it is of. Raises KeyFileError."""
        return self._keys().master.seal(text, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The text of what ``seal`` gave. Raises KeyFileError, and ValueError where it was changed."""
        return self._open_with_master(sealed, context)

    # ---- keys

    def check(self) -> None:
        """Have a key file, and see that it is this installation's. Raises KeyFileError."""
        self._keys()

    def reread_keys(self) -> None:
        """Read the key file again before the next use."""
        with self._lock:
            self._read = None

    def reseal(self) -> int:
        """Seal with the newest master key whatever an older one seals: the data keys, the search key, second factors,
        commands that wait for a second person and the keys of evidence. How many pieces. May be killed and run again.
        Raises KeyFileError."""
        self.reread_keys()
        return (
            self._reseal_search_key()
            + self._reseal_data_keys()
            + self._reseal_second_factors()
            + self._reseal_asked_commands()
            + self._reseal_evidence_keys()
        )

    def seal_key(self, key: bytes, context: bytes) -> bytes:
        """A key of something else than particulars, sealed with the master key. Raises KeyFileError."""
        return self._keys().master.seal(key, context)

    def open_key(self, sealed: bytes, context: bytes) -> bytes:
        """The key that ``seal_key`` sealed. Raises KeyFileError, ValueError where the row was changed by hand."""
        return self._open_with_master(sealed, context)

    def newest_key(self) -> str:
        """The id of the master key that seals."""
        return self._keys().master.newest.hex()

    # ---- parts

    def _opened(self, row: DictRow) -> Mapping[str, str] | None:
        if row["sealed"] is None:
            plain: Mapping[str, str] | None = row["particulars"]
            return plain
        if row["sealed_key"] is None:
            return None
        key = self._open_key(row["subject_id"], bytes(row["sealed_key"]))
        context = _context(Subject(row["subject_id"], row["revision"]))
        found: dict[str, str] = json.loads(_open(key, bytes(row["sealed"]), context))
        return found

    def _address_of(self, row: DictRow) -> str:
        """The address in a row; empty where it has none, and where it cannot be opened: a start must not end there."""
        try:
            return (self._opened(row) or {}).get("address", "")
        except ValueError:
            log.warning("particulars of %s cannot be opened: changed by hand, or sealed elsewhere", row["subject_id"])
            return ""

    def _sealed(self, pieces: Sequence[tuple[Any, Mapping[str, str]]], keys: Mapping[UUID, bytes]) -> dict[str, Any]:
        """The columns of rows; of one whose subject was erased nothing but its place."""
        search = self._keys().search
        sealed, hashes, addresses = [], [], []
        for subject, particulars in pieces:
            key = keys.get(subject.id)
            text = json.dumps(dict(particulars), ensure_ascii=False).encode()
            sealed.append(_seal(key, text, _context(subject)) if key is not None else None)
            phone = particulars.get("phone")
            hashes.append(_phone_hash(search, phone) if key is not None and phone else None)
            addresses.append(_address_hash(search, particulars.get("address", "")) if key is not None else None)
        return {
            "ids": [subject.id for subject, _ in pieces],
            "revisions": [subject.revision for subject, _ in pieces],
            "sealed": sealed,
            "hashes": hashes,
            "addresses": addresses,
        }

    def _data_keys(self, cursor: Cursor[DictRow], ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """The subjects' own keys, made where there was none; one that was destroyed is left out."""
        master = self._keys().master
        drafts = {id_: os.urandom(KEY_BYTES) for id_ in ids}
        sealed = [master.seal(key, _key_context(id_)) for id_, key in drafts.items()]
        cursor.execute(sql("vault_add_keys"), {"ids": list(drafts), "sealed": sealed})
        made = {row["subject_id"] for row in cursor}
        found = {id_: drafts[id_] for id_ in made}
        if known := [id_ for id_ in drafts if id_ not in made]:
            cursor.execute(sql("vault_keys"), {"ids": known})
            for row in cursor.fetchall():
                if row["sealed_key"] is not None:
                    found[row["subject_id"]] = self._open_key(row["subject_id"], bytes(row["sealed_key"]))
        return found

    def _open_key(self, subject: UUID, sealed: bytes) -> bytes:
        return self._open_with_master(sealed, _key_context(subject))

    def _open_with_master(self, sealed: bytes, context: bytes) -> bytes:
        try:
            return self._keys().master.open(sealed, context)
        except KeyError:
            self.reread_keys()
        try:
            return self._keys().master.open(sealed, context)
        except KeyError as error:
            raise self._not_ours(f"no key {error.args[0].hex()}") from None

    def _keys(self) -> _Keys:
        with self._lock:
            if self._read is None:
                self._read = self._load()
            return self._read

    def _load(self) -> _Keys:
        """The keys; the first who needs them makes them, in a transaction of its own."""
        with self._connect() as connection:
            row = connection.execute(sql("vault_search_key")).fetchone()
            if row is not None and not key_file(self._settings).exists():
                raise self._not_ours("no such file")
            master = master_key(self._settings)
            if row is None:
                connection.execute(sql("vault_begin"), {"sealed": master.seal(os.urandom(KEY_BYTES), SEARCH)})
                row = connection.execute(sql("vault_search_key")).fetchone()
        assert row is not None
        try:
            return _Keys(master, master.open(bytes(row["search_key"]), SEARCH))
        except KeyError as error:
            raise self._not_ours(f"no key {error.args[0].hex()}") from None

    def _not_ours(self, found: str) -> KeyFileError:
        return KeyFileError(
            f"master-key-missing: found {found} in {key_file(self._settings)}; needed the master key that the vault is "
            "sealed with; restore the file from its backup, or name it in TONGSHUI_MASTER_KEY_FILE"
        )

    def _reseal_search_key(self) -> int:
        with self._connect() as connection:
            row = connection.execute(sql("vault_search_key")).fetchone()
            master = self._keys().master
            if row is None or master.is_newest(bytes(row["search_key"])):
                return 0
            values = {"before": row["search_key"], "sealed": master.seal(self._keys().search, SEARCH)}
            return connection.execute(sql("vault_reseal_search_key"), values).rowcount

    def _reseal_data_keys(self) -> int:
        master, after, done = self._keys().master, UUID(int=0), 0
        while True:
            with self._connect() as connection:
                rows = connection.execute(sql("vault_keys_after"), {"after": after, "most": BATCH}).fetchall()
                if not rows:
                    return done
                after = rows[-1]["subject_id"]
                old = [row for row in rows if not master.is_newest(bytes(row["sealed_key"]))]
                opened = [self._open_key(row["subject_id"], bytes(row["sealed_key"])) for row in old]
                values = {
                    "ids": [row["subject_id"] for row in old],
                    "before": [row["sealed_key"] for row in old],
                    "sealed": [
                        master.seal(key, _key_context(row["subject_id"])) for row, key in zip(old, opened, strict=True)
                    ],
                }
                done += connection.execute(sql("vault_reseal_keys"), values).rowcount

    def _reseal_second_factors(self) -> int:
        master, done = self._keys().master, 0
        with self._connect() as connection:
            for row in connection.execute(sql("vault_second_factors")).fetchall():
                before = bytes(row["second_factor"])
                if master.is_newest(before):
                    continue
                context = second_factor_context(row["actor"])
                sealed = master.seal(self._open_with_master(before, context), context)
                values = {"actor": row["actor"], "before": before, "sealed": sealed}
                done += connection.execute(sql("vault_reseal_second_factor"), values).rowcount
        return done

    def _reseal_asked_commands(self) -> int:
        master, done = self._keys().master, 0
        with self._connect() as connection:
            for row in connection.execute(sql("approvals_sealed")).fetchall():
                before, context = bytes(row["sealed"]), asked_command_context(row["id"])
                if not master.is_newest(before):
                    sealed = master.seal(self._open_with_master(before, context), context)
                    values = {"id": row["id"], "before": before, "sealed": sealed}
                    done += connection.execute(sql("approvals_reseal"), values).rowcount
        return done

    def _reseal_evidence_keys(self) -> int:
        master, after, done = self._keys().master, "", 0
        with self._connect() as connection:
            for row in connection.execute(sql("evidence_upload_keys")).fetchall():
                context, before = upload_context(row["id"]), bytes(row["sealed_key"])
                if not master.is_newest(before):
                    sealed = master.seal(self._open_with_master(before, context), context)
                    values = {"id": row["id"], "before": before, "sealed": sealed}
                    done += connection.execute(sql("evidence_reseal_upload"), values).rowcount
            while rows := connection.execute(sql("evidence_keys_after"), {"after": after, "most": BATCH}).fetchall():
                after = rows[-1]["digest"]
                for row in rows:
                    context, before = evidence_context(row["digest"]), bytes(row["sealed_key"])
                    if not master.is_newest(before):
                        sealed = master.seal(self._open_with_master(before, context), context)
                        values = {"digest": row["digest"], "before": before, "sealed": sealed}
                        done += connection.execute(sql("evidence_reseal"), values).rowcount
        return done


def asked_command_context(approval: UUID) -> bytes:
    """What a command that waits for a second person is sealed as."""
    return b"asked-command:" + approval.bytes


def evidence_context(digest: str) -> bytes:
    """What the key of a file is sealed as."""
    return f"evidence-key:{digest}".encode()


def upload_context(upload: UUID) -> bytes:
    """What the key of an upload is sealed as."""
    return f"upload-key:{upload}".encode()


def second_factor_context(actor: str) -> bytes:
    """What a second factor is sealed as."""
    return b"second-factor:" + actor.encode()


def _context(subject: Any) -> bytes:
    return f"particulars:{subject.id}:{subject.revision}".encode()


def _key_context(subject: UUID) -> bytes:
    return f"subject-key:{subject}".encode()


def _seal(key: bytes, text: bytes, context: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return FORMAT + nonce + AESGCM(key).encrypt(nonce, text, FORMAT + context)


def _open(key: bytes, sealed: bytes, context: bytes) -> bytes:
    if sealed[:1] != FORMAT:
        raise ValueError("sealed in a form that this program does not know")
    nonce, text = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, text, FORMAT + context)
    except InvalidTag as error:
        raise ValueError("sealed for somebody else, or changed since") from error


def _phone_hash(key: bytes, phone: str) -> bytes | None:
    """HMAC-SHA256 over the digits, without China's own country code."""
    plain = unicodedata.normalize("NFKC", phone).strip()
    digits = re.sub(r"\D", "", plain)
    digits = digits.removeprefix("86") if plain.startswith("+") else digits
    return hmac.new(key, digits.encode(), sha256).digest() if digits else None


def _address_hash(key: bytes, address: str) -> bytes | None:
    """HMAC-SHA256 over the address as it is looked for; no telephone has the same."""
    plain = plain_address(address)
    return hmac.new(key, f"address:{plain}".encode(), sha256).digest() if plain else None
