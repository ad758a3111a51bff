"""`ecc-listener restore FILE`: put a backup back, after proving it sound and asking.

A file that is named as an archive of the database becomes that archive again; any other one takes the place
of the database, which is kept under a name that says so. The listener must not run meanwhile.
"""

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from ecc_listener.backup import restore
from ecc_listener.backup.verify import Holds, look, missing, unpack
from ecc_listener.history.rollup_file import rollup_path
from ecc_listener.local_time import local, local_zone
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError, utc_us
from ecc_listener.storage.files import archives
from ecc_listener.storage.lock import hold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this verb takes."""
    group = parser.add_argument_group("restore")
    group.add_argument("file", type=Path, metavar="FILE", help="the backup, compressed or not")
    group.add_argument("--yes", action="store_true", help="don't ask")
    group.add_argument("--check", action="store_true", help="only prove it sound, and say what would be done")
    group.add_argument(
        "--merge", action="store_true", help="readings that only the file there now has stay, too"
    )


def main(settings: Settings, arguments: dict[str, object]) -> int:
    """Restore; give the exit status, 1 when the answer is no.

    Raises:
        StoreError: it can't be restored, and why. What was there is there.

    """
    backup, database = Path(str(arguments["file"])), settings.database_file_path
    target, now = _target(backup, database), datetime.now(UTC)
    new = target.with_name(f"{target.name}.restoring")
    try:
        print(f"The backup   {_said(unpack(backup, new), local_zone())}")
        print("\n".join(_outlook(new, database) if target == database else [f"It becomes   {target.name}"]))
        if arguments.get("check"):
            return 0
        if not arguments.get("yes") and not _is_agreed():
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
        raise StoreError(f"{target} is there already; move it away first, if the backup is to take its place")
    return target


def _said(holds: Holds, zone: tzinfo) -> str:
    if holds.first_utc is None or holds.last_utc is None:
        return "no readings"
    first, last = (f"{local(utc_us(utc), zone):%Y-%m-%d %H:%M}" for utc in (holds.first_utc, holds.last_utc))
    return f"{holds.readings:,} readings of {holds.sensors:,} sensors, {first} to {last} (local time)"


def _outlook(new: Path, database: Path) -> list[str]:
    """Say what is there now, and what becomes of it."""
    if not database.exists():
        return ["There now    nothing"]
    try:
        said, only_there = _said(look(database), local_zone()), missing(new, database)
    except StoreError as error:
        said, only_there = f"a file that can't be read: {error}", 0
    lines = [f"There now    {said}", f"It is kept   as {database.stem}-before-restore-..."]
    if only_there:
        lines.append(
            f"             {only_there:,} readings are only in that file; with --merge they stay in use, too"
        )
    return lines


def _is_agreed() -> bool:
    if not sys.stdin.isatty():
        raise StoreError("nobody is here to be asked, so nothing was changed; add --yes")
    try:
        return input("Put the backup back? Type yes: ").strip().lower() == "yes"
    except EOFError:
        return False


def _replace(new: Path, database: Path, now: datetime, *, is_merge: bool) -> None:
    _forget_unfinished(database)
    is_sound = database.exists() and restore.settle(database)
    if is_merge and not is_sound:
        raise StoreError(f"{database.name} can't be read, so nothing of it can stay; leave out --merge")
    known = restore.leave_out(new, archives(database))
    restore.take_over(new, database if is_sound else None, merge=is_merge)
    # What is added up of the old readings must not outlive them; it is made anew.
    for ending in ("", "-wal", "-shm", "-journal"):
        Path(f"{rollup_path(database)}{ending}").unlink(missing_ok=True)
    aside = _aside(database, now)
    restore.swap(new, database, aside)
    if known:
        print(f"{known:,} of its readings are in archives here, and stay there.")
    print(f"Done. {f'What was there is now {aside.name}.' if aside.exists() else ''}".strip())


def _add(new: Path, target: Path, database: Path, now: datetime) -> None:
    others = [*archives(database), *([database] if database.exists() else [])]
    known = restore.leave_out(new, others)
    if not look(new).readings:
        raise StoreError(f"all readings of {target.name} are in other files here; nothing was changed")
    restore.swap(new, target, _aside(database, now))
    if known:
        print(f"{known:,} of its readings are in other files here, and stay there.")
    print(f"Done. {target.name} is part of the history again.")


def _forget_unfinished(database: Path) -> None:
    """Take a second name off the database that a restore has left which came to no end."""
    if database.exists():
        for path in database.parent.glob(f"{database.stem}-before-restore-*"):
            if path.samefile(database):
                path.unlink()


def _aside(database: Path, now: datetime) -> Path:
    """Give a name that is free."""
    while True:
        name = f"{database.stem}-before-restore-{now:%Y-%m-%dT%H%M%SZ}{database.suffix}"
        if not database.with_name(name).exists():
            return database.with_name(name)
        now += timedelta(seconds=1)
