"""What the listener does once a second, beside storing readings.

Each task is given the time and does what is due. If the database stops one, the next tick tries again.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from ecc_listener.clock import Now
from ecc_listener.digest.schedule import DigestSchedule
from ecc_listener.file_tasks import FileTasks
from ecc_listener.health import Health, utc_iso
from ecc_listener.heartbeat import HealthFile, Watchdog
from ecc_listener.home_assistant.bridge import HomeAssistant
from ecc_listener.local_time import local_zone
from ecc_listener.monitoring.monitor import Faults, Monitor
from ecc_listener.mqtt.session import Session
from ecc_listener.notifications import message, outbox
from ecc_listener.notifications.channels import read_channels
from ecc_listener.notifications.fallback import FallbackMail
from ecc_listener.notifications.sender import Sender
from ecc_listener.notifications.wording import own_texts
from ecc_listener.settings import Settings, read_decoder
from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.database_files import replay_request_path
from ecc_listener.storage.interface import Burst, Storage
from ecc_listener.storage.store import Store
from ecc_listener.storage.upkeep import RejectedUpkeep

_log = logging.getLogger(__name__)


class PeriodicTasks:
    """All tasks, in the order in which they run."""

    def __init__(
        self, settings: Settings, store: Storage, session: Session, health: Health, now: Now
    ) -> None:
        """Prepare them; the first tick starts them.

        Raises:
            StoreError: the database can't be used.

        """
        self._settings = settings
        self._session = session
        self._health = health
        zone = local_zone()
        own_texts.use(settings.limits_file_path, is_created=True)
        channels = read_channels(settings)
        self.monitor = Monitor(
            settings,
            store,
            zone,
            now,
            lambda connection, notification: outbox.add_by_choice(
                connection,
                lambda choice: message.for_choice(notification, choice, zone),
                notification.at_us,
            ),
        )
        self.sender = Sender(channels, store)
        self.fallback = FallbackMail(channels, store, settings.timer_check // timedelta(microseconds=1), zone)
        self.digest = DigestSchedule(settings, store, zone)
        self.files = FileTasks(settings, store, now) if isinstance(store, Store) else None
        request = replay_request_path(settings.database_file_path)
        decode = read_decoder(settings).decode
        self.rejected = RejectedUpkeep(store, request, decode, settings.max_quarantine_days)
        prefix = settings.home_assistant_prefix
        self.home_assistant = HomeAssistant(prefix, session.broker, self.monitor) if prefix else None
        self.watchdog = Watchdog()
        self.health_file = HealthFile(settings.health_file_path)

    def tick(self, now: Now) -> None:
        """Run what must go on always, then what needs a database that can be written."""
        _run(now, self.watchdog.tick, self.write_health, self.watch, self.send_fallback_mail, self.publish)
        if self._health.store_fault is None:
            _run(now, self.send_notifications, self.rejected.tick)
            if self.files is not None:
                _run(now, self.files.archive, self.files.add_rollups, self.files.back_up)

    def write_health(self, now: Now) -> None:
        """Write the health file."""
        self._health.written_utc = utc_iso(now.wall_us)
        self._health.broker_fault = self._session.fault
        self._health.connections = self._session.connections
        self._health.mail_fault = self.sender.fault
        self.health_file.write(self._health)

    def watch(self, now: Now) -> None:
        """Let the monitor find what is wrong; reconnect if nothing has arrived for too long."""
        archive_fault = self.files.archive_fault if self.files is not None else None
        newest_backup = self.files.newest_backup if self.files is not None else None
        faults = Faults(self._session.fault, self._health.store_fault, self.sender.fault, archive_fault)
        needs_reconnect = self.monitor.tick(now, faults, newest_backup)
        # A database that fails keeps us from receiving, too; then the session is not to blame.
        if needs_reconnect and self._health.store_fault is None:
            self._session.restart("reconnecting, because no message has arrived for so long")

    def send_fallback_mail(self, now: Now) -> None:
        """Send what can't go through the database, because the database is what fails."""
        self.fallback.tick(self._health.store_fault, now.wall_us)

    def send_notifications(self, now: Now) -> None:
        """Send what is in the outbox, and the weekly digest."""
        self.sender.tick(now.wall_us)
        # The digest is drawn from the files.
        if self._settings.weekly_digest and self.sender.is_on and self.files is not None:
            self.digest.tick(now.wall_us)

    def publish(self, _now: Now) -> None:
        """Publish for Home Assistant; whatever goes wrong there must not disturb the readings."""
        if self.home_assistant is not None:
            try:
                self.home_assistant.tick()
            except Exception:  # noqa: BLE001 - see above
                _log.exception(
                    "An error in this program; nothing is published for Home Assistant until a restart"
                )
                self.home_assistant = None

    def stored(self, burst: Burst) -> None:
        """Count what was stored."""
        self.monitor.note(burst)
        if self.files is not None:
            self.files.stored(len(burst.readings))

    def database_failed(self) -> None:
        """Stop what may be the reason, or is in the way."""
        if self.files is not None:
            self.files.database_failed()

    def close(self, now: Now, within_s: float) -> None:
        """Finish what is under way, and keep what the monitor has learned."""
        self.monitor.close(now)
        if self.home_assistant is not None:
            self.home_assistant.close()
        if self.files is not None:
            self.files.close(within_s)
        with suppress(StoreError):
            self.sender.close(now.wall_us, within_s)
        self.health_file.remove()
        self.watchdog.stop()


def _run(now: Now, *tasks: Callable[[Now], None]) -> None:
    """Run each task; one that the database stops is tried again at the next tick."""
    for task in tasks:
        try:
            task(now)
        except StoreError as error:
            # The next commit meets the same fault, and logs it.
            _log.debug("%s has to wait: %s", task.__name__, error)
