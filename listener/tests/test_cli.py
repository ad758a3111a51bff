import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ecc_listener.cli import SHORT, VERBS, _parser
from ecc_listener.settings import Settings

ORIGINAL_FLAGS = [
    *("-l", "-log", "--log_file_path", "-d", "-db", "--database_file_path", "-c", "--credentials_file_path"),
    *("-b", "--mqtt_broker", "-t", "--timer_check", "-m", "--gmail_credentials_file_path"),
    *("-n", "--last_notice_file_path", "-s", "--last_notice_silence_time", "-a", "--max_log_archives"),
    *("-z", "--archive_log_size"),
]


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ECC_")}
    return subprocess.run(
        [sys.executable, "-m", "ecc_listener", *words],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_flag_of_the_original_with_unit_and_default(tmp_path: Path, flag: str) -> None:
    shown = run(tmp_path, flag)
    assert shown.returncode == 0
    words = re.split(r"[\s,]+", shown.stdout)
    assert set(ORIGINAL_FLAGS) <= set(words)
    assert "minutes without any message until something is wrong (default: 20)" in " ".join(words)
    assert max(len(line) for line in shown.stdout.splitlines()) <= 100


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_answers_help_and_takes_the_settings(tmp_path: Path, verb: str) -> None:
    shown = run(tmp_path, verb, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "--mqtt_broker" in shown.stdout


@pytest.mark.parametrize("flag", ["-v", "-ver", "--version"])
def test_version_has_number_and_date(tmp_path: Path, flag: str) -> None:
    assert re.match(r"ecc-listener \d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\); paho-mqtt", run(tmp_path, flag).stdout)


@pytest.mark.parametrize("flag", ORIGINAL_FLAGS)
def test_every_spelling_of_the_original_sets_its_setting(flag: str) -> None:
    name = next(name for name in SHORT if flag in {*SHORT[name], f"--{name}"})
    assert vars(_parser([]).parse_args([flag, "7"])) == {name: "7", "verb": None}


def test_wrong_settings_end_with_2_and_a_line_each_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "ECCMQTTIoT_Credentials.txt").write_text("me,hunter2\n")
    told = run(tmp_path, "-t", "soon", "-b", "mqtt://me:hunter2@x", ECC_MQTT_PORT="99999")
    assert told.returncode == 2
    assert sorted(line.partition(":")[0] for line in told.stderr.splitlines()) == [
        "mqtt_broker",
        "mqtt_port",
        "timer_check",
    ]
    assert "hunter2" not in told.stderr + told.stdout


def test_a_slip_in_a_flag_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    told = run(tmp_path, "--mqtt_brokr", "x")
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
    assert told.stderr.endswith("; did you mean --mqtt_broker?\n")


def test_a_wrong_value_is_answered_with_no_other_flag(tmp_path: Path) -> None:
    told = run(tmp_path, "simulate", "--step", "10m")
    assert told.returncode == 2
    assert told.stderr.endswith("'10m' is no number from 0 to 525600; see ecc-listener simulate --help\n")


def test_settings_may_stand_before_or_behind_the_verb(tmp_path: Path) -> None:
    for words in (["-d", "x.sqlite3", "status"], ["status", "-d", "x.sqlite3"]):
        assert "x.sqlite3 isn't there" in run(tmp_path, *words).stdout


def test_the_healthcheck_starts_without_the_libraries_that_take_long_to_import(tmp_path: Path) -> None:
    program = (
        "import sys; from ecc_listener.cli import main; status = main(['healthcheck'])\n"
        "print(status, sorted({name.partition('.')[0] for name in sys.modules} & set(sys.argv[1:])))"
    )
    slow = [
        "pydantic",
        "pydantic_settings",
        "paho",
        "jinja2",
        "starlette",
        "apprise",
        "PIL",
        "sqlite3",
        "ssl",
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *slow], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "1 []"


def test_the_healthcheck_reads_the_path_from_env_file_and_flag_alike(tmp_path: Path) -> None:
    assert "no health file a.json" in run(tmp_path, "healthcheck", ECC_HEALTH_FILE_PATH="a.json").stdout
    assert "no health file b.json" in run(tmp_path, "healthcheck", "--health_file_path", "b.json").stdout
    (tmp_path / ".env").write_text("ECC_HEALTH_FILE_PATH=c.json\n")
    assert "no health file c.json" in run(tmp_path, "healthcheck").stdout


def test_every_short_spelling_belongs_to_a_setting() -> None:
    assert set(SHORT) <= set(Settings.model_fields)
