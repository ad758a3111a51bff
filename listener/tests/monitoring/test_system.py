import pytest

from ecc_listener.monitoring.conditions import Conditions
from ecc_listener.monitoring.system import Environment, SystemMonitor
from ecc_listener.notifications.notice import Details
from ecc_listener.storage.quarantine import RETAINED, Rejected

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
START_US = 1_795_500_000_000_000 // DAY_US * DAY_US
GB = 1_000_000_000


class Machine:
    """Lets time pass at a stack, and says what is wrong with it."""

    def __init__(self) -> None:
        self.now_us = START_US
        self.conditions = Conditions()
        self.system = SystemMonitor(START_US)
        self.environment = Environment()

    def passes(self, time_us: int, **changes: object) -> set[str]:
        """Let time pass with what is around; say what is wrong then."""
        self.environment = self.environment._replace(**changes)  # type: ignore[arg-type]
        end_us = self.now_us + time_us
        while self.now_us <= end_us:
            self.system.judge(self.environment, self.conditions, self.now_us)
            self.now_us += min(time_us, 5 * MINUTE_US) or 1
        return {kind for kind, _ in self.conditions.problems}

    def rejects(self, count: int, topic: str = "ECCTempHum", reason: str = "no field1") -> None:
        self.system.note([Rejected(self.now_us, topic, b"?", reason)] * count, self.now_us)

    def details(self, kind: str) -> Details:
        return self.conditions.problems[kind, ""].details


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_while_all_is_well_nothing_is_said(machine: Machine) -> None:
    assert machine.passes(5 * DAY_US, free_bytes=50 * GB, total_bytes=100 * GB) == set()


def test_a_disk_that_fills_is_told_with_the_days_that_are_left(machine: Machine) -> None:
    for day in range(6):
        found = machine.passes(DAY_US, free_bytes=(18 - day) * GB, total_bytes=100 * GB)
    assert found == {"disk"}
    assert machine.details("disk")["days_left"] == pytest.approx(13)
    assert machine.details("disk")["free_bytes"] == 13 * GB


def test_a_large_copy_is_no_trend(machine: Machine) -> None:
    for free in (19, 19, 19, 9, 9, 9):
        found = machine.passes(DAY_US, free_bytes=free * GB, total_bytes=100 * GB)
    assert found == set()


def test_the_trend_of_the_disk_survives_a_restart(machine: Machine) -> None:
    for day in range(6):
        machine.passes(DAY_US, free_bytes=(40 - day) * GB, total_bytes=100 * GB)
    machine.system = SystemMonitor(machine.now_us, machine.system.memory())
    assert machine.passes(HOUR_US, free_bytes=8 * GB) == {"disk"}


def test_a_memory_that_is_none_is_no_harm(machine: Machine) -> None:
    machine.system = SystemMonitor(START_US, "nonsense")
    assert machine.passes(DAY_US, free_bytes=50 * GB, total_bytes=100 * GB) == set()


def test_a_disk_almost_full_is_told_without_a_trend_and_over_with_some_room_more(machine: Machine) -> None:
    assert machine.passes(HOUR_US, free_bytes=400_000_000, total_bytes=100 * GB) == {"disk"}
    assert machine.passes(HOUR_US, free_bytes=600_000_000) == {"disk"}
    assert machine.passes(HOUR_US, free_bytes=800_000_000) == set()


def test_a_small_disk_is_measured_by_its_own_size(machine: Machine) -> None:
    assert machine.passes(HOUR_US, free_bytes=400_000_000, total_bytes=2 * GB) == set()
    assert machine.passes(HOUR_US, free_bytes=90_000_000) == {"disk"}


@pytest.mark.parametrize(
    ("kind", "fault", "too_short_us", "long_us"),
    [
        ("store", ("store_fault", "fault"), 4 * MINUTE_US, 6 * MINUTE_US),
        ("mail", ("mail_fault", "fault"), 50 * MINUTE_US, 15 * MINUTE_US),
        ("archive", ("archive_waits", "reason"), 23 * HOUR_US, 2 * HOUR_US),
    ],
)
def test_what_fails_is_told_when_it_lasts_with_its_reason(
    machine: Machine, kind: str, fault: tuple[str, str], too_short_us: int, long_us: int
) -> None:
    field, fact = fault
    assert machine.passes(too_short_us, **{field: "it is so"}) == set()
    assert machine.passes(long_us) == {kind}
    assert machine.details(kind)[fact] == "it is so"
    assert machine.passes(MINUTE_US, **{field: None}) == set()
    assert (kind, "") in machine.conditions.ended


def test_no_backup_for_three_days_is_told(machine: Machine) -> None:
    newest_us = START_US - 2 * DAY_US
    assert machine.passes(23 * HOUR_US, expects_backup=True, newest_backup_us=newest_us) == set()
    assert machine.passes(2 * HOUR_US) == {"backup"}
    assert machine.conditions.problems["backup", ""].since_us == newest_us
    assert machine.passes(MINUTE_US, newest_backup_us=machine.now_us) == set()


def test_that_there_never_was_a_backup_is_told_after_three_days(machine: Machine) -> None:
    assert machine.passes(71 * HOUR_US, expects_backup=True) == set()
    assert machine.passes(2 * HOUR_US) == {"backup"}
    assert machine.details("backup")["newest_us"] is None


def test_a_restart_ends_no_missing_backup(machine: Machine) -> None:
    machine.passes(73 * HOUR_US, expects_backup=True)
    machine.system = SystemMonitor(machine.now_us)
    assert machine.passes(HOUR_US) == {"backup"}


def test_who_wants_no_backups_is_not_told_of_any(machine: Machine) -> None:
    assert machine.passes(5 * DAY_US, expects_backup=False) == set()


def test_a_growing_quarantine_is_told_with_the_topic_and_the_reason_of_most(machine: Machine) -> None:
    machine.rejects(15, "attic/new", "no field7")
    machine.rejects(4)
    assert machine.passes(HOUR_US) == set()
    machine.rejects(1)
    assert machine.passes(HOUR_US) == {"quarantine"}
    assert machine.details("quarantine") == {"count": 20, "topic": "attic/new", "reason": "no field7"}
    assert machine.passes(20 * HOUR_US) == {"quarantine"}
    assert machine.passes(5 * HOUR_US) == set()


def test_a_restart_does_not_end_it(machine: Machine) -> None:
    machine.rejects(30)
    machine.passes(HOUR_US)
    machine.system = SystemMonitor(machine.now_us)
    machine.rejects(1)
    assert machine.passes(20 * HOUR_US) == {"quarantine"}


def test_what_the_broker_retains_is_no_news(machine: Machine) -> None:
    machine.rejects(500, reason=RETAINED)
    assert machine.passes(HOUR_US) == set()


def test_invented_topics_take_no_room(machine: Machine) -> None:
    for number in range(1_000):
        machine.rejects(1, f"invented/{number}")
    machine.rejects(2_000, "attic/new")
    machine.passes(MINUTE_US)
    assert machine.details("quarantine")["topic"] == "attic/new"
    assert sum(len(counts) for _, counts in machine.system._hours) <= 100


def test_mistakes_in_the_limits_are_told_and_over_at_once(machine: Machine) -> None:
    assert machine.passes(0, limits_problems=("[a] x: one", "[b] y: two"), limits_file="limits") == {
        "limits_file"
    }
    assert machine.details("limits_file") == {"problems": "[a] x: one; [b] y: two", "file": "limits"}
    assert machine.passes(0, limits_problems=()) == set()


def test_a_damaged_database_is_told_until_it_is_read(machine: Machine) -> None:
    assert machine.passes(0, damaged="a.damaged") == {"damaged"}
    assert machine.passes(0, damaged="") == set()
