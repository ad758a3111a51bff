"""The lines of the broker's password file."""

import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from ecc_listener.broker_accounts import password_file
from ecc_listener.credentials import Credentials

SALT, LONG_SALT, DIGEST = "A" * 16, "A" * 86 + "==", "A" * 86 + "=="
SIX = f"$6${SALT}${DIGEST}"


def account(name: str, word: str = "a word") -> Credentials:
    return Credentials(name, SecretStr(word))


def test_a_line_is_that_of_its_password_only() -> None:
    name, _, stored = password_file.hash_line(account("Küche", "pass,word ü")).partition(":")
    assert name == "Küche"
    assert password_file.verify(account("x", "pass,word ü"), stored) is True
    assert password_file.verify(account("x", "another"), stored) is False


def test_a_line_of_mosquitto_passwd_is_understood(tmp_path: Path) -> None:
    file = tmp_path / "mosquitto_passwd"
    subprocess.run(["mosquitto_passwd", "-b", "-c", file, "fleet", "a word"], check=True, capture_output=True)
    (line,) = password_file.read_lines(tmp_path)
    assert password_file.verify(account("fleet"), line.partition(":")[2]) is True
    assert password_file.verify(account("fleet", "no"), line.partition(":")[2]) is False
    assert password_file.own_names([line]) == ["fleet"]
    # Its line stays, since it fits.
    assert password_file.update([line], [account("fleet")]) == [line]


def test_the_tool_of_mosquitto_can_work_on_what_is_written_here(tmp_path: Path) -> None:
    file = tmp_path / "mosquitto_passwd"
    file.write_text(password_file.hash_line(account("listener")) + "\n")
    file.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-b", file, "fleet", "a word"], check=True, capture_output=True)
    lines = password_file.read_lines(tmp_path)
    assert len(lines) == 2
    assert password_file.own_names(lines) == ["fleet"]
    assert password_file.find_problems(lines, {"mqtt_credentials": account("listener")}) == []


def test_only_the_lines_of_removed_accounts_go() -> None:
    foreign = [
        "# old broker",
        f"fleet:{SIX}",
        f"new:$7$1000${LONG_SALT}${DIGEST}",
        "third:$argon2id$v=19$x$y",
    ]
    written = [password_file.hash_line(account(name)) for name in ("ECCTH05", "ECCTH06")]
    updated = password_file.update([written[0], *foreign, written[1]], [account("ECCTH06")])
    assert updated == [*foreign, written[1]]


def test_a_line_of_an_earlier_version_follows_its_account_and_is_marked_from_then_on() -> None:
    before = password_file.hash_line(account("sensor", "old")).replace("$1009$", "$1000$")
    problems = password_file.find_problems([before], {"sensor_credentials": account("sensor", "new")})
    (after,) = password_file.update([before], [account("sensor", "new")])
    assert problems == []
    assert after.startswith("sensor:$7$1009$")
    assert password_file.update([after], []) == []


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["fleet:$6$YWJj$" + DIGEST], "line 1 is not user:hash"),
        (["fleet:$7$x$" + SALT + "$" + DIGEST], "line 1 is not user:hash"),
        (["fleet:$6$" + SALT + "$YWJj"], "line 1 is not user:hash"),
        (["fleet:$6$???$" + DIGEST], "line 1 is not user:hash"),
        (["fleet:plain"], "line 1 is not user:hash with a whole hash that begins with $6$, $7$, $argon2id$"),
        (["# comment", "fleet"], "line 2 is not user:hash"),
        ([f":{SIX}"], "line 1 is not user:hash"),
        ([f"fleet:{SIX}", f"fleet:{SIX}"], "line 2 is the second one of user fleet"),
        (
            [f"sensor:{SIX}"],
            "line 1 gives user sensor another password than secrets/sensor_credentials: write the right",
        ),
    ],
)
def test_what_the_broker_would_stop_at_is_named(lines: list[str], problem: str) -> None:
    (said,) = password_file.find_problems(lines, {"sensor_credentials": account("sensor", "a secret word")})
    assert said.startswith("secrets/mosquitto_passwd, line ")
    assert problem in said
    assert "a secret word" not in said


def test_a_hash_that_is_not_known_here_is_left_to_the_broker() -> None:
    lines = ["sensor:$argon2id$v=19$x$y"]
    assert password_file.find_problems(lines, {"sensor_credentials": account("sensor")}) == []
    assert password_file.update(lines, [account("sensor")]) == lines
