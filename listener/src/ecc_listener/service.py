"""The loop: one thread waits, receives, decodes, stores, acknowledges, and ticks.

Only here is the time asked for. Everything that may block on something slow runs elsewhere.
"""

import faulthandler
import logging
import os
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from ecc_listener import health, logs
from ecc_listener.backup.schedule import DailyBackup
from ecc_listener.credentials import read_mqtt
from ecc_listener.health import utc_iso
from ecc_listener.history.rollup_writer import RollupWriter
from ecc_listener.local_time import local_zone
from ecc_listener.monitoring.monitor import Faults, Monitor, Now
from ecc_listener.mqtt.deliveries import Deliveries, packet
from ecc_listener.mqtt.session import KEEPALIVE_S, Broker, Message, Session, pause
from ecc_listener.notifications import message as letters
from ecc_listener.notifications import outbox
from ecc_listener.notifications.channels import read_channels
from ecc_listener.notifications.digest.schedule import DigestSchedule
from ecc_listener.notifications.fallback import FallbackMail
from ecc_listener.notifications.sender import Post
from ecc_listener.readings.reading import NotAReading, decode
from ecc_listener.settings import Settings, unknown_variables
from ecc_listener.storage.archiver import Archiver
from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.files import replay_request_path
from ecc_listener.storage.quarantine import RETAINED, Arrival, Rejected
from ecc_listener.storage.store import Burst, Store

_log = logging.getLogger(__name__)

_TICK_S = 1.0
_OUTCOME_WITHIN_S = 0.02
_STANDSTILL_S = 180
_MAX_STORE_PAUSE_S = 10.0
_STOP_WITHIN_S = 5.0
_DAY_S = 24 * 3600
_MAX_LOGGED = 5
_MAX_PAYLOAD_SHOWN = 400


def now_us() -> int:
    """Give the time in microseconds since 1970."""
    return time.time_ns() // 1000


def main(settings: Settings, _arguments: dict[str, object]) -> int:
    """Listen until SIGTERM or SIGINT; give the exit status.

    Raises:
        StoreError: the database can't be used at all.

    """
    with logs.setup(settings):
        for name in unknown_variables():
            _log.warning("%s is no setting and changes nothing; .env.example has them all", name)
        service = Service(settings)
        with _signals(service):
            service.main_loop()
        service.shutdown()
    return 0


class Service:
    """The state of the loop."""

    def __init__(self, settings: Settings) -> None:
        """Open the store, prepare the session.

        Raises:
            StoreError: the database can't be used.

        """
        self.settings = settings
        self.stopped_by: str | None = None
        self.store = Store(settings.database_file_path, settings.max_quarantine_size)
        self.archiver = Archiver(self.store, settings.max_database_size)
        self.rollup_writer = RollupWriter(settings.database_file_path)
        self.deliveries = Deliveries(self.store.recorded())
        self.session = Session(_broker(settings), self.deliveries.connected, self.deliveries.answered)
        channels = read_channels(settings)
        self.post = Post(channels, self.store)
        self.held: tuple[Burst, list[Message]] | None = None
        self.store_pause_s = 0.0
        self.next_store_s = 0.0
        self.next_tick_s = 0.0
        self.next_arm_s = 0.0
        self.next_hold_s = 0.0
        self.next_day_s = 0.0
        self.health_fails = False
        self.forgotten = 0
        started_utc = utc_iso(now_us())
        self.health = health.Health(
            written_utc=started_utc,
            started_utc=started_utc,
            timer_check_s=settings.timer_check.total_seconds(),
            pid=os.getpid(),
        )
        self.started_us = now_us()
        self.started_s = time.monotonic()
        zone = local_zone()
        self.digest_schedule = DigestSchedule(settings, self.store, zone)
        self.alarm = FallbackMail(
            channels, self.store, settings.timer_check // timedelta(microseconds=1), zone
        )
        self.monitor = Monitor(
            settings,
            self.store,
            zone,
            self.moment(),
            lambda connection, notification: outbox.add(
                connection, letters.compose(notification, zone), notification.at_us
            ),
        )
        self.daily_backup = DailyBackup(settings.database_file_path, settings.backup_folder, self.started_s)
        _log.info("Listening for %s", ", ".join(settings.mqtt_topics))

    def main_loop(self) -> None:
        """Turn until told to stop."""
        while self.stopped_by is None:
            try:
                if time.monotonic() >= self.next_tick_s:
                    self.next_tick_s = time.monotonic() + _TICK_S
                    self.tick()
                self.turn()
            except Exception:  # noqa: BLE001 - the one place: nothing may end the loop
                _log.exception("A fault in this program; the broker will send again what was not stored")
                # What is held stays: it may be stored, and its number must not come to mean another burst.
                self.session.restart("session set up anew after a fault in this program")
                pause(_TICK_S)

    def turn(self) -> None:
        """Move what has come one way through: receive, decode, store, acknowledge."""
        if self.held is None:
            wait_s = self.next_tick_s - time.monotonic()
            if self.post.is_busy:
                # What the mail server has taken is recorded at once: a kill before that sends it again.
                self.keep_post()
                wait_s = min(wait_s, _OUTCOME_WITHIN_S)
            self.session.wait(wait_s)
            messages = self.session.receive()
            if messages:
                self.held = self.decode(messages), messages
        else:
            self.wait_for_store()
        if self.held is not None and time.monotonic() >= self.next_store_s:
            self.store_held()
        if self.held is None:
            self.tidy_record()

    def decode(self, messages: list[Message]) -> Burst:
        """Sort a burst into readings and what is none, leaving out what is stored already."""
        burst = Burst(self.deliveries.last_burst + 1, [], [], [])
        for arrived_us, topic, payload, packet_id, retained in messages:
            if packet_id:
                arrived = packet(packet_id, topic, payload)
                if self.deliveries.is_stored(arrived):
                    continue
                burst.packets.append(arrived)
            if retained:
                burst.rejected.append(Rejected(arrived_us, topic, payload, RETAINED))
                continue
            try:
                burst.readings.append(Arrival(arrived_us, decode(payload)))
            except NotAReading as error:
                burst.rejected.append(Rejected(arrived_us, topic, payload, str(error)))
        return burst

    def store_held(self) -> None:
        """Commit the burst that is held, then acknowledge it; after a failure it stays held."""
        if self.held is None:
            return
        burst, messages = self.held
        try:
            if burst.readings or burst.rejected:
                self.store.commit(burst, self.deliveries.confirmed)
                self.forgotten = self.deliveries.confirmed
                self.deliveries.stored(burst.number, burst.packets)
        except StoreError as error:
            self.store_failed(str(error))
            return
        if self.store_pause_s:
            _log.warning("Readings are stored again; nothing is lost")
            self.store_pause_s, self.health.store_fault = 0.0, None
        self.held = None
        self.session.acknowledge(messages)
        self.note(burst, messages)

    def store_failed(self, fault: str) -> None:
        """Say so once; try again after a pause, with the broker holding what comes meanwhile."""
        if self.health.store_fault is None:
            _log.error("Readings can't be stored, the broker keeps them meanwhile: %s", fault)
        self.health.store_fault = fault
        self.daily_backup.stop()  # It may hold the space that is missing, or what the store waits for.
        self.store_pause_s = min(_MAX_STORE_PAUSE_S, max(0.1, 2 * self.store_pause_s))
        self.next_store_s = time.monotonic() + self.store_pause_s

    def wait_for_store(self) -> None:
        """Let time pass until the next try or tick, without reading, but known to the broker as alive."""
        now_s = time.monotonic()
        if now_s >= self.next_hold_s:
            self.next_hold_s = now_s + KEEPALIVE_S / 3
            self.session.hold()
        pause(min(self.next_store_s, self.next_tick_s) - now_s)

    def tidy_record(self) -> None:
        """Take off the record what the broker has forgotten; ask it for more."""
        if self.deliveries.confirmed > self.forgotten:
            try:
                self.store.forget(self.deliveries.confirmed)
                self.forgotten = self.deliveries.confirmed
            except StoreError:
                _log.debug("The record of deliveries waits for the next burst", exc_info=True)
        if self.deliveries.ask():
            self.session.ask_barrier()

    def note(self, burst: Burst, messages: list[Message]) -> None:
        """Count and log what was stored."""
        self.monitor.note(burst)
        self.health.messages += len(messages)
        self.health.rows += len(burst.readings)
        self.archiver.stored(len(burst.readings))
        self.health.rejected += len(burst.rejected)
        self.health.last_message_utc = utc_iso(messages[-1].arrived_us)
        if burst.readings:
            self.health.last_sensor = burst.readings[-1].reading.sensor_name
        for rejected in burst.rejected[:_MAX_LOGGED]:
            _log.warning(
                "Not a reading, kept in the quarantine: %s (topic %s)", rejected.reason, rejected.topic
            )
        if len(burst.rejected) > _MAX_LOGGED:
            _log.warning("%d more messages of this burst were no readings", len(burst.rejected) - _MAX_LOGGED)
        if _log.isEnabledFor(logging.DEBUG):
            for message in messages:
                _log.debug("Stored from %s: %r", message.topic, message.payload[:_MAX_PAYLOAD_SHOWN])

    def tick(self) -> None:
        """Do what is due once a second: the health file, and the quarantine's upkeep."""
        if time.monotonic() >= self.next_arm_s:
            # Not with every tick: each time it takes a new thread.
            self.next_arm_s = time.monotonic() + _STANDSTILL_S / 10
            faulthandler.dump_traceback_later(_STANDSTILL_S, exit=True)
        self.health.written_utc = utc_iso(now_us())
        self.health.broker_fault = self.session.fault
        self.health.connections = self.session.connections
        self.health.mail_fault = self.post.fault
        self.write_health()
        # Not while a burst is held: it is the store then that nobody is heard for, not the session.
        if self.monitor.tick(self.moment(), self.faults(), self.daily_backup.newest) and self.held is None:
            self.session.restart("session set up anew, since no message came for so long")
        self.keep_post()
        if self.health.store_fault is None:
            self.keep_quarantine()
            self.keep_size()
            if self.settings.automatic_backup:
                self.daily_backup.tick(now_us(), time.monotonic())

    def faults(self) -> Faults:
        """Give what is wrong with the loop's own parts."""
        archiver = self.archiver
        waits = archiver.waits_because if archiver.waits_since_s is not None else None
        return Faults(self.session.fault, self.health.store_fault, self.post.fault, waits)

    def moment(self) -> Now:
        """Give the time, by the wall clock and by one that never jumps."""
        return Now(now_us(), self.started_us + int((time.monotonic() - self.started_s) * 1_000_000))

    def write_health(self) -> None:
        """Replace the health file; a full disk must not end the loop."""
        try:
            health.write(self.settings.health_file_path, self.health)
            self.health_fails = False
        except OSError as error:
            if not self.health_fails:
                _log.error("The health file %s can't be written: %s", error.filename, error.strerror)
            self.health_fails = True

    def keep_quarantine(self) -> None:
        """Replay the quarantine when `ecc-listener replay` asks for it; once a day drop what is too old."""
        try:
            request = replay_request_path(self.settings.database_file_path)
            if request.exists():
                became, remain = self.store.replay(decode, now_us())
                _log.info("Quarantine decoded again: %d became readings, %d are still none", became, remain)
                request.unlink(missing_ok=True)
            if time.monotonic() >= self.next_day_s:
                self.next_day_s = time.monotonic() + _DAY_S
                age_us = self.settings.max_quarantine_days * _DAY_S * 1_000_000
                self.store.drop_rejected(now_us() - age_us)
        except (StoreError, OSError) as error:
            _log.warning("The quarantine's upkeep waits: %s", error)

    def keep_size(self) -> None:
        """Archive the database when it is full; add up hours and days, which is reading, when it isn't."""
        try:
            self.archiver.tick(time.monotonic())
        except StoreError as error:
            _log.debug("The database's size can't be asked: %s", error)
        if not self.archiver.is_wanted:
            self.rollup_writer.tick(time.monotonic())

    def keep_post(self) -> None:
        """Hand out letters that are due, record what became of them; see to the weekly digest."""
        try:
            self.alarm.tick(self.health.store_fault, now_us())
            if self.health.store_fault is None:
                self.post.tick(now_us())
                if self.settings.weekly_digest and self.post.is_on:
                    self.digest_schedule.tick(now_us())
        except StoreError as error:
            # The next burst meets the same fault, and says so.
            _log.debug("The letters wait: %s", error)

    def shutdown(self) -> None:
        """Store what was taken, take leave of the broker, say what was done."""
        _log.info("Stopping: %s", self.stopped_by)
        until_s = time.monotonic() + _STOP_WITHIN_S
        while self.held is not None and time.monotonic() < until_s:
            self.store_held()
            pause(0.1)
        self.session.close()
        self.monitor.close(self.moment())
        self.daily_backup.stop(_STOP_WITHIN_S)
        self.rollup_writer.close()
        with suppress(StoreError):
            self.post.close(now_us(), _STOP_WITHIN_S)
        self.store.close()
        self.settings.health_file_path.unlink(missing_ok=True)
        done = self.health
        _log.info(
            "Stopped after %s: %d messages, %d rows, %d rejected, %d reconnects",
            timedelta(seconds=round(time.monotonic() - self.started_s)),
            done.messages,
            done.rows,
            done.rejected,
            max(0, self.session.connections - 1),
        )

    def _stop(self, number: int, _frame: object) -> None:
        # Nothing more: what is interrupted may hold the log's queue, which a line from here would wait for.
        self.stopped_by = signal.Signals(number).name


def _broker(settings: Settings) -> Broker:
    tls = ssl.create_default_context(cafile=settings.mqtt_ca_file) if settings.mqtt_ca_file else None
    credentials = read_mqtt(settings.credentials_file_path)
    return Broker(
        settings.mqtt_broker,
        settings.mqtt_port,
        settings.mqtt_client_id,
        credentials.username,
        credentials.password.get_secret_value(),
        settings.mqtt_topics,
        tls,
    )


@contextmanager
def _signals(service: Service) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the loop, and give them back afterwards."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, service._stop) for number in numbers]  # noqa: SLF001 - same module
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        faulthandler.cancel_dump_traceback_later()
