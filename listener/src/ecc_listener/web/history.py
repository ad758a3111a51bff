"""The history view, and its data as JSON: a few sensors, a range, a bounded number of points."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ecc_listener.history.query import History
from ecc_listener.storage.connection import StoreError, utc_us
from ecc_listener.web import csv
from ecc_listener.web.annotations import described, limits, notices
from ecc_listener.web.overall_status import troubles_of
from ecc_listener.web.query import MAX_SENSORS, Asked, asked_by, history_of, places_of, time_us, utc_iso
from ecc_listener.web.responses import data, page, preferences_of, wants_json
from ecc_listener.web.series import MAX_POINTS, MEASURES, Series, series

COMFORT_HUMIDITY_PERCENT = (40, 60)
RANGES = ("day", "week", "month", "year", "all")
SHOWN = {"temperature": "Temperature", "humidity": "Humidity", "dew_point": "Dew point"}


def view(request: Request) -> Response:
    """Show the page; the charts' data is fetched by its script."""
    if wants_json(request):
        return api(request)
    query, history, snapshot = request.query_params, history_of(request), request.app.state.observer.look()
    places = places_of(request)
    fault, sensors, first_us = snapshot.fault, [], request.app.state.now_us()
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
        stopped=next(
            (one for one in troubles_of(snapshot, preferences_of(request)) if one.kind == "listener"), None
        ),
        rooms=[(name, places.get(name)) for name in sensors],
        chosen=chosen or sensors[:1],
        first_s=first_us // 1_000_000,
        window_s=[time_us(request, name) // 1_000_000 for name in ("start", "end")] if is_fixed else None,
        ranges=RANGES,
        chosen_range=query.get("range") if query.get("range") in RANGES else "week",
        shown=SHOWN,
        measures=measures or ["temperature", "humidity"],
        compares_years=query.get("compare") == "years",
        max_sensors=MAX_SENSORS,
    )


def api(request: Request) -> Response:
    """Give the points of some sensors: `sensor` (repeated), `start`, `end`."""
    asked, history = asked_by(request), history_of(request)
    sensors = [_points(history, name, asked) | _marks(request, name, asked) for name in asked.sensors]
    return data(
        {
            "start_utc": utc_iso(asked.start_us),
            "end_utc": utc_iso(asked.end_us),
            "comfort_humidity_percent": COMFORT_HUMIDITY_PERCENT,
            "sensors": sensors,
        }
    )


def _marks(request: Request, name: str, asked: Asked) -> dict[str, Any]:
    """Give what is drawn beside the line."""
    state = request.app.state
    place = places_of(request).get(name)
    told = notices(state.settings, name, asked.start_us, asked.end_us)
    preferences, now_us = preferences_of(request), state.now_us()
    return {
        "limits": limits(state.settings.limits_file_path, name, place),
        "notices": [described(notice, preferences, now_us) for notice in told],
    }


def _points(history: History, name: str, asked: Asked) -> dict[str, Any]:
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


ROUTES: list[BaseRoute] = [
    Route("/history", view),
    Route("/api/history", api),
    Route("/history.csv", csv.table),
    Mount("/static/dygraphs", StaticFiles(packages=[("dygraphs", "assets")])),
]
