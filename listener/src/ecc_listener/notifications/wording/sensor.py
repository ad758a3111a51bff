"""PURE: the words for what can be wrong with a sensor, or in its room."""

from collections.abc import Callable

from ecc_listener.notifications.notice import Words
from ecc_listener.notifications.wording.phrases import (
    NOTHING_TO_DO,
    Context,
    Rows,
    clean,
    counted,
    difference,
    last_reading,
    temperature,
)

EMPTY_PERCENT = 15
WEAK_DBM = -85
_FILE = "the limits file (data/db/ECCMQTTIoT_Limits.ini, unless it was put elsewhere)"
_LIMITS = f"The limit stands in {_FILE}."


def silent(scene: Context) -> Words:
    """Say: it sends nothing any more, or does again."""
    interval_s = scene.number("interval_s")
    every = (("Sends", f"every {interval_s / 60:.0f} min"),) if interval_s and interval_s >= 60 else ()  # noqa: PLR2004
    details = last_reading(scene) + every
    if scene.notice.resolved_us is not None:
        missing = scene.number("missing")
        rows: Rows = (("Missing", f"about {counted(missing, 'reading')}"),) if missing else ()
        lost = f", about {counted(missing, 'reading')} missing" if missing else ""
        return Words(
            f"{scene.who}: recovered after {scene.lasted}{lost}",
            None,
            NOTHING_TO_DO,
            rows + details,
        )
    cause, advice = _why_silent(scene)
    gone = f" If it was taken away for good, write watch = no below [{scene.name}] in the limits file."
    return Words(
        f"{scene.who}: no reading since {scene.hour(scene.notice.since_us)}", cause, advice + gone, details
    )


def _why_silent(scene: Context) -> tuple[str, str]:
    percent, rssi = scene.number("battery_percent"), scene.number("rssi_dbm")
    if percent is not None and percent <= EMPTY_PERCENT:
        return f"Its battery was at {percent:.0f} %: most likely it is empty.", "Put in a new battery."
    if rssi is not None and rssi <= WEAK_DBM:
        return (
            f"Its signal was weak ({rssi:.0f} dBm): most likely it can't reach its access point any more.",
            "See whether something new stands between the two; move the sensor or the access point.",
        )
    return (
        "It stopped in mid-air, with battery and signal good: most likely it hangs, or somebody moved it.",
        "See whether it is in its place. Take its battery out, wait ten seconds, put it in again.",
    )


def too_cold(scene: Context) -> Words:
    """Say: a room is colder than its limit."""
    return _limit(
        scene,
        "too cold",
        "warm enough again",
        "See whether the heating works, and whether a door or window stands open.",
        "temperature_f",
    )


def too_hot(scene: Context) -> Words:
    """Say: a room is hotter than its limit."""
    return _limit(
        scene,
        "too hot",
        "cool enough again",
        "See whether the heating runs without need, or the sun shines on the sensor.",
        "temperature_f",
    )


def too_damp(scene: Context) -> Words:
    """Say: a room is damper than its limit."""
    return _limit(
        scene,
        "too damp",
        "dry enough again",
        "Air the room while it is drier outside than inside, or heat it gently. Look for a leak.",
        "humidity_percent",
    )


def too_dry(scene: Context) -> Words:
    """Say: a room is drier than its limit."""
    return _limit(
        scene,
        "too dry",
        "damp enough again",
        "Heat less or more slowly, or humidify: wood shrinks and cracks in dry air, organs first of all.",
        "humidity_percent",
    )


def damp_risk(scene: Context) -> Words:
    """Say: a room was damp for many hours."""
    hours = scene.number("hours") or 0
    if scene.notice.resolved_us is not None:
        return Words(f"{scene.who}: it has dried", None, NOTHING_TO_DO, _measured(scene))
    return Words(
        f"{scene.who}: damp for {counted(hours, 'hour')}, mould may grow",
        None,
        "Air while it is drier outside, heat gently, keep vestments, books and organ away from cold walls. "
        + _LIMITS,
        _measured(scene),
    )


def near_dew_point(scene: Context) -> Words:
    """Say: a room's air is about to make cold surfaces wet."""
    if scene.notice.resolved_us is not None:
        return Words(
            f"{scene.who}: walls and windows can dry again",
            None,
            NOTHING_TO_DO,
            _measured(scene),
        )
    spread_f = scene.number("spread_f") or 0
    return Words(
        f"{scene.who}: cold surfaces get wet, the dew point is {difference(spread_f)} away",
        "Damp air has come into a cold room.",
        f"Keep doors shut while it is warm and damp outside; heat gently. {_LIMITS}",
        _measured(scene),
    )


def _limit(scene: Context, what: str, again: str, advice: str, fact: str) -> Words:
    if scene.notice.resolved_us is not None:
        return Words(f"{scene.who}: {again} after {scene.lasted}", None, NOTHING_TO_DO, _measured(scene))
    value = _shown(scene.number(fact) or 0, fact)
    return Words(f"{scene.who}: {what}, {value}", None, f"{advice} {_LIMITS}", _measured(scene))


def _measured(scene: Context) -> Rows:
    limit, fact = scene.number("limit"), scene.text("limit_of")
    rows = last_reading(scene)
    return (*rows, ("Limit", _shown(limit, fact))) if limit is not None and fact else rows


def _shown(value: float, fact: str) -> str:
    if fact == "spread_f":
        return difference(value)
    return temperature(value) if fact == "temperature_f" else f"{value:.0f} % humidity"


def battery_low(scene: Context) -> Words:
    """Say: a battery is nearly empty."""
    percent, days = scene.number("battery_percent") or 0, scene.number("days_left")
    if scene.notice.resolved_us is not None:
        return Words(
            f"{scene.who}: new battery, {percent:.0f} %",
            None,
            NOTHING_TO_DO,
            last_reading(scene),
        )
    left = "" if days is None else f", about {counted(days, 'day')} left"
    if days is not None and days < 1:
        left = ", a day left at most"
    return Words(
        f"{scene.who}: battery at {percent:.0f} %{left}",
        None,
        "Put in a new battery soon; the readings go on by themselves.",
        last_reading(scene),
    )


def frozen(scene: Context) -> Words:
    """Say: it sends the same values again and again."""
    if scene.notice.resolved_us is not None:
        return Words(f"{scene.who}: values change again", None, NOTHING_TO_DO, last_reading(scene))
    return Words(
        f"{scene.who}: exactly the same values for {scene.lasted}",
        "Real air is never that still: most likely the sensor chip hangs, or a wire is loose.",
        "Take its battery out, wait ten seconds, put it in again. If it stays so, replace it. "
        "Its readings since then say nothing.",
        last_reading(scene),
    )


def jumps(scene: Context) -> Words:
    """Say: its values jump as no room does."""
    if scene.notice.resolved_us is not None:
        return Words(f"{scene.who}: no more jumps for a day", None, NOTHING_TO_DO, last_reading(scene))
    details: Rows = ()
    before, after = scene.number("before_f"), scene.number("after_f")
    if before is not None and after is not None:
        details = (("Newest jump", f"{temperature(before)} to {temperature(after)}"),)
    return Words(
        f"{scene.who}: values jump impossibly",
        "A loose wire, a failing chip or a failing battery.",
        "Look at the board and its battery; if it goes on, replace it.",
        details + last_reading(scene),
    )


def weak_signal(scene: Context) -> Words:
    """Say: it hardly reaches its access point."""
    mean = scene.number("signal_dbm") or 0
    if scene.notice.resolved_us is not None:
        return Words(f"{scene.who}: signal good again", None, NOTHING_TO_DO, last_reading(scene))
    return Words(
        f"{scene.who}: weak signal, {mean:.0f} dBm",
        "It is far from its access point, or something new stands between the two.",
        "Readings may get lost. Turn or move it a little, or move the access point nearer.",
        last_reading(scene),
    )


def two_boards(scene: Context) -> Words:
    """Say: two boards send under one name."""
    macs = (("Boards", scene.text("macs")),)
    if scene.notice.resolved_us is not None:
        return Words(f"{scene.name}: one board again", None, NOTHING_TO_DO, macs)
    return Words(
        f"{scene.name}: two boards use this name",
        "Two boards take turns under one name: most likely one was set up as a copy of the other.",
        "Give one of them a name of its own: their readings are mixed now.",
        macs + last_reading(scene),
    )


def moved(scene: Context) -> Words:
    """Say: it stands elsewhere, or is another board."""
    old, new = scene.text("old_place"), scene.text("new_place")
    details: Rows = ()
    headline = f"{scene.name}: another board"
    if old != new:
        headline = (
            f"{scene.name}: now in {clean(new) or 'no location'}, it was in {clean(old) or 'no location'}"
        )
        details = (("Place", f"{old or 'none'}, now {new or 'none'}"),)
    if scene.text("old_mac") != scene.text("new_mac"):
        details += (
            ("Board", f"{scene.text('old_mac') or 'unknown'}, now {scene.text('new_mac') or 'unknown'}"),
        )
    return Words(
        headline,
        None,
        "Nothing needs to be done if somebody meant it. Its older readings are from where it was before.",
        details + last_reading(scene),
    )


def new(scene: Context) -> Words:
    """Say: a sensor speaks for the first time."""
    where = f" in {clean(scene.notice.location)}" if scene.notice.location else ""
    return Words(
        f"New sensor {scene.name}{where}",
        None,
        f"Nothing needs to be done if it is yours. Limits for it can be set in {_FILE}.",
        last_reading(scene),
    )


SENSOR_WORDS: dict[str, Callable[[Context], Words]] = {
    one.__name__: one
    for one in (
        silent,
        too_cold,
        too_hot,
        too_damp,
        too_dry,
        damp_risk,
        near_dew_point,
        battery_low,
        frozen,
        jumps,
        weak_signal,
        two_boards,
        moved,
        new,
    )
}
