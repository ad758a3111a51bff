"""`/metrics` for Prometheus: every sensor's newest values, and the state of listener, disk, mail and backup.

Names and units follow https://prometheus.io/docs/practices/naming/: base units, so °C, and ratios from 0 to
1 in place of percent. What a sensor lacks has no line. A scrape reads what the page reads: the snapshot that
all viewers share.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ecc_listener.health import is_fresh
from ecc_listener.history.export import to_celsius
from ecc_listener.web.latest import SensorNow
from ecc_listener.web.snapshot import Snapshot
from ecc_listener.web.system import Sizes, read_sizes

if TYPE_CHECKING:
    from prometheus_client import Metric

_US = 1_000_000
_PERCENT = 100
_SENSOR = ("sensor", "location")


class Gauge(NamedTuple):
    """One metric: its name and help, its labels, and values with those of the labels."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Sequence[tuple[tuple[str, ...], float]]
    is_counter: bool = False


def metrics(request: Request) -> Response:
    """Return everything in the text format that the client asks for."""
    # Only where somebody scrapes.
    from prometheus_client import CollectorRegistry  # noqa: PLC0415
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

    state = request.app.state
    snapshot: Snapshot = state.observer.snapshot()
    backup, _ = state.backup_folder.newest()
    gauges = [
        *of_sensors(snapshot.rooms),
        *of_listener(snapshot),
        *of_files(read_sizes(state.settings.database_file_path), backup),
    ]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(gauges))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def of_sensors(rooms: Iterable[SensorNow]) -> Iterator[Gauge]:
    """Yield what the sensors measured last; at most the thousand sensors that the page shows have lines."""
    rooms = list(rooms)

    def gauge(name: str, text: str, values: Iterable[float | None]) -> Gauge:
        labels = ((room.name, room.location or "") for room in rooms)
        known = [(label, value) for label, value in zip(labels, values, strict=True) if value is not None]
        return Gauge(f"ecc_sensor_{name}", text, _SENSOR, known)

    yield gauge("temperature_celsius", "Temperature.", (to_celsius(room.temperature_f) for room in rooms))
    yield gauge("dew_point_celsius", "Dew point.", (to_celsius(room.dew_point_f) for room in rooms))
    yield gauge(
        "humidity_ratio", "Relative humidity, from 0 to 1.", (_ratio(one.humidity_percent) for one in rooms)
    )
    yield gauge(
        "battery_ratio",
        "Charge of the battery, 1 if it is full.",
        (_ratio(one.battery_percent) for one in rooms),
    )
    yield gauge("battery_volts", "Voltage of the battery.", (room.battery_v for room in rooms))
    yield gauge("signal_dbm", "Strength of the radio signal.", (room.rssi_dbm for room in rooms))
    yield gauge(
        "last_reading_timestamp_seconds",
        "When its last reading arrived.",
        (one.last_us / _US for one in rooms),
    )
    further = [
        ((room.name, room.location or "", one.field, one.unit), one.value)
        for room in rooms
        for one in room.values
    ]
    text = "A further number that the sensor sends and that has a name, such as CO2."
    yield Gauge("ecc_sensor_value", text, (*_SENSOR, "field", "unit"), further)


def of_listener(snapshot: Snapshot) -> Iterator[Gauge]:
    """Yield the state of the listener and what is wrong."""
    now = datetime.fromtimestamp(snapshot.at_us / _US, UTC)
    state = snapshot.health
    is_up = state is not None and is_fresh(state, now)
    yield _one("ecc_listener_up", "1 if the listener is running.", is_up)
    yield _one("ecc_database_readable", "1 if the page can read the database.", snapshot.fault is None)
    if state is not None:
        yield _one(
            "ecc_broker_connected",
            "1 if the listener is connected to the broker.",
            state.broker_fault is None,
        )
        yield _one(
            "ecc_broker_heard",
            "0 if nothing can arrive although it is connected.",
            state.hearing_fault is None,
        )
        yield _one("ecc_store_working", "0 if readings can't be stored.", state.store_fault is None)
        yield _one("ecc_mail_working", "0 if the last try to send a mail failed.", state.mail_fault is None)
        for name, text, count in (
            ("ecc_messages", "Messages since the listener started.", state.messages),
            ("ecc_readings", "Readings stored since the listener started.", state.rows),
            ("ecc_rejected_messages", "Rejected messages since the listener started.", state.rejected),
            ("ecc_connections", "Connections to the broker since the listener started.", state.connections),
        ):
            yield _one(name, text, count)._replace(is_counter=True)
        for name, text, time in (
            ("ecc_listener_start_timestamp_seconds", "When the listener started.", state.started_utc),
            ("ecc_last_message_timestamp_seconds", "When the last message arrived.", state.last_message_utc),
        ):
            if time is not None:
                yield _one(name, text, datetime.fromisoformat(time).timestamp())
    kinds: dict[tuple[str, ...], float] = {}
    for notice in snapshot.notices:
        kinds[notice.kind,] = kinds.get((notice.kind,), 0) + 1
    yield Gauge("ecc_open_notices", "Open notices by kind.", ("kind",), [*kinds.items()])


def of_files(sizes: Sizes, backup: datetime | None) -> Iterator[Gauge]:
    """Yield sizes and the time of the last backup."""
    yield _one("ecc_database_bytes", "Size of the database.", sizes.database)
    yield _one("ecc_archives_bytes", "Size of its archives.", sizes.archives)
    if sizes.free is not None and sizes.total is not None:
        yield _one("ecc_disk_free_bytes", "Free space on the disk of the database.", sizes.free)
        yield _one("ecc_disk_bytes", "Size of that disk.", sizes.total)
    if backup is not None:
        yield _one("ecc_last_backup_timestamp_seconds", "When the last backup was made.", backup.timestamp())


def _one(name: str, text: str, value: float) -> Gauge:
    return Gauge(name, text, (), [((), float(value))])


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else round(percent / _PERCENT, 6)


class _Collector:
    """What prometheus_client asks for the metrics."""

    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self._gauges = gauges

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - as above

        for one in self._gauges:
            family = CounterMetricFamily if one.is_counter else GaugeMetricFamily
            metric = family(one.name, one.help, labels=one.labels)
            for labels, value in one.samples:
                metric.add_metric(labels, value)
            yield metric


ROUTES: list[BaseRoute] = [Route("/metrics", metrics)]
