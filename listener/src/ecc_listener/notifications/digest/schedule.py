"""The loop's part of the weekly digest: lets it be written when it is due, puts it into the outbox, once."""

import base64
import json
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, tzinfo
from functools import partial

from ecc_listener.notifications import outbox
from ecc_listener.notifications.digest import content
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.worker import Worker
from ecc_listener.settings import Settings
from ecc_listener.storage.store import Store

_log = logging.getLogger(__name__)

_COUNTER = "weekly digest"
_LOOK_EVERY_US = 60 * 1_000_000
_TRY_EVERY_US = 60 * 60 * 1_000_000
_DONE_WITHIN_S = 300


class DigestSchedule:
    """Exactly one digest a week."""

    def __init__(self, settings: Settings, store: Store, zone: tzinfo) -> None:
        """Begin with the first tick."""
        self._settings = settings
        self._store = store
        self._zone = zone
        self._thread: Worker[Message] | None = None
        self._monday = date.min
        self._letter: Message | None = None
        self._next_look_us = 0

    def tick(self, now_us: int) -> None:
        """Begin a digest that is due; put one that is written into the outbox.

        Raises:
            StoreError: it is done the next time.

        """
        if self._thread is not None and self._thread.is_busy:
            for message in self._thread.collect():
                self._letter = message
        if self._letter is not None:
            self._store.change(partial(_add, message=self._letter, monday=self._monday, now_us=now_us))
            self._letter = None
        elif self._next_look_us - _TRY_EVERY_US <= now_us < self._next_look_us:
            return
        elif self._thread is None or not self._thread.is_busy:
            self._begin(now_us)

    def _begin(self, now_us: int) -> None:
        self._next_look_us = now_us + _LOOK_EVERY_US
        told = self._store.look(_told)
        if told is None:
            # Of a week in which it was installed there is nothing to tell yet.
            latest = content.latest(now_us, self._zone)
            self._store.change(partial(_set_told, monday=latest))
            return
        monday = content.due(now_us, self._zone, told)
        if monday is None:
            return
        # What fails now is tried again later.
        self._next_look_us = now_us + _TRY_EVERY_US
        self._monday = monday
        needs = {
            "database": str(self._settings.database_file_path.absolute()),
            "backup_folder": str(self._settings.backup_folder.absolute()),
            "monday": monday.isoformat(),
            "now_us": now_us,
        }
        self._thread = self._thread or Worker()
        self._thread.start(partial(write, json.dumps(needs)))


def write(needs: str) -> Iterator[Message]:
    """Let a process of its own write the digest."""
    command = [sys.executable, "-m", "ecc_listener.notifications.digest.process"]
    try:
        done = subprocess.run(
            command, input=needs, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=True
        )
    except subprocess.TimeoutExpired:
        _log.error("The weekly digest took too long; it is tried again in an hour")
        return
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().rpartition("\n")[2]
        _log.error("The weekly digest could not be written, it is tried again in an hour: %s", reason)
        return
    told = json.loads(done.stdout)
    yield Message(**told | {"picture": told["picture"] and base64.b64decode(told["picture"])})


def _told(connection: sqlite3.Connection) -> date | None:
    row = connection.execute("SELECT value FROM ECCCounter WHERE name = ?", (_COUNTER,)).fetchone()
    return date.fromordinal(row[0]) if row else None


def _set_told(connection: sqlite3.Connection, monday: date) -> None:
    connection.execute("INSERT OR REPLACE INTO ECCCounter VALUES (?, ?)", (_COUNTER, monday.toordinal()))


def _add(connection: sqlite3.Connection, message: Message, monday: date, now_us: int) -> None:
    outbox.add(connection, message, now_us)
    _set_told(connection, monday)
