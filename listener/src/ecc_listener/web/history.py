"""The view History, and its data as JSON: a few sensors, a time range, a bounded number of points."""

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ecc_listener.history.query import History
from ecc_listener.monitoring import comfort
from ecc_listener.storage.connection import StoreError, utc_us
from ecc_listener.web import csv
from ecc_listener.web.annotations import described, limits, notices
from ecc_listener.web.overall_status import problems_of
from ecc_listener.web.query import (
    MAX_SENSORS,
    HistoryQuery,
    history_of,
    locations_of,
    parse_query,
    time_us,
    utc_iso,
)
from ecc_listener.web.responses import data, page, preferences_of, wants_json
from ecc_listener.web.series import MAX_POINTS, MEASURES, Series, Wanted, series
from ecc_listener.web.snapshot import Snapshot

RANGES = ("day", "week", "month", "year", "all")
_SHOWN = {"temperature": "Temperature", "humidity": "Humidity", "dew_point": "Dew point"}
_MAX_SHOWN = 24
"""Charts that are offered: a sensor can invent as many numbers as it likes."""


class Measure(NamedTuple):
    """What a chart can show; `name` is how the page's address calls it."""

    name: str
    label: str
    unit: str
    field: str | None
    """Of a further number."""


def view(request: Request) -> Response:
    """Return the view; its script loads the data of the charts."""
    if wants_json(request):
        return api(request)
    parameters, history, snapshot = (
        request.query_params,
        history_of(request),
        request.app.state.observer.snapshot(),
    )
    locations = locations_of(request)
    fault, sensors, first_us = snapshot.fault, [], request.app.state.now_us()
    try:
        sensors = sorted(history.sensors(), key=lambda name: ((locations.get(name) or name).casefold(), name))
        first_us = min((utc_us(file.first_utc) for file in history.files()), default=first_us)
    except StoreError as error:
        fault = str(error)
    chosen = [name for name in dict.fromkeys(parameters.getlist("sensor")) if name in sensors][:MAX_SENSORS]
    shown = _measures(snapshot, preferences_of(request).unit)
    measures = [name for name in parameters.getlist("measure") if name in {one.name for one in shown}]
    is_fixed = "start" in parameters and "end" in parameters
    return page(
        request,
        "history.html",
        fault=fault,
        stopped=next(
            (one for one in problems_of(snapshot, preferences_of(request)) if one.kind == "listener"), None
        ),
        rooms=[(name, locations.get(name)) for name in sensors],
        chosen=chosen or sensors[:1],
        first_s=first_us // 1_000_000,
        window_s=[time_us(request, name) // 1_000_000 for name in ("start", "end")] if is_fixed else None,
        ranges=RANGES,
        chosen_range=parameters.get("range") if parameters.get("range") in RANGES else "week",
        shown=shown,
        measures=measures or ["temperature", "humidity"],
        compares_years=parameters.get("compare") == "years",
        max_sensors=MAX_SENSORS,
    )


def _measures(snapshot: Snapshot, degrees: str) -> list[Measure]:
    """Return what can be shown: the three quantities, and the further numbers that any room has."""
    units = {"humidity": "%"}
    found = [Measure(name, label, units.get(name, degrees), None) for name, label in _SHOWN.items()]
    values = {one.field: one for room in snapshot.rooms for one in room.values}
    further = [Measure(f"field:{one.field}", one.label, one.unit, one.field) for one in values.values()]
    return [*found, *sorted(further, key=lambda one: (one.label.casefold(), one.name))][:_MAX_SHOWN]


def api(request: Request) -> Response:
    """Return the points of some sensors: `sensor` (repeated), `start`, `end`, `field` (repeated)."""
    query, history = parse_query(request), history_of(request)
    sensors = [_points(history, name, query) | _marks(request, name, query) for name in query.sensors]
    return data(
        {
            "start_utc": utc_iso(query.start_us),
            "end_utc": utc_iso(query.end_us),
            "comfort_humidity_percent": comfort.USUAL[2:],
            "sensors": sensors,
        }
    )


def _marks(request: Request, name: str, query: HistoryQuery) -> dict[str, Any]:
    """Return what is drawn beside the line."""
    state = request.app.state
    location = locations_of(request).get(name)
    names = [name, *state.observer.corrections.former_names(name)]
    shown = notices(state.settings, names, query.start_us, query.end_us)
    preferences, now_us = preferences_of(request), state.now_us()
    return {
        "limits": limits(state.settings.limits_file_path, name, location),
        "notices": [described(notice, preferences, now_us) for notice in shown],
    }


def _points(history: History, name: str, query: HistoryQuery) -> dict[str, Any]:
    found = series(history, Wanted(name, query.start_us, query.end_us, query.fields), MAX_POINTS)
    return {
        "sensor": name,
        "step_s": found.step_s,
        "interval_s": round(found.interval_s, 1),
        "time_s": [round(point.time_s, 3) for point in found.points],
        "readings": [point.readings for point in found.points],
        **{measure: _columns(found, at) for at, measure in enumerate(MEASURES)},
        "values": {field: _columns(found, at) for at, field in enumerate(query.fields, len(MEASURES))},
    }


def _columns(found: Series, measure: int) -> dict[str, list[float | None]]:
    """Return lowest, mean and highest of each point; of a reading only the mean, which is the reading."""
    bands = [point.bands[measure] for point in found.points]
    parts = {"min": 0, "mean": 1, "max": 2} if found.step_s else {"mean": 1}
    return {part: [round(band[at], 2) if band else None for band in bands] for part, at in parts.items()}


ROUTES: list[BaseRoute] = [
    Route("/history", view),
    Route("/api/history", api),
    Route("/history.csv", csv.table),
    Mount("/static/dygraphs", StaticFiles(packages=[("dygraphs", "assets")])),
]
