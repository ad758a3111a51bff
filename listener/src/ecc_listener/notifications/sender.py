"""Passes due messages to a thread that sends them, and stores what became of them.

Only the loop writes to the database, so an outcome waits here until it is stored, and nothing new is passed
on before: no message is sent twice because a disk was full.
"""

import logging
from functools import partial

from ecc_listener.notifications import outbox
from ecc_listener.notifications.channels import Channels
from ecc_listener.notifications.errors import SendFault
from ecc_listener.notifications.outbox import ChannelState, Due, Outcome
from ecc_listener.notifications.status import OFF, mail_fault
from ecc_listener.notifications.worker import Worker
from ecc_listener.storage.interface import Storage
from ecc_listener.storage.statements import Connection

_log = logging.getLogger(__name__)

_DAY_US = 24 * 3600 * 1_000_000
_OWN_FAULT = SendFault("an error in this program prevents it from being sent", "report what the log says")


class Sender:
    """Passes due messages from the outbox to a thread, and stores what became of them."""

    def __init__(self, channels: Channels, store: Storage) -> None:
        """Send to these channels.

        Raises:
            StoreError: the database can't be used.

        """
        self.fault: str | None = None
        """What prevents messages from being sent, in one line."""
        self.is_on = bool(channels.names)
        self._channels = channels
        self._store = store
        self._worker: Worker[Outcome] = Worker()
        self._handed: dict[tuple[str, int], Due] = {}
        self._outcomes: list[Outcome] = []
        self._failing: set[str] = set()
        self._next_prune_us = 0
        gone = store.change(partial(outbox.set_channels, channels=channels.names, choices=channels.choices))
        for channel, waiting in gone.items():
            _log.warning("%s is no longer notified; %d messages were waiting for it", channel, waiting)
        if channels.lines:
            self._worker.start(channels.check)
        if self.is_on:
            _log.info("Notices are sent to %s", channels.in_words)
        else:
            _log.warning("Mail is %s", OFF)

    @property
    def is_busy(self) -> bool:
        """Whether a message is being sent."""
        return self._worker.is_busy

    def tick(self, now_us: int) -> None:
        """Store what became of messages, and start sending what is due.

        Raises:
            StoreError: this is done at the next tick.

        """
        if not self.is_on:
            return
        self._collect(now_us)
        if not self._worker.is_busy:
            messages = self._store.look(partial(outbox.due, now_us=now_us))
            if messages:
                self._handed = {(due.channel, due.number): due for due in messages}
                self._worker.start(partial(self._channels.send, messages))
        if now_us >= self._next_prune_us:
            dropped = self._store.change(partial(outbox.prune, now_us=now_us))
            self._next_prune_us = now_us + _DAY_US
            if dropped:
                _log.error("%d messages were dropped: more than %d were waiting", dropped, outbox.MAX_WAITING)

    def close(self, now_us: int, within_s: float) -> None:
        """Wait for a message that is being sent, so that the next start doesn't send it again.

        Raises:
            StoreError: what became of it could not be recorded.

        """
        self._collect(now_us, within_s)

    def _collect(self, now_us: int, within_s: float = 0) -> None:
        """Store the outcomes; a message without an outcome has failed."""
        self._outcomes += self._worker.collect(within_s if self._worker.is_busy else 0)
        if self._handed and not self._worker.is_busy:
            known = {(outcome.channel, outcome.number) for outcome in self._outcomes}
            self._outcomes += [Outcome(*key, _OWN_FAULT) for key in self._handed.keys() - known]
        if self._outcomes:
            given_up, states = self._store.change(partial(_record, outcomes=self._outcomes, now_us=now_us))
            self.fault = mail_fault(states, now_us)
            self._log(given_up)
            for outcome in self._outcomes:
                self._handed.pop((outcome.channel, outcome.number), None)
            self._outcomes = []

    def _log(self, given_up: list[Outcome]) -> None:
        """Log a fault once at its beginning and once at its end."""
        begins: dict[str, list[str]] = {}
        for channel, number, fault in self._outcomes:
            if fault is None:
                _log.info("Message %d was sent to %s", number, channel)
                if channel in self._failing:
                    _log.info("Messages are sent to %s again", channel)
                    self._failing.remove(channel)
            elif channel not in self._failing:
                self._failing.add(channel)
                begins.setdefault(fault.line, []).append(channel)
        for line, channels in begins.items():
            _log.error("Messages can't be sent to %s and will be tried again: %s", ", ".join(channels), line)
        for channel, number, _ in given_up:
            _log.error("Message %d to %s is given up; it remains in the table ECCMail", number, channel)


def _record(
    connection: Connection, outcomes: list[Outcome], now_us: int
) -> tuple[list[Outcome], list[ChannelState]]:
    given_up = [outcome for outcome in outcomes if outbox.record(connection, outcome, now_us)]
    return given_up, outbox.states(connection)
