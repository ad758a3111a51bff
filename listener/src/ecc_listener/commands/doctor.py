"""`ecc-listener doctor`: look at every part once, and say of each whether it works and what to do if not.

Nothing is changed. `make doctor` looks at Docker, ports and files first, then runs this in a container.
"""

import argparse
import json
import logging
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer
from typing import Literal, NamedTuple

from ecc_listener import health
from ecc_listener.backup.create import newest_backup_time
from ecc_listener.commands.check import find_problems, nearest
from ecc_listener.credentials import CredentialsError
from ecc_listener.local_time import local_zone
from ecc_listener.monitoring.limits_file import LimitsFile
from ecc_listener.monitoring.system import BACKUP_DAYS, least_free_bytes
from ecc_listener.mqtt import sign_in
from ecc_listener.notifications import smtp
from ecc_listener.notifications.channels import read_channels
from ecc_listener.notifications.wording.phrases import clean
from ecc_listener.readings.formats import parse
from ecc_listener.service import broker_of
from ecc_listener.settings import Settings, SettingsError, load, unknown_variables
from ecc_listener.storage.connection import StoreError, connect_readonly
from ecc_listener.storage.corruption import check_pages, set_aside_files
from ecc_listener.storage.database_files import archives

State = Literal["well", "look", "broken"]
_LABELS: dict[State, str] = {"well": "ok", "look": "LOOK", "broken": "BROKEN"}
_READ_FILES_S = 4.0
"""How long database and archives are read together."""
_LITTLE = 4
"""So many times what must be free is still little."""
_FIRST_YEAR = 2026
_MAX_TEXT = 300
_OF_ARCHIVE = "restore this file from a backup"


class Finding(NamedTuple):
    """What was found out about one part."""

    part: str
    state: State
    text: str
    next_step: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument_group("doctor").add_argument(
        "--json", action="store_true", help="print a JSON list instead of text"
    )


def main(flags: dict[str, object], arguments: dict[str, object]) -> int:
    """Print what was found; return 1 if something is broken. `flags` are settings, still unchecked."""
    # What is logged on the way is among the findings.
    logging.disable()
    findings = []
    for finding in examine(flags):
        findings.append(finding)
        if not arguments.get("json"):
            print("\n".join(_lines(finding)), flush=True)
    if arguments.get("json"):
        print(json.dumps([finding._asdict() for finding in findings]))
    return 1 if any(finding.state == "broken" for finding in findings) else 0


def examine(flags: dict[str, object]) -> Iterator[Finding]:
    """Yield the findings in the order in which things depend on each other."""
    yield from _settings(flags)
    yield _clock()
    try:
        # Without the checks that only the listener needs: a missing folder, say, hides nothing else.
        settings = load(flags)
    except SettingsError:
        # What is wrong with them has been said; without them nothing else can be looked at.
        return
    for look in _LOOKS:
        yield from look(settings)


def _settings(flags: dict[str, object]) -> Iterator[Finding]:
    _, _, problems = find_problems(flags, None)
    for problem in problems:
        yield Finding("settings", "broken", problem, "correct it in .env or secrets/, then run make restart")
    for name in unknown_variables():
        text = f"{name} is not a setting and has no effect{nearest(name)}"
        yield Finding("settings", "look", text, "correct or remove it in .env, then run make restart")
    if not problems:
        yield Finding("settings", "well", "settings and secrets are valid")


def _clock() -> Finding:
    now = datetime.now(UTC).astimezone(local_zone())
    if now.year < _FIRST_YEAR:
        step = "set the clock of this machine (timedatectl set-ntp true), then run make restart"
        return Finding("clock", "broken", f"the clock says {now:%Y-%m-%d}, which is years ago", step)
    return Finding("clock", "well", f"it is {now:%Y-%m-%d %H:%M}, time zone {now.tzname()}")


def _folders(settings: Settings) -> Iterator[Finding]:
    folders = {settings.database_file_path.absolute().parent, settings.log_file_path.absolute().parent}
    if settings.automatic_backup:
        folders.add(settings.backup_folder.absolute())
    for folder in sorted(folders):
        if not folder.is_dir():
            yield Finding("folders", "broken", f"the folder {folder} is missing", "run make up")
        elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            text = f"user {os.geteuid()} can't write to {folder}"
            yield Finding("folders", "broken", text, "give the folder to that user (chown), then run make up")


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.database_file_path.absolute().parent
    try:
        disk = shutil.disk_usage(folder)
    except OSError as error:
        yield Finding("disk", "broken", f"{folder} can't be looked at: {error.strerror}", "run make up")
        return
    text = f"{disk.free / 1e9:.1f} GB free for {folder}"
    step = "free some space, for example with docker system prune"
    least_bytes = least_free_bytes(disk.total)
    state: State = (
        "broken" if disk.free < least_bytes else "look" if disk.free < _LITTLE * least_bytes else "well"
    )
    yield Finding("disk", state, text, "" if state == "well" else step)


def _listener(settings: Settings) -> Iterator[Finding]:
    now = datetime.now(UTC)
    current = health.read(settings.health_file_path)
    if current is None or not health.is_fresh(current, now):
        text = health.check(settings.health_file_path, now) or "it is not running"
        yield Finding("listener", "broken", text, "run make up; if it ends again, make logs shows why")
    elif reason := health.fault(current, now):
        if reason.startswith("no message"):
            # That is no fault of the listener's: perhaps no sensor is set up.
            step = "check that the sensors are on; make up prints what to enter in them"
            yield Finding("listener", "look", reason, step)
        else:
            yield Finding("listener", "broken", reason, "see the lines below, and make logs")
    else:
        last = f"last message {current.last_message_utc}, from {current.last_sensor}"
        text = last if current.last_message_utc else "no message has arrived yet"
        yield Finding("listener", "well", f"it is running; {text}")


def _broker(settings: Settings) -> Iterator[Finding]:
    try:
        broker = broker_of(settings)
    except (CredentialsError, OSError) as error:
        yield Finding("broker", "broken", str(error), "correct the file, then run make restart")
        return
    if fault := sign_in.find_fault(broker):
        step = "check ECC_MQTT_BROKER, ECC_MQTT_PORT and secrets/mqtt_credentials, then run make restart"
        yield Finding("broker", "broken", fault, step)
        return
    topics = ", ".join(parse(entry).topic_filter for entry in settings.mqtt_topics)
    yield Finding("broker", "well", f"it accepts the listener's account, and its subscription to {topics}")


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is not None:
        yield Finding(
            "database", "look", "PostgreSQL is used; its state is not looked at here", "ask its own tools"
        )
        return
    if set_aside := set_aside_files(settings.database_file_path):
        names = ", ".join(path.name for path in set_aside)
        yield Finding(
            "database", "broken", f"{names} is damaged", "run make recover, which saves its readings"
        )
    paths = [settings.database_file_path, *reversed(archives(settings.database_file_path))]
    deadline_s = time.monotonic() + _READ_FILES_S
    for number, path in enumerate(paths):
        try:
            fault = _damage(path, deadline_s - time.monotonic())
        except TimeoutError:
            text = f"no damage was found, but only {number} of {len(paths)} files could be read through"
            yield Finding("database", "well", text)
            return
        if fault:
            step = "run make restore with the newest backup"
            yield Finding("database", "broken", f"{path.name}: {fault}", step if number == 0 else _OF_ARCHIVE)
            return
    archived = ("", " and its archive", f" and its {len(paths) - 1} archives")[min(len(paths) - 1, 2)]
    yield Finding("database", "well", f"the database{archived} can be read")


def _damage(path: Path, within_s: float) -> str | None:
    """Return what is wrong with a file.

    Raises:
        TimeoutError: it takes longer to find out.

    """
    if within_s <= 0:
        raise TimeoutError
    is_late = False

    def interrupt() -> None:
        nonlocal is_late
        is_late = True
        connection.interrupt()

    try:
        with closing(connect_readonly(path)) as connection:
            deadline = Timer(within_s, interrupt)
            deadline.start()
            try:
                return check_pages(connection)
            finally:
                deadline.cancel()
    except (sqlite3.Error, StoreError) as error:
        if is_late:
            raise TimeoutError from None
        return str(error)


def _limits(settings: Settings) -> Iterator[Finding]:
    for problem in LimitsFile(settings.limits_file_path, is_created=False).problems:
        step = "correct that line; the file is read again within a minute"
        yield Finding("limits", "look", f"{settings.limits_file_path.name}: {problem}", step)


def _mail(settings: Settings) -> Iterator[Finding]:
    try:
        channels = read_channels(settings)
    except CredentialsError as error:
        yield Finding("mail", "broken", str(error), "correct the file, then run make restart")
        return
    if not channels.names:
        step = "see secrets/README.md, then run make restart and make test-mail"
        yield Finding("mail", "look", "mail is off, so nobody is told of problems", step)
        return
    fault = smtp.check(channels.account) if channels.account else None
    if fault:
        yield Finding("mail", "broken", fault.what, fault.next_step)
    elif channels.account:
        text = f"{channels.account.server.name} accepts the password; make test-mail sends a mail"
        yield Finding("mail", "well", text)


def _backup(settings: Settings) -> Iterator[Finding]:
    if not settings.automatic_backup:
        yield Finding("backup", "look", "the daily backup is off", "remove ECC_AUTOMATIC_BACKUP from .env")
        return
    newest = newest_backup_time(settings.backup_folder)
    if newest is None:
        yield Finding("backup", "look", "there is no backup yet", "run make backup")
    elif datetime.now(UTC) - newest > timedelta(days=BACKUP_DAYS):
        text = f"the newest backup is of {newest:%Y-%m-%d}"
        yield Finding("backup", "broken", text, "run make backup, and read what it says")
    else:
        yield Finding("backup", "well", f"the newest backup is of {newest:%Y-%m-%d %H:%M} UTC")


_LOOKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _folders,
    _disk,
    _database,
    _limits,
    _listener,
    _broker,
    _mail,
    _backup,
)


def _lines(finding: Finding) -> Iterator[str]:
    colours = {"well": "\033[32m", "look": "\033[33m", "broken": "\033[31m"}
    colour, plain = (colours[finding.state], "\033[0m") if sys.stdout.isatty() else ("", "")
    yield f"{colour}{_LABELS[finding.state]:<7}{plain} {finding.part:<9} {clean(finding.text, _MAX_TEXT)}"
    if finding.next_step:
        yield f"{'':18}Next step: {finding.next_step}"
