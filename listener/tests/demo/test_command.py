"""`ecc-listener demo` as a user starts it: a real broker, a real listener, no Docker."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from support.brokers import free_port, until
from support.terminal import shown


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ecc_listener", "demo", *arguments]


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A user's own installation must not leak into the demonstration.
    elsewhere = {"ECC_MQTT_TOPICS": "elsewhere", "ECC_MQTT_PORT": "1", "ECC_LOG_LEVEL": "ERROR"}
    environment = os.environ | {"TMPDIR": str(folder)} | elsewhere
    return subprocess.run(
        command("--every=0.5", *arguments),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@contextmanager
def running(
    folder: Path, *arguments: str, shows: str = "°F"
) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    """Return a demonstration that shows its first row, or something else, and its children."""
    with subprocess.Popen(
        command(f"--folder={folder / 'demo'}", *(arguments or ["--every=0.5"])),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        pids: list[int] = []
        try:
            assert process.stdout is not None
            while shows not in process.stdout.readline():
                assert process.poll() is None
            pids += children(process.pid)
            yield process, pids
        finally:
            # What a test finds alive must not live on after it.
            process.kill()
            for pid in filter(is_alive, pids):
                os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Kept(NamedTuple):
    """A demonstration that has ended, and what it left."""

    done: subprocess.CompletedProcess[str]
    folder: Path

    @property
    def rows(self) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(self.folder / "ECCTempHum.sqlite3")) as connection:
            query = "SELECT recordWrittenUTC, sensorName FROM ECCTempHum ORDER BY rowid"
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Play 5 seconds after ten days of history, once for several tests."""
    folder = tmp_path_factory.mktemp("kept")
    done = demo(folder, f"--folder={folder / 'all of it'}", "--seconds=5", "--history=10")
    return Kept(done, folder / "all of it")


def test_every_message_of_the_rooms_becomes_a_row_that_is_shown(kept: Kept) -> None:
    assert (kept.done.returncode, kept.done.stderr) == (0, "")
    summary = re.search(
        r"(\d+) messages sent, (\d+) rows stored, 0 rejected\.\nEverything is in", kept.done.stdout
    )
    assert summary
    assert int(summary[1]) == int(summary[2]) > 12
    live = kept.rows[8640 : 8640 + int(summary[2])]
    assert len(live) == int(summary[2])
    assert {name for _, name in live} == {f"ECCTH0{number}" for number in range(1, 7)}
    # The last ones may come when the show is over.
    told = re.findall(r"^\d\d:\d\d:\d\dZ ECCTH0\d ", kept.done.stdout, re.MULTILINE)
    assert len(live) - 3 <= len(told) <= len(live)


def test_settings_of_an_installation_do_not_change_it(kept: Kept) -> None:
    assert re.search(r"^  Page      http://127\.0\.0\.1:\d+$", kept.done.stdout, re.MULTILINE)
    assert "Connected to broker 127.0.0.1:" in (kept.folder / "ECCMQTTIoT.log").read_text()


def test_history_is_there_before_the_first_row_comes(kept: Kept) -> None:
    assert "8,640 readings of the last 10 days are in the database already." in kept.done.stdout
    first, last, live = (datetime.fromisoformat(kept.rows[index][0]) for index in (0, 8639, 8640))
    assert last - first == timedelta(days=10) - timedelta(minutes=10)
    # The clock starts where the history ends, and runs while the programs start.
    assert timedelta(minutes=10) < live - last < timedelta(days=1)


def test_history_is_not_written_twice(kept: Kept) -> None:
    before = len(kept.rows)
    done = demo(kept.folder.parent, f"--folder={kept.folder}", "--seconds=3", "--history=10")
    assert "The database exists already, so no history is written into it." in done.stdout
    assert before < len(kept.rows) < before + 50
    times = [utc for utc, _ in kept.rows]
    assert times == sorted(times)


def test_the_query_that_it_suggests_works(kept: Kept) -> None:
    suggested = re.search(r"^ +(sqlite3 .*\\\n.*)$", kept.done.stdout, re.MULTILINE)
    assert suggested
    found = subprocess.run(suggested[1], shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert "recordWrittenUTC" in found.stdout
    assert "ECCTH0" in found.stdout


def test_the_password_is_for_this_user_only_and_never_shown(kept: Kept) -> None:
    password = (kept.folder / "ECCMQTTIoT_Credentials.txt").read_text().strip().partition(",")[2]
    assert len(password) > 15
    assert password not in kept.done.stdout
    for name in ("ECCMQTTIoT_Credentials.txt", "broker.toml"):
        assert (kept.folder / name).stat().st_mode & 0o777 == 0o600


def test_the_page_is_there_with_a_month_of_history(tmp_path: Path) -> None:
    with running(tmp_path):
        address = _page_of(tmp_path / "demo")
        rooms = httpx.get(f"{address}/api/rooms").json()
        month = {"sensor": "ECCTH01", "start": "2000-01-01", "end": "2100-01-01"}
        history = httpx.get(f"{address}/api/history", params=month).json()
    assert {room["location"] for room in rooms["rooms"]} >= {"Office", "Nave"}
    times = history["sensors"][0]["time_s"]
    assert 29 * 86_400 < times[-1] - times[0] < 31 * 86_400


def _page_of(folder: Path) -> str:
    found = re.search(r"The page is at (\S+),", (folder / "page.txt").read_text())
    assert found
    return found[1]


def test_nothing_is_left_of_a_demonstration_that_nobody_wanted_to_keep(tmp_path: Path) -> None:
    done = demo(tmp_path, "--seconds=3")
    assert done.returncode == 0
    assert "Nothing of it is kept; with --folder it is." in done.stdout
    assert not list(tmp_path.iterdir())


def read_until(process: "subprocess.Popen[str]", pattern: str) -> None:
    """Read what is shown until a line matches; the test's own time limit bounds it."""
    assert process.stdout is not None
    for line in process.stdout:
        if re.search(pattern, line):
            return
    raise AssertionError(f"it ended without {pattern}")


def troubles(address: str) -> set[tuple[str, str]]:
    answer = httpx.get(address, headers={"Accept": "application/json"}).json()
    assert answer["is_well"] == (not answer["troubles"])
    return {(one["kind"], one["sensor"]) for one in answer["troubles"]}


def test_a_sensor_falls_silent_is_reported_and_comes_back(tmp_path: Path) -> None:
    with running(tmp_path, "--every=2", "--history=3") as (process, _):
        address = _page_of(tmp_path / "demo")
        read_until(process, "^Subject: Hall: no reading since ")
        assert ("silent", "ECCTH05") in troubles(address)
        read_until(process, "^Subject: Resolved: Hall: sending again after ")
        until(lambda: ("silent", "ECCTH05") not in troubles(address))
        events = httpx.get(f"{address}/events").text
    assert "Hall: sending again after " in events
    assert "Hall: no reading since " in events


def test_what_misbehaves_is_reported_by_screen_and_page(tmp_path: Path) -> None:
    misbehave = "--misbehave=silent,,flat-battery,cold"
    with running(tmp_path, "--every=2", "--history=3", misbehave):
        address = _page_of(tmp_path / "demo")
        expected = {("silent", "ECCTH01"), ("battery_low", "ECCTH03"), ("too_cold", "ECCTH04")}
        until(lambda: expected <= troubles(address), 100)
        seen = httpx.get(address).text
    assert "All is well" not in seen
    assert "need attention" in seen


def test_it_serves_the_page_on_the_port_that_the_user_chooses(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, "--every=0.5", "--history=0", f"--web_port={port}"):
        page = httpx.get(f"http://127.0.0.1:{port}/").text
    # The browser counts by the same clock.
    assert 'data-clock="' in page


def test_a_port_that_is_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = demo(tmp_path, f"--web_port={taken.getsockname()[1]}")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"web_port: \d+ of 127.0.0.1 can't be used: .*; choose another --web_port\n", done.stderr
    )


def test_ctrl_c_ends_it_while_it_writes_the_history(tmp_path: Path) -> None:
    with running(tmp_path, "--history=3660", shows="Writing") as (process, _):
        until((tmp_path / "demo" / "ECCTempHum.sqlite3-wal").exists)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (0, "")
    assert stdout == "Ended before it had started; nothing is kept.\n"
    assert list((tmp_path / "demo").glob("ECCTempHum*")) == []


def test_a_sensor_that_misbehaves_is_seen_to(tmp_path: Path) -> None:
    done = demo(tmp_path, "--seconds=4", "--misbehave=garbage")
    assert re.search(r" rows stored, [1-9]\d* rejected", done.stdout)
    assert "ECCTH02 Nave: " in done.stdout
    assert "ECCTH01 Office: " not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_all_with_a_summary(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as (process, pids):
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (0, "")
    assert "rows stored, 0 rejected.\nEverything is in" in stdout
    assert len(pids) == 3
    assert not any(is_alive(pid) for pid in pids)
    assert "Stopped after" in (tmp_path / "demo" / "ECCMQTTIoT.log").read_text()


def test_ctrl_c_in_a_terminal_reaches_the_parts_in_order(tmp_path: Path) -> None:
    with running(tmp_path) as (process, _):
        # A terminal sends it to every process of the group.
        os.killpg(process.pid, signal.SIGINT)
        stdout, _ = process.communicate(timeout=30)
    summary = re.search(r"(\d+) messages sent, (\d+) rows stored", stdout)
    assert summary
    assert summary[1] == summary[2]
    assert "lost" not in (tmp_path / "demo" / "ECCMQTTIoT.log").read_text()


def test_no_process_outlives_a_demonstration_that_was_killed(tmp_path: Path) -> None:
    with running(tmp_path) as (process, pids):
        assert [is_alive(pid) for pid in pids] == [True, True, True]
        process.kill()
        process.communicate()
        until(lambda: not any(is_alive(pid) for pid in pids))
    assert "Stopped after" in (tmp_path / "demo" / "ECCMQTTIoT.log").read_text()


@pytest.mark.parametrize(("child", "name"), [(0, "broker"), (1, "listener"), (2, "page")])
def test_a_part_that_dies_ends_the_demonstration_with_its_name(tmp_path: Path, child: int, name: str) -> None:
    with running(tmp_path) as (process, pids):
        os.kill(pids[child], signal.SIGKILL)
        stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"This went wrong: the {name} has ended, exit status -9:" in stdout
    assert not any(is_alive(pid) for pid in pids)


def test_on_a_terminal_it_shows_a_table_that_lives(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    screens = shown(command("--every=0.5", "--seconds=5", "--history=0"), tmp_path, environment).split(
        "\r\x1b[J"
    )
    assert len(screens) > 5
    assert re.search(
        r"ECCTH01 +Office +\d+\.\d °F +\d+ % +\d+ % +(just now|\d+ (min|h) ago)  \w+", screens[-2]
    )
    assert re.search(r"^\w+day \d\d:\d\d in the rooms[.;]", screens[-2], re.MULTILINE)
    assert re.search(r"^(All is well\.|Open: )", screens[-2], re.MULTILINE)
    assert screens[-1].startswith("Ended after 0:00:0")


def test_a_folder_that_can_not_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = demo(tmp_path, f"--folder={tmp_path / 'file' / 'demo'}")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"folder: .* can't be created: Not a directory\n", done.stderr)


def test_without_its_broker_it_says_what_installs_it(tmp_path: Path) -> None:
    program = "import sys; sys.modules['iotcore'] = None; from ecc_listener.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "demo"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "make demo" in done.stdout
    assert "Traceback" not in done.stderr
