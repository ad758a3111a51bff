import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from ecc_listener.notifications import outbox
from ecc_listener.storage.quarantine import Rejected
from ecc_listener.storage.store import Store
from ecc_listener.web import backup_folder
from support.viewers import MINUTE_US, READING, House, program, text_of


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    arrivals = [(made.now_us - minutes * MINUTE_US, READING) for minutes in (2000, 600, 59, 1)]
    made.stored(*arrivals, rejected=(Rejected(made.now_us - MINUTE_US, "t", b"x", "no"),))
    made.well(rows=4321, rejected=7)
    return made


def test_rates_sizes_and_what_the_listener_says(house: House) -> None:
    told = program(house.viewer(), "/api/system")
    assert (told["sensors"], told["readings_last_hour"], told["readings_last_day"]) == (1, 2, 3)
    assert told["rejected_last_day"] == 1
    assert told["database_bytes"] == house.database.stat().st_size
    assert 0 < told["disk_free_bytes"] < told["disk_total_bytes"]
    assert told["listener"]["readings"] == 4321
    shown = text_of(house.viewer().get("/system"))
    assert "4,321 readings, 7 rejected" in shown
    assert "Archives none yet" in shown


def test_archives_are_counted_and_the_last_one_told(house: House) -> None:
    archive = house.folder / "ECCTempHum-202001010000-202012312359.sqlite3"
    sqlite3.connect(archive).close()
    archive.write_bytes(b"x" * 5000)
    os.utime(archive, (1_600_000_000, 1_600_000_000))
    told = program(house.viewer(), "/system")
    assert (told["archives"], told["archives_bytes"]) == (1, 5000)
    assert told["last_archive_utc"] == "2020-09-13 12:26:40.000000"


def test_with_nothing_running_and_nothing_there_it_still_answers(tmp_path: Path) -> None:
    viewer = House(tmp_path).viewer()
    told = program(viewer, "/system")
    assert told["listener"] is None
    assert told["readings_last_day"] is None
    assert "the listener makes it when it starts" in told["database_fault"]
    assert "The listener is not running" in text_of(viewer.get("/system"))


def test_a_backup_folder_that_hangs_takes_nothing_else_of_the_page_with_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, began = threading.Event(), threading.Event()

    def hangs(_folder: Path) -> datetime:
        began.set()
        answers.wait(60)
        return datetime(2026, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(backup_folder, "newest_backup_time", hangs)
    with house.viewer() as viewer:
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(viewer.get, ["/system"] * 8))
        assert began.is_set()
        assert {answer.status_code for answer in told} == {200}
        assert "Last backup unknown; the backup folder does not respond" in text_of(told[0])
        assert viewer.get("/health").text == "ok"
        answers.set()
        assert program(viewer, "/api/system")["last_backup_utc"] == "2026-01-01 00:00:00.000000"
        assert "does not answer" not in text_of(viewer.get("/system"))


def test_the_addresses_of_before_lead_to_the_view(house: House) -> None:
    for before, now in (("/stack", "/system"), ("/api/stack", "/api/system")):
        answer = house.viewer().get(before, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (301, now)


def test_the_view_says_how_many_addresses_are_notified(house: House) -> None:
    store = Store(house.database, 10_000_000)
    store.change(partial(outbox.set_channels, channels=["rooms@example.org", "warden@example.org"]))
    store.close()
    assert "Sent to 2 addresses" in text_of(house.viewer().get("/system"))
