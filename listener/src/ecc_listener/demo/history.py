"""The month before the demonstration, in which things happened: written as the listener would have.

The readings are those of the simulated rooms, changed by what happened. They go through the real monitor, so
the notices and messages in the database are the real ones, too.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from ecc_listener.clock import Now
from ecc_listener.local_time import local_zone
from ecc_listener.monitoring.monitor import Faults, Monitor
from ecc_listener.notifications import outbox
from ecc_listener.notifications.channels import read_channels
from ecc_listener.notifications.message import compose
from ecc_listener.notifications.notice import Notification
from ecc_listener.settings import Settings
from ecc_listener.simulator.device import Device, Measurement, measure_all
from ecc_listener.simulator.misbehaviour import with_dew_point
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.statements import Connection
from ecc_listener.storage.store import Burst, Store

START = datetime.fromisoformat("2026-04-19 06:00:00+00:00")
"""When the demonstration starts, in the rooms' time: on a Sunday in spring, just before the service.

The rooms' time is the local time of this machine, written as if it were UTC.
"""

LIMITS = """\
[everywhere]
too cold = 45 °F for 1 min
too damp = 80 % for 3 h
battery low = 20 % for 1 min
"""
"""The demonstration's limits file; what is wrong is reported soon."""

_BATCH_READINGS = 5_000
_NEW_BATTERY_AT = START - timedelta(days=5, hours=-4)
_NEW_BATTERY, _DAMP, _COLD = "ECCTH02", "ECCTH03", "ECCTH05"
_DAMP_FROM, _DAMP_UNTIL = START - timedelta(days=26), START - timedelta(days=19)
_COLD_FROM, _COLD_UNTIL = START - timedelta(days=15, hours=12), START - timedelta(days=14, hours=19)
_OUTAGE_FROM, _OUTAGE_UNTIL = START - timedelta(days=10, hours=16), START - timedelta(days=10, hours=11)


def prepare(devices: Iterable[Device]) -> tuple[Device, ...]:
    """Return the devices, one of them with a battery that was replaced some days before the start."""
    changed_s = _NEW_BATTERY_AT.timestamp()
    return tuple(
        device._replace(battery_changed_s=changed_s) if device.name == _NEW_BATTERY else device
        for device in devices
    )


def write_history(
    settings: Settings, devices: tuple[Device, ...], offset: timedelta, length: timedelta
) -> int:
    """Write a new database with the readings and notices before `START`; return the number of readings.

    The rooms' time is ahead of UTC by `offset`.

    If this is interrupted, there is no database afterwards.
    """
    database = settings.database_file_path
    try:
        with closing(Store(database, settings.max_quarantine_size)) as store:
            return _write(settings, store, devices, offset, length)
    except BaseException:
        for ending in ("", "-wal", "-shm", ".lock"):
            Path(f"{database}{ending}").unlink(missing_ok=True)
        raise


def _write(
    settings: Settings, store: Store, devices: tuple[Device, ...], offset: timedelta, length: timedelta
) -> int:
    end_us = _us(START - offset)
    start_us = _us(START - offset - length)
    # Nobody misses a history that a power failure cuts short, and without waiting for the disk it is quick.
    store.look(lambda connection: connection.execute("PRAGMA synchronous = OFF"))
    store.change(partial(outbox.set_channels, channels=read_channels(settings).names))
    zone = local_zone()

    def add_message(connection: Connection, notification: Notification) -> None:
        outbox.add(connection, compose(notification, zone), notification.at_us)

    monitor = Monitor(settings, store, zone, Now(start_us, start_us), add_message)
    burst, count = Burst(1, [], [], []), 0
    for at_us, arrivals in _rounds(devices, offset, length):
        monitor.note(Burst(burst.number, arrivals, [], []))
        monitor.tick(Now(at_us, at_us), Faults())
        burst.readings.extend(arrivals)
        if len(burst.readings) >= _BATCH_READINGS:
            store.commit(burst, burst.number - 1)
            count, burst = count + len(burst.readings), Burst(burst.number + 1, [], [], [])
    store.commit(burst, burst.number - 1)
    store.forget(burst.number)
    monitor.close(Now(end_us, end_us))
    store.change(_record_as_sent)
    return count + len(burst.readings)


def _rounds(
    devices: tuple[Device, ...], offset: timedelta, length: timedelta
) -> Iterator[tuple[int, list[Arrival]]]:
    """Yield what arrives at each time; nothing arrives during the outage."""
    offset_us = offset // timedelta(microseconds=1)
    for at_us, round_ in groupby(measure_all(devices, START - length, START), itemgetter(0)):
        arrived_us = at_us - offset_us
        is_outage = _us(_OUTAGE_FROM) <= at_us < _us(_OUTAGE_UNTIL)
        readings = [] if is_outage else [_as_happened(one, at_us) for _, one in round_]
        yield arrived_us, [Arrival(arrived_us, reading.as_reading()) for reading in readings]


def _as_happened(reading: Measurement, at_us: int) -> Measurement:
    if reading.sensor_name == _DAMP:
        share = _share(at_us, _DAMP_FROM, _DAMP_UNTIL, timedelta(days=1))
        humidity_percent = reading.humidity_percent + share * (86 - reading.humidity_percent)
        return with_dew_point(reading._replace(humidity_percent=round(humidity_percent, 2)))
    if reading.sensor_name == _COLD:
        share = _share(at_us, _COLD_FROM, _COLD_UNTIL, timedelta(hours=8))
        temperature_f = reading.temperature_f + share * (39 - reading.temperature_f)
        return with_dew_point(reading._replace(temperature_f=round(temperature_f, 2)))
    return reading


def _share(at_us: int, start: datetime, end: datetime, ramp: timedelta) -> float:
    """Return how far something has come, from 0 to 1: it grows from `start` on, and is over at `end`."""
    since, rest = (at_us - _us(start)) / 1e6, (_us(end) - at_us) / 1e6
    return max(0.0, min(1.0, since / ramp.total_seconds(), rest / ramp.total_seconds()))


def _record_as_sent(connection: Connection) -> None:
    """Record each message as sent when it was added."""
    far_us = _us(START) * 2
    while messages := outbox.due(connection, far_us):
        for due in messages:
            outbox.record(connection, outbox.Outcome(due.channel, due.number, None), due.added_us)


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
