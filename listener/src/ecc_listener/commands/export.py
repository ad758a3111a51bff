"""`ecc-listener export`: write readings of the live file and its archives as CSV, JSON lines or Parquet.

A file is written under a temporary name and renamed when it is complete.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import IO

from ecc_listener.backup.copy import PARTIAL, fsync_folder
from ecc_listener.history.export import FORMATS, Columns, Units, export
from ecc_listener.history.query import History, open_history
from ecc_listener.monitoring.limits_file import LimitsFile
from ecc_listener.progress import Progress
from ecc_listener.settings import Settings, SettingsError
from ecc_listener.storage.connection import StoreError, utc_us

_QUIET_S = 2.0
_END_US = utc_us("9999-12-31 23:59:59")
_ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    add = parser.add_argument_group("export").add_argument
    add("--format", choices=FORMATS, help="default: what the name of the output file ends with, or csv")
    add("--output", type=Path, metavar="FILE", help="file to write (default: standard output)")
    add("--sensor", action="append", metavar="NAME", help="only this sensor; may be given several times")
    add("--from", dest="start", metavar="TIME", help="first day or time: 2026-03-01, or '2026-03-01 14:00'")
    add("--to", dest="end", metavar="TIME", help="last day (included), or the time to stop before")
    add("--units", choices=("f", "c"), help="°F as stored (default), or °C with two decimals")
    add("--local", action="store_true", help="use local time instead of UTC for times, --from and --to")


def main(settings: Settings, arguments: dict[str, object]) -> int:
    """Export and return the exit status.

    Raises:
        SettingsError: the arguments make no sense.
        StoreError: a file can't be read or written.

    """
    zone = None if arguments.get("local") else UTC
    output = arguments.get("output")
    target = output if isinstance(output, Path) else None
    name = str(arguments.get("format") or _ENDINGS.get(target.suffix if target else "", "csv"))
    if name == "parquet" and target is None and sys.stdout.isatty():
        raise SettingsError(["format: Parquet can't be shown on a terminal; add --output FILE.parquet"])
    limits = LimitsFile(settings.limits_file_path, is_created=False).limits
    history = open_history(settings, limits.corrections)
    span = _span(arguments, zone)
    sensors = _sensors(history, arguments)
    units = Units(is_celsius=arguments.get("units") == "c", is_local=zone is None)
    bar = _ProgressBar(history, span, target)
    columns = Columns(units, tuple(history.fields(sensors, *span)))
    with _opened(target) as out:
        count = export(history.readings(sensors, *span), name, out, columns, bar.show)
        bar.clear()
    if target or not count:
        print(f"{count:,} readings{f' in {target}' if target else ''}", file=sys.stderr)
    return 0


def _sensors(history: History, arguments: dict[str, object]) -> list[str] | None:
    known = history.sensors()
    if not known:
        raise StoreError("there are no readings yet: no sensor has sent one, or -d names the wrong file")
    chosen = arguments.get("sensor")
    if not isinstance(chosen, list):
        return None
    unknown = [name for name in chosen if name not in known]
    if unknown:
        choices = _first_few(known)
        raise SettingsError([f"sensor: {name!r} has no readings; choose from {choices}" for name in unknown])
    return chosen


def _first_few(names: list[str]) -> str:
    few = 10
    shown = ", ".join(repr(one) for one in names[:few])
    return f"{shown} and {len(names) - few} more" if len(names) > few else shown


def _span(arguments: dict[str, object], zone: tzinfo | None) -> tuple[int, int]:
    problems, bounds = [], {"start": 0, "end": _END_US}
    for name, flag in (("start", "from"), ("end", "to")):
        if (text := arguments.get(name)) is not None:
            try:
                bounds[name] = moment_us(str(text), zone, is_end=name == "end")
            except (ValueError, OverflowError):
                wanted = "a day like 2026-03-01, or a time like '2026-03-01 14:00'"
                problems.append(f"{flag}: {str(text)!r} is not a time; use {wanted}")
    if not problems and bounds["start"] >= bounds["end"]:
        problems.append("to: it must be later than --from")
    if problems:
        raise SettingsError(problems)
    return bounds["start"], bounds["end"]


def moment_us(text: str, zone: tzinfo | None, *, is_end: bool) -> int:
    """Return the microseconds since 1970 of a day or a time in a zone (None: the local one).

    A day as an end includes all of it.

    Raises:
        ValueError, OverflowError: it is not a time.

    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    else:
        moment = datetime(day.year, day.month, day.day) + timedelta(days=is_end)  # noqa: DTZ001 - see below
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone) if zone else moment.astimezone()
    return round(moment.timestamp() * 1_000_000)


class _ProgressBar:
    """Shows the progress of a long export on a terminal to which the readings themselves don't go."""

    def __init__(self, history: History, span: tuple[int, int], target: Path | None) -> None:
        files = history.files()
        first_us, last_us = utc_us(files[0].first_utc), max(utc_us(file.last_utc) for file in files)
        self._first_us, self._last_us = max(first_us, span[0]), min(last_us, span[1])
        self._progress = Progress(sys.stderr)
        self._is_wanted = sys.stderr.isatty() and (target is not None or not sys.stdout.isatty())
        self._begin_s = time.monotonic() + _QUIET_S
        self._is_shown = False

    def show(self, count: int, utc: str) -> None:
        if self._is_wanted and time.monotonic() > self._begin_s:
            done = (utc_us(utc) - self._first_us) / max(1, self._last_us - self._first_us)
            self._progress.show(
                f"[{'#' * round(30 * done):<30}] {done:4.0%}  {count:,} readings, to {utc[:10]}"
            )
            self._is_shown = True

    def clear(self) -> None:
        if self._is_shown:
            self._progress.clear()


@contextmanager
def _opened(target: Path | None) -> Iterator[IO[bytes]]:
    """Open standard output, or a file that gets its name when it is complete.

    Raises:
        StoreError: the file can't be written.

    """
    if target is None:
        yield sys.stdout.buffer
        return
    part = target.with_name(f"{target.name}{PARTIAL}")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        fsync_folder(target.absolute().parent)
    except OSError as error:
        raise StoreError(f"{target} can't be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
