"""PURE: the sensors in the model rooms: a board and a time go in, its reading or its payload comes out.

The same board (and seed) says the same at the same time, always; any time can be asked for. A month or ten
years of readings come from `history`.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ecc_listener.readings.reading import Reading
from ecc_listener.simulator.chance import chance, scatter
from ecc_listener.simulator.climate import DAY_S, ROOMS, Room, Sky, climate, dew_point_c, sky

INTERVAL = timedelta(minutes=10)
"""A real sensor sends once in this time."""

EMPTY_V, FULL_V = 2.1, 3.5
"""0 and 100 %: a straight line that fits the firmware's 3.41 V and 93.53 % within the voltage's rounding."""

SOFTWARE_VERSION = "v03.10"
_OLD_FIRMWARE_NUMBER = 6
_ROOM_TEMPERATURE_C = 20.0


class Device(NamedTuple):
    """One sensor."""

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


def boards(count: int, seed: int = 0) -> tuple[Device, ...]:
    """Give the first `count` sensors, ECCTH01 and on; the sixth has the older firmware of 7 fields."""
    return tuple(_board(number, seed) for number in range(1, count + 1))


def measure(board: Device, at: datetime) -> Reading:
    """Give what a sensor measures at a time, rounded as it sends it."""
    return _measure(board, sky(at.timestamp()))


def encode(reading: Reading) -> bytes:
    """Give the line that the firmware sends; without a software version the older firmware's."""
    line = (
        f"field1={reading.dew_point_f:.2f}&field2={reading.temperature_f:.2f}"
        f"&field3={reading.humidity_percent:.2f}&field4={reading.battery_v:.2f}"
        f"&field5={reading.battery_percent:.2f}&field6={reading.rssi_dbm}&field7={reading.sensor_name}"
    )
    if reading.software_version is not None:
        line += f"&field8={reading.location}&field9={reading.mac}&field10={reading.software_version}"
    return line.encode()


def payload(board: Device, at: datetime) -> bytes:
    """Give the line that a sensor sends at a time."""
    return encode(measure(board, at))


def history(
    sensors: Iterable[Device], start: datetime, end: datetime, interval: timedelta = INTERVAL
) -> Iterator[tuple[int, Reading]]:
    """Give all readings from `start` to before `end`, as (microseconds since 1970, reading), in order."""
    sensors = tuple(sensors)
    for at_us in range(_us(start), _us(end), interval // timedelta(microseconds=1)):
        above = sky(at_us / 1_000_000)
        for board in sensors:
            yield at_us, _measure(board, above)


def charge_percent(battery_v: float) -> float:
    """Give the charge that the firmware tells of a voltage."""
    return (battery_v - EMPTY_V) / (FULL_V - EMPTY_V) * 100


def _board(number: int, seed: int) -> Device:
    again, index = divmod(number - 1, len(ROOMS))
    room = ROOMS[index]
    chances = [chance(seed, number, one) for one in range(3)]
    mac = scatter(seed, number, 3) & 0xFFFFFF
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
        key=scatter(seed, number),
        seed=seed,
    )


def _measure(board: Device, above: Sky) -> Reading:
    room = climate(board.room, above, board.seed)
    noise = scatter(board.key, int(above.at_s))
    temperature_c = room.temperature_c + ((noise & 0xFFFF) / 0xFFFF - 0.5) * 0.1
    humidity_percent = round(room.humidity_percent + ((noise >> 16 & 0xFFFF) / 0xFFFF - 0.5) * 0.5, 2)
    battery_v = round(_battery_v(board, above.at_s, temperature_c), 2)
    return Reading(
        round(_fahrenheit(dew_point_c(temperature_c, humidity_percent)), 2),
        round(_fahrenheit(temperature_c), 2),
        humidity_percent,
        battery_v,
        round(charge_percent(battery_v), 2),
        # People stand between a sensor and its access point.
        board.rssi_dbm + (noise >> 32) % 7 - 3 - int(3 * room.people),
        board.name,
        board.location,
        board.mac,
        board.software_version,
    )


def _battery_v(board: Device, at_s: float, temperature_c: float) -> float:
    """Discharge: nearly flat for long, steep at the end; cold takes some millivolts. Then it is replaced."""
    used = (at_s - board.battery_changed_s) % board.battery_life_s / board.battery_life_s
    return 3.52 - 0.42 * used - 0.9 * used**8 - 0.003 * (_ROOM_TEMPERATURE_C - temperature_c)


def _fahrenheit(temperature_c: float) -> float:
    return 32 + 1.8 * temperature_c


def _us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
