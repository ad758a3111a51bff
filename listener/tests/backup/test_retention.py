"""Names of backups, when one is due, and which old ones are deleted."""

from datetime import UTC, datetime, timedelta, timezone

from ecc_listener.backup import retention

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def kept(days: int, *, start: datetime = NOON) -> list[datetime]:
    """Return what is left after a backup a day."""
    made: set[datetime] = set()
    for number in range(days):
        made.add(start + number * DAY)
        made -= retention.superseded(made)
    return sorted(made)


def test_a_name_says_when_it_was_made_in_utc() -> None:
    at = NOON.astimezone(timezone(timedelta(hours=5)))
    name = retention.backup_name("ECCTempHum", ".sqlite3", "daily", at)
    assert name == "ECCTempHum-daily-2026-03-01T120000Z.sqlite3.gz"
    assert retention.backup_time(name) == NOON


def test_other_files_are_no_backups() -> None:
    names = [
        "ECCTempHum-202601010000-202602010000.sqlite3.gz",
        "ECCTempHum-daily-2026-03-01T120000Z.sqlite3.gz.part",
        "ECCTempHum-daily-2026-99-99T120000Z.sqlite3.gz",
        "holiday.jpg",
    ]
    assert [retention.backup_time(name) for name in names] == [None] * 4


def test_dailies_are_only_those_that_the_listener_made_of_this_database() -> None:
    ours = retention.backup_name("ECCTempHum", ".sqlite3", "daily", NOON)
    others = [
        retention.backup_name("ECCTempHum", ".sqlite3", "manual", NOON),
        retention.backup_name("Other", ".sqlite3", "daily", NOON),
        retention.backup_name("ECCTempHum", ".db", "daily", NOON),
        "x.txt",
    ]
    assert retention.daily_backups("ECCTempHum", ".sqlite3", [ours, *others]) == {NOON: ours}
    bare = retention.backup_name("readings", "", "daily", NOON)
    assert retention.daily_backups("readings", "", [bare]) == {NOON: bare}


def test_one_is_due_a_day_after_the_last() -> None:
    assert retention.is_due([], NOON)
    assert not retention.is_due([NOON], NOON)
    assert not retention.is_due([NOON - 3 * DAY, NOON - DAY + timedelta(seconds=1)], NOON)
    assert retention.is_due([NOON - DAY], NOON)


def test_one_from_the_future_keeps_none_from_being_due() -> None:
    assert retention.is_due([NOON + 300 * DAY], NOON)


def test_seven_days_four_weeks_and_twelve_months_are_kept() -> None:
    left = kept(3 * 365)
    last = NOON + (3 * 365 - 1) * DAY
    assert left[-7:] == [last - number * DAY for number in range(6, -1, -1)]
    assert len({one.isocalendar()[:2] for one in left[-9:]}) >= 4
    assert len({(one.year, one.month) for one in left}) == 12
    assert left[0] == datetime(2028, 3, 31, 12, tzinfo=UTC)
    assert len(left) <= 7 + 4 + 12


def test_in_the_first_week_nothing_goes() -> None:
    assert len(kept(7)) == 7


def test_a_long_pause_takes_no_old_backup_away() -> None:
    made = {NOON - number * DAY for number in range(7)}
    assert retention.superseded({*made, NOON + 1000 * DAY}) <= {NOON - 6 * DAY}
