"""The decoder of Shelly devices of the second generation and later. Pure.

A device publishes what has changed on `DEVICE/events/rpc`, and each component on `DEVICE/status/COMPONENT`::

    {"src":"shellyplusht-08b61fcb1234","dst":"shellyplusht-08b61fcb1234/events","method":"NotifyFullStatus",
     "params":{"ts":1.0,"devicepower:0":{"id":0,"battery":{"V":5.19,"percent":83},"external":{"present":false}},
               "humidity:0":{"id":0,"rh":58.7},"temperature:0":{"id":0,"tC":22.3,"tF":72.1}}}

Source: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Temperature, .../Humidity,
.../DevicePower, and https://shelly-api-docs.shelly.cloud/gen2/General/Notifications. Components are numbered;
those with the number 0 belong to the device, each other number is a sensor of its own, such as a probe of the
add-on from 100 on. A notice of change has only what has changed, so what comes together is joined.
"""

from typing import Any

from ecc_listener.readings.build import build
from ecc_listener.readings.json_text import number, read_object
from ecc_listener.readings.reading import NotAReading, Reading
from ecc_listener.readings.topics import Topic

_METHODS = {"NotifyStatus", "NotifyFullStatus"}


def decode(topic: Topic, payload: bytes) -> tuple[Reading, ...]:
    """Return the readings of a device.

    Raises:
        NotAReading: it is no JSON object, or all that was measured is impossible.

    """
    device = "/".join(topic.levels[:-2])
    found: dict[str, dict[str, float]] = {}
    for component, status in _components(topic, payload).items():
        kind, _, index = component.partition(":")
        fields = _FIELDS.get(kind)
        if fields is not None and status.__class__ is dict:
            name = device if index in {"", "0"} else f"{device} {index}"
            numbers = found.get(name)
            if numbers is None:
                numbers = found[name] = {}
            _add(numbers, kind, fields, status)
    readings: list[Reading] = []
    refusal: NotAReading | None = None
    for name, numbers in found.items():
        try:
            readings += build(name, numbers, is_part=True)
        except NotAReading as error:
            refusal = error
    if refusal and not readings:
        raise refusal
    return tuple(readings)


def _components(topic: Topic, payload: bytes) -> dict[str, Any]:
    """Return the status of each component in a message; none if it is about something else."""
    kind, last = topic.levels[-2:] if len(topic.levels) > 1 else ("", "")
    if kind == "events" and last == "rpc":
        message = read_object(payload)
        method, components = message.get("method"), message.get("params")
        is_known = isinstance(method, str) and method in _METHODS
        return components if is_known and isinstance(components, dict) else {}
    return {last: read_object(payload)} if kind == "status" and topic.levels[:-2] else {}


def _add(
    numbers: dict[str, float], kind: str, fields: tuple[tuple[str, str], ...], status: dict[str, Any]
) -> None:
    """Add what a component of a kind measured."""
    if kind == "devicepower":
        status = status["battery"] if isinstance(status.get("battery"), dict) else {}
    for field, quantity in fields:
        value = status.get(field)
        if value.__class__ is float:
            numbers[quantity] = value
        elif value is not None:
            # Only a leak is said by yes or no.
            value = float(value) if kind == "flood" and isinstance(value, bool) else number(value)
            if value is not None:
                numbers[quantity] = value


_FIELDS = {
    "temperature": (("tC", "temperature_c"),),
    "humidity": (("rh", "humidity_percent"),),
    "illuminance": (("lux", "illuminance_lx"),),
    "wifi": (("rssi", "rssi_dbm"),),
    "flood": (("alarm", "water_leak"),),
    "devicepower": (("percent", "battery_percent"), ("V", "battery_v")),
}
"""By the kind of a component: its fields, and the quantities they are."""
