"""What a sensor sends when its turn comes, well-behaved or not: no message, one, or many.

Two misbehaviours, `CLASH` and `LOCKED_OUT`, concern the connection and not the messages; `schedule` brings
them about when it creates the accounts.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from ecc_listener.simulator.climate import dew_point_c
from ecc_listener.simulator.device import Device, Measurement, charge_percent, encode, measure, payload_at

CLASH, LOCKED_OUT = "clash", "locked-out"

_GARBAGE = (
    b"",
    b"Hello from the kitchen",
    b"\x00\xff\xfe\x80 no text at all",
    b"field1=47.10&field2=73.45&field3",
    b"field1=47.10&field2=nan&field3=inf&field4=3.41&field5=93.53&field6=-67&field7=ECCTH01",
    b"field1=47.10&field2=999&field3=139.17&field4=3.41&field5=93.53&field6=-67&field7=ECCTH01",
    b"field1=47.10&field2=73.45&field3=39.17&field4=3.41&field5=93.53&field6=-67&field7=",
    b'{"temperature": 73.45, "humidity": 39.17}',
    b"field1=" + b"9" * 5_000,
)
_KNOWN_FIRST = 3
_PAUSE_FIRST, _PAUSE_LENGTH = 4, 10
_BURST = 10
_EMPTIES_V, _EMPTIES_BY_V = 2.45, 0.02
_FREEZES_F, _FREEZES_BY_F = 33.0, 1.5
_SOAKS_PERCENT, _SOAKS_BY_PERCENT = 96.0, 3.0
_POWER_ON_F = 185.0


class Turn(NamedTuple):
    """A sensor's turn to send: `number` counts from 0, and `step` is the time from one turn to the next."""

    device: Device
    number: int
    at: datetime
    step: timedelta


class OutgoingMessage(NamedTuple):
    """One message, and whether the broker is asked to retain it."""

    payload: bytes
    retain: bool = False


class Misbehaviour(NamedTuple):
    """A way to misbehave: its line in the help text, and the messages of a turn."""

    help: str
    messages: Callable[[Turn], list[OutgoingMessage]]


def behave(turn: Turn) -> list[OutgoingMessage]:
    """Return one reading, as a sensor should send it."""
    return [OutgoingMessage(payload_at(turn.device, turn.at))]


def messages_of(turn: Turn, misbehaviour: str | None) -> list[OutgoingMessage]:
    """Return the messages of a turn; `misbehaviour` is a key of MISBEHAVIOURS, or None."""
    return behave(turn) if misbehaviour is None else MISBEHAVIOURS[misbehaviour].messages(turn)


def _pause(turn: Turn) -> list[OutgoingMessage]:
    return [] if _PAUSE_FIRST <= turn.number < _PAUSE_FIRST + _PAUSE_LENGTH else behave(turn)


def _silent(turn: Turn) -> list[OutgoingMessage]:
    return behave(turn) if turn.number < _KNOWN_FIRST else []


def _frozen(turn: Turn) -> list[OutgoingMessage]:
    return [OutgoingMessage(payload_at(turn.device, turn.at - turn.number * turn.step))]


def _garbage(turn: Turn) -> list[OutgoingMessage]:
    return [OutgoingMessage(_GARBAGE[turn.number % len(_GARBAGE)])]


def _duplicate(turn: Turn) -> list[OutgoingMessage]:
    return 2 * behave(turn)


def _retained(turn: Turn) -> list[OutgoingMessage]:
    return [message._replace(retain=True) for message in behave(turn)]


def _burst(turn: Turn) -> list[OutgoingMessage]:
    if (turn.number + 1) % _BURST:
        return []
    return [
        OutgoingMessage(payload_at(turn.device, turn.at - ago * turn.step)) for ago in reversed(range(_BURST))
    ]


def _flat_battery(turn: Turn) -> list[OutgoingMessage]:
    battery_v = round(max(2.1, _EMPTIES_V - turn.number * _EMPTIES_BY_V), 2)
    reading = measure(turn.device, turn.at)
    percent = round(charge_percent(battery_v), 2)
    return [OutgoingMessage(encode(reading._replace(battery_v=battery_v, battery_percent=percent)))]


def _cold(turn: Turn) -> list[OutgoingMessage]:
    reading = measure(turn.device, turn.at)
    cooled_f = max(_FREEZES_F, reading.temperature_f - turn.number * _FREEZES_BY_F)
    return [OutgoingMessage(encode(with_dew_point(reading._replace(temperature_f=cooled_f))))]


def _damp(turn: Turn) -> list[OutgoingMessage]:
    reading = measure(turn.device, turn.at)
    soaked_percent = min(_SOAKS_PERCENT, reading.humidity_percent + turn.number * _SOAKS_BY_PERCENT)
    return [OutgoingMessage(encode(with_dew_point(reading._replace(humidity_percent=soaked_percent))))]


def _spike(turn: Turn) -> list[OutgoingMessage]:
    if (turn.number + 1) % 5:
        return behave(turn)
    reading = measure(turn.device, turn.at)
    return [OutgoingMessage(encode(with_dew_point(reading._replace(temperature_f=_POWER_ON_F))))]


def _weak(turn: Turn) -> list[OutgoingMessage]:
    if turn.number % 3:
        return []
    reading = measure(turn.device, turn.at)
    return [OutgoingMessage(encode(reading._replace(rssi_dbm=min(-86, reading.rssi_dbm - 25))))]


def _replaced(turn: Turn) -> list[OutgoingMessage]:
    reading = measure(turn.device, turn.at)
    if turn.number >= _KNOWN_FIRST:
        mac, version = "98:F4:AB:00:00:01", "v03.20"
        reading = reading._replace(location=turn.device.room.name, mac=mac, software_version=version)
    return [OutgoingMessage(encode(reading))]


def _newer(turn: Turn) -> list[OutgoingMessage]:
    fields = payload_at(turn.device, turn.at).split(b"&")
    return [OutgoingMessage(b"&".join([b"field12=1013.25", *reversed(fields), b"field11=4.20"]))]


def with_dew_point(reading: Measurement) -> Measurement:
    """Return the reading with the dew point that its temperature and humidity have."""
    dew_c = dew_point_c((reading.temperature_f - 32) / 1.8, reading.humidity_percent)
    return reading._replace(dew_point_f=round(32 + 1.8 * dew_c, 2))


MISBEHAVIOURS = {
    "silent": Misbehaviour("sends three readings, then nothing", _silent),
    "pause": Misbehaviour("sends four readings, misses ten, then sends again", _pause),
    "frozen": Misbehaviour("sends the same values again and again", _frozen),
    "garbage": Misbehaviour("sends messages that are not readings", _garbage),
    "duplicate": Misbehaviour("sends each message twice", _duplicate),
    "retained": Misbehaviour("asks the broker to retain its last message", _retained),
    "burst": Misbehaviour("waits for nine intervals, then sends ten readings at once", _burst),
    "flat-battery": Misbehaviour("starts with a battery at 25 % and empties it", _flat_battery),
    "cold": Misbehaviour("is in a room that cools down to 33 °F, because the heating has failed", _cold),
    "damp": Misbehaviour("is in a room that becomes damp, up to 96 %, because a pipe leaks", _damp),
    "spike": Misbehaviour("sends 185 °F (85 °C) in every fifth reading: a probe's value at power-on", _spike),
    "weak": Misbehaviour("barely reaches its access point: two of three readings are lost", _weak),
    "replaced": Misbehaviour("is replaced after three readings: a new board with the same name", _replaced),
    "newer": Misbehaviour("has a newer firmware: fields in another order, and more of them", _newer),
    CLASH: Misbehaviour("has the client id of the sensor before it: they cut each other off", behave),
    LOCKED_OUT: Misbehaviour("has a wrong password", behave),
}
"""Every misbehaviour by its name on the command line."""
