"""`ecc-listener mute`: send nothing about a sensor or a location for some time."""

import argparse
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from ecc_listener.monitoring.limits_file import LimitsFile
from ecc_listener.monitoring.mutes import mutes_path, read_mutes, write_mutes
from ecc_listener.settings import Settings, SettingsError
from ecc_listener.storage.connection import StoreError, connect_readonly

_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_LONGEST = timedelta(days=365)
_MAX_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    add = parser.add_argument_group("mute").add_argument
    add("name", nargs="?", metavar="NAME", help="sensor or location; without it, what is muted is listed")
    add("--for", dest="length", metavar="TIME", help="how long, such as 8h, 30min or 2d (default: 1d)")
    add("--off", action="store_true", help="end the mute")


def main(settings: Settings, arguments: dict[str, object]) -> int:
    """Mute, and print what is muted; return the exit status.

    Raises:
        SettingsError: the arguments make no sense.
        StoreError: a file can't be read or written.

    """
    path, now = mutes_path(settings.limits_file_path), datetime.now(UTC)
    try:
        mutes = {name: until for name, until in read_mutes(path).items() if until > now}
        if name := str(arguments.get("name") or "").strip():
            known = _known(settings)
            if name.casefold() not in known:
                raise SettingsError([f"name: {name!r} is no sensor or location; {_choices(name, known)}"])
            name = known[name.casefold()]
            if arguments.get("off"):
                mutes.pop(name, None)
            else:
                mutes[name] = now + _length(str(arguments.get("length") or "1d"))
            write_mutes(path, mutes, now)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"{path} can't be used: {reason}; delete it to end all mutes") from None
    for muted, until in sorted(mutes.items()):
        print(f"{muted} is muted until {until.astimezone():%a %-d %b %Y, %H:%M}.")
    if not mutes:
        print("Nothing is muted.")
    return 0


def _known(settings: Settings) -> dict[str, str]:
    """Return the names of all sensors and locations, by the same in lower case."""
    corrections = LimitsFile(settings.limits_file_path, is_created=False).limits.corrections
    with closing(connect_readonly(settings.database_file_path)) as connection:
        rows = connection.execute("SELECT sensorName, location FROM ECCLatest").fetchall()
    names = [corrections.present_name(name) for name, _ in rows]
    return {one.casefold(): one for one in (*(place for _, place in rows if place), *names)}


def _choices(name: str, known: dict[str, str]) -> str:
    if near := get_close_matches(name.casefold(), known, 1):
        return f"did you mean {known[near[0]]!r}?"
    if not known:
        return "none has sent a reading yet"
    names = sorted(known.values())
    more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    return f"choose from {', '.join(names[:_MAX_SHOWN])}{more}"


def _length(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,5})\s*(min|h|d)", text.strip().lower())
    length = int(match[1]) * _UNITS[match[2]] if match else timedelta()
    if not timedelta() < length <= _LONGEST:
        raise SettingsError([f"for: {text!r} must be like 30min, 8h or 2d, at most {_LONGEST.days}d"])
    return length
