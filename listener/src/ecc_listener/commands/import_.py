"""`ecc-listener import`: copy the SQLite file and its archives into PostgreSQL, and prove that all is there.

The old installation may run meanwhile. Repeated, it copies what has come since.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from ecc_listener.history.query import DataFile, History
from ecc_listener.progress import Progress
from ecc_listener.settings import Settings, SettingsError
from ecc_listener.storage.connection import StoreError, connect_readonly, utc_us
from ecc_listener.storage.postgres.connection import Connection, connect, explain
from ecc_listener.storage.postgres.importing import (
    NOTHING,
    Imported,
    Reading,
    Sums,
    create_sensors,
    import_month,
    import_rejected,
    import_reports,
)
from ecc_listener.storage.postgres.schema import Month, migrate, month_of, next_month
from ecc_listener.storage.quarantine import Rejected

_HEADER = (
    "month",
    "sensor",
    *(f"{what}_{where}" for where in ("file", "postgresql") for what in Sums._fields),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    words = "write the number and the sums of each sensor's readings in each month, from both, as CSV"
    parser.add_argument_group("import").add_argument("--report", type=Path, metavar="FILE", help=words)


def main(settings: Settings, arguments: dict[str, object]) -> int:
    """Copy everything, print the result, and return the exit status.

    Raises:
        SettingsError: there is no `database_url`.
        StoreError: the file can't be read, or PostgreSQL can't be used.

    """
    if settings.database_url is None:
        raise SettingsError(["database_url: is not set; name the PostgreSQL database to import into"])
    history = History(settings.database_file_path)
    files = history.files()
    if not files:
        raise StoreError(f"{settings.database_file_path} and its archives have no readings")
    connection = connect(settings.database_url.get_secret_value())
    try:
        migrate(connection)
        done = dict(_months(connection, history, files))
        for file in files:
            _import_rest(connection, file.path)
    except psycopg.Error as error:
        raise StoreError(f"{explain(error)}. What is copied stays; run the import again") from None
    finally:
        connection.close()
    report = arguments.get("report")
    if isinstance(report, Path):
        _write_report(report, done)
    return _conclude(done, history.unreadable())


def _months(
    connection: Connection, history: History, files: list[DataFile]
) -> Iterator[tuple[Month, Imported]]:
    months = [month_of(utc_us(files[0].first_utc))]
    last = month_of(max(utc_us(file.last_utc) for file in files))
    while months[-1] < last:
        months.append(next_month(months[-1]))
    ids = create_sensors(connection, history.sensors())
    progress = Progress(sys.stderr)
    for number, month in enumerate(months):
        progress.show(f"{number / len(months):4.0%}  importing {month[0]}-{month[1]:02}")
        rows = history.readings(None, _begin_us(month), _begin_us(next_month(month)))
        yield (
            month,
            import_month(
                connection,
                month,
                (Reading(row.utc, row[1:7], row.sensor_name, row.values) for row in rows),
                ids,
            ),
        )
    progress.clear()


def _begin_us(month: Month) -> int:
    return int(datetime(*month, 1, tzinfo=UTC).timestamp()) * 1_000_000


def _import_rest(connection: Connection, path: Path) -> None:
    """Copy what a file has beside readings: reports of sensors, and rejected messages that wait."""
    with closing(connect_readonly(path)) as file:
        names = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
        columns = "recordWrittenUTC, sensorName, location, MACaddress, softwareVersion"
        if "ECCTempHumSensor" in names:
            import_reports(connection, file.execute(f"SELECT {columns} FROM ECCTempHumSensor"))
        if "ECCRejected" in names:
            query = "SELECT receivedUTC, topic, payload, reason FROM ECCRejected WHERE replayedUTC IS NULL"
            rows = (Rejected(utc_us(utc), *message) for utc, *message in file.execute(query))
            import_rejected(connection, rows)


def _write_report(path: Path, done: dict[Month, Imported]) -> None:
    try:
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_HEADER)
            for (year, month), one in done.items():
                for name, sums in sorted(one.source.items()):
                    there = one.target.get(name, NOTHING)
                    writer.writerow((f"{year}-{month:02}", name, *sums, *there))
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror}") from None


def _conclude(done: dict[Month, Imported], unreadable: list[str]) -> int:
    for (year, month), one in done.items():
        for name in one.missing:
            print(f"{year}-{month:02}: not all readings of {name} are there", file=sys.stderr)
    for fault in unreadable:
        print(f"Left out: {fault}", file=sys.stderr)
    readings = sum(sums.readings for one in done.values() for sums in one.source.values())
    new = sum(one.new for one in done.values())
    missing = sum(len(one.missing) for one in done.values())
    print(f"{readings:,} readings in the file and its archives; {new:,} of them were copied now.")
    if missing or unreadable:
        print("Not all of them are in PostgreSQL (see above). Next step: run the import again")
        return 1
    print("All of them are in PostgreSQL: number and sums are equal for each sensor and month.")
    return 0
