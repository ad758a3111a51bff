"""Which format a topic has: by the setting `mqtt_topics`. Pure.

Each entry is a topic filter, alone or with a format: `zigbee2mqtt/+`, `plant/+/state=form`. A filter that
looks like a known one has its format; any other has form fields. With `ECCTempHum/+=own`, the last level of
the topic must be the name that is in the form fields: a broker can let an account publish under its own name
only. Temperatures without a unit are in °C, or in
°F with `:F` after the format: `+/sensor/+/state=esphome:F`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ecc_listener.readings import form, ruuvi, shelly, single_values, tasmota, theengs, zigbee2mqtt
from ecc_listener.readings.json_mapping import JsonMapping
from ecc_listener.readings.reading import NotAReading, OtherNameError, Reading
from ecc_listener.readings.topics import OWN_TOPIC, Topic, matches, topic_of

Decode = Callable[[Topic, bytes], Sequence[Reading]]
"""Returns the readings in a payload; raises `NotAReading` if there should be one."""


def _decode_own(topic: Topic, payload: bytes) -> Sequence[Reading]:
    reading = form.decode(payload)
    if reading.sensor_name != topic.levels[-1]:
        raise OtherNameError(topic.levels[-1], reading.sensor_name)
    return (reading,)


OWN_NAME = "own"
"""The format of form fields on a topic that ends with the sensor's name."""
FORMATS: dict[str, Decode] = {
    "form": lambda _topic, payload: (form.decode(payload),),
    OWN_NAME: _decode_own,
    "zigbee2mqtt": zigbee2mqtt.decode,
    "tasmota": tasmota.decode,
    "shelly": shelly.decode,
    "shelly1": single_values.decode_shelly1,
    "esphome": single_values.decode_esphome,
    "statestream": single_values.decode_statestream,
    "theengs": theengs.decode,
    "ruuvi": ruuvi.decode,
}
JSON = "json"
"""The format whose mapping is in a file."""
_KNOWN_BEGINNINGS = {
    "zigbee2mqtt": "zigbee2mqtt",
    "tele": "tasmota",
    "shellies": "shelly1",
    "ruuvi": "ruuvi",
    "homeassistant": "statestream",
}
_KNOWN_ENDINGS = {
    "/events/rpc": "shelly",
    "/status/#": "shelly",
    "/status/+": "shelly",
    "/sensor/+/state": "esphome",
    "/BTtoMQTT/#": "theengs",
    "/BTtoMQTT/+": "theengs",
    "/SENSOR": "tasmota",
}
_DISCOVERY = re.compile("/device/[^/]+/config$")
_MAX_REASON = 200
_MAX_TOPICS = 10_000
"""Topics whose decoder is remembered; their names come from the network."""


class TopicFormat(NamedTuple):
    """A topic filter and the format of what arrives on it."""

    topic_filter: str
    format: str
    is_fahrenheit: bool


def parse(entry: str) -> TopicFormat:
    """Return filter and format of an entry of `mqtt_topics`.

    Raises:
        ValueError: the format is unknown, or doesn't go with the filter; with what is allowed.

    """
    topic_filter, separator, given = entry.partition("=")
    name, _, unit = given.partition(":")
    name = name.strip().lower() if separator else usual_format(topic_filter)
    if name not in {*FORMATS, JSON} or unit.strip().upper() not in {"", "C", "F"}:
        allowed = ", ".join((*FORMATS, JSON))
        raise ValueError(f"{given!r} is not a format; allowed are {allowed}, each also with :F or :C")
    if name == OWN_NAME and not re.fullmatch(r"([^+#]+/)+\+", topic_filter.strip()):
        raise ValueError(f"{entry!r}: the format {OWN_NAME} needs a filter such as ECCTempHum/+")
    return TopicFormat(topic_filter.strip(), name, unit.strip().upper() == "F")


def usual_format(topic_filter: str) -> str:
    """Return the format of a filter that is given without one."""
    if found := _KNOWN_BEGINNINGS.get(topic_filter.partition("/")[0]):
        return found
    return next((name for ending, name in _KNOWN_ENDINGS.items() if topic_filter.endswith(ending)), "form")


class Decoder:
    """Decodes messages by their topics."""

    def __init__(self, entries: Iterable[str], mappings: Mapping[str, JsonMapping] | None = None) -> None:
        """Take the entries of `mqtt_topics`, and the mappings of JSON by their topic filters.

        Raises:
            ValueError: an entry has an unknown format, or JSON without a mapping.

        """
        self._formats = [parse(entry) for entry in entries]
        self._decoders = [_decoder(one, mappings or {}) for one in self._formats]
        self._by_topic: dict[str, Callable[[bytes], Sequence[Reading]]] = {}
        self.availability: dict[str, bool] = {}
        """Whether a sensor can be reached, by its name, where its bridge says so."""

    def decode(self, topic: str, payload: bytes) -> Sequence[Reading]:
        """Return the readings in a message: most often one, none if the topic also carries other things.

        Raises:
            NotAReading: there should be one; with the reason in plain words. An error in a decoder is its
                cause: if it escaped, the broker would send the message again for ever.

        """
        decode = self._by_topic.get(topic)
        if decode is None:
            if len(self._by_topic) > _MAX_TOPICS:
                self._by_topic.clear()
            decode = self._by_topic[topic] = self._of_topic(topic)
        try:
            return decode(payload)
        except NotAReading:
            raise
        except Exception as error:
            raise NotAReading(f"an error in this program: {error!r}"[:_MAX_REASON]) from error

    def _of_topic(self, topic: str) -> Callable[[bytes], Sequence[Reading]]:
        # Neither what this program publishes nor what Home Assistant is told about devices is a reading.
        if topic.startswith(f"{OWN_TOPIC}/") or _DISCOVERY.search(topic):
            return _pass_over
        for one, decode in zip(self._formats, self._decoders, strict=True):
            if matches(one.topic_filter, topic):
                if one.format == "form":
                    return _decode_form
                found = topic_of(topic, one.topic_filter, is_fahrenheit=one.is_fahrenheit)
                if one.format == "zigbee2mqtt" and found.below[-1] == "availability":
                    return partial(self._note_availability, "/".join(found.below[:-1]))
                return partial(decode, found)
        # A message of a former topic, for example one that is decoded again.
        return _decode_form

    def _note_availability(self, name: str, payload: bytes) -> Sequence[Reading]:
        is_available = zigbee2mqtt.is_available(payload)
        if is_available is None:
            self.availability.pop(name, None)
        elif name in self.availability or len(self.availability) < _MAX_TOPICS:
            self.availability[name] = is_available
        return ()


def _pass_over(_payload: bytes) -> Sequence[Reading]:
    return ()


def _decode_form(payload: bytes) -> Sequence[Reading]:
    return (form.decode(payload),)


def _decoder(one: TopicFormat, mappings: Mapping[str, JsonMapping]) -> Decode:
    if one.format != JSON:
        return FORMATS[one.format]
    if one.topic_filter not in mappings:
        raise ValueError(
            f"{one.topic_filter}={JSON} needs a section [{one.topic_filter}] in the formats file"
        )
    return mappings[one.topic_filter].decode


__all__ = ["FORMATS", "Decoder", "NotAReading", "parse"]
