"""`ecc-listener restore FILE`: restore a backup, after verifying it and asking.

A file with the name of an archive of the database becomes that archive again; any other file replaces the
database, which is kept under another name. The listener must not run meanwhile.
"""

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from ecc_listener.backup import restore
from ecc_listener.backup.verify import Contents, count_missing, read_contents, unpack_backup
from ecc_listener.history.rollups import rollup_path
from ecc_listener.local_time import local, local_zone
from ecc_listener.notifications.wording.phrases import counted
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError, utc_us
from ecc_listener.storage.database_files import archives
from ecc_listener.storage.lock import hold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    add = parser.add_argument_group("restore").add_argument
    add("file", type=Path, metavar="FILE", help="the backup, compressed or not")
    add("--yes", action="store_true", help="restore without asking")
    add("--check", action="store_true", help="only verify the backup and show what would happen")
    add("--merge", action="store_true", help="also keep the readings that only the current database has")


def main(settings: Settings, arguments: dict[str, object]) -> int:
    """Restore and return the exit status, 1 if the answer is no.

    Raises:
        StoreError: the backup can't be restored; the files are as before.

    """
    backup, database = Path(str(arguments["file"])), settings.database_file_path
    target, now = _target(backup, database), datetime.now(UTC)
    new = target.with_name(f"{target.name}.restoring")
    try:
        print(f"Backup    {_described(unpack_backup(backup, new), local_zone())}")
        print("\n".join(_preview(new, database) if target == database else [f"Becomes   {target.name}"]))
        if arguments.get("check"):
            return 0
        if not arguments.get("yes") and not _is_confirmed():
            print("Nothing was changed.")
            return 1
        with hold(database):
            if target == database:
                _replace(new, database, now, is_merge=bool(arguments.get("merge")))
            else:
                _add(new, target, database, now)
        return 0
    finally:
        for ending in ("", "-journal"):
            Path(f"{new}{ending}").unlink(missing_ok=True)


def _target(backup: Path, database: Path) -> Path:
    name = backup.name.removesuffix(".gz")
    pattern = rf"{re.escape(database.stem)}-\d{{12}}-\d{{12}}(-\d+)?{re.escape(database.suffix)}"
    target = database.with_name(name) if re.fullmatch(pattern, name) else database
    if target != database and target.exists():
        raise StoreError(f"{target} exists already; move it away first if the backup is to replace it")
    return target


def _described(contents: Contents, zone: tzinfo) -> str:
    unreadable = f", {contents.unreadable_rows:,} unreadable rows" if contents.unreadable_rows else ""
    if contents.first_utc is None or contents.last_utc is None:
        return f"no readings{unreadable}"
    ends = (contents.first_utc, contents.last_utc)
    first, last = (f"{local(utc_us(utc), zone):%Y-%m-%d %H:%M}" for utc in ends)
    count = f"{counted(contents.readings, 'reading')} of {counted(contents.sensors, 'sensor')}"
    return f"{count}, {first} to {last} (local time){unreadable}"


def _preview(new: Path, database: Path) -> list[str]:
    """Describe the current database and what happens to it."""
    if not database.exists():
        return ["Current   none"]
    try:
        current, only_there = _described(read_contents(database), local_zone()), count_missing(new, database)
    except StoreError as error:
        current, only_there = f"a file that can't be read: {error}", 0
    lines = [f"Current   {current}", f"          It is kept as {database.stem}-before-restore-..."]
    if only_there:
        lines.append(
            f"          {only_there:,} of its readings are not in the backup; --merge keeps them in use"
        )
    return lines


def _is_confirmed() -> bool:
    if not sys.stdin.isatty():
        raise StoreError("there is no terminal to ask on, so nothing was changed; add --yes to restore")
    try:
        return input("Restore the backup? Type yes: ").strip().lower() == "yes"
    except EOFError:
        return False


def _replace(new: Path, database: Path, now: datetime, *, is_merge: bool) -> None:
    _unlink_second_name(database)
    is_readable = database.exists() and restore.consolidate(database)
    if is_merge and not is_readable:
        raise StoreError(f"{database.name} can't be read, so there is nothing to merge; leave out --merge")
    duplicates = restore.remove_duplicates(new, archives(database))
    restore.carry_over(new, database if is_readable else None, merge=is_merge)
    # The rollups of the old readings must go with them; the listener creates new ones.
    for ending in ("", "-wal", "-shm", "-journal"):
        Path(f"{rollup_path(database)}{ending}").unlink(missing_ok=True)
    aside = _aside(database, now)
    restore.replace_file(new, database, aside)
    if duplicates:
        print(f"{duplicates:,} of its readings are in archives already and were left there.")
    print(f"Done. {f'The previous database is now {aside.name}.' if aside.exists() else ''}".strip())


def _add(new: Path, target: Path, database: Path, now: datetime) -> None:
    others = [*archives(database), *([database] if database.exists() else [])]
    duplicates = restore.remove_duplicates(new, others)
    if not read_contents(new).readings:
        raise StoreError(f"all readings of {target.name} are in other files already; nothing was changed")
    restore.replace_file(new, target, _aside(database, now))
    if duplicates:
        print(f"{duplicates:,} of its readings are in other files already and were left there.")
    print(f"Done. {target.name} is an archive of the database again.")


def _unlink_second_name(database: Path) -> None:
    """Remove the second name of the database that an interrupted restore has left."""
    if database.exists():
        for path in database.parent.glob(f"{database.stem}-before-restore-*"):
            if path.samefile(database):
                path.unlink()


def _aside(database: Path, now: datetime) -> Path:
    """Return a name that no file has."""
    while True:
        name = f"{database.stem}-before-restore-{now:%Y-%m-%dT%H%M%SZ}{database.suffix}"
        if not database.with_name(name).exists():
            return database.with_name(name)
        now += timedelta(seconds=1)
