import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ecc_listener.cli import SHORT, VERBS, _parser
from ecc_listener.readings.form import decode
from ecc_listener.settings import Settings, load
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE

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
    assert "minutes without any message after which this is reported as a problem (default: 20)" in " ".join(
        words
    )
    assert max(len(line) for line in shown.stdout.splitlines()) <= 100


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_answers_help_and_lists_the_settings_that_it_takes(tmp_path: Path, verb: str) -> None:
    shown = run(tmp_path, verb, "--help")
    assert shown.returncode == 0, shown.stderr
    listed = {word for word in re.findall(r"--(\w+)", shown.stdout) if word in Settings.model_fields}
    assert listed == set(VERBS[verb].settings)
    assert max(len(line) for line in shown.stdout.splitlines()) <= 100


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("database_file_path", "FILE"), ("mqtt_ca_file", "FILE"), ("backup_folder", "FOLDER")),
        *(("timer_check", "MINUTES"), ("archive_log_size", "BYTES"), ("max_quarantine_days", "DAYS")),
        *(("mqtt_broker", "HOST"), ("web_port", "PORT"), ("mqtt_client_id", "TEXT")),
        *(("max_log_archives", "NUMBER"), ("weekly_digest", "yes|no"), ("smtp_security", "tls|starttls")),
    ],
)
def test_help_shows_what_kind_of_value_a_setting_has(name: str, value: str) -> None:
    verb = next(verb for verb in VERBS if name in VERBS[verb].settings)
    group = _parser([verb])._subparsers
    assert group
    verbs: Any = group._group_actions[0].choices
    (action,) = (action for action in verbs[verb]._actions if action.dest == name)
    assert action.metavar == value


def test_every_setting_belongs_to_a_verb() -> None:
    assert {name for verb in VERBS.values() for name in verb.settings} == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["status", "--web_port", "8097"],
            "web_port: status does not use this setting, web and demo do; leave it out\n",
        ),
        (["--web_port=1"], "web_port: run does not use this setting, web and demo do; leave it out\n"),
        (
            ["-t", "5", "export"],
            "timer_check: export does not use this setting, run, check and doctor do; leave it out\n",
        ),
    ],
)
def test_a_flag_that_the_verb_does_not_use_is_refused_with_those_that_do(
    tmp_path: Path, words: list[str], says: str
) -> None:
    refused = run(tmp_path, *words)
    assert (refused.returncode, refused.stderr) == (2, says)


def test_the_environment_and_env_file_may_hold_settings_that_the_verb_does_not_use(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ECC_TIMER_CHECK=5\n")
    assert run(tmp_path, "recover", ECC_WEB_PORT="1").returncode == 0


class Recorder:
    """Settings that note which of them are read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> object:
        self.read.add(name)
        return getattr(self._settings, name)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        *(("healthcheck", {}), ("status", {}), ("backup", {}), ("recover", {}), ("replay", {})),
        *(("export", {}), ("restore", {"file": "db.sqlite3", "check": True}), ("test-mail", {})),
    ],
)
def test_a_verb_reads_the_settings_that_it_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, arguments: dict[str, object]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load({"database_file_path": "db.sqlite3"})
    store = Store(settings.database_file_path, settings.max_quarantine_size)
    store.commit(Burst(1, [Arrival(0, decode(OFFICE))], [], []), 0)
    store.close()
    recorder = Recorder(settings)
    import_module(f"ecc_listener.{VERBS[verb].module}").main(recorder, arguments)
    assert recorder.read <= set(VERBS[verb].settings)


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
    assert told.stderr.endswith("'10m' is not a number from 0 to 525600; see ecc-listener simulate --help\n")


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
