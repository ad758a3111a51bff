"""The demonstration's clock."""

import time
from datetime import UTC, datetime

from ecc_listener.demo.clock import FastClock, Pace

START = datetime(2026, 4, 19, 6, 0, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000


def clock(*, ran_s: float, speed: float) -> FastClock:
    return FastClock(Pace(START_US, time.monotonic_ns() - int(ran_s * 1e9), 5_000_000, speed))


def test_it_starts_where_it_is_told_to() -> None:
    before_ns = time.monotonic_ns()
    started = FastClock.started_at(START, 120)
    assert started.pace.start_us == START_US
    assert before_ns <= started.pace.monotonic_ns <= time.monotonic_ns()
    assert started.moment() >= START


def test_ten_seconds_are_twenty_minutes_and_neither_of_its_times_jumps() -> None:
    running = clock(ran_s=10, speed=120)
    before_us, now = running.wall_us(), running.now()
    assert START_US + 1_200_000_000 <= before_us <= now.wall_us == now.steady_us


def test_another_process_has_the_same_clock() -> None:
    ours = clock(ran_s=10, speed=120)
    theirs = FastClock.from_text(ours.to_text())
    assert theirs.pace == ours.pace
    assert theirs.speed == 120


def test_a_browser_is_told_both_starts_in_milliseconds_and_the_speed() -> None:
    assert clock(ran_s=10, speed=120).to_browser() == f"{START_US // 1000} 5000 120"
