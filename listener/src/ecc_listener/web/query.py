"""What a request for the history asks for, some sensors and a range of time; and where answers come from."""

from datetime import UTC, datetime
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request

from ecc_listener.history.query import History

MAX_SENSORS = 6
"""In one chart: so many lines can be told apart."""
_CENTURIES = range(1971, 2200)


class Asked(NamedTuple):
    """Some sensors, and from when to before when."""

    sensors: list[str]
    start_us: int
    end_us: int

    def before(self, years: int) -> "Asked":
        """Give the same so many years before, by the calendar."""
        return Asked(self.sensors, _before(self.start_us, years), _before(self.end_us, years))


def asked_by(request: Request) -> Asked:
    """Read `sensor` (repeated), `start` and `end`.

    Raises:
        HTTPException: 400, and what is wrong with which of them.

    """
    sensors = request.query_params.getlist("sensor")
    if not sensors:
        raise HTTPException(400, "sensor: name at least one")
    if len(sensors) > MAX_SENSORS:
        raise HTTPException(400, f"sensor: name at most {MAX_SENSORS} at once")
    start_us, end_us = time_us(request, "start"), time_us(request, "end")
    if start_us >= end_us:
        raise HTTPException(400, "end: is later than start")
    return Asked(sensors, start_us, end_us)


def time_us(request: Request, name: str) -> int:
    """Read a time, of UTC where it names no zone.

    Raises:
        HTTPException: 400, it is none.

    """
    try:
        moment = datetime.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        moment = datetime.min.replace(tzinfo=UTC)
    if moment.year not in _CENTURIES:
        raise HTTPException(400, f"{name}: is no time of these centuries; write it like 2026-11-24T14:00:00Z")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def utc_iso(time_us: int) -> str:
    """Give a time as it may be asked for, to the second."""
    return f"{datetime.fromtimestamp(time_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def history_of(request: Request) -> History:
    """Give the readings."""
    return History(request.app.state.settings.database_file_path)


def places_of(request: Request) -> dict[str, str | None]:
    """Say where each sensor is, as it says itself."""
    return {room.name: room.location for room in request.app.state.observer.look().rooms}


def _before(time_us: int, years: int) -> int:
    seconds, rest_us = divmod(time_us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    last_of_february = moment.month == 2 and moment.day == 29  # noqa: PLR2004 - it isn't in every year
    moment = moment.replace(year=moment.year - years, day=28 if last_of_february else moment.day)
    return int(moment.timestamp()) * 1_000_000 + rest_us
