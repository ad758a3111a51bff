"""The decoder of form fields, the payload of the original sensors' firmware. Pure.

A payload is one line::

    field1=47.10&field2=73.45&...&field7=ECCTH01&field8=Office&field9=98:F4:AB:DA:6E:E2&field10=v03.10

Fields are recognised by name, not by position. Older firmware stops at field7; fields that newer firmware
adds are ignored.
"""

from urllib.parse import parse_qsl

from ecc_listener.readings.reading import MAX_TEXT_LENGTH, QUANTITIES, NotAReading, Quantity, Reading

MAX_PAYLOAD_BYTES = 4096
"""A line of the firmware has about 150 bytes; no reading comes near this."""

_NUMBERS = tuple((f"field{number}", quantity) for number, quantity in enumerate(QUANTITIES, 1))
_TEXTS = {"field7": "name", "field8": "location", "field9": "MAC address", "field10": "software version"}
_KNOWN = frozenset(field for field, _ in _NUMBERS) | frozenset(_TEXTS)


def decode(payload: bytes) -> Reading:
    """Return the reading in one payload.

    Raises:
        NotAReading: with the first fault found, in plain words.

    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise NotAReading(f"{len(payload):,} bytes long; a reading has at most {MAX_PAYLOAD_BYTES:,}")
    try:
        line = payload.decode().strip()
    except UnicodeDecodeError as error:
        raise NotAReading(f"not UTF-8 text: byte {error.start} is 0x{payload[error.start]:02x}") from None
    if not line:
        raise NotAReading("empty")
    fields = _fields(line)
    try:
        # One check of the whole line saves one per number: float() also accepts "1_0" and "٣".
        plain = line.isascii() and "_" not in line
        numbers = [_number(field, quantity, fields[field], plain=plain) for field, quantity in _NUMBERS]
        name = fields["field7"]
    except KeyError as error:
        raise NotAReading(_missing(str(error.args[0]))) from None
    if not name.strip():
        raise NotAReading("field7 (name) is empty; a sensor needs a name")
    if not line.isprintable() or "%" in line or len(line) > MAX_TEXT_LENGTH:
        _check_texts(fields)
    dew_point_f, temperature_f, humidity_percent, battery_v, battery_percent, rssi_dbm = numbers
    return Reading(
        dew_point_f,
        temperature_f,
        humidity_percent,
        battery_v,
        battery_percent,
        int(rssi_dbm),
        name.strip(),
        fields.get("field8"),
        fields.get("field9"),
        fields.get("field10"),
    )


def _fields(line: str) -> dict[str, str]:
    try:
        if "%" in line or "+" in line:
            pairs = parse_qsl(
                line, keep_blank_values=True, strict_parsing=True, errors="strict", separator="&"
            )
        else:
            # Most lines have nothing to unquote, and this is four times as fast.
            pairs = [part.split("=", 1) for part in line.split("&")]  # type: ignore[misc]
        fields = dict(pairs)
    except ValueError:
        raise NotAReading("not form fields, which look like field1=47.10&field2=73.45&...") from None
    if len(fields) != len(pairs):
        names = [pair[0] for pair in pairs]
        for name in _KNOWN:
            if names.count(name) > 1:
                raise NotAReading(f"{name} appears {names.count(name)} times; which one holds is unknown")
    return fields


def _number(field: str, quantity: Quantity, text: str, *, plain: bool) -> float:
    name, low, high, unit = quantity
    try:
        value = float(text)
    except ValueError:
        raise NotAReading(f"{field} ({name}) is {_shown(text)}, not a number") from None
    # A comparison with NaN is never true, so this refuses it as well.
    if low <= value <= high and (plain or (text.isascii() and "_" not in text)):
        return value
    raise NotAReading(f"{field} ({name}) is {_shown(text)}; possible is {low:g} to {high:g} {unit}")


def _missing(field: str) -> str:
    names = {field: quantity.name for field, quantity in _NUMBERS} | _TEXTS
    return f"{field} ({names[field]}) is missing; a reading has field1 to field7"


def _check_texts(fields: dict[str, str]) -> None:
    for field, name in _TEXTS.items():
        text = fields.get(field, "")
        if len(text) > MAX_TEXT_LENGTH:
            raise NotAReading(f"{field} ({name}) has {len(text)} characters; at most {MAX_TEXT_LENGTH}")
        for character in text:
            if character < " " or character == "\x7f":
                raise NotAReading(f"{field} ({name}) holds the control character 0x{ord(character):02x}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")  # noqa: PLR2004 - fits a line of the log
