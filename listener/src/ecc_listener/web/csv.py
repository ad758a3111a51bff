"""The history as CSV: the points that are drawn, in the viewer's units and time zone."""

import csv
import io
from collections.abc import Iterator

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ecc_listener.history.export import harmless
from ecc_listener.web.preferences import Preferences
from ecc_listener.web.query import history_of, locations_of, parse_query, utc_iso
from ecc_listener.web.responses import preferences_of
from ecc_listener.web.series import MAX_POINTS, MEASURES, Point, Wanted, series

MAX_YEARS = 6


def table(request: Request) -> Response:
    """Return the points of some sensors in a range, and with `years` also those of earlier years."""
    preferences = preferences_of(request)
    file = io.StringIO()
    writer = csv.writer(file)
    measures = [f"temperature_{preferences.units}", "humidity_percent", f"dew_point_{preferences.units}"]
    measures = [*measures, *map(harmless, parse_query(request).fields)]
    columns = [f"{measure}_{part}" for measure in measures for part in ("min", "mean", "max")]
    zone = preferences.zone_name or "server"
    writer.writerow([f"time ({zone})", "time_utc", "sensor", "place", "readings", *columns])
    writer.writerows(_lines(request, preferences))
    headers = {"Content-Disposition": 'attachment; filename="history.csv"', "Cache-Control": "no-store"}
    # With the byte order mark by which spreadsheets recognise UTF-8.
    return Response("\ufeff" + file.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _lines(request: Request, preferences: Preferences) -> Iterator[list[object]]:
    query, history, locations = parse_query(request), history_of(request), locations_of(request)
    for years in range(_years(request)):
        _, start_us, end_us, fields = query.before(years)
        for name in query.sensors:
            about = harmless(name), harmless(locations.get(name) or "")
            for point in series(history, Wanted(name, start_us, end_us, fields), MAX_POINTS).points:
                if point.readings:
                    yield _line(point, about, preferences)


def _years(request: Request) -> int:
    text = request.query_params.get("years", "1")
    if text not in {str(number) for number in range(1, MAX_YEARS + 1)}:
        raise HTTPException(400, f"years: must be a number from 1 to {MAX_YEARS}")
    return int(text)


def _line(point: Point, about: tuple[str, str], preferences: Preferences) -> list[object]:
    time_us = round(point.time_s * 1_000_000)
    local = f"{preferences.moment(time_us):%Y-%m-%d %H:%M:%S}"
    line: list[object] = [local, utc_iso(time_us), *about, point.readings]
    for measure, band in enumerate(point.bands):
        is_temperature = measure < len(MEASURES) and MEASURES[measure].endswith("_f")
        convert = preferences.degrees if is_temperature else float
        line += [round(convert(value), 2) for value in band] if band else [None] * 3
    return line
