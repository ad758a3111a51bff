"""What a user types for `make` reaches the program as it is; a stand-in for Docker notes what it gets."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCKER = r"""#!/bin/bash
for one in "$@"; do printf '%s\0' "$one"; done >>"$CALLS"; printf '\0' >>"$CALLS"
case "$*" in *"exec -T listener ecc-listener backup"*) echo /data/backup/x.gz ;; *" ps -q "*) echo one ;;
*inspect*) echo true ;; esac
"""
HOSTILE = [
    "$(touch own)",
    "`touch own`",
    '"; touch own; "',
    "'; touch own; '",
    "$(shell touch own)",
    "${HOME}",
    "$$",
    "a;touch own",
    "a&touch own",
    "a|touch own",
    ">own",
    "-rf",
    "--help",
    "*",
    "~",
    "a  b",
    "a\\nb",
    "It's",
    "ü 😀",
]


class Clone:
    """A copy of the Makefile and the scripts, set up, with a Docker that does nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder / "clone", folder / "calls"
        shutil.copytree(ROOT / "listener/scripts", self.folder / "listener/scripts")
        for name in ("secrets", "bin", "data/backup", "data/db", "mosquitto/conf.d"):
            (self.folder / name).mkdir(parents=True)
        shutil.copy(ROOT / "Makefile", self.folder)
        for name in ("docker-compose.yml", "mosquitto/mosquitto.conf", "secrets/mosquitto_passwd"):
            (self.folder / name).touch()
        (self.folder / ".env").write_text(
            "PUID=10001\nPGID=10001\nCOMPOSE_PROJECT_NAME=ecc\nMQTT_PORT=1883\n"
        )
        (self.folder / "bin/docker").write_text(DOCKER)
        (self.folder / "bin/docker").chmod(0o755)
        self.files = self._files()

    def _files(self) -> list[Path]:
        return sorted(self.folder.rglob("*"))

    def make(self, *words: str) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
        """Run make; return what it said, and the words of each call of Docker."""
        self.calls.write_text("")
        said = subprocess.run(
            ["make", "--silent", *words],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "CALLS": str(self.calls)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        calls = [call.split("\0") for call in self.calls.read_text().split("\0\0") if call]
        return said, calls

    def changed(self) -> list[Path]:
        return [path for path in self._files() if path not in self.files]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_one_word_of_the_program_s_arguments(clone: Clone, value: str) -> None:
    for target, variable, word in (
        ("add-sensor", "NAME", f"--name={value}"),
        ("remove-sensor", "NAME", f"--name={value}"),
        ("rotate-password", "NAME", f"--name={value}"),
        ("mute", "SENSOR", value),
        ("mute", "FOR", f"--for={value}"),
    ):
        _, calls = clone.make(target, f"{variable}={value}")
        assert any(word in call for call in calls), (target, calls)
    (mute,) = [call for call in clone.make("mute", f"SENSOR={value}")[1] if "mute" in call]
    assert mute[-2:] == ["--", value]
    assert clone.changed() == []


@pytest.mark.parametrize("variable", ["JSON=x", "YES=x", "OFF=x", "SECRETS=x", "MERGE=x"])
def test_a_switch_is_on_or_off_and_never_run(clone: Clone, variable: str) -> None:
    for target in ("doctor", "restore", "mute", "backup"):
        clone.make(target, variable.replace("x", "$(shell touch own)yes"))
    assert not (clone.folder / "own").exists()


def test_options_are_split_at_spaces_and_kept_together_by_quotes(clone: Clone) -> None:
    options = """--sensor "It's $(touch own)" --from '2026-03-01 14:00' `touch own` $(shell touch own) * ;x"""
    words = ["--sensor", "It's $(touch own)", "--from", "2026-03-01 14:00", "`touch", "own`"]
    words += ["$(shell", "touch", "own)", "*", ";x"]
    for target, verb in (("export", "export"), ("simulate", "--sensor_credentials_file_path")):
        _, calls = clone.make(target, f"OPTIONS={options}")
        (call,) = [one for one in calls if verb in one]
        assert call[-len(words) :] == words
    said, calls = clone.make("export", "OPTIONS=--sensor 'a")
    assert said.returncode != 0
    assert "OPTIONS has a quote that isn't closed" in said.stderr
    assert not any("export" in call for call in calls)
    assert clone.changed() == []


@pytest.mark.parametrize("value", HOSTILE)
def test_the_name_of_a_backup_is_a_name(clone: Clone, value: str) -> None:
    said, calls = clone.make("restore", f"FILE={value}", "YES=yes")
    assert said.returncode != 0
    assert f"{value}: there is no such backup." in said.stderr
    assert calls == []
    name = f"data/backup/{value.replace('/', '')}"
    (clone.folder / name).touch()
    _, calls = clone.make("restore", f"FILE={name}", "YES=$(shell touch own)yes")
    assert not any("--yes" in call for call in calls)
    _, calls = clone.make("restore", f"FILE={name}", "YES=yes")
    inside = f"/restore/{Path(name).name}"
    volume = f"{clone.folder / name}:{inside}:ro"
    assert sum(volume in call and inside in call for call in calls) == 2
    (clone.folder / name).unlink()
    assert clone.changed() == []


@pytest.mark.parametrize("value", [*HOSTILE[:3], "a[$(touch own)]", "08"])
def test_no_value_in_env_is_run(clone: Clone, value: str) -> None:
    names = ["MQTT_PORT", "WEB_PORT", "MQTT_ADDRESS", "WEB_ADDRESS", "COMPOSE_PROJECT_NAME"]
    names += ["MOSQUITTO_IMAGE", "PYTHON_IMAGE", "ECC_MQTT_CLIENT_ID"]
    owner = f"PUID={os.geteuid()}\nPGID={os.getegid()}\n"
    for quoted in (value, f'"{value}"', f"'{value}'"):
        (clone.folder / ".env").write_text(owner + "".join(f"{name}={quoted}\n" for name in names))
        # A port that is no number ends `up` before it starts anything.
        with (clone.folder / ".env").open("a") as file:
            file.write("MQTT_PORT=none\n")
        for target in ("simulate", "list-sensors", "backup", "up"):
            said, _ = clone.make(target)
            assert "error token" not in said.stderr
            assert "syntax error" not in said.stderr
        assert "MQTT_PORT in .env is 'none'; a port is a number from 1 to 65535." in said.stderr
    assert list(clone.folder.rglob("own")) == []


def test_a_backup_s_name_with_a_colon_is_refused(clone: Clone) -> None:
    (clone.folder / "a:b").touch()
    said, calls = clone.make("restore", "FILE=a:b", "YES=yes")
    assert "has a colon in its name" in said.stderr
    assert calls == []


def test_the_copy_of_the_settings_follows_no_link_in_the_backup_folder(clone: Clone, tmp_path: Path) -> None:
    """The listener may write to that folder, and root may run the backup."""
    (clone.folder / "data/backup").rmdir()
    folder = tmp_path / "it's |&\\1"
    folder.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    date = clone.folder / "bin/date"
    date.write_text("#!/bin/bash\necho 2026-01-01T000000Z\n")
    date.chmod(0o755)
    target = folder / "settings-2026-01-01T000000Z.tar.gz"
    for planted in (target, Path(f"{target}.part")):
        planted.symlink_to(victim)
    with (clone.folder / ".env").open("a") as file:
        file.write(f"BACKUP_FOLDER={folder}\n")
    said, _ = clone.make("backup")
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[:2] == [f"{folder}/x.gz", str(target)]
    assert victim.read_text() == "untouched"
    assert victim.stat().st_uid == os.geteuid()
    assert not target.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    with tarfile.open(target) as made:
        assert ".env" in made.getnames()
    assert [path.name for path in folder.iterdir()] == [target.name]
