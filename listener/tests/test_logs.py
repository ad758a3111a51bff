import gzip
import logging
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecc_listener import logs
from ecc_listener.logs import Archives, LineFormatter, LogFile, LossyQueueHandler
from ecc_listener.settings import load
from support.brokers import until


def folder(path: Path) -> dict[str, str]:
    """Give every file of a folder with its text, unpacked."""
    return {
        file.name: (
            gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        ).decode()
        for file in path.iterdir()
    }


def lay(path: Path, **files: str) -> None:
    for name, text in files.items():
        data = text.encode()
        (path / name.replace("_", ".")).write_bytes(gzip.compress(data) if "gz" in name else data)


def log_file(path: Path, maximum: int = 3, size: int = 30) -> LogFile:
    file = LogFile(path / "log", size, maximum)
    file.setFormatter(logging.Formatter("%(message)s"))
    return file


def write(file: LogFile, *lines: str) -> None:
    for line in lines:
        file.emit(logging.makeLogRecord({"msg": line}))
        file.archives.wait(10)
    file.close()


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    yield
    root.level, root.handlers = before


def test_the_oldest_archive_is_number_one_and_the_newest_has_the_highest(tmp_path: Path) -> None:
    write(log_file(tmp_path), "a" * 30, "b" * 30, "c")
    assert folder(tmp_path) == {"log.1.gz": "a" * 30 + "\n", "log.2.gz": "b" * 30 + "\n", "log": "c\n"}


def test_at_the_maximum_the_oldest_goes_and_the_rest_move_down(tmp_path: Path) -> None:
    write(log_file(tmp_path, maximum=2), "a" * 30, "b" * 30, "c" * 30, "d")
    assert folder(tmp_path) == {"log.1.gz": "b" * 30 + "\n", "log.2.gz": "c" * 30 + "\n", "log": "d\n"}


@pytest.mark.parametrize(("maximum", "kept"), [(0, {}), (1, {"log.1.gz": "b" * 30 + "\n"})])
def test_none_or_one_archive_can_be_kept(tmp_path: Path, maximum: int, kept: dict[str, str]) -> None:
    write(log_file(tmp_path, maximum), "a" * 30, "b" * 30, "c")
    assert folder(tmp_path) == {**kept, "log": "c\n"}


def test_it_appends_to_what_is_there(tmp_path: Path) -> None:
    lay(tmp_path, log="before\n")
    write(log_file(tmp_path), "after")
    assert folder(tmp_path) == {"log": "before\nafter\n"}


def test_archives_of_the_original_are_taken_over_in_either_form(tmp_path: Path) -> None:
    lay(tmp_path, log_gz_1="one", log_2_gz="two", log_gz_4="four", other_1_gz="not ours")
    Archives(tmp_path / "log", 9).tidy()
    assert folder(tmp_path) == {
        "log.1.gz": "one",
        "log.2.gz": "two",
        "log.3.gz": "four",
        "other.1.gz": "not ours",
    }


def test_one_number_in_both_forms_overwrites_nothing(tmp_path: Path) -> None:
    lay(tmp_path, log_gz_1="old 1", log_1_gz="one", log_gz_2="old 2", log_2_gz="two", log_3_gz="three")
    lay(tmp_path, log_9_gz="nine")
    Archives(tmp_path / "log", 9).tidy()
    assert folder(tmp_path) == {
        "log.1.gz": "one",
        "log.2.gz": "old 1",
        "log.3.gz": "two",
        "log.4.gz": "old 2",
        "log.5.gz": "three",
        "log.6.gz": "nine",
    }


def test_a_full_disk_keeps_the_rotated_log_and_no_part_of_its_gzip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, log_1="one\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfileobj", full)
        with pytest.raises(OSError, match="No space left"):
            Archives(tmp_path / "log", 9).tidy()
    assert folder(tmp_path) == {"log.1": "one\n"}
    Archives(tmp_path / "log", 9).tidy()
    assert folder(tmp_path) == {"log.1.gz": "one\n"}


@pytest.mark.parametrize(
    ("left", "after"),
    [
        ({"log_1_gz": "one", "log_2": "two"}, {"log.1.gz": "one", "log.2.gz": "two"}),
        ({"log_1": "one", "log_1_gz_part": "on"}, {"log.1.gz": "one"}),
        ({"log_1": "one", "log_1_gz": "one"}, {"log.1.gz": "one"}),
        ({"log_2_gz": "two", "log_3_gz": "three"}, {"log.1.gz": "two", "log.2.gz": "three"}),
    ],
    ids=["before the gzip", "within the gzip", "before the rotated file goes", "within the renumbering"],
)
def test_what_a_crash_left_is_put_in_order(
    tmp_path: Path, left: dict[str, str], after: dict[str, str]
) -> None:
    lay(tmp_path, **left)
    Archives(tmp_path / "log", 9).tidy()
    assert folder(tmp_path) == after


def test_a_kill_at_any_system_call_that_changes_the_folder_loses_no_line(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from ecc_listener.logs import Archives\n"
        "archives = Archives(Path(sys.argv[1]) / 'log', 2)\n"
        "archives.take(Path(sys.argv[1]) / 'log'); archives.tidy()"
    )
    kills = 0
    for call in ("rename", "unlink", "fsync"):
        for number in range(1, 10):
            where = tmp_path / f"{call}-{number}"
            where.mkdir()
            lay(where, log="new\n", log_1_gz="oldest\n", log_2_gz="old\n")
            strace = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={call}"]
            inject = ["-e", f"inject={call}:signal=KILL:when={number}"]
            done = subprocess.run([*strace, *inject, sys.executable, "-c", program, where], check=False)
            archives = Archives(where / "log", 2)
            if (where / "log").exists():
                archives.take(where / "log")
            archives.tidy()
            assert folder(where) == {"log.1.gz": "old\n", "log.2.gz": "new\n"}, (call, number)
            if done.returncode == 0:
                break
            assert done.returncode == -signal.SIGKILL
            kills += 1
    assert kills == 8


def test_a_log_that_somebody_moved_away_is_begun_anew(tmp_path: Path) -> None:
    file = log_file(tmp_path)
    write(file, "one")
    (tmp_path / "log").rename(tmp_path / "moved")
    write(file, "two")
    assert folder(tmp_path) == {"moved": "one\n", "log": "two\n"}


def test_a_log_that_somebody_deleted_or_emptied_is_gone_on_with(tmp_path: Path) -> None:
    file = log_file(tmp_path)
    file.emit(logging.makeLogRecord({"msg": "one"}))
    (tmp_path / "log").unlink()
    file.emit(logging.makeLogRecord({"msg": "two"}))
    assert folder(tmp_path) == {"log": "two\n"}
    (tmp_path / "log").write_text("")
    write(file, "three")
    assert folder(tmp_path) == {"log": "three\n"}


def test_a_full_disk_is_told_once_and_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").symlink_to("/dev/full")
    write(log_file(tmp_path), "one", "two")
    told = capsys.readouterr().out
    assert told.count("can't be written") == 1
    assert "No space left" in told


def test_the_loop_never_waits_for_a_slow_log_and_says_what_was_dropped() -> None:
    lines: queue.Queue[logging.LogRecord] = queue.Queue(10)
    handler = LossyQueueHandler(lines)
    for number in range(100):
        handler.handle(logging.makeLogRecord({"msg": f"line {number}"}))
    before = [lines.get_nowait().getMessage() for _ in range(10)]
    handler.handle(logging.makeLogRecord({"msg": "after"}))
    assert before == [f"line {number}" for number in range(10)]
    assert lines.get_nowait().getMessage() == "90 log lines were dropped: the disk or terminal was too slow"
    assert lines.get_nowait().getMessage() == "after"


def test_text_from_outside_cannot_forge_a_line() -> None:
    record = logging.makeLogRecord(
        {"msg": "topic %s", "args": ("x\n2026-01-01 00:00:00Z ERROR forged\x1b[2J",)}
    )
    line = LineFormatter().format(record)
    assert "\n" not in line
    assert "\x1b" not in line
    assert "\\n2026" in line


@pytest.mark.usefixtures("logging_as_before")
def test_lines_bear_utc_time_and_level(tmp_path: Path) -> None:
    with logs.setup(load({"log_file_path": tmp_path / "log", "log_level": "info"})):
        logging.getLogger("test").warning("Something needs %s", "you")
        logging.getLogger("test").debug("not this")
    text = (tmp_path / "log").read_text()
    assert text.endswith("Z WARNING Something needs you\n")
    assert text.startswith("20")
    assert text.count("\n") == 1


def test_archives_left_by_an_earlier_run_are_finished_at_the_start(tmp_path: Path) -> None:
    lay(tmp_path, log_1="one\n")
    file = log_file(tmp_path)
    until(lambda: [left.name for left in tmp_path.iterdir()] == ["log.1.gz"])
    assert folder(tmp_path) == {"log.1.gz": "one\n"}
    file.close()
