"""Plain JSON, read by a mapping that the user writes. Pure.

The mapping file has a section for each topic filter, and in it where each quantity is in the object::

    [sensors/+/data]
    name = topic 2
    location = room
    temperature = climate.temp C
    humidity = climate.hum
    battery = bat %

A path names the fields from the outside in, separated by dots; a number is a place in an array, from 0 on.
`topic 2` is the second level of the topic. A temperature has C or F after it; a battery has % or V. Every
other name is that of a further number.
"""

import re
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from typing import Any, NamedTuple

from ecc_listener.readings.build import About, build
from ecc_listener.readings.json_text import number, read_json
from ecc_listener.readings.reading import NotAReading, Reading
from ecc_listener.readings.topics import Topic

_UNITS = {
    "temperature": {"c": "temperature_c", "f": "temperature_f"},
    "dew point": {"f": "dew_point_f"},
    "battery": {"%": "battery_percent", "v": "battery_v"},
    "humidity": {"": "humidity_percent", "%": "humidity_percent"},
    "signal": {"": "rssi_dbm", "dbm": "rssi_dbm"},
}
_TEXTS = ("name", "location", "mac", "version")


class JsonMapping(NamedTuple):
    """Where the texts and numbers of a reading are in an object, each a path from the outside in."""

    texts: dict[str, str]
    numbers: dict[str, str]

    def decode(self, topic: Topic, payload: bytes) -> tuple[Reading, ...]:
        """Return the reading in an object.

        Raises:
            NotAReading: it is no JSON, has no name, or nothing that is measured and possible.

        """
        message = read_json(payload)
        texts = {name: _text(message, path, topic) for name, path in self.texts.items()}
        found = {
            quantity: value
            for quantity, path in self.numbers.items()
            if (value := number(_at(message, path))) is not None
        }
        about = About(texts.get("location"), texts.get("mac"), texts.get("version"))
        readings = build(texts.get("name") or "", found, about)
        if not readings:
            wanted = ", ".join(self.numbers.values())
            raise NotAReading(f"it has no number at any of these places: {wanted}")
        return readings


def read_mappings(text: str) -> tuple[dict[str, JsonMapping], list[str]]:
    """Return the mappings in a file by their topic filters, and one line for each mistake."""
    parser = ConfigParser(interpolation=None, inline_comment_prefixes=("#",), default_section="\0")
    try:
        parser.read_string(text, "the file")
    except ConfigParserError as error:
        return {}, [" ".join(str(error).split())]
    mappings, problems = {}, []
    for section in parser.sections():
        mapping = JsonMapping({}, {})
        for option, value in parser.items(section):
            if problem := _add(mapping, option, value or ""):
                problems.append(f"[{section}] {option} = {value}: {problem}")
        if "name" not in mapping.texts:
            problems.append(
                f"[{section}] name is missing; write a path, or topic 2 for the topic's second level"
            )
        mappings[section.strip()] = mapping
    return mappings, problems


def _add(mapping: JsonMapping, option: str, value: str) -> str | None:
    """Add a line to a mapping; return what is wrong with it."""
    if option in _TEXTS:
        mapping.texts[option] = value.strip()
        return None if value.strip() else "must be a path such as data.name"
    path, _, unit = value.strip().partition(" ")
    units = _UNITS.get(option, {"": option})
    quantity = units.get(unit.strip().lower().lstrip("°"))
    if not path or quantity is None:
        allowed = " or ".join(one.upper() if one.isalpha() else one for one in units if one)
        return f"must be a path with {allowed} after it" if allowed else "must be a path such as data.value"
    mapping.numbers[quantity] = path
    return None


def _text(message: object, path: str, topic: Topic) -> str | None:
    if match := re.fullmatch(r"topic (\d+)", path):
        place = int(match[1]) - 1
        return topic.levels[place] if 0 <= place < len(topic.levels) else None
    value = _at(message, path)
    return value if isinstance(value, str) else None


def _at(message: object, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return what is at a path; None if there is nothing."""
    for step in path.split("."):
        if isinstance(message, Mapping):
            message = message.get(step)
        elif isinstance(message, list) and step.isdigit() and int(step) < len(message):
            message = message[int(step)]
        else:
            return None
    return message
