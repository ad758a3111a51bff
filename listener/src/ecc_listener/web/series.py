"""What a chart draws of a sensor in a time range: a bounded number of points.

Short ranges have the readings themselves; longer ones the lowest, mean and highest values of equal steps, so
that a year is as quick to draw as a day and no peak gets lost. Where more than about three readings are
missing there is a point without values: a gap.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice, pairwise
from statistics import median
from typing import Literal, NamedTuple, TypeAlias

from ecc_listener.history.query import Bucket, History, Row
from ecc_listener.storage.connection import utc_us

MAX_POINTS = 2_200
"""Of one sensor in one response: two weeks of readings every ten minutes, and a few more."""
MEASURES = ("temperature_f", "humidity_percent", "dew_point_f")
_SECOND_US = 1_000_000
_HOUR_S, _DAY_S = 3600, 86_400
_MAX_RANGE_OF_READINGS_S = 15 * _DAY_S
_MAX_READINGS = 10_000
"""Read in one request for one sensor; if there are more, rollups are used."""
_ENOUGH_POINTS = 400
_GAP_INTERVALS = 4.5
"""The longest time between readings without a gap: three may be missing, and one may be late."""
_USUAL_INTERVAL_S = 600.0

Band: TypeAlias = tuple[float, float, float] | None
"""Lowest, mean and highest; all the same for one reading."""


class Point(NamedTuple):
    """One step of time; a gap if it has no readings."""

    time_s: float
    """Seconds since 1970: of the reading, or of the middle of the step."""
    readings: int
    bands: tuple[Band, ...]
    """In the order of `MEASURES`, and then of the fields that were asked for."""


class Series(NamedTuple):
    """The points of one sensor."""

    step_s: int
    """Seconds in one step; 0 if each point is a reading."""
    interval_s: float
    """The usual time between readings."""
    points: list[Point]


class Wanted(NamedTuple):
    """What to draw: a sensor in a range of time, with some of its further numbers."""

    sensor: str
    start_us: int
    end_us: int
    fields: Sequence[str] = ()


def series(history: History, wanted: Wanted, most: int) -> Series:
    """Return a sensor's points in a range, in the order of time: at most `most`, and the gaps between them.

    Raises:
        StoreError: a file can't be read.

    """
    sensor, start_us, end_us, fields = wanted
    length_s = (end_us - start_us) / _SECOND_US
    if length_s <= _MAX_RANGE_OF_READINGS_S:
        rows = list(islice(history.readings([sensor], start_us, end_us), _MAX_READINGS + 1))
        if len(rows) <= _MAX_READINGS:
            return _of_readings(rows, fields, length_s, most)
    is_by_hour = length_s / _HOUR_S <= most
    bucket_s = _HOUR_S if is_by_hour else _DAY_S
    step: Literal["hour", "day"] = "hour" if is_by_hour else "day"
    further: list[dict[int, Band]] = [
        {one.start_us: one[2:] for one in history.field_rollups(sensor, field, start_us, end_us, step)}
        for field in fields
    ]
    points = [
        _of_bucket(bucket, bucket_s, further) for bucket in history.rollups(sensor, start_us, end_us, step)
    ]
    step_s = bucket_s * max(1, -(-len(points) // most))
    if step_s > bucket_s:
        points = list(_steps(points, step_s))
    interval_s = step_s / median(point.readings for point in points) if points else _USUAL_INTERVAL_S
    return _with_gaps(step_s, interval_s, points)


def _of_readings(rows: list[Row], fields: Sequence[str], length_s: float, most: int) -> Series:
    points = [_of_row(row, fields) for row in rows]
    distances = [after.time_s - before.time_s for before, after in pairwise(points)]
    interval_s = median(distances) if distances else _USUAL_INTERVAL_S
    step_s = 0
    if len(points) > most:
        step_s = max(1, round(length_s / min(most, _ENOUGH_POINTS)))
        points = list(_steps(points, step_s))
    return _with_gaps(step_s, interval_s, points)


def _of_row(row: Row, fields: Sequence[str]) -> Point:
    numbers = [row.temperature_f, row.humidity_percent, row.dew_point_f]
    if fields:
        values = dict(row.values)
        numbers += [values.get(field) for field in fields]
    return Point(utc_us(row.utc) / _SECOND_US, 1, tuple(_band(one, one, one) for one in numbers))


def _of_bucket(bucket: Bucket, bucket_s: int, further: Sequence[Mapping[int, Band]]) -> Point:
    start_us, readings, *values = bucket
    bands = _band(*values[:3]), _band(*values[3:6]), _band(*values[6:])
    more = (found.get(start_us) for found in further)
    return Point(start_us / _SECOND_US + bucket_s / 2, readings, (*bands, *more))


def _band(low: float | None, mean: float | None, high: float | None) -> Band:
    """Return a band; None if a value is missing."""
    return None if low is None or mean is None or high is None else (low, mean, high)


def _steps(points: Iterable[Point], step_s: int) -> Iterator[Point]:
    """Yield one point for each step of so many seconds since 1970."""
    for number, group in groupby(points, lambda point: point.time_s // step_s):
        members = list(group)
        bands = tuple(_joined(members, measure) for measure in range(len(members[0].bands)))
        yield Point((number + 0.5) * step_s, sum(point.readings for point in members), bands)


def _joined(points: list[Point], measure: int) -> Band:
    known = [(band, point.readings) for point in points if (band := point.bands[measure])]
    if not known:
        return None
    mean = sum(band[1] * readings for band, readings in known) / sum(readings for _, readings in known)
    return min(band[0] for band, _ in known), mean, max(band[2] for band, _ in known)


def _with_gaps(step_s: int, interval_s: float, points: list[Point]) -> Series:
    """Return the points, with an empty one between two that are too far apart."""
    longest_s = max(1.5 * step_s, _GAP_INTERVALS * interval_s)
    whole = points[:1]
    for before, after in pairwise(points):
        if after.time_s - before.time_s > longest_s:
            whole.append(Point((before.time_s + after.time_s) / 2, 0, (None,) * len(after.bands)))
        whole.append(after)
    return Series(step_s, interval_s, whole)
