"""The rules for a sensor's newest reading: limits, battery, signal, and the sensor itself.

To avoid false alarms, each threshold has a hysteresis, and most have a minimum time.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ecc_listener.monitoring.conditions import Conditions
from ecc_listener.monitoring.limits import FIELD_KINDS, Limit, Limits
from ecc_listener.monitoring.sensor import DAY_US, HOUR_US, MINUTE_US, RECENT, Sensor
from ecc_listener.notifications.notice import Details, Problem
from ecc_listener.readings.reading import Reading

_BACK_US = 30 * MINUTE_US
_ENOUGH_READINGS = 12
_JUMP_F, _JUMP_PERCENT, _JUMP_WITHIN_US = 36.0, 60.0, HOUR_US
"""No room does this within an hour; a door to a frosty night makes half of it."""
_SETTLED = 3
_FIELD_BACK_SHARE = 0.05


class _Measure(NamedTuple):
    """What a limit is about: a fact, its value, which side of the limit is bad, and the hysteresis."""

    fact: str
    value: Callable[[Sensor], float | None]
    is_low_bad: bool
    back: float


_MEASURES = {
    "too_cold": _Measure("temperature_f", lambda sensor: sensor.reading.temperature_f, True, 2.0),
    "too_hot": _Measure("temperature_f", lambda sensor: sensor.reading.temperature_f, False, 2.0),
    "too_damp": _Measure("humidity_percent", lambda sensor: sensor.reading.humidity_percent, False, 3.0),
    "too_dry": _Measure("humidity_percent", lambda sensor: sensor.reading.humidity_percent, True, 3.0),
    "near_dew_point": _Measure("spread_f", lambda sensor: sensor.spread_f, True, 1.0),
    "battery_low": _Measure("battery_percent", lambda sensor: sensor.reading.battery_percent, True, 15.0),
    "weak_signal": _Measure("signal_dbm", lambda sensor: sensor.usual_signal_dbm, True, 5.0),
}


def judge(sensor: Sensor, before: Reading, gap_us: int, limits: Limits, conditions: Conditions) -> None:
    """Judge the newest reading, `gap_us` after the one `before`."""
    _judge_limits(sensor, limits, conditions)
    if "damp_risk" in limits:
        _judge_damp(sensor, gap_us, limits["damp_risk"], conditions)
    if "frozen" in limits:
        _judge_frozen(sensor, limits["frozen"], conditions)
    if "jumps" in limits:
        _judge_jumps(sensor, before, gap_us, conditions)
    _judge_fields(sensor, limits, conditions)
    _judge_identity(sensor, before, conditions)
    if sensor.reading.faults:
        _judge_complete(sensor, conditions)


def _judge_limits(sensor: Sensor, limits: Limits, conditions: Conditions) -> None:
    for kind, limit in limits.items():
        measure = _MEASURES.get(kind)
        value = measure.value(sensor) if measure else None
        if measure is None or value is None:
            continue
        bad = _passes(value, limit.value, measure)
        if not bad and conditions.is_quiet((kind, sensor.name)):
            continue
        details = sensor.values() | {measure.fact: value, "limit": limit.value, "limit_of": measure.fact}
        if kind == "battery_low":
            details["days_left"] = sensor.days_left()
        one = Problem(kind, sensor.name, sensor.reading.location, 0, details)
        conditions.judge(one, bad=bad, now_us=sensor.last_us, after_us=limit.for_us, back_us=_BACK_US)


def _judge_fields(sensor: Sensor, limits: Limits, conditions: Conditions) -> None:
    """Judge the further numbers: one problem for all that are above, and one for all that are below."""
    values = {field.lower(): value for field, value in sensor.reading.values}
    for kind in FIELD_KINDS:
        judged = [
            (_passes(values[field], limit.value, _field_measure(kind, limit)), field, limit)
            for name, limit in limits.items()
            if name.startswith(kind) and (field := name.removeprefix(kind)) in values
        ]
        if not judged:
            continue
        # The worst of them first: bad, then neither, then good.
        judged.sort(key=lambda one: (one[0] is not True, one[0] is False))
        bad, field, limit = judged[0]
        if not bad and conditions.is_quiet((kind.strip(), sensor.name)):
            continue
        details = sensor.values() | {"field": field, "value": values[field], "limit": limit.value}
        one = Problem(kind.strip(), sensor.name, sensor.reading.location, 0, details)
        conditions.judge(one, bad=bad, now_us=sensor.last_us, after_us=limit.for_us, back_us=_BACK_US)


def _field_measure(kind: str, limit: Limit) -> _Measure:
    back = abs(limit.value) * _FIELD_BACK_SHARE
    return _Measure("value", lambda _sensor: None, kind == "below ", back)


def _passes(value: float, limit: float, measure: _Measure) -> bool | None:
    """Return whether a value is bad; None within the hysteresis."""
    beyond = limit - value if measure.is_low_bad else value - limit
    return True if beyond > 0 else False if beyond <= -measure.back else None


def _judge_damp(sensor: Sensor, gap_us: int, limit: Limit, conditions: Conditions) -> None:
    """Count the hours above the limit; dry hours count back, so one dry hour doesn't hide ten damp ones."""
    if sensor.reading.humidity_percent is None:
        return
    step_us = min(gap_us, HOUR_US)
    is_over = sensor.reading.humidity_percent > limit.value
    sensor.damp_us = min(max(0, sensor.damp_us + (step_us if is_over else -step_us)), 1.5 * limit.for_us)
    bad = True if sensor.damp_us >= limit.for_us else False if sensor.damp_us <= limit.for_us / 2 else None
    if not bad and conditions.is_quiet(("damp_risk", sensor.name)):
        return
    hours: Details = {"hours": sensor.damp_us / HOUR_US, "limit": limit.value, "limit_of": "humidity_percent"}
    since_us = sensor.last_us - int(sensor.damp_us)
    one = Problem("damp_risk", sensor.name, sensor.reading.location, since_us, sensor.values() | hours)
    conditions.judge(one, bad=bad, now_us=sensor.last_us)


def _judge_frozen(sensor: Sensor, limit: Limit, conditions: Conditions) -> None:
    lasts_us = sensor.last_us - sensor.same_since_us
    is_frozen = sensor.same_count >= _ENOUGH_READINGS and lasts_us >= limit.value
    bad = False if sensor.same_count == 1 else is_frozen or None
    if not bad and conditions.is_quiet(("frozen", sensor.name)):
        return
    one = Problem("frozen", sensor.name, sensor.reading.location, sensor.same_since_us, sensor.values())
    conditions.judge(one, bad=bad, now_us=sensor.last_us)


def _judge_jumps(sensor: Sensor, before: Reading, gap_us: int, conditions: Conditions) -> None:
    now_us, now, jumps_us = sensor.last_us, sensor.reading, sensor.jumps_us
    values: Details = {}
    if gap_us <= _JUMP_WITHIN_US and (
        _change(before.temperature_f, now.temperature_f) > _JUMP_F
        or _change(before.humidity_percent, now.humidity_percent) > _JUMP_PERCENT
    ):
        jumps_us.append(now_us)
        values = {"before_f": before.temperature_f, "after_f": now.temperature_f}
    bad = _is_frequent(jumps_us, now_us)
    if not bad and conditions.is_quiet(("jumps", sensor.name)):
        return
    if bad is not True or jumps_us[-1] == now_us:
        since_us = jumps_us[0] if jumps_us else 0
        one = Problem("jumps", sensor.name, now.location, since_us, sensor.values() | values)
        conditions.judge(one, bad=bad, now_us=now_us)


def _change(before: float | None, now: float | None) -> float:
    return 0 if before is None or now is None else abs(now - before)


def _is_frequent(times_us: Sequence[int], now_us: int) -> bool | None:
    """Return whether something happened often within a day; None if sometimes."""
    if not times_us or now_us - times_us[-1] > DAY_US:
        return False
    return True if len(times_us) == RECENT and now_us - times_us[0] < DAY_US else None


def _judge_identity(sensor: Sensor, before: Reading, conditions: Conditions) -> None:
    """Distinguish a sensor that moved from two devices that take turns under one name."""
    now_us, reading, own = sensor.last_us, sensor.reading, sensor.about
    sent = [reading.location, reading.mac]
    if sent == own and not sensor.changed and not sensor.swaps_us:
        return
    if own == [None, None]:
        sensor.about = sent
    elif sent == own:
        if sensor.changed:
            sensor.changed = 0
            sensor.swaps_us.append(now_us)
    else:
        sensor.changed += 1
        if sensor.changed >= _SETTLED:
            details = sensor.values() | {
                "old_place": own[0],
                "new_place": sent[0],
                "old_mac": own[1],
                "new_mac": sent[1],
            }
            sensor.about, sensor.changed = sent, 0
            if any(old not in {None, new} for old, new in zip(own, sent, strict=True)):
                conditions.add_event(Problem("moved", sensor.name, reading.location, now_us, details))
    bad = _is_frequent(sensor.swaps_us, now_us)
    if bad is False or (bad and sensor.swaps_us[-1] == now_us):
        details = sensor.values() | {"macs": f"{before.mac} and {reading.mac}"}
        one = Problem("two_boards", sensor.name, reading.location, sensor.swaps_us[0] if bad else 0, details)
        conditions.judge(one, bad=bad, now_us=now_us)


def _judge_complete(sensor: Sensor, conditions: Conditions) -> None:
    """Report once what a sensor's readings lack: most likely it is made without it."""
    new = [one for one in sensor.reading.faults if one.quantity not in sensor.reported]
    # The report of something else that it lacks may still have to be sent.
    if new and ("incomplete", sensor.name) not in conditions.problems:
        sensor.reported.update(one.quantity for one in new)
        details = sensor.values() | {
            "lacking": ", ".join(one.quantity for one in new),
            "reason": "; ".join(one.reason for one in new),
        }
        location = sensor.reading.location
        conditions.add_event(Problem("incomplete", sensor.name, location, sensor.last_us, details))
