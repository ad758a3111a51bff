"""The short form of `make bench PARTS=ten_years`."""

from pathlib import Path

from ecc_listener.history.query import History
from support.years import DAY_US, START_US, Limits, Years

LIMITS = Limits(database_bytes=400_000, log_bytes=60_000, log_archives=4)


def test_weeks_under_tiny_limits_lose_no_row_and_fill_no_disk(tmp_path: Path) -> None:
    years = Years(tmp_path, sensors=10, limits=LIMITS)
    blocks = list(years.run(days=30, blocks=3))
    years.close()

    assert years.readings == 30 * 144 * 10
    assert years.rows() == years.readings
    history = History(years.database)
    assert history.count(START_US, START_US + 30 * DAY_US) == years.readings
    assert sum(1 for _ in history.readings(["ECCTH07"], START_US, START_US + 30 * DAY_US)) == 30 * 144

    *old, live = [path.stat().st_size for path in years.files()]
    assert len(old) >= 10
    # The size is checked every 1,000 readings; each takes a few hundred bytes with its indexes.
    assert max(*old, live) < LIMITS.database_bytes + 1000 * 400
    assert min(old) >= LIMITS.database_bytes
    names = {path.name for path in years.logs.iterdir()}
    assert names == {"log", *(f"log.{number}.gz" for number in range(1, LIMITS.log_archives + 1))}
    assert (years.logs / "log").stat().st_size < LIMITS.log_bytes + 1000
    assert blocks[-1].memory_mb < blocks[0].memory_mb + 20
