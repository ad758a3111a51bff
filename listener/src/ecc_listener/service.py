"""The listener: one loop in one thread that receives, decodes, stores and acknowledges messages.

Once a second it also runs what is in `tasks`.
Whatever may block on something slow (mail, backup, gzip) runs in another thread or process.
"""

import logging
import os
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from ecc_listener import logs
from ecc_listener.clock import Clock, Now
from ecc_listener.credentials import read_mqtt
from ecc_listener.health import STALE_S, Health, utc_iso
from ecc_listener.mqtt.deliveries import Deliveries, packet
from ecc_listener.mqtt.hearing import HearingCheck, is_probe
from ecc_listener.mqtt.session import KEEPALIVE_S, Broker, Message, Session, pause
from ecc_listener.readings.faults import KnownFaults
from ecc_listener.readings.formats import Decoder, parse
from ecc_listener.readings.reading import NotAReading, OtherNameError, Reading
from ecc_listener.settings import Settings, read_decoder, unknown_variables
from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.interface import Burst, open_storage
from ecc_listener.storage.lock import StoreTakenError
from ecc_listener.storage.quarantine import RETAINED, Arrival, Rejected
from ecc_listener.tasks import PeriodicTasks

_log = logging.getLogger(__name__)

_TICK_S = 1.0
_OUTCOME_WITHIN_S = 0.02
_MAX_RETRY_PAUSE_S = 10.0
_STOP_WITHIN_S = 5.0
_MAX_LOGGED = 5
_MAX_PAYLOAD_SHOWN = 400


def main(settings: Settings, _arguments: dict[str, object]) -> int:
    """Listen until SIGTERM or SIGINT; return the exit status.

    Raises:
        StoreError: the database can't be used at all.

    """
    return listen(settings, Clock())


def listen(settings: Settings, clock: Clock) -> int:
    """Do the same by a clock."""
    with logs.setup(settings):
        for name in unknown_variables():
            _log.warning("%s is not a setting and has no effect; .env.example lists all settings", name)
        service = Service(settings, clock)
        with _stopped_by_signals(service):
            service.main_loop()
        service.shutdown()
    return 0


class Service:
    """The running listener."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Open the database and prepare the session; nothing is sent yet.

        Raises:
            StoreError: the database can't be used.

        """
        self.settings = settings
        self.clock = clock
        self.started = clock.now()
        self.stopped_by: str | None = None
        self.next_tick_s = 0.0
        self.health = _health(settings, self.started, clock.speed)

        self.store = open_storage(settings)
        self.deliveries = Deliveries(self.store.recorded())
        self.session = Session(
            broker_of(settings), self.deliveries.connected, self.deliveries.answered, clock.wall_us
        )
        self.pending: tuple[Burst, list[Message]] | None = None
        """A burst that is not committed yet, and its messages, which are not acknowledged yet."""
        self.hearing = HearingCheck(broker_of(settings), self.is_reading)
        self.retry = _Retry()
        self.next_ping_s = 0.0
        self.forgotten_burst = 0
        self.decoder = read_decoder(settings)
        self.known_faults = KnownFaults()
        self.incomplete: list[Rejected] = []
        """The messages of incomplete readings in the burst that is being decoded."""
        self.tasks = PeriodicTasks(settings, self.store, self.session, self.health, self.started)
        self.tasks.monitor.sensor_monitor.availability = self.decoder.availability
        _log.info("Listening for %s", ", ".join(settings.mqtt_topics))

    def main_loop(self) -> None:
        """Run until something sets `stopped_by`."""
        while self.stopped_by is None:
            try:
                if time.monotonic() >= self.next_tick_s:
                    self.next_tick_s = time.monotonic() + _TICK_S
                    self.check_hearing()
                    self.tasks.tick(self.clock.now())
                self.turn()
            except Exception:  # noqa: BLE001 - the one place: nothing may end the loop
                _log.exception("An error in this program; the broker will send again what was not stored")
                # A pending burst stays: it may be stored, and its number must not come to mean another burst.
                self.session.restart("reconnecting after an error in this program")
                pause(_TICK_S)

    def turn(self) -> None:
        """Receive a burst, decode it, commit it, acknowledge it."""
        if self.pending is None:
            messages = self.receive()
            if messages:
                self.pending = self.decode(messages), messages
        else:
            self.wait_to_retry()
        if self.pending is not None and time.monotonic() >= self.retry.at_s:
            self.commit_and_acknowledge()
        if self.pending is None:
            self.tidy_delivery_record()

    def check_hearing(self) -> None:
        """Find out whether anything can arrive at all, if nothing does."""
        self.hearing.tick(
            time.monotonic(),
            connection=self.session.connections,
            messages=self.health.messages,
            is_connected=self.session.fault is None,
            is_new=not self.tasks.monitor.sensor_monitor.sensors,
        )
        self.health.hearing_fault = self.hearing.fault

    def is_reading(self, topic: str, payload: bytes) -> bool:
        """Return whether a message on a topic that isn't subscribed to seems to be for this listener."""
        try:
            readings = Decoder([topic]).decode(topic, payload)
        except (NotAReading, ValueError):
            return False
        known = self.tasks.monitor.sensor_monitor.sensors
        return any(not known or reading.sensor_name in known for reading in readings)

    def receive(self) -> list[Message]:
        """Wait for messages until the next tick at most, and return those that have arrived."""
        wait_s = self.next_tick_s - time.monotonic()
        if self.tasks.sender.is_busy:
            # What the mail server has accepted is recorded at once: a kill before that would send it again.
            with suppress(StoreError):
                self.tasks.sender.tick(self.clock.wall_us())
            wait_s = min(wait_s, _OUTCOME_WITHIN_S)
        self.session.wait(wait_s)
        return self.session.receive()

    def decode(self, messages: list[Message]) -> Burst:
        """Sort messages into readings and rejected messages, leaving out what is already stored."""
        burst = Burst(self.deliveries.last_burst + 1, [], [], [])
        self.incomplete = []
        for message in messages:
            if message.packet_id:
                arrived = packet(message.packet_id, message.topic, message.payload)
                if self.deliveries.is_stored(arrived):
                    continue
                burst.packets.append(arrived)
            if is_probe(message.payload):
                self.hearing.probe_arrived(message.topic)
            else:
                self.decode_one(message, burst)
        return burst._replace(incomplete=self.incomplete) if self.incomplete else burst

    def decode_one(self, message: Message, burst: Burst) -> None:
        """Add to a burst what a message contains: readings, or the reason why it has none."""
        arrived_us, topic, payload, _, retained = message
        try:
            readings = self.decoder.decode(topic, payload)
        except NotAReading as error:
            if error.__cause__ is not None:
                _log.error(
                    "An error in this program; the message is kept as rejected", exc_info=error.__cause__
                )
            if isinstance(error, OtherNameError) and not retained:
                self.tasks.monitor.note_other_name(error, arrived_us)
            reason = RETAINED if retained else str(error)
            burst.rejected.append(Rejected(arrived_us, topic, payload, reason))
            return
        if retained and readings:
            burst.rejected.append(Rejected(arrived_us, topic, payload, RETAINED))
            return
        for reading in readings:
            burst.readings.append(Arrival(arrived_us, reading))
            if reading.faults and self.must_keep(reading):
                reason = "; ".join(one.reason for one in reading.faults)
                self.incomplete.append(Rejected(arrived_us, topic, payload, reason))

    def must_keep(self, reading: Reading) -> bool:
        """Return whether to keep the message of an incomplete reading; log what its sensor lacks, once."""
        new = self.known_faults.new_ones(reading)
        if new:
            reasons = "; ".join(one.reason for one in new)
            _log.warning("%s: %s; the rest is stored", reading.sensor_name, reasons)
        # What a sensor never sends would only be the same again each time.
        return bool(new) or not all(one.is_missing for one in reading.faults)

    def commit_and_acknowledge(self) -> None:
        """Commit the pending burst, then acknowledge its messages; after a failure it stays pending."""
        if self.pending is None:
            return
        burst, messages = self.pending
        try:
            # Also what is no reading is recorded: sent again, it would hide the readings behind it.
            if burst.readings or burst.rejected or burst.packets:
                self.store.commit(burst, self.deliveries.confirmed)
                self.forgotten_burst = self.deliveries.confirmed
                self.deliveries.stored(burst.number, burst.packets)
        except StoreTakenError as error:
            # The broker sends the burst to whoever has the session now; committed here, it would be doubled.
            self.pending, self.stopped_by = None, str(error)
            return
        except StoreError as error:
            self.commit_failed(str(error))
            return
        if self.health.store_fault:
            _log.warning("Readings are stored again; nothing is lost")
            self.health.store_fault = None
            self.retry = _Retry()
        self.pending = None
        self.session.acknowledge(messages)
        self.count_and_log(burst, messages)

    def commit_failed(self, fault: str) -> None:
        """Log the fault once, and try again after a pause; the broker keeps what arrives meanwhile."""
        if self.health.store_fault is None:
            _log.error("Readings can't be stored; the broker keeps them meanwhile: %s", fault)
        self.health.store_fault = fault
        self.tasks.database_failed()
        self.retry.later(time.monotonic())

    def wait_to_retry(self) -> None:
        """Let time pass until the next try or tick without reading, but keep the connection alive."""
        now_s = time.monotonic()
        if now_s >= self.next_ping_s:
            self.next_ping_s = now_s + KEEPALIVE_S / 3
            self.session.hold()
        pause(min(self.retry.at_s, self.next_tick_s) - now_s)

    def tidy_delivery_record(self) -> None:
        """Remove from the record what the broker has forgotten, and ask it for more."""
        if self.deliveries.confirmed > self.forgotten_burst:
            try:
                self.store.forget(self.deliveries.confirmed)
                self.forgotten_burst = self.deliveries.confirmed
            except StoreError:
                _log.debug("The delivery record is tidied with the next burst", exc_info=True)
        if self.deliveries.ask():
            self.session.ask_barrier()

    def count_and_log(self, burst: Burst, messages: list[Message]) -> None:
        """Tell the parts that need to know what was stored, and log it."""
        self.tasks.stored(burst)
        messages = [one for one in messages if not is_probe(one.payload)]
        if not messages:
            return
        self.health.messages += len(messages)
        self.health.rows += len(burst.readings)
        self.health.rejected += len(burst.rejected)
        self.health.last_message_utc = utc_iso(messages[-1].arrived_us)
        if burst.readings:
            self.health.last_sensor = burst.readings[-1].reading.sensor_name
        for rejected in burst.rejected[:_MAX_LOGGED]:
            _log.warning("Rejected a message on topic %s: %s", rejected.topic, rejected.reason)
        if len(burst.rejected) > _MAX_LOGGED:
            _log.warning("Rejected %d more messages of this burst", len(burst.rejected) - _MAX_LOGGED)
        if _log.isEnabledFor(logging.DEBUG):
            for message in messages:
                _log.debug("Stored from %s: %r", message.topic, message.payload[:_MAX_PAYLOAD_SHOWN])

    def shutdown(self) -> None:
        """Store what was received, disconnect, and log what was done."""
        _log.info("Stopping: %s", self.stopped_by)
        until_s = time.monotonic() + _STOP_WITHIN_S
        while self.pending is not None and time.monotonic() < until_s:
            self.commit_and_acknowledge()
            pause(0.1)
        self.session.close()
        self.hearing.close()
        now = self.clock.now()
        self.tasks.close(now, _STOP_WITHIN_S)
        self.store.close()
        done = self.health
        _log.info(
            "Stopped after %s: %d messages, %d rows, %d rejected, %d reconnects",
            timedelta(seconds=round((now.steady_us - self.started.steady_us) / 1e6)),
            done.messages,
            done.rows,
            done.rejected,
            max(0, self.session.connections - 1),
        )


class _Retry:
    """When to try the commit again: after a pause that grows."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self._pause_s = 0.0

    def later(self, now_s: float) -> None:
        """Choose the time of the next try."""
        self._pause_s = min(_MAX_RETRY_PAUSE_S, max(0.1, 2 * self._pause_s))
        self.at_s = now_s + self._pause_s


def _health(settings: Settings, now: Now, speed: float) -> Health:
    started_utc = utc_iso(now.wall_us)
    return Health(
        written_utc=started_utc,
        started_utc=started_utc,
        timer_check_s=settings.timer_check.total_seconds(),
        pid=os.getpid(),
        stale_s=STALE_S * speed,
    )


def broker_of(settings: Settings) -> Broker:
    """Return the broker that the settings name, and how to log in there.

    Raises:
        CredentialsError: the credentials are malformed.
        OSError: the CA certificate can't be read.

    """
    tls = ssl.create_default_context(cafile=settings.mqtt_ca_file) if settings.mqtt_ca_file else None
    credentials = read_mqtt(settings.credentials_file_path)
    return Broker(
        settings.mqtt_broker,
        settings.mqtt_port,
        settings.mqtt_client_id,
        credentials.username,
        credentials.password.get_secret_value(),
        tuple(parse(entry).topic_filter for entry in settings.mqtt_topics),
        tls,
    )


@contextmanager
def _stopped_by_signals(service: Service) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the loop; restore the previous handlers afterwards."""

    def stop(number: int, _frame: object) -> None:
        # Nothing more: a log line would wait for ever if what is interrupted holds the log's queue.
        service.stopped_by = signal.Signals(number).name

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
