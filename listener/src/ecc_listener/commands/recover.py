"""`ecc-listener recover`: recover the readings of damaged databases that the listener has moved aside."""

import argparse
import sqlite3
from contextlib import suppress
from pathlib import Path

from ecc_listener.backup.recover import recover_readings
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError, explain
from ecc_listener.storage.corruption import set_aside_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="a damaged file (default: all that were moved aside)",
    )


def main(settings: Settings, arguments: dict[str, object]) -> int:
    """Recover the files, print the number of readings of each, and return the exit status.

    Raises:
        StoreError: a file can't be read, or the archive can't be written.

    """
    database = settings.database_file_path
    files = arguments.get("files") or set_aside_files(database)
    if not isinstance(files, list) or not files:
        print(f"There is no damaged file beside {database}; nothing needs to be recovered.")
        return 0
    for path in files:
        with suppress(FileNotFoundError):
            if path.samefile(database):
                raise StoreError(
                    f"{path} is the live file; if it is damaged, the listener moves it aside by itself"
                )
        try:
            archive, readings = recover_readings(path, database)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(explain(error, path)) from None
        if archive is None:
            print(f"{path.name}: no readings were found in it.")
        else:
            print(f"{path.name}: {readings:,} readings were recovered and are now in {archive.name}.")
    return 0
