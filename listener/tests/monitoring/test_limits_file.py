import os
from pathlib import Path

import pytest

from ecc_listener.monitoring.limits import DEFAULT
from ecc_listener.monitoring.limits_file import EXAMPLE, LimitsFile

COLD = "[everywhere]\ntoo cold = 40\n"


def cold(file: LimitsFile) -> float | None:
    found = file.limits.of("ECCTH01", "Office")
    assert found is not None
    return found["too_cold"].value if "too_cold" in found else None


def save(path: Path, text: str) -> None:
    """Write it with a time of its own: two edits may come within one tick of the file system."""
    before_ns = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before_ns + 1_000_000, before_ns + 1_000_000))


def test_where_there_is_none_one_is_made_that_explains_itself_and_watches_no_room(tmp_path: Path) -> None:
    file = LimitsFile(tmp_path / "limits")
    assert (tmp_path / "limits").read_text(encoding="utf-8") == EXAMPLE
    assert file.problems == ()
    assert file.limits.of("ECCTH01", "Office") == DEFAULT


def test_every_line_of_the_example_may_be_taken_into_use(tmp_path: Path) -> None:
    used = [
        line[1:] if line.startswith("#") and (" = " in line or line.startswith("#[")) else line
        for line in EXAMPLE.splitlines()
    ]
    (tmp_path / "limits").write_text("\n".join(used), encoding="utf-8")
    file = LimitsFile(tmp_path / "limits")
    assert file.problems == ()
    assert cold(file) == 35
    assert file.limits.of("ECCTH07", None) is None


def test_it_is_read_again_after_an_edit_and_only_then(tmp_path: Path) -> None:
    file = LimitsFile(tmp_path / "limits")
    assert file.reload() is False
    save(tmp_path / "limits", COLD)
    assert file.reload() is True
    assert cold(file) == 40
    assert file.reload() is False


def test_a_file_that_is_deleted_lets_the_defaults_count_and_is_read_when_it_is_back(tmp_path: Path) -> None:
    save(tmp_path / "limits", COLD)
    file = LimitsFile(tmp_path / "limits")
    (tmp_path / "limits").unlink()
    assert file.reload() is True
    assert cold(file) is None
    assert file.reload() is False
    save(tmp_path / "limits", COLD)
    assert file.reload() is True
    assert cold(file) == 40


def test_what_it_said_last_counts_while_it_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path / "limits", COLD)
    file = LimitsFile(tmp_path / "limits")
    (tmp_path / "limits").write_bytes(b"[everywhere]\ntoo cold = 50 \xb0F\n")
    assert file.reload() is True
    assert file.problems[0].startswith("it can't be read: ")
    (tmp_path / "limits").unlink()
    (tmp_path / "limits").mkdir()
    assert file.reload() is True
    assert file.problems == ("it can't be read: Is a directory",)
    assert cold(file) == 40
    assert "Is a directory" in caplog.text


def test_a_change_of_its_permissions_lets_it_be_read_again(tmp_path: Path) -> None:
    file = LimitsFile(tmp_path / "limits")
    (tmp_path / "limits").chmod(0o600)
    assert file.reload() is True


def test_a_mistake_is_logged_once_and_gone_when_it_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path / "limits", "[Office]\ntoo cold = chilly\n")
    file = LimitsFile(tmp_path / "limits")
    file.reload()
    assert caplog.text.count("[Office] too cold = chilly: must be like 40 °F") == 1
    save(tmp_path / "limits", COLD)
    file.reload()
    assert file.problems == ()


def test_windows_line_ends_and_its_mark_at_the_beginning_are_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "limits").write_bytes(b"\xef\xbb\xbf[everywhere]\r\ntoo cold = 40 \xc2\xb0F\r\n")
    file = LimitsFile(tmp_path / "limits")
    assert file.problems == ()
    assert cold(file) == 40
