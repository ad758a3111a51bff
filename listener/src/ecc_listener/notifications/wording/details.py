"""The details below a notice: what was last measured, limits, sizes, and the like, as (label, text)."""

from collections.abc import Callable

from ecc_listener.notifications.wording.phrases import (
    Context,
    Rows,
    counted,
    difference,
    signal,
    size,
    temperature,
)

_SENSOR_KINDS = {
    *("silent", "too_cold", "too_hot", "too_damp", "too_dry", "damp_risk", "near_dew_point", "battery_low"),
    *("frozen", "jumps", "weak_signal", "two_boards", "moved", "new", "above", "below", "incomplete"),
}
_MINUTE_S = 60


def details(context: Context) -> Rows:
    """Return the rows that belong to the kind of a notice; rows that aren't known are left out."""
    rows = _OF_KIND[context.notice.kind](context) if context.notice.kind in _OF_KIND else ()
    if context.notice.kind in _SENSOR_KINDS:
        rows = (*rows, *last_reading(context), *_interval(context), *_limit(context))
    return tuple(row for row in rows if row[1])


def last_reading(context: Context) -> Rows:
    """Return what a sensor measured last, as far as it is known."""
    temperature_f, humidity = context.number("temperature_f"), context.number("humidity_percent")
    percent, volts = context.number("battery_percent"), context.number("battery_v")
    rssi_dbm = context.number("rssi_dbm")
    measured = [temperature(temperature_f)] if temperature_f is not None else []
    measured += [f"{humidity:.0f} % humidity"] if humidity is not None else []
    battery = "" if percent is None else f"{percent:.0f} %"
    if volts is not None:
        battery = f"{battery} ({volts:.2f} V)" if battery else f"{volts:.2f} V"
    return (
        ("Sensor", context.name if context.notice.location else ""),
        ("Last reading", ", ".join(measured)),
        ("Battery", battery),
        ("Signal", "" if rssi_dbm is None else signal(rssi_dbm)),
    )


def _interval(context: Context) -> Rows:
    interval_s = context.number("interval_s")
    if not interval_s or interval_s < _MINUTE_S:
        return ()
    return (("Sends", f"every {interval_s / _MINUTE_S:.0f} min"),)


def _limit(context: Context) -> Rows:
    limit, of = context.number("limit"), context.text("limit_of")
    if limit is None or not of:
        return ()
    shown = {
        "spread_f": difference(limit),
        "temperature_f": temperature(limit),
        "humidity_percent": f"{limit:.0f} % humidity",
        "battery_percent": f"{limit:.0f} %",
        "signal_dbm": f"{limit:.0f} dBm",
    }
    return (("Limit", shown.get(of, "")),)


def _missing(context: Context) -> Rows:
    missing = context.number("missing")
    return (("Missing", f"about {counted(missing, 'reading')}" if missing else ""),)


def _last_message(context: Context) -> Rows:
    last_us, sensors = context.number("last_us"), context.number("sensors")
    last = context.when(int(last_us)) if last_us else "none yet"
    return (("Last message", last), ("Known sensors", f"{sensors:.0f}" if sensors else ""))


def _latest_jump(context: Context) -> Rows:
    before_f, after_f = context.number("before_f"), context.number("after_f")
    if before_f is None or after_f is None:
        return ()
    return (("Latest jump", f"{temperature(before_f)} to {temperature(after_f)}"),)


def _newest_backup(context: Context) -> Rows:
    newest_us = context.number("newest_us")
    return (("Newest backup", context.when(int(newest_us)) if newest_us else "none"),)


def _change(context: Context, what: str, nothing: str) -> str:
    old, new = context.text(f"old_{what}"), context.text(f"new_{what}")
    return "" if old == new else f"{new or nothing}, was {old or nothing}"


_OF_KIND: dict[str, Callable[[Context], Rows]] = {
    "silent": _missing,
    "all_silent": _last_message,
    "jumps": _latest_jump,
    "backup": _newest_backup,
    "disk": lambda one: (("Free", size(one.number("free_bytes"))), ("Folder", one.text("folder"))),
    "clock": lambda one: (("Clock now", one.when(one.notice.since_us)),),
    "two_boards": lambda one: (("Devices", one.text("macs")),),
    "moved": lambda one: (
        ("Location", _change(one, "place", "none")),
        ("Device", _change(one, "mac", "unknown")),
    ),
    "quarantine": lambda one: (("Topic", one.text("topic")), ("Reason", one.text("reason"))),
    "damaged": lambda one: (("File", one.text("files")),),
    "limits_file": lambda one: (("File", one.text("file")),),
    "new_many": lambda one: (("For example", one.text("examples")),),
}
"""The rows that only one kind has."""
