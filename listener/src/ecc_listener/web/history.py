"""The history view, its data as JSON and as CSV: a few sensors, a range, a bounded number of points."""

import csv
import io
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ecc_listener.history import History
from ecc_listener.sqlite import StoreError, utc_us
from ecc_listener.web.answers import data, page, taste_of, wants_json
from ecc_listener.web.marks import described, limits, notices
from ecc_listener.web.series import MEASURES, Point, Series, series
from ecc_listener.web.taste import Taste
from ecc_listener.web.verdict import troubles_of

MAX_SENSORS = 6
"""In one chart: so many lines can be told apart."""
MAX_POINTS = 2_200
"""For each sensor: two weeks of readings every ten minutes, and a few more."""
COMFORT_HUMIDITY_PERCENT = (40, 60)
RANGES = ("day", "week", "month", "year", "all")
SHOWN = {"temperature": "Temperature", "humidity": "Humidity", "dew_point": "Dew point"}
_YEARS = range(1971, 2200)


class _Asked(NamedTuple):
    sensors: list[str]
    start_us: int
    end_us: int


def _time_us(request: Request, name: str) -> int:
    try:
        moment = datetime.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        moment = datetime.min.replace(tzinfo=UTC)
    if moment.year not in _YEARS:
        raise HTTPException(400, f"{name}: is no time of these centuries; write it like 2026-11-24T14:00:00Z")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def _asked(request: Request) -> _Asked:
    sensors = request.query_params.getlist("sensor")
    if not sensors:
        raise HTTPException(400, "sensor: name at least one")
    if len(sensors) > MAX_SENSORS:
        raise HTTPException(400, f"sensor: name at most {MAX_SENSORS} at once")
    start_us, end_us = _time_us(request, "start"), _time_us(request, "end")
    if start_us >= end_us:
        raise HTTPException(400, "end: is later than start")
    return _Asked(sensors, start_us, end_us)


def _history(request: Request) -> History:
    return History(request.app.state.settings.database_file_path)


def _places(request: Request) -> dict[str, str | None]:
    """Say where each sensor is, as it says itself."""
    return {room.name: room.location for room in request.app.state.observer.look().rooms}


def view(request: Request) -> Response:
    """Show the page; the charts' data is fetched by its script."""
    if wants_json(request):
        return api(request)
    query, history, sight = request.query_params, _history(request), request.app.state.observer.look()
    places = _places(request)
    fault, sensors, first_us = sight.fault, [], request.app.state.now_us()
    try:
        sensors = sorted(history.sensors(), key=lambda name: ((places.get(name) or name).casefold(), name))
        first_us = min((utc_us(file.first_utc) for file in history.files()), default=first_us)
    except StoreError as error:
        fault = str(error)
    chosen = [name for name in dict.fromkeys(query.getlist("sensor")) if name in sensors][:MAX_SENSORS]
    measures = [name for name in query.getlist("measure") if name in SHOWN]
    is_fixed = "start" in query and "end" in query
    return page(
        request,
        "history.html",
        fault=fault,
        stopped=next((one for one in troubles_of(sight, taste_of(request)) if one.kind == "listener"), None),
        rooms=[(name, places.get(name)) for name in sensors],
        chosen=chosen or sensors[:1],
        first_s=first_us // 1_000_000,
        window_s=[_time_us(request, name) // 1_000_000 for name in ("start", "end")] if is_fixed else None,
        ranges=RANGES,
        range=query.get("range") if query.get("range") in RANGES else "week",
        shown=SHOWN,
        measures=measures or ["temperature", "humidity"],
        compares_years=query.get("compare") == "years",
        max_sensors=MAX_SENSORS,
    )


def api(request: Request) -> Response:
    """Give the points of some sensors: `sensor` (repeated), `start`, `end`."""
    asked, history = _asked(request), _history(request)
    sensors = [_points(history, name, asked) | _marks(request, name, asked) for name in asked.sensors]
    return data(
        {
            "start_utc": _iso(asked.start_us),
            "end_utc": _iso(asked.end_us),
            "comfort_humidity_percent": COMFORT_HUMIDITY_PERCENT,
            "sensors": sensors,
        }
    )


def _marks(request: Request, name: str, asked: _Asked) -> dict[str, Any]:
    """Give what is drawn beside the line."""
    state = request.app.state
    place = _places(request).get(name)
    told = notices(state.settings, name, asked.start_us, asked.end_us)
    taste, now_us = taste_of(request), state.now_us()
    return {
        "limits": limits(state.settings.limits_file_path, name, place),
        "notices": [described(notice, taste, now_us) for notice in told],
    }


def _points(history: History, name: str, asked: _Asked) -> dict[str, Any]:
    found = series(history, name, asked.start_us, asked.end_us, MAX_POINTS)
    return {
        "sensor": name,
        "step_s": found.step_s,
        "interval_s": round(found.interval_s, 1),
        "time_s": [round(point.time_s, 3) for point in found.points],
        "readings": [point.readings for point in found.points],
        **{measure: _columns(found, at) for at, measure in enumerate(MEASURES)},
    }


def _columns(found: Series, measure: int) -> dict[str, list[float | None]]:
    """Give lowest, mean and highest of each point; of readings only the mean, which is the reading."""
    bands = [point.bands[measure] for point in found.points]
    parts = {"min": 0, "mean": 1, "max": 2} if found.step_s else {"mean": 1}
    return {part: [round(band[at], 2) if band else None for band in bands] for part, at in parts.items()}


def table(request: Request) -> Response:
    """Give the same points as CSV, in the viewer's units and time zone."""
    asked, taste, history = _asked(request), taste_of(request), _history(request)
    places = _places(request)
    file = io.StringIO()
    writer = csv.writer(file)
    unit = taste.units
    measures = (f"temperature_{unit}", "humidity_percent", f"dew_point_{unit}")
    columns = [f"{measure}_{part}" for measure in measures for part in ("min", "mean", "max")]
    writer.writerow(
        [f"time ({taste.zone_name or 'server'})", "time_utc", "sensor", "place", "readings", *columns]
    )
    for name in asked.sensors:
        about = _plain(name), _plain(places.get(name) or "")
        for point in series(history, name, asked.start_us, asked.end_us, MAX_POINTS).points:
            if point.readings:
                writer.writerow(_line(point, about, taste))
    headers = {"Content-Disposition": 'attachment; filename="history.csv"', "Cache-Control": "no-store"}
    # With the mark by which spreadsheets know UTF-8.
    return Response("\ufeff" + file.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _line(point: Point, about: tuple[str, str], taste: Taste) -> list[object]:
    time_us = round(point.time_s * 1_000_000)
    local = f"{taste.moment(time_us):%Y-%m-%d %H:%M:%S}"
    line: list[object] = [local, _iso(time_us), *about, point.readings]
    for measure, band in zip(MEASURES, point.bands, strict=True):
        convert = taste.degrees if measure.endswith("_f") else float
        line += [round(convert(value), 2) for value in band] if band else [None] * 3
    return line


def _iso(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _plain(text: str) -> str:
    """Keep a spreadsheet from taking a name as a formula: it comes from the network."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text


ROUTES: list[BaseRoute] = [
    Route("/history", view),
    Route("/api/history", api),
    Route("/history.csv", table),
    Mount("/static/dygraphs", StaticFiles(packages=[("dygraphs", "assets")])),
]
