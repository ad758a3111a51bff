"""The view Month, for reading, printing and programs: the figures of every room in one calendar month.

A month is one of the server's time zone, for every viewer: limits that apply at times, and the digest, mean
that zone as well.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, tzinfo
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ecc_listener.history.figures import Spread
from ecc_listener.history.month import (
    Band,
    Month,
    RoomMonth,
    calendar_month,
    first_of_next,
    first_of_previous,
    with_rooms,
)
from ecc_listener.local_time import local, local_zone
from ecc_listener.monitoring.comfort import USUAL, ComfortBands
from ecc_listener.monitoring.limits_file import read_limits
from ecc_listener.storage.connection import StoreError, utc_us
from ecc_listener.web.preferences import Preferences
from ecc_listener.web.query import history_of, locations_of, utc_iso
from ecc_listener.web.responses import data, page, preferences_of, wants_json

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_YEARS = range(1971, 2200)
_MAX_OFFERED = 240
_WARMTH = {"too_cold", "too_hot"}


class Quantity(NamedTuple):
    """A table: its caption, and for each room the name, its own band and the numbers, as text."""

    caption: str
    below: str
    above: str
    rows: list[tuple[RoomMonth, str, tuple[str, ...]]]


def view(request: Request) -> Response:
    """Return the view."""
    if wants_json(request):
        return api(request)
    zone, now_us = local_zone(), request.app.state.now_us()
    snapshot = request.app.state.observer.snapshot()
    fault, months, month, tables = snapshot.fault, [], None, []
    first = _requested(request)
    try:
        months = _months(request, zone, now_us)
        first = first or (months[1] if len(months) > 1 else local(now_us, zone).date().replace(day=1))
        month, bands = _read(request, first, zone, now_us)
        tables = [*_tables(month, bands, preferences_of(request))]
    except StoreError as error:
        fault = str(error)
    return page(
        request,
        "month.html",
        fault=fault,
        month=month,
        first=first,
        usual=_in_words(USUAL, preferences_of(request)),
        months=months,
        previous=_within(first_of_previous(first)) if first else None,
        following=_within(first_of_next(first)) if first else None,
        tables=tables,
        until=month and local(month.counted_until_us, zone),
        zone=month and _name(zone, month),
        usual_hours=first and (first_of_next(first) - first).days * 24,
    )


def api(request: Request) -> Response:
    """Return the figures of one month; `month` is like 2026-03."""
    first, zone = _requested(request), local_zone()
    if first is None:
        raise HTTPException(400, _MUST_BE)
    month, bands = _read(request, first, zone, request.app.state.now_us())
    return data(
        {
            "month": f"{month.first:%Y-%m}",
            "time_zone": _name(zone, month),
            "start_utc": utc_iso(month.start_us),
            "end_utc": utc_iso(month.counted_until_us),
            "hours": month.hours,
            "is_complete": month.is_complete,
            "rooms": [_described(room, bands, month) for room in month.rooms],
            "rooms_left_out": month.rooms_left_out,
        }
    )


_MUST_BE = f"month: must be like 2026-03, from {_YEARS[0]}-01 to {_YEARS[-1]}-12"


def _requested(request: Request) -> date | None:
    """Return the first day of the month in the address; None if it names none.

    Raises:
        HTTPException: 400, if it isn't a month.

    """
    text = request.query_params.get("month")
    if text is None:
        return None
    match = _MONTH.fullmatch(text)
    if match is None or int(match[1]) not in _YEARS:
        raise HTTPException(400, _MUST_BE)
    return date(int(match[1]), int(match[2]), 1)


def _within(first: date) -> date | None:
    return first if first.year in _YEARS else None


def _months(request: Request, zone: tzinfo, now_us: int) -> list[date]:
    """Return the months that can be chosen, the newest first: up to now, from the first reading on."""
    first_us = min((utc_us(file.first_utc) for file in history_of(request).files()), default=now_us)
    earliest = local(first_us, zone).date().replace(day=1)
    months = [local(now_us, zone).date().replace(day=1)]
    while months[-1] > earliest and len(months) < _MAX_OFFERED:
        months.append(first_of_previous(months[-1]))
    return months


def _read(request: Request, first: date, zone: tzinfo, now_us: int) -> tuple[Month, ComfortBands]:
    bands = ComfortBands(read_limits(request.app.state.settings.limits_file_path), zone)
    month = calendar_month(first, zone, now_us)
    return with_rooms(month, history_of(request), locations_of(request), bands.of), bands


def _name(zone: tzinfo, month: Month) -> str:
    """Return the name of a zone, or its abbreviations in the month."""
    key = getattr(zone, "key", "local")
    ends = (local(time_us, zone).strftime("%Z") for time_us in (month.start_us, month.end_us - 1))
    return key if key != "local" else "/".join(dict.fromkeys(ends))


def _tables(month: Month, bands: ComfortBands, preferences: Preferences) -> Iterator[Quantity]:
    """Yield the tables of temperature and humidity, as text in the viewer's units."""
    warmth, damp = [], []
    for room in month.rooms:
        band = bands.of(room.sensor, room.location, month.start_us)
        low_f, high_f, low, high = _in_words(band, preferences)
        at_times = bands.at_times(room.sensor, room.location)
        if room.temperature_f:
            own = _own(f"{low_f} to {high_f}", at_times & _WARMTH, is_usual=band[:2] == USUAL[:2])
            warmth.append((room, own, _cells(room.temperature_f, preferences.temperature)))
        if room.humidity_percent:
            own = _own(f"{low} to {high}", at_times - _WARMTH, is_usual=band[2:] == USUAL[2:])
            damp.append((room, own, _cells(room.humidity_percent, _whole)))
    yield Quantity(f"Temperature in {preferences.unit}", "Hours too cold", "Hours too hot", warmth)
    yield Quantity("Relative humidity in %", "Hours too dry", "Hours too damp", damp)


def _own(limits: str, at_times: set[str], *, is_usual: bool) -> str:
    """Return the limits of a room that has some of its own, or else nothing."""
    if at_times:
        return f"{limits}, others at times"
    return "" if is_usual else limits


def _cells(spread: Spread, text: Callable[[float], str]) -> tuple[str, ...]:
    hours = (f"{hours:,}" for hours in (spread.hours_below, spread.hours_above))
    return (*map(text, spread[:3]), *hours)


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _in_words(band: Band, preferences: Preferences) -> tuple[str, str, str, str]:
    low_f, high_f, low, high = band
    return preferences.temperature(low_f), preferences.temperature(high_f), _whole(low), _whole(high)


def _described(room: RoomMonth, bands: ComfortBands, month: Month) -> dict[str, Any]:
    band = bands.of(room.sensor, room.location, month.start_us)
    return {
        "sensor": room.sensor,
        "location": room.location,
        "temperature_f": _spread(room.temperature_f),
        "humidity_percent": _spread(room.humidity_percent),
        "band_temperature_f": [round(value, 2) for value in band[:2]],
        "band_humidity_percent": [*band[2:]],
        "band_changes": bool(bands.at_times(room.sensor, room.location)),
        "readings": room.readings,
        "missing": room.missing,
        "usual_per_day": None if room.usual_per_day is None else round(room.usual_per_day, 1),
    }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    low, mean, high = (round(value, 2) for value in spread[:3])
    hours = {"hours_below": spread.hours_below, "hours_above": spread.hours_above}
    return {"min": low, "mean": mean, "max": high, **hours}


ROUTES: list[BaseRoute] = [Route("/month", view), Route("/api/month", api)]
