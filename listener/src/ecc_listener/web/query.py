"""What a request for the history asks for: some sensors and a time range; and where the data comes from."""

from datetime import UTC, datetime
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request

from ecc_listener.history.query import History

MAX_SENSORS = 6
"""As many lines as can be told apart in one chart."""
MAX_FIELDS = 6
"""Further numbers in one response."""
_CENTURIES = range(1971, 2200)


class HistoryQuery(NamedTuple):
    """Some sensors, and a time range without its end."""

    sensors: list[str]
    start_us: int
    end_us: int
    fields: list[str]
    """Further numbers of the sensors."""

    def before(self, years: int) -> "HistoryQuery":
        """Return the same for so many calendar years earlier."""
        start_us, end_us = _before(self.start_us, years), _before(self.end_us, years)
        return self._replace(start_us=start_us, end_us=end_us)


def parse_query(request: Request) -> HistoryQuery:
    """Return what `sensor` (repeated), `start`, `end` and `field` (repeated) ask for.

    Raises:
        HTTPException: 400, if one of them is missing or wrong.

    """
    sensors = request.query_params.getlist("sensor")
    if not sensors:
        raise HTTPException(400, "sensor: at least one is needed")
    if len(sensors) > MAX_SENSORS:
        raise HTTPException(400, f"sensor: at most {MAX_SENSORS} at once are allowed")
    start_us, end_us = time_us(request, "start"), time_us(request, "end")
    if start_us >= end_us:
        raise HTTPException(400, "end: must be later than start")
    fields = [*dict.fromkeys(request.query_params.getlist("field"))]
    if len(fields) > MAX_FIELDS:
        raise HTTPException(400, f"field: at most {MAX_FIELDS} at once are allowed")
    return HistoryQuery(sensors, start_us, end_us, fields)


def time_us(request: Request, name: str) -> int:
    """Return a time parameter in microseconds since 1970; it is UTC unless it names a zone.

    Raises:
        HTTPException: 400, if it isn't a time.

    """
    try:
        moment = datetime.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        moment = datetime.min.replace(tzinfo=UTC)
    if moment.year not in _CENTURIES:
        raise HTTPException(400, f"{name}: must be a time like 2026-11-24T14:00:00Z, between 1971 and 2199")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def utc_iso(time_us: int) -> str:
    """Return a time as a query has it, to the second."""
    return f"{datetime.fromtimestamp(time_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def history_of(request: Request) -> History:
    """Return the history of the database, corrected as the limits file says."""
    state = request.app.state
    return History(state.settings.database_file_path, state.observer.corrections)


def locations_of(request: Request) -> dict[str, str | None]:
    """Return the location that each sensor sends."""
    return {room.name: room.location for room in request.app.state.observer.snapshot().rooms}


def _before(time_us: int, years: int) -> int:
    seconds, rest_us = divmod(time_us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    last_of_february = moment.month == 2 and moment.day == 29  # noqa: PLR2004 - not every year has one
    moment = moment.replace(year=moment.year - years, day=28 if last_of_february else moment.day)
    return int(moment.timestamp()) * 1_000_000 + rest_us
