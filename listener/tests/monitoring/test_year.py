"""The watch over a whole year, against what truly happened in it; and a year finds a watch that errs."""

import logging
from collections.abc import Iterator

import pytest

from ecc_listener.clock import Now
from ecc_listener.monitoring import monitor
from ecc_listener.monitoring.sensor import Sensor
from ecc_listener.notifications import policy
from ecc_listener.notifications import table as notice_table
from ecc_listener.notifications.policy import NotificationPolicy
from support.year import Line, quiet, script, simulate, table, total

_FEW_DAYS = 33


@pytest.fixture(autouse=True)
def _say_nothing() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(600)
def test_every_event_of_a_year_is_told_once_and_in_time_and_nothing_else() -> None:
    world, lines = simulate(script())
    print(table(lines))
    whole = total(lines)
    assert (whole.missed, whole.false, whole.doubled) == (0, 0, 0)
    assert world.lost > 1_000
    # Eight sensors that send on change: once in ten minutes at most, and once in four hours at least.
    assert 8 * 365 * 6 < world.on_change_sent < 8 * 365 * 144 / 2


def test_where_nothing_happens_nothing_is_told_but_low_batteries() -> None:
    lines = simulate(quiet(), 60)[1]
    whole = total(lines)
    assert (whole.missed, whole.false, whole.doubled) == (0, 0, 0)
    assert whole.happened < 10


def few_days() -> Line:
    return total(simulate(script(), _FEW_DAYS)[1])


def test_a_watch_that_forgets_at_a_restart_what_it_told_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice_table, "pending", lambda _connection: [])
    found = few_days()
    assert found.false + found.doubled > 0
    assert found.missed > 0


def test_a_watch_that_never_is_mute_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        NotificationPolicy, "_silence_us", lambda _self, _row, **_more: policy.Timing(1, 1, 1).silence_us
    )
    assert few_days().doubled > 1_000


def test_a_watch_that_waits_for_nobody_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = policy.Timing
    monkeypatch.setattr(monitor, "Timing", lambda collect_us, _, silence_us: real(collect_us, 0, silence_us))
    assert few_days().doubled > 0


def test_a_watch_that_takes_all_sensors_for_regular_ones_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Sensor, "allowed_silence_us", lambda self: self.patience_us)
    assert few_days().false > 0


def test_a_watch_that_goes_by_the_wall_clock_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = monitor.Monitor.tick
    monkeypatch.setattr(
        monitor.Monitor,
        "tick",
        lambda self, now, faults: real(self, Now(now.wall_us, now.wall_us), faults),
    )
    found = few_days()
    assert found.missed > 0
    assert found.false > 0
