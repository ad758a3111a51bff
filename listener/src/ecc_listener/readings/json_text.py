"""JSON from the network, read without trust. Pure."""

import json
from math import isfinite
from typing import Any

from ecc_listener.readings.reading import NotAReading

MAX_BYTES = 16_384
"""The largest reading of the known formats, a Tasmota message with many probes, has some 2,000."""
_MAX_SHOWN = 60


def read_object(payload: bytes) -> dict[str, Any]:
    """Return the object in a payload.

    Raises:
        NotAReading: it is too long, not JSON, or not an object; with the reason in plain words.

    """
    value = read_json(payload)
    if not isinstance(value, dict):
        raise NotAReading(f"not a JSON object but {_kind(value)}")
    return value


def read_json(payload: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON value in a payload; `NaN` and `Infinity` become None, and so do numbers beyond a float.

    Raises:
        NotAReading: it is too long, not JSON, too deep, or has a name twice in one object.

    """
    if len(payload) > MAX_BYTES:
        raise NotAReading(f"{len(payload):,} bytes long; a reading has at most {MAX_BYTES:,}")
    try:
        return _decode(payload.decode().lstrip("\ufeff").strip("\0 \t\r\n"))
    except NotAReading:
        raise
    except UnicodeDecodeError as error:
        raise NotAReading(f"not UTF-8 text: byte {error.start} is 0x{payload[error.start]:02x}") from None
    except RecursionError:
        raise NotAReading("not a reading: its JSON is nested too deeply") from None
    except ValueError as error:
        raise NotAReading(f"not JSON: {str(error)[:_MAX_SHOWN]}") from None


def number(value: object) -> float | None:
    """Return a finite number, also one that is written as text; None for everything else."""
    if value.__class__ is float:
        return value if isfinite(value) else None
    if isinstance(value, str):
        try:
            value = float(value) if value.isascii() and "_" not in value else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:
        return None


def _decode(text: str) -> Any:  # noqa: ANN401 - JSON
    value, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError(f"something follows it at character {end}")
    # A name that appears twice is found by counting: calling back for each object takes twice as long.
    if _count_names(value) != text.count('":'):
        _CHECKING_DECODER.decode(text)
    return value


def _count_names(value: Any) -> int:  # noqa: ANN401 - JSON
    if value.__class__ is dict:
        count = len(value)
        value = value.values()
    elif value.__class__ is list:
        count = 0
    else:
        return 0
    for one in value:
        if one.__class__ is dict or one.__class__ is list:
            count += _count_names(one)
    return count


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotAReading(f"{twice[:_MAX_SHOWN]!r} appears twice in one JSON object; which holds is unknown")
    return found


def _kind(value: object) -> str:
    kinds = {list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
_CHECKING_DECODER = json.JSONDecoder(object_pairs_hook=_object)
