"""Where sealed files lie: in a folder of this machine, or in a bucket of an S3-compatible store.

An object is written whole or not at all, under a name that is never used for other bytes, so writing it again does no
harm. What lies here is sealed: neither the disk nor the store's operator can read it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from infra.settings import Settings

READ_BYTES = 256 * 1024
MISSING = frozenset({"NoSuchKey", "NoSuchObject", "NoSuchVersion"})


class ObjectsUnavailableError(RuntimeError):
    """The object store does not take or give what it should: away, full, or not ours. The text has no secret."""


class Objects(Protocol):
    """A store of sealed files. Each method raises ObjectsUnavailableError."""

    def put(self, name: str, pieces: Iterable[bytes], size: int) -> None:
        """Store an object of ``size`` bytes."""

    def get(self, name: str) -> Iterator[bytes] | None:
        """Its bytes, piece by piece; None: there is no such object."""

    def size(self, name: str) -> int | None:
        """Its size in bytes; None: there is no such object."""

    def delete(self, name: str) -> None:
        """Take it away; nothing where it is not there."""


def object_name(digest: str, generation: int) -> str:
    """The object of a file: ``ab/cd/<64 hex digits>.<generation of its key>``."""
    hexed = digest.removeprefix("sha256:")
    return f"{hexed[:2]}/{hexed[2:4]}/{hexed}.{generation}"


def objects_of(settings: Settings) -> Objects:
    """The object store that the settings name. Raises ObjectsUnavailableError where the address is none."""
    if settings.evidence_s3_url:
        return BucketObjects(settings)
    return DiskObjects(settings.evidence_dir or settings.data_dir / "evidence")


class DiskObjects:
    """A folder, which only its owner may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, pieces: Iterable[bytes], size: int) -> None:
        path = self._folder / name
        draft = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    for piece in pieces:
                        file.write(piece)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
            _sync_folder(path.parent)
        except OSError as error:
            raise _away(error) from error

    def get(self, name: str) -> Iterator[bytes] | None:
        try:
            file = (self._folder / name).open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _away(error) from error
        return _pieces(file)

    def size(self, name: str) -> int | None:
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _away(error) from error

    def delete(self, name: str) -> None:
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise _away(error) from error


class BucketObjects:
    """A bucket, by the address ``https://host[:port]/bucket``. The bucket must be there, and nobody else's."""

    def __init__(self, settings: Settings) -> None:
        address = urlsplit(settings.evidence_s3_url)
        self._bucket = address.path.strip("/")
        if address.scheme not in ("http", "https") or not address.netloc or not self._bucket or "/" in self._bucket:
            raise ObjectsUnavailableError("evidence_s3_url is not https://host[:port]/bucket")
        secure = address.scheme == "https"
        pool: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED"} if secure else {}
        if secure and settings.evidence_s3_cafile is not None:
            pool["ca_certs"] = str(settings.evidence_s3_cafile)
        self._client = Minio(
            address.netloc,
            access_key=settings.evidence_s3_access_key,
            secret_key=settings.evidence_s3_secret_key,
            secure=secure,
            region=settings.evidence_s3_region,
            http_client=urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=5, read=30),
                retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
                **pool,
            ),
        )

    def put(self, name: str, pieces: Iterable[bytes], size: int) -> None:
        with _asked():
            self._client.put_object(
                self._bucket, name, cast(BinaryIO, _Reader(pieces)), size, part_size=8 * 1024 * 1024
            )

    def get(self, name: str) -> Iterator[bytes] | None:
        with _asked():
            try:
                return _of_response(self._client.get_object(self._bucket, name))
            except S3Error as error:
                if error.code not in MISSING:
                    raise
        return None

    def size(self, name: str) -> int | None:
        with _asked():
            try:
                return self._client.stat_object(self._bucket, name).size
            except S3Error as error:
                if error.code not in MISSING:
                    raise
        return None

    def delete(self, name: str) -> None:
        with _asked():
            self._client.remove_object(self._bucket, name)


@contextmanager
def _asked() -> Iterator[None]:
    """Names whatever the client raises by the one error of this module."""
    try:
        yield
    except (MinioException, HTTPError, OSError, ValueError) as error:
        raise _away(error) from error


class _Reader:
    """An iterator of pieces as the client reads it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._held) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held += piece
        given = self._held if size < 0 else self._held[:size]
        self._held = self._held[len(given) :]
        return given


def _pieces(file: Any) -> Iterator[bytes]:
    with file:
        while piece := file.read(READ_BYTES):
            yield piece


def _of_response(response: Any) -> Iterator[bytes]:
    try:
        yield from response.stream(READ_BYTES)
    except (HTTPError, OSError) as error:
        raise _away(error) from error
    finally:
        response.close()
        response.release_conn()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _away(error: Exception) -> ObjectsUnavailableError:
    code = f" {error.code}" if isinstance(error, S3Error) else ""
    return ObjectsUnavailableError(f"{type(error).__name__}{code}")
