"""When the weekly digest is due: it is written by another process, and put into the outbox once."""

import base64
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, tzinfo
from functools import partial

from ecc_listener.digest import content
from ecc_listener.notifications import outbox
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.worker import Worker
from ecc_listener.recipients import DIGEST, wants
from ecc_listener.settings import Settings
from ecc_listener.storage.interface import Storage
from ecc_listener.storage.statements import Connection

_log = logging.getLogger(__name__)

_COUNTER = "weekly digest"
_LOOK_EVERY_US = 60 * 1_000_000
_TRY_EVERY_US = 60 * 60 * 1_000_000
_DONE_WITHIN_S = 300


class DigestSchedule:
    """Sends exactly one digest a week."""

    def __init__(
        self,
        settings: Settings,
        store: Storage,
        zone: tzinfo,
    ) -> None:
        """Prepare; the first tick starts it."""
        self._settings = settings
        self._store = store
        self._zone = zone
        self._worker: Worker[Message] | None = None
        self._monday = date.min
        self._message: Message | None = None
        self._next_look_us = 0

    def tick(self, now_us: int) -> None:
        """Start a digest that is due; put one that is complete into the outbox.

        Raises:
            StoreError: this is done at a later tick.

        """
        if self._worker is not None and self._worker.is_busy:
            for message in self._worker.collect():
                self._message = message
        if self._message is not None:
            self._store.change(partial(_add, message=self._message, monday=self._monday, now_us=now_us))
            self._message = None
        elif self._next_look_us - _TRY_EVERY_US <= now_us < self._next_look_us:
            return
        elif self._worker is None or not self._worker.is_busy:
            self._begin(now_us)

    def _begin(self, now_us: int) -> None:
        self._next_look_us = now_us + _LOOK_EVERY_US
        last_sent = self._store.look(_last_sent)
        if last_sent is None:
            # There is no digest of the week of the installation.
            latest = content.latest(now_us, self._zone)
            self._store.change(partial(_set_last_sent, monday=latest))
            return
        monday = content.due(now_us, self._zone, last_sent)
        if monday is None:
            return
        # If it fails now, it is tried again later.
        self._next_look_us = now_us + _TRY_EVERY_US
        self._monday = monday
        needs = {
            "database": str(self._settings.database_file_path.absolute()),
            "backup_folder": str(self._settings.backup_folder.absolute()),
            "limits_file": str(self._settings.limits_file_path.absolute()),
            "monday": monday.isoformat(),
            "now_us": now_us,
        }
        self._worker = self._worker or Worker()
        self._worker.start(partial(write, json.dumps(needs)))


def write(needs: str) -> Iterator[Message]:
    """Write the digest in a separate process."""
    command = [sys.executable, "-m", "ecc_listener.digest.process"]
    try:
        done = subprocess.run(
            command, input=needs, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=True
        )
    except subprocess.TimeoutExpired:
        _log.error("The weekly digest took too long; it will be tried again in an hour")
        return
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().rpartition("\n")[2]
        _log.error("The weekly digest could not be written and will be tried again in an hour: %s", reason)
        return
    values = json.loads(done.stdout)
    yield Message(**values | {"picture": values["picture"] and base64.b64decode(values["picture"])})


def _last_sent(connection: Connection) -> date | None:
    row = connection.execute("SELECT value FROM ECCCounter WHERE name = ?", (_COUNTER,)).fetchone()
    return date.fromordinal(row[0]) if row else None


def _set_last_sent(connection: Connection, monday: date) -> None:
    connection.execute(
        "INSERT INTO ECCCounter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_COUNTER, monday.toordinal()),
    )


def _add(connection: Connection, message: Message, monday: date, now_us: int) -> None:
    outbox.add_by_choice(connection, lambda choice: message if wants(choice, DIGEST) else None, now_us)
    _set_last_sent(connection, monday)
