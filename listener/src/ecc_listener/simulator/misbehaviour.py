"""PURE: what a sensor's turn makes it send, well-behaved or not.

A turn goes in; out come the messages, none, one or many. Two misbehaviours concern the connection, not the
messages: `CLASH` and `LOCKED_OUT`, which `fleet` acts out.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from ecc_listener.readings.reading import Reading
from ecc_listener.simulator.climate import dew_point_c
from ecc_listener.simulator.device import Device, charge_percent, encode, measure, payload

CLASH, LOCKED_OUT = "clash", "locked-out"

_GARBAGE = (
    b"",
    b"Hello from the kitchen",
    b"\x00\xff\xfe\x80 no text at all",
    b"field1=47.10&field2=73.45&field3",
    b"field1=47.10&field2=nan&field3=39.17&field4=3.41&field5=93.53&field6=-67&field7=ECCTH01",
    b"field1=47.10&field2=73.45&field3=139.17&field4=3.41&field5=93.53&field6=-67&field7=ECCTH01",
    b"field1=47.10&field2=73.45&field3=39.17&field4=3.41&field5=93.53&field6=-67&field7=",
    b'{"temperature": 73.45, "humidity": 39.17}',
    b"field1=" + b"9" * 5_000,
)
_KNOWN_FIRST = 3
_BURST = 10
_EMPTIES_V, _EMPTIES_BY_V = 2.45, 0.02
_FREEZES_F, _FREEZES_BY_F = 33.0, 1.5
_SOAKS_PERCENT, _SOAKS_BY_PERCENT = 96.0, 3.0
_POWER_ON_F = 185.0


class Turn(NamedTuple):
    """A sensor's time to send: its number counts from 0, `step` lies between two turns."""

    board: Device
    number: int
    at: datetime
    step: timedelta


class Sending(NamedTuple):
    """One message."""

    payload: bytes
    retain: bool = False


class Misbehaviour(NamedTuple):
    """A way to misbehave: what to tell of it, and what it makes of a turn."""

    help: str
    act: Callable[[Turn], list[Sending]]


def behave(turn: Turn) -> list[Sending]:
    """Send one reading, as a sensor should."""
    return [Sending(payload(turn.board, turn.at))]


def sendings(turn: Turn, misbehaviour: str | None) -> list[Sending]:
    """Give what a turn sends; `misbehaviour` is a key of MISBEHAVIOURS."""
    return behave(turn) if misbehaviour is None else MISBEHAVIOURS[misbehaviour].act(turn)


def _silent(turn: Turn) -> list[Sending]:
    return behave(turn) if turn.number < _KNOWN_FIRST else []


def _frozen(turn: Turn) -> list[Sending]:
    return [Sending(payload(turn.board, turn.at - turn.number * turn.step))]


def _garbage(turn: Turn) -> list[Sending]:
    return [Sending(_GARBAGE[turn.number % len(_GARBAGE)])]


def _duplicate(turn: Turn) -> list[Sending]:
    return 2 * behave(turn)


def _retained(turn: Turn) -> list[Sending]:
    return [sending._replace(retain=True) for sending in behave(turn)]


def _burst(turn: Turn) -> list[Sending]:
    if (turn.number + 1) % _BURST:
        return []
    return [Sending(payload(turn.board, turn.at - ago * turn.step)) for ago in reversed(range(_BURST))]


def _flat_battery(turn: Turn) -> list[Sending]:
    battery_v = round(max(2.1, _EMPTIES_V - turn.number * _EMPTIES_BY_V), 2)
    reading = measure(turn.board, turn.at)
    percent = round(charge_percent(battery_v), 2)
    return [Sending(encode(reading._replace(battery_v=battery_v, battery_percent=percent)))]


def _cold(turn: Turn) -> list[Sending]:
    reading = measure(turn.board, turn.at)
    cooled_f = max(_FREEZES_F, reading.temperature_f - turn.number * _FREEZES_BY_F)
    return [Sending(encode(_consistent(reading._replace(temperature_f=cooled_f))))]


def _damp(turn: Turn) -> list[Sending]:
    reading = measure(turn.board, turn.at)
    soaked_percent = min(_SOAKS_PERCENT, reading.humidity_percent + turn.number * _SOAKS_BY_PERCENT)
    return [Sending(encode(_consistent(reading._replace(humidity_percent=soaked_percent))))]


def _spike(turn: Turn) -> list[Sending]:
    if (turn.number + 1) % 5:
        return behave(turn)
    reading = measure(turn.board, turn.at)
    return [Sending(encode(_consistent(reading._replace(temperature_f=_POWER_ON_F))))]


def _weak(turn: Turn) -> list[Sending]:
    if turn.number % 3:
        return []
    reading = measure(turn.board, turn.at)
    return [Sending(encode(reading._replace(rssi_dbm=min(-86, reading.rssi_dbm - 25))))]


def _replaced(turn: Turn) -> list[Sending]:
    reading = measure(turn.board, turn.at)
    if turn.number >= _KNOWN_FIRST:
        mac, version = "98:F4:AB:00:00:01", "v03.20"
        reading = reading._replace(location=turn.board.room.name, mac=mac, software_version=version)
    return [Sending(encode(reading))]


def _newer(turn: Turn) -> list[Sending]:
    fields = payload(turn.board, turn.at).split(b"&")
    return [Sending(b"&".join([b"field12=1013.25", *reversed(fields), b"field11=4.20"]))]


def _consistent(reading: Reading) -> Reading:
    """Fit the dew point to a temperature and humidity that were changed."""
    dew_c = dew_point_c((reading.temperature_f - 32) / 1.8, reading.humidity_percent)
    return reading._replace(dew_point_f=round(32 + 1.8 * dew_c, 2))


MISBEHAVIOURS = {
    "silent": Misbehaviour("sends three readings, then nothing any more", _silent),
    "frozen": Misbehaviour("sends the same values for ever", _frozen),
    "garbage": Misbehaviour("sends anything but readings", _garbage),
    "duplicate": Misbehaviour("sends each message twice", _duplicate),
    "retained": Misbehaviour("has the broker keep its last message (retain)", _retained),
    "burst": Misbehaviour("is silent nine times, then sends ten readings at once", _burst),
    "flat-battery": Misbehaviour("starts at 25 % of its battery and empties it", _flat_battery),
    "cold": Misbehaviour("stands in a room that cools down to 33 °F: the heating has failed", _cold),
    "damp": Misbehaviour("stands in a room that gets damp up to 96 %: a pipe leaks", _damp),
    "spike": Misbehaviour("tells 185 °F (85 °C) at every fifth reading, a probe's value at power-on", _spike),
    "weak": Misbehaviour("hardly reaches its access point: two of three readings are lost", _weak),
    "replaced": Misbehaviour("is replaced after three readings: new board, same name", _replaced),
    "newer": Misbehaviour("has a newer firmware: other order, additional fields", _newer),
    CLASH: Misbehaviour("has the client id of its neighbour: the two cut each other off", behave),
    LOCKED_OUT: Misbehaviour("has a wrong password", behave),
}
"""Every misbehaviour by its name on the command line."""
