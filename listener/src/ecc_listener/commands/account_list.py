"""The list of the accounts at the broker, with what is known of those who use them.

MQTT tells a subscriber nothing about the publisher. So a reading is matched with an account by the sensor's
name, and addresses come from the broker's log, whose lines end with the account::

    2026-11-27 15:42:09: New client connected from 192.168.1.5:46517 as ESP-1 (p2, c1, k60, u'ECCTH05').
"""

import logging
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ecc_listener.broker_accounts import broker_files, password_file
from ecc_listener.commands.status import when
from ecc_listener.credentials import Credentials
from ecc_listener.notifications.wording.phrases import clean
from ecc_listener.storage.connection import StoreError, connect_readonly

_log = logging.getLogger(__name__)

# What a client chooses itself stands between the address and the account, so both ends are matched.
_CONNECTED = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)?.*?: New client connected from (?P<address>\S+):\d+ as "
    r".* \(p\d, c\d, k\d+, u'(?P<account>[^']*)'(, [^)]*)?\)\.\s*"
)
_MARK = ": New client connected from "
_MAX_NAME, _MANY_ADDRESSES, _MANY_SENSORS = 40, 3, 100


class Connection(NamedTuple):
    """From where an account was used, and when last: UTC text, or empty if the log doesn't say."""

    address: str
    utc: str


def read_connections(lines: Iterable[str]) -> dict[str, list[Connection]]:
    """Return from where each account was used, the latest first, by the lines of Mosquitto's log."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        if _MARK in line and (match := _CONNECTED.fullmatch(line)):
            of_account = found.setdefault(match["account"], {})
            # The latest goes to the end.
            of_account.pop(match["address"], None)
            of_account[match["address"]] = match["time"] or ""
    return {
        account: [Connection(address, utc) for address, utc in reversed(addresses.items())]
        for account, addresses in found.items()
    }


def describe(
    secrets: Path, accounts: dict[str, Credentials], database: Path | None, log: Path | None, now: datetime
) -> list[str]:
    """Return the list as lines of text."""
    connections: dict[str, list[Connection]] = {}
    if log is not None:
        with log.open(encoding="utf-8", errors="replace") as file:
            connections = read_connections(file)
    readings, fault = _last_readings(database)
    rows = [("Account", "Used by", "Last reading", "Last connected from")]
    own = set()
    for name, used_by in _uses(secrets, accounts):
        is_own = used_by == _OWN
        own |= {name} if is_own else set()
        last = _ago(readings.get(name), now) if is_own else "see below" if used_by != _LISTENER else "-"
        rows.append((clean(name, _MAX_NAME), used_by, last, _addresses(connections.get(name, ()), now)))
    others = sorted(readings.keys() - own, key=readings.__getitem__, reverse=True)
    shown = [*_table(rows), ""]
    if others:
        shown.append("Sensors without an account of their own (MQTT doesn't say which account they use):")
        width = max(len(clean(name, _MAX_NAME)) for name in others[:_MANY_SENSORS])
        shown += [
            f"  {clean(name, _MAX_NAME):<{width}}  {_ago(readings[name], now)}"
            for name in others[:_MANY_SENSORS]
        ]
        shown += [f"  and {more} more"] if (more := len(others) - _MANY_SENSORS) > 0 else []
    else:
        shown.append(fault or "No sensor without an account of its own has sent a reading.")
    return shown


_LISTENER, _SHARED, _OWN, _OTHER = "the listener", "sensors that share it", "one sensor", "password file only"


def _uses(secrets: Path, accounts: dict[str, Credentials]) -> list[tuple[str, str]]:
    """Return the accounts, each with who uses it."""
    uses: dict[str, str] = {}
    for file, account in accounts.items():
        is_own = file == broker_files.file_of(account.username)
        uses.setdefault(account.username, _OWN if is_own else _SHARED)
    if broker_files.LISTENER in accounts:
        uses[accounts[broker_files.LISTENER].username] = _LISTENER
    try:
        for name in password_file.own_names(password_file.read_lines(secrets)):
            uses.setdefault(name, _OTHER)
    except (OSError, ValueError):
        _log.debug("The password file is among the problems already", exc_info=True)
    order = (_LISTENER, _SHARED, _OTHER, _OWN)
    return sorted(uses.items(), key=lambda one: (order.index(one[1]), one[0].casefold()))


def _last_readings(database: Path | None) -> tuple[dict[str, str], str | None]:
    """Return when each sensor sent its newest reading (UTC text), or why that isn't known."""
    if database is None:
        return {}, "The last readings are unknown, because the settings have to be corrected first."
    try:
        with closing(connect_readonly(database)) as connection:
            return dict(connection.execute("SELECT sensorName, recordWrittenUTC FROM ECCLatest")), None
    except (StoreError, sqlite3.Error) as error:
        return {}, f"The last readings are unknown: {error}"


def _ago(utc: str | None, now: datetime) -> str:
    return when(utc, now) if utc else "none yet"


def _addresses(connections: Iterable[Connection], now: datetime) -> str:
    found = [*connections]
    if not found:
        return "unknown: the broker's log has no connection of it"
    shown = ", ".join(one.address for one in found[:_MANY_ADDRESSES])
    more = f" and {len(found) - _MANY_ADDRESSES} more" if len(found) > _MANY_ADDRESSES else ""
    return f"{shown}{more}" + (f", at {_ago(found[0].utc, now)}" if found[0].utc else "")


def _table(rows: list[tuple[str, str, str, str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
