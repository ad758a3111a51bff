"""`ecc-listener status`: the state of the listener on one screen, from its health file and its database."""

import argparse
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ecc_listener import health
from ecc_listener.backup.create import newest_backup_time
from ecc_listener.history.query import History
from ecc_listener.local_time import local_zone
from ecc_listener.monitoring.limits import DEFAULT, SensorLimits
from ecc_listener.monitoring.limits_file import LimitsFile
from ecc_listener.monitoring.out_of_range import BEYOND, USUAL, in_words, out_of_range
from ecc_listener.notifications import outbox, table
from ecc_listener.notifications.notice import Notice
from ecc_listener.notifications.status import OFF, mail_fault, mail_state
from ecc_listener.notifications.wording import own_texts
from ecc_listener.notifications.wording.phrases import clean
from ecc_listener.notifications.wording.texts import describe
from ecc_listener.readings.corrections import Corrections
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError, connect_readonly, utc_us
from ecc_listener.storage.corruption import set_aside_files
from ecc_listener.storage.database_files import archives
from ecc_listener.storage.quarantine import REALLY_REJECTED

_MANY_SENSORS, _MANY_NOTICES = 30, 8
_MAX_NAME = 30
"""A third of a line."""
_DAY_US = 24 * 3600 * 1_000_000

_LATEST = """
    SELECT sensorName, recordWrittenUTC, temperatureF, relHumidityPercent, battPercent, apRSSI, location
    FROM ECCLatest
"""


@dataclass(slots=True)
class Sensor:
    """The newest reading of one sensor."""

    name: str
    last_utc: str
    temperature_f: float | None
    humidity_percent: float | None
    battery_percent: float | None
    rssi_dbm: int | None
    location: str | None


@dataclass(slots=True)
class OpenNotice:
    """A problem that is open now, in words."""

    kind: str
    sensor: str
    headline: str
    advice: str


@dataclass(slots=True)
class Status:
    """The state of the listener; `fault` is one line, or None when all is well."""

    fault: str | None
    last_message_utc: str | None
    last_sensor: str | None
    rows_today: int
    rejected_today: int
    unreadable_rows: int
    """Rows of the database and its archives that have no sensor's name or no valid time."""
    database_bytes: int
    archives: int
    archive_bytes: int
    log_bytes: int
    last_backup_utc: str | None
    mail: str
    notices: list[OpenNotice]
    beyond: list[str]
    """Values that are beyond a limit now, and may not last."""
    muted: list[str]
    """Sensors about which nothing is sent, each with the end of that."""
    sensors: list[Sensor]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")


def main(settings: Settings, arguments: dict[str, object]) -> int:
    """Print the status; return 1 when something needs attention."""
    own_texts.use(settings.limits_file_path)
    now = datetime.now(UTC)
    status = read_status(settings, now)
    if arguments.get("json"):
        print(json.dumps(asdict(status)))
    else:
        print("\n".join(format_lines(status, now, colour=sys.stdout.isatty())))
    return 1 if status.fault else 0


def read_status(settings: Settings, now: datetime) -> Status:
    """Return the status; `fault` names what can't be read."""
    current = health.read(settings.health_file_path)
    status = Status(
        health.check(settings.health_file_path, now),
        None,
        None,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        None,
        OFF,
        [],
        [],
        [],
        [],
    )
    if current:
        status.last_message_utc, status.last_sensor = current.last_message_utc, current.last_sensor
    status.database_bytes = sum(_size(Path(f"{settings.database_file_path}{end}")) for end in ("", "-wal"))
    sizes = [_size(path) for path in archives(settings.database_file_path)]
    status.archives, status.archive_bytes = len(sizes), sum(sizes)
    status.log_bytes = _size(settings.log_file_path)
    if backup := newest_backup_time(settings.backup_folder):
        status.last_backup_utc = backup.strftime("%Y-%m-%d %H:%M:%S")
    midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    try:
        with closing(connect_readonly(settings.database_file_path)) as connection:
            limits = LimitsFile(settings.limits_file_path, is_created=False).limits
            limits.set_time(now.astimezone())
            _read(connection, status, midnight, limits.corrections)
            channels = outbox.states(connection)
            notices = table.open_now(connection)
            known = {(notice.kind, notice.subject) for notice in notices}
            status.muted = [line for one in status.sensors for line in _muted(one, limits)]
            status.beyond = [line for one in status.sensors for line in _beyond(one, limits, known)]
        today_us = int(midnight.timestamp()) * 1_000_000
        history = History(settings.database_file_path)
        status.rows_today = history.count(today_us, today_us + _DAY_US)
        status.unreadable_rows = history.unreadable_rows()
        now_us = int(now.timestamp()) * 1_000_000
        status.notices = [_open(notice, now_us) for notice in notices]
        status.mail = mail_state(channels, now_us, local_zone())
        fault = mail_fault(channels, now_us, local_zone())
        status.fault = status.fault or (f"mail {fault}" if fault else _damaged(settings.database_file_path))
        if status.fault is None and notices:
            status.fault = status.notices[0].headline
    except (StoreError, sqlite3.Error) as error:
        status.fault = f"{status.fault}; {error}" if status.fault else str(error)
    return status


def _damaged(database: Path) -> str | None:
    names = ", ".join(path.name for path in set_aside_files(database))
    return f"{names} is damaged; `make recover` recovers its readings" if names else None


def _beyond(sensor: Sensor, limits: SensorLimits, known: set[tuple[str, str]]) -> Iterator[str]:
    allowed = limits.merge(sensor.name, sensor.location, USUAL | DEFAULT) or {}
    values = sensor.temperature_f, sensor.humidity_percent, sensor.battery_percent
    for one in out_of_range(*values, allowed):
        if (one.kind, sensor.name) not in known:
            yield f"{_label(sensor)}: {in_words(one, lambda value_f: f'{value_f:.1f} °F')}"


def _muted(sensor: Sensor, limits: SensorLimits) -> Iterator[str]:
    if until := limits.muted_until(sensor.name, sensor.location):
        yield f"{_label(sensor)} until {until.astimezone():%a %-d %b, %H:%M}"


def _open(notice: Notice, now_us: int) -> OpenNotice:
    words = describe(notice, now_us, local_zone())
    return OpenNotice(notice.kind, notice.subject, words.headline, words.advice)


def _read(
    connection: sqlite3.Connection, status: Status, midnight: datetime, corrections: Corrections
) -> None:
    sensors = [_corrected(Sensor(*row), corrections) for row in connection.execute(_LATEST)]
    sensors.sort(key=lambda sensor: sensor.last_utc)
    # Of a renamed sensor the newer reading counts.
    status.sensors = [*{sensor.name: sensor for sensor in sensors}.values()]
    # The sensors that have fallen silent come last, next to the prompt.
    status.sensors.sort(key=lambda sensor: sensor.last_utc, reverse=True)
    if status.sensors and not status.last_message_utc:
        newest = status.sensors[0]
        status.last_message_utc, status.last_sensor = newest.last_utc, newest.name
    today = midnight.strftime("%Y-%m-%d %H:%M:%S")
    count = f"SELECT count(*) FROM ECCRejected WHERE receivedUTC >= ? AND {REALLY_REJECTED}"
    status.rejected_today = connection.execute(count, (today,)).fetchone()[0]


def _corrected(sensor: Sensor, corrections: Corrections) -> Sensor:
    one = corrections.offsets(sensor.name)
    return replace(
        sensor,
        name=corrections.present_name(sensor.name),
        temperature_f=one.temperature(sensor.temperature_f),
        humidity_percent=one.humidity(sensor.humidity_percent),
    )


def format_lines(status: Status, now: datetime, *, colour: bool) -> list[str]:
    """Return the status as lines of text."""
    good, bad, faint, plain = ("\033[32m", "\033[31m", "\033[2m", "\033[0m") if colour else ("",) * 4
    well = f"All else is well; {len(status.muted)} muted, see below" if status.muted else "All is well"
    summary = f"{good}{well}{plain}"
    if status.fault:
        is_listed = any(notice.headline == status.fault for notice in status.notices)
        summary = f"{bad}Needs attention{'' if is_listed else f': {status.fault}'}{plain}"
    elif status.beyond:
        summary = BEYOND[len(status.beyond) > 1].format(len(status.beyond))
    last = "none yet"
    if status.last_message_utc:
        by = status.last_sensor or "an unknown sensor"
        last = f"{when(status.last_message_utc, now)}, from {clean(by, _MAX_NAME)}"
    count = f"{status.archives} archive{'s' if status.archives > 1 else ''}"
    archived = f", and {count} of {_megabytes(status.archive_bytes)}" if status.archives else ""
    shown = [
        summary,
        *(f"  - {notice.headline}. {notice.advice}" for notice in status.notices[:_MANY_NOTICES]),
        *([f"  and {more} more"] if (more := len(status.notices) - _MANY_NOTICES) > 0 else []),
        *(f"  - {line}" for line in status.beyond[:_MANY_NOTICES]),
        *([f"  and {more} more values"] if (more := len(status.beyond) - _MANY_NOTICES) > 0 else []),
        "",
        f"Last message  {last}",
        f"Today         {status.rows_today:,} readings, {status.rejected_today:,} rejected",
        f"Database      {_megabytes(status.database_bytes)}{archived}",
        *([f"Not shown     {_unreadable(status.unreadable_rows)}"] if status.unreadable_rows else []),
        f"Log           {_megabytes(status.log_bytes)}",
        f"Backup        {when(status.last_backup_utc, now) if status.last_backup_utc else 'none yet'}",
        f"Mail          {status.mail}",
        *([f"Muted         {', '.join(status.muted[:_MANY_NOTICES])}"] if status.muted else []),
        "",
    ]
    if not status.sensors:
        return [*shown, "No sensor has sent a reading yet. `make up` prints what to enter in the sensors."]
    width = max(len(_label(sensor)) for sensor in status.sensors[:_MANY_SENSORS])
    shown.append(f"{faint}{'Sensor':<{width}}      °F      °C    RH %  batt %   dBm  last reading{plain}")
    for sensor in status.sensors[:_MANY_SENSORS]:
        celsius = None if sensor.temperature_f is None else (sensor.temperature_f - 32) / 1.8
        values = (sensor.temperature_f, celsius, sensor.humidity_percent)
        shown.append(
            f"{_label(sensor):<{width}}  {'  '.join(_number(value, 6, 1) for value in values)}"
            f"  {_number(sensor.battery_percent, 6)}  {_number(sensor.rssi_dbm, 4)}"
            f"  {when(sensor.last_utc, now)}"
        )
    if len(status.sensors) > _MANY_SENSORS:
        shown.append(f"and {len(status.sensors) - _MANY_SENSORS} more; --json lists all of them")
    return shown


def _number(value: float | None, width: int, decimals: int = 0) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{decimals}f}"


def _unreadable(rows: int) -> str:
    what = f"{rows:,} rows have" if rows > 1 else "1 row has"
    return f"{what} no sensor's name or no valid time; they stay in the database"


def _label(sensor: Sensor) -> str:
    name = clean(sensor.name, _MAX_NAME)
    return f"{name} ({clean(sensor.location, _MAX_NAME)})" if sensor.location else name


def when(utc: str, now: datetime) -> str:
    """Return a time in local time, and how long ago that is."""
    moment = datetime.fromtimestamp(utc_us(utc[:19]) / 1e6, UTC)
    ago = max(timedelta(0), now - moment)
    local = moment.astimezone().strftime("%H:%M" if ago < timedelta(hours=12) else "%Y-%m-%d %H:%M")
    return f"{local} ({_ago(ago)})"


def _ago(ago: timedelta) -> str:
    minutes = int(ago.total_seconds() // 60)
    if minutes < 1:
        return f"{ago.seconds} s ago"
    if minutes < 120:  # noqa: PLR2004 - as a person would say it
        return f"{minutes} min ago"
    hours = minutes // 60
    return f"{hours} h ago" if hours < 48 else f"{hours // 24} days ago"  # noqa: PLR2004 - likewise


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
