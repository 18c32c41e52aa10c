"""Backups of a SQLite state: on demand while it is in use, and before its schema changes."""

import glob
from pathlib import Path
from typing import Final

from msgspec import Struct

from zimun_sync.errors import ConfigError, StoreError
from zimun_sync.store.copying import Told, copied, nobody
from zimun_sync.store.database import parse_url
from zimun_sync.store.facts import Facts, facts_in

#: So many backups that were made before a migration are kept.
KEPT: Final = 3


class Backup(Struct, frozen=True):
    """A backup that was made.

    Args:
        file: where it is.
        size_bytes: how large.
        facts: what the copied state tells of itself.
    """

    file: Path
    size_bytes: int
    facts: Facts


def back_up(
    url: str, folder: Path, target: Path, *, force: bool = False, told: Told = nobody
) -> Backup:
    """Copy the state to a file, whoever uses it meanwhile.

    Args:
        url: of the state.
        folder: what a relative SQLite path is relative to.
        target: the backup, readable for the state's owner only.
        force: replace a file that is there.
        told: how far it has come.

    Raises:
        ConfigError: the state is in PostgreSQL, or there is a file at `target`.
        StateUnreadable: the state is damaged, or not a zimun-sync state; no backup was made.
        StoreError: there is no state, or the backup cannot be written.
    """
    path = sqlite_file(url, folder, "Back it up with `pg_dump`.")
    _refuse_target(path, target, force=force)
    facts = facts_in(path)
    with copied(path, target, told):
        pass
    return Backup(target, target.stat().st_size, facts)


def sqlite_file(url: str, folder: Path, hint: str) -> Path:
    """The file of a SQLite state.

    Raises:
        ConfigError: not the URL of a state, or one in PostgreSQL; then with that hint.
    """
    parsed = parse_url(url, folder)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ConfigError(f"The state is in PostgreSQL ({parsed.render_as_string()}).", hint=hint)
    return Path(parsed.database)


def _refuse_target(path: Path, target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise ConfigError(f"{target} is a folder.", hint="Name a file for the backup.")
    if target.exists() and target.samefile(path):
        raise ConfigError(f"{target} is the state itself.", hint="Name another file.")
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already.", hint="Name another file, or give --force.")


def back_up_before_migration(path: Path, schema: str) -> Path:
    """Copy a state beside itself before its schema changes, and let the oldest such copies go.

    Args:
        path: the state.
        schema: the one it still has.

    Raises:
        StoreError: it cannot be copied; then it must not be migrated.
    """
    target = path.with_name(f"{path.name}.schema-{schema}.backup")
    try:
        with copied(path, target):
            pass
    except StoreError as error:
        raise type(error)(
            f"The state was not brought from schema {schema} to a newer one, because it could not "
            f"be backed up first. {error.message}",
            hint=error.hint,
        ) from error
    _keep_latest(path)
    return target


def _keep_latest(path: Path) -> None:
    pattern = f"{glob.escape(path.name)}.schema-*.backup"
    found = sorted(path.parent.glob(pattern), key=lambda file: file.stat().st_mtime_ns)
    for old in found[:-KEPT]:
        old.unlink()


def made_by_migrations(path: Path) -> list[tuple[str, Path]]:
    """The schema and the file of each copy that a migration made, the newest first."""
    before, after = f"{path.name}.schema-", ".backup"
    return [
        (file.name.removeprefix(before).removesuffix(after), file)
        for file in copies_beside(path)
        if file.name.startswith(before)
    ]


def copies_beside(path: Path) -> list[Path]:
    """What migrations and restores have left beside a state, the newest first."""
    name = glob.escape(path.name)
    found = [
        file
        for pattern in (f"{name}.schema-*.backup", f"{name}.before-restore-*")
        for file in path.parent.glob(pattern)
    ]
    return sorted(found, key=lambda file: file.stat().st_mtime_ns, reverse=True)
