"""Messages that can't be stored before they are sent, because the database itself fails."""

import secrets
from datetime import tzinfo
from functools import partial

from ecc_listener.notifications import outbox
from ecc_listener.notifications.channels import Channels
from ecc_listener.notifications.message import Message, compose
from ecc_listener.notifications.notice import Entry, Notice, Notification
from ecc_listener.notifications.outbox import Due, Outcome
from ecc_listener.notifications.wording.texts import describe
from ecc_listener.notifications.worker import Worker
from ecc_listener.recipients import wants
from ecc_listener.storage.interface import Storage

_TRY_EVERY_US = 10 * 60 * 1_000_000


class FallbackMail:
    """One message that readings can't be stored, and one when they are stored again."""

    def __init__(self, channels: Channels, store: Storage, after_us: int, zone: tzinfo) -> None:
        """Send a fault after `after_us`: a database that is busy for a moment is not a fault."""
        self._channels, self._store, self._after_us, self._zone = channels, store, after_us, zone
        self._worker: Worker[Outcome] | None = None
        self._notice: Notice | None = None
        self._message: Message | None = None
        self._message_id = ""
        self._sent_to: set[str] = set()
        self._next_try_us = 0

    def tick(self, fault: str | None, now_us: int) -> None:
        """Send a lasting fault of the database, and its end.

        Raises:
            StoreError: the end is sent at a later tick.

        """
        if self._worker is not None:
            self._sent_to |= {outcome.channel for outcome in self._worker.collect() if not outcome.fault}
        if fault is None:
            self._end(now_us)
            return
        if self._notice is None:
            self._notice = Notice(0, "store", "", None, now_us, None, None, 0, {"fault": fault}, now_us)
        if now_us - self._notice.since_us >= self._after_us:
            self._send(now_us)

    def _end(self, now_us: int) -> None:
        """Put the message about the end into the outbox, which can be written again."""
        if self._notice is not None and self._sent_to:
            resolved = self._compose(self._notice._replace(resolved_us=now_us), now_us)
            self._store.change(
                partial(
                    outbox.add_by_choice,
                    write=lambda choice: resolved if wants(choice, "store") else None,
                    now_us=now_us,
                )
            )
        self._notice, self._message, self._sent_to, self._next_try_us = None, None, set(), 0

    def _send(self, now_us: int) -> None:
        choices = self._channels.choices
        left = [
            name
            for name in self._channels.names
            if wants(choices[name], "store") and name not in self._sent_to
        ]
        self._worker = self._worker or Worker()
        waits = 0 < self._next_try_us - now_us <= _TRY_EVERY_US
        if not left or waits or self._worker.is_busy or self._notice is None:
            return
        if self._message is None:
            self._message, self._message_id = self._compose(self._notice, now_us), secrets.token_hex(12)
        self._next_try_us = now_us + _TRY_EVERY_US
        messages = [Due(channel, 0, self._message_id, now_us, self._message) for channel in left]
        self._worker.start(lambda: self._channels.send(messages))

    def _compose(self, notice: Notice, now_us: int) -> Message:
        words = describe(notice, now_us, self._zone)
        entry = Entry(notice, "new" if notice.resolved_us is None else "resolved", words, None)
        return compose(Notification(now_us, (entry,), None), self._zone)
