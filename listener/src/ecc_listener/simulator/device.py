"""Simulated sensors: what a device measures at any time, and the payload that it sends.

The same device and seed always measure the same at the same time. `measure_all` returns the readings of a
month or of ten years.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ecc_listener.readings.reading import Fault, Reading
from ecc_listener.simulator.climate import (
    DAY_S,
    ROOMS,
    Room,
    Weather,
    climate_in,
    dew_point_c,
    random_bits,
    random_fraction,
    weather_at,
)

INTERVAL = timedelta(minutes=10)
"""How often a real sensor sends."""

EMPTY_V, FULL_V = 2.1, 3.5
"""0 and 100 %. The straight line between them fits the firmware's 3.41 V and 93.53 %, within rounding."""

SOFTWARE_VERSION = "v03.10"
_OLD_FIRMWARE_NUMBER = 6
_CO2_NUMBER = 5
_ROOM_TEMPERATURE_C = 20.0


class Measurement(NamedTuple):
    """A reading that lacks nothing, field by field the same as a `Reading`."""

    dew_point_f: float
    temperature_f: float
    humidity_percent: float
    battery_v: float
    battery_percent: float
    rssi_dbm: int
    sensor_name: str
    location: str | None
    mac: str | None
    software_version: str | None
    values: tuple[tuple[str, float], ...] = ()
    faults: tuple[Fault, ...] = ()
    is_part: bool = False
    is_on_change: bool = False

    def as_reading(self) -> Reading:
        """Return it as a reading."""
        return Reading(*self)


class Device(NamedTuple):
    """One sensor: what it sends about itself, its battery, and what decides about its noise."""

    name: str
    room: Room
    location: str | None
    mac: str | None
    software_version: str | None
    battery_life_s: float
    battery_changed_s: float
    rssi_dbm: int
    key: int
    seed: int
    has_co2: bool = False
    """Whether it measures the carbon dioxide in the air as well."""


def create_devices(count: int, seed: int = 0) -> tuple[Device, ...]:
    """Return `count` sensors, from ECCTH01 on.

    The fifth measures CO₂ as well, and the sixth has the older firmware with 7 fields.
    """
    return tuple(_device(number, seed) for number in range(1, count + 1))


def measure(device: Device, at: datetime) -> Measurement:
    """Return what a sensor measures at a time, rounded as in its payload."""
    return measure_in(device, weather_at(at.timestamp()))


def measure_in(device: Device, weather: Weather) -> Measurement:
    """Return the same from the weather at that time, which all sensors share."""
    room = climate_in(device.room, weather, device.seed)
    noise = random_bits(device.key, int(weather.at_s))
    temperature_c = room.temperature_c + ((noise & 0xFFFF) / 0xFFFF - 0.5) * 0.1
    humidity_percent = round(room.humidity_percent + ((noise >> 16 & 0xFFFF) / 0xFFFF - 0.5) * 0.5, 2)
    battery_v = round(_battery_v(device, weather.at_s, temperature_c), 2)
    return Measurement(
        round(_fahrenheit(dew_point_c(temperature_c, humidity_percent)), 2),
        round(_fahrenheit(temperature_c), 2),
        humidity_percent,
        battery_v,
        round(charge_percent(battery_v), 2),
        # People between a sensor and its access point weaken the signal.
        device.rssi_dbm + (noise >> 32) % 7 - 3 - int(3 * room.people),
        device.name,
        device.location,
        device.mac,
        device.software_version,
        # Outside air has 420 ppm; in a full room without an open window it is about 1,600.
        (("co2_ppm", float(420 + (noise >> 40) % 15 + int(1_180 * room.people))),) if device.has_co2 else (),
    )


def encode(reading: Measurement) -> bytes:
    """Return the payload that the firmware sends: 10 fields, or 7 if there is no software version."""
    line = (
        f"field1={reading.dew_point_f:.2f}&field2={reading.temperature_f:.2f}"
        f"&field3={reading.humidity_percent:.2f}&field4={reading.battery_v:.2f}"
        f"&field5={reading.battery_percent:.2f}&field6={reading.rssi_dbm}&field7={reading.sensor_name}"
    )
    if reading.software_version is not None:
        line += f"&field8={reading.location}&field9={reading.mac}&field10={reading.software_version}"
    return "".join((line, *(f"&{field}={value:g}" for field, value in reading.values))).encode()


def payload_at(device: Device, at: datetime) -> bytes:
    """Return the payload that a sensor sends at a time."""
    return encode(measure(device, at))


def measure_all(
    sensors: Iterable[Device], start: datetime, end: datetime, interval: timedelta = INTERVAL
) -> Iterator[tuple[int, Measurement]]:
    """Yield all readings from `start` to before `end`, as (microseconds since 1970, reading), in order."""
    sensors = tuple(sensors)
    for at_us in range(_us(start), _us(end), interval // timedelta(microseconds=1)):
        weather = weather_at(at_us / 1_000_000)
        for device in sensors:
            yield at_us, measure_in(device, weather)


def charge_percent(battery_v: float) -> float:
    """Return the charge in percent that the firmware reports for a voltage."""
    return min(100.0, (battery_v - EMPTY_V) / (FULL_V - EMPTY_V) * 100)


def _device(number: int, seed: int) -> Device:
    again, index = divmod(number - 1, len(ROOMS))
    room = ROOMS[index]
    chances = [random_fraction(seed, number, part) for part in range(3)]
    mac = random_bits(seed, number, 3) & 0xFFFFFF
    is_old = number == _OLD_FIRMWARE_NUMBER
    life_s = (380 + 100 * chances[0]) * DAY_S
    return Device(
        name=f"ECCTH{number:02d}",
        room=room,
        location=None if is_old else f"{room.name} {again + 1}" if again else room.name,
        mac=None if is_old else ":".join(("98:F4:AB", *(f"{byte:02X}" for byte in mac.to_bytes(3)))),
        software_version=None if is_old else SOFTWARE_VERSION,
        battery_life_s=life_s,
        battery_changed_s=chances[1] * life_s,
        rssi_dbm=-52 - int(26 * chances[2]),
        key=random_bits(seed, number),
        seed=seed,
        has_co2=number == _CO2_NUMBER,
    )


def _battery_v(device: Device, at_s: float, temperature_c: float) -> float:
    """Return the voltage: it falls slowly, then steeply, and starts again when the battery is replaced.

    In the cold it is some millivolts lower.
    """
    used = (at_s - device.battery_changed_s) % device.battery_life_s / device.battery_life_s
    return 3.52 - 0.42 * used - 0.9 * used**8 - 0.003 * (_ROOM_TEMPERATURE_C - temperature_c)


def _fahrenheit(temperature_c: float) -> float:
    return 32 + 1.8 * temperature_c


def _us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
