"""The decoder of form fields, the payload of the original sensors' firmware. Pure.

A payload is one line::

    field1=47.10&field2=73.45&...&field7=ECCTH01&field8=Office&field9=98:F4:AB:DA:6E:E2&field10=v03.10

Fields are recognised by name, not by position. Older firmware stops at field7. A reading needs a name, and a
temperature or humidity that is possible; anything else that is missing or impossible is None, with a fault.
Fields that this program doesn't know are kept if they are numbers.
"""

from math import isfinite
from operator import itemgetter, le
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from ecc_listener.readings.reading import (
    MAX_FIELD_LENGTH,
    MAX_TEXT_LENGTH,
    MAX_VALUES,
    QUANTITIES,
    Fault,
    NotAReading,
    Quantity,
    Reading,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PAYLOAD_BYTES = 4096
"""A line of the firmware has about 150 bytes; no reading comes near this."""

_NUMBERS = tuple((f"field{number}", quantity) for number, quantity in enumerate(QUANTITIES, 1))
_number_texts = itemgetter(*(field for field, _ in _NUMBERS))
_LOWEST, _HIGHEST = [one.low for one in QUANTITIES], [one.high for one in QUANTITIES]
_TEXTS = {"field7": "name", "field8": "location", "field9": "MAC address", "field10": "software version"}
_NAMES = {field: quantity.name for field, quantity in _NUMBERS} | _TEXTS
_KNOWN = _NAMES.keys()
_IGNORED = {"api_key", "created_at", "status", "lat", "long", "elevation"}
"""What ThingSpeak's update request has beside the fields (its REST API reference); none of it is measured."""
_LEADING, _TRAILING = "\ufeff?& \t\r\n", "& \t\r\n\0"
"""What may stand around a line: a byte order mark, marks of a URL's query, line ends, the end of a C text."""


def decode(payload: bytes) -> Reading:
    """Return the reading in one payload.

    Raises:
        NotAReading: it has no name, or neither temperature nor humidity; with the reason in plain words.

    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise NotAReading(f"{len(payload):,} bytes long; a reading has at most {MAX_PAYLOAD_BYTES:,}")
    # A byte that isn't UTF-8 becomes a surrogate, and only costs the text in which it stands.
    line = payload.decode(errors="surrogateescape").lstrip(_LEADING).rstrip(_TRAILING)
    if not line:
        raise NotAReading("empty")
    faults: list[Fault] = []
    fields = _fields(line, faults)
    numbers: Sequence[float | None] | None = _all_numbers(line, fields)
    if numbers is None:
        numbers = [_number(field, quantity, fields.get(field), faults) for field, quantity in _NUMBERS]
    dew_point_f, temperature_f, humidity_percent, battery_v, battery_percent, rssi_dbm = numbers
    name = fields.get("field7")
    if name is None or (temperature_f is None and humidity_percent is None):
        raise NotAReading(_lacking(name, faults))
    if not line.isprintable() or "%" in line or len(line) > MAX_TEXT_LENGTH:
        _check_texts(fields, faults)
    name = name.strip()
    if not name:
        raise NotAReading("field7 (name) is empty; a sensor needs a name")
    texts = fields.get("field8"), fields.get("field9"), fields.get("field10")
    has_only_known = len(fields) == len(_KNOWN) and None not in texts and not faults
    return Reading(
        dew_point_f,
        temperature_f,
        humidity_percent,
        battery_v,
        battery_percent,
        None if rssi_dbm is None else int(rssi_dbm),
        name,
        *texts,
        () if has_only_known else _values(fields),
        tuple(faults),
    )


def _fields(line: str, faults: list[Fault]) -> dict[str, str]:
    """Return the fields by name; a known one that appears twice with different values is left out."""
    try:
        pairs = [part.split("=", 1) for part in line.split("&")]
        fields = dict(pairs)
    except ValueError:
        pairs = [
            [name, text] for name, equals, text in (one.partition("=") for one in line.split("&")) if equals
        ]
        fields = dict(pairs)
        if not fields:
            raise NotAReading("not form fields, which look like field1=47.10&field2=73.45&...") from None
    if "%" in line or "+" in line:
        # Most lines have nothing to unquote.
        pairs = [[_unquoted(name), _unquoted(text)] for name, text in pairs]
        fields = dict(pairs)
    if len(fields) != len(pairs):
        _leave_out_ambiguous(fields, pairs, faults)
    return fields


def _unquoted(text: str) -> str:
    raw = text.replace("+", " ").encode(errors="surrogateescape")
    return unquote_to_bytes(raw).decode(errors="surrogateescape")


def _leave_out_ambiguous(fields: dict[str, str], pairs: list[list[str]], faults: list[Fault]) -> None:
    for name in [*fields]:
        different = {text for one, text in pairs if one == name}
        if len(different) > 1:
            del fields[name]
            if name in _KNOWN:
                reason = (
                    f"{name} ({_NAMES[name]}) appears with {len(different)} values; which holds is unknown"
                )
                faults.append(Fault(_NAMES[name], reason, is_missing=False))


def _all_numbers(line: str, fields: dict[str, str]) -> list[float] | None:
    """Return all numbers of a line if each is there and possible, which is three times as fast."""
    # One check of the whole line saves one per number: float() also accepts "1_0" and "٣".
    if not line.isascii() or "_" in line:
        return None
    try:
        numbers = [*map(float, _number_texts(fields))]
    except (KeyError, ValueError):
        return None
    # A comparison with NaN is never true, so this refuses it as well.
    return numbers if all(map(le, _LOWEST, numbers)) and all(map(le, numbers, _HIGHEST)) else None


def _number(field: str, quantity: Quantity, text: str | None, faults: list[Fault]) -> float | None:
    if text:
        try:
            value = float(text)
        except ValueError:
            reason = "not a number"
        else:
            if quantity.low <= value <= quantity.high and text.isascii() and "_" not in text:
                return value
            reason = f"possible is {quantity.low:g} to {quantity.high:g} {quantity.unit}"
        reason = f"{field} ({quantity.name}) is {_shown(text)}; {reason}"
    elif all(one.quantity != quantity.name for one in faults):
        reason = f"{field} ({quantity.name}) is {'missing' if text is None else 'empty'}"
    else:
        return None
    faults.append(Fault(quantity.name, reason, is_missing=not text))
    return None


def _lacking(name: str | None, faults: list[Fault]) -> str:
    """Return what keeps the fields from being a reading."""
    of_name = "field7 (name) is missing" if name is None else None
    wanted = {"name", "temperature", "humidity"}
    found = [one.reason for one in faults if one.quantity in wanted and (one.quantity != "name" or of_name)]
    if of_name and all(one.quantity != "name" for one in faults):
        found.insert(0, of_name)
    return f"{'; '.join(found)}. A reading needs a name, and temperature or humidity"


def _check_texts(fields: dict[str, str], faults: list[Fault]) -> None:
    """Remove the texts that can't be shown.

    Raises:
        NotAReading: the name is one of them.

    """
    for field, name in _TEXTS.items():
        reason = _text_fault(fields.get(field, ""))
        if reason:
            reason = f"{field} ({name}) {reason}"
            if name == "name":
                raise NotAReading(reason)
            del fields[field]
            faults.append(Fault(name, reason, is_missing=False))


def _text_fault(text: str) -> str | None:
    if len(text) > MAX_TEXT_LENGTH:
        return f"has {len(text)} characters; at most {MAX_TEXT_LENGTH}"
    for character in text:
        if character < " " or "\x7f" <= character <= "\x9f":
            return f"holds the control character 0x{ord(character):02x}"
        if "\udc80" <= character <= "\udcff":
            return f"is not UTF-8 text: it holds the byte 0x{ord(character) - 0xDC00:02x}"
    return None


def _values(fields: dict[str, str]) -> tuple[tuple[str, float], ...]:
    """Return the unknown fields that are numbers."""
    found = []
    for field in fields.keys() - _KNOWN - _IGNORED:
        text = fields[field]
        if field.isprintable() and 0 < len(field) <= MAX_FIELD_LENGTH and text.isascii() and "_" not in text:
            try:
                value = float(text)
            except ValueError:
                continue
            if isfinite(value):
                found.append((field, value))
    return tuple(sorted(found)[:MAX_VALUES])


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")  # noqa: PLR2004 - fits a line of the log
