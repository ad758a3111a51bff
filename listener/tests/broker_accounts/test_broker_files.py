"""The broker's password file and access rules."""

from pathlib import Path

import pytest

from ecc_listener.broker_accounts import broker_files

OLD_ACL = "user listener\ntopic read #\n\nuser sensor\ntopic write ECCTempHum\n"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Give `secrets` with two accounts, and `mosquitto` as the version before left it."""
    secrets, mosquitto = tmp_path / "secrets", tmp_path / "mosquitto"
    secrets.mkdir()
    (mosquitto / "conf.d").mkdir(parents=True)
    (mosquitto / "acl").write_text(OLD_ACL)
    (secrets / "mqtt_credentials").write_text("\ufefflistener , a word\r\n")
    (secrets / "sensor_credentials").write_text("sensor,secret,with a comma")
    (secrets / "gmail_credentials").write_text("not an account of the broker")
    return secrets, mosquitto


def written(folders: tuple[Path, Path], *topics: str) -> str:
    secrets, mosquitto = folders
    accounts, problems = broker_files.read_accounts(secrets)
    assert problems == []
    broker_files.write_passwords(secrets, accounts.values())
    broker_files.write_rules(secrets, mosquitto, accounts, topics)
    return (secrets / broker_files.RULES).read_text()


def test_each_account_has_a_password_and_its_rules(folders: tuple[Path, Path]) -> None:
    rules = written(folders, "ECCTempHum", "zigbee2mqtt/+=zigbee2mqtt")
    assert "user listener\ntopic readwrite #\n" in rules
    assert "user sensor\ntopic write ECCTempHum\ntopic write zigbee2mqtt/+\n" in rules
    assert "pattern write ECCTempHum/%u\n" in rules
    names = [line.partition(":")[0] for line in (folders[0] / "mosquitto_passwd").read_text().splitlines()]
    assert names == ["listener", "sensor"]


def test_the_account_of_one_sensor_publishes_under_its_own_name_only(folders: tuple[Path, Path]) -> None:
    (folders[0] / "sensor_Küche oben_credentials").write_text("Küche oben,word")
    (folders[0] / "hall_credentials").write_text("hall,word")
    shared = ("ECCTempHum", "tele/+/SENSOR", "shellies/#", "+/sensor/+/state")
    rules = written(folders, "ECCTempHum/+=own", "attic/+=own", *shared)
    assert "pattern write ECCTempHum/%u\npattern write attic/%u\n\n" in rules
    own = ("ECCTempHum", "tele/Küche oben/SENSOR", "shellies/Küche oben/#", "Küche oben/sensor/+/state")
    assert "user Küche oben\n" + "".join(f"topic write {topic}\n" for topic in own) in rules
    for name in ("sensor", "hall"):
        assert f"user {name}\n" + "".join(f"topic write {topic}\n" for topic in shared) in rules
    # Without the format "own", a topic with a wildcard stays what it was for those who share an account.
    rules = written(folders, "ECCTempHum/+")
    assert "user hall\ntopic write ECCTempHum\ntopic write ECCTempHum/+\n" in rules
    assert "user Küche oben\ntopic write ECCTempHum\ntopic write ECCTempHum/Küche oben\n" in rules


def test_an_account_that_is_only_in_the_password_file_publishes_like_the_shared_one(
    folders: tuple[Path, Path],
) -> None:
    secrets, mosquitto = folders
    (secrets / "mosquitto_passwd").write_text("fleet:$6$a$b\nreader:$6$a$b\n")
    (mosquitto / "conf.d/own.acl").write_text("user  reader\ntopic read #")
    rules = written(folders, "ECCTempHum")
    assert "user fleet\ntopic write ECCTempHum\n" in rules
    assert "user reader\ntopic write" not in rules


def test_a_password_line_changes_only_with_its_password(folders: tuple[Path, Path]) -> None:
    passwords = folders[0] / "mosquitto_passwd"
    passwords.write_text("other:$7$101$abc$def\n")
    written(folders)
    before = passwords.read_text()
    assert before.startswith("other:$7$101$abc$def\nlistener:$7$1009$")
    written(folders)
    assert passwords.read_text() == before
    (folders[0] / "sensor_credentials").write_text("sensor,another word")
    written(folders)
    assert passwords.read_text().splitlines()[:2] == before.splitlines()[:2]
    assert passwords.read_text() != before


def test_an_account_that_listener_and_sensors_share_may_do_everything(folders: tuple[Path, Path]) -> None:
    (folders[0] / "sensor_credentials").write_text("listener,a word")
    rules = written(folders, "ECCTempHum")
    assert rules.count("user ") == 1
    assert "user listener\ntopic readwrite #\n" in rules


def test_own_rules_are_kept_and_those_of_the_version_before_are_taken_over_once(
    folders: tuple[Path, Path],
) -> None:
    _, mosquitto = folders
    (mosquitto / "conf.d/own.acl").write_text("user reader\ntopic read #")
    added = (
        "\nuser ECCTH07\ntopic write ECCTempHum\n\nuser bridge\ntopic readwrite homes/#\npattern read x/%u\n"
    )
    (mosquitto / "acl").write_text(OLD_ACL.replace("topic read #", "topic read #\ntopic write alarm") + added)
    (folders[0] / "sensor_ECCTH07_credentials").write_text("ECCTH07,word")
    rules = written(folders)
    taken = (mosquitto / "conf.d/taken-over.acl").read_text()
    assert "user listener\ntopic write alarm" in taken
    assert "user bridge\ntopic readwrite homes/#" in taken
    assert "pattern read x/%u" in taken
    assert "ECCTH07" not in taken
    assert "user reader\ntopic read #" in rules
    assert "user bridge\ntopic readwrite homes/#" in rules
    (mosquitto / "conf.d/taken-over.acl").write_text("")
    assert "bridge" not in written(folders)


@pytest.mark.parametrize("name", ["+", "a+b", "hall#"])
def test_a_sensor_s_account_can_not_have_a_name_that_stands_for_others(
    folders: tuple[Path, Path], name: str
) -> None:
    (folders[0] / f"sensor_{name}_credentials").write_text(f"{name},word")
    _, (said,) = broker_files.read_accounts(folders[0])
    assert said == f"secrets/sensor_{name}_credentials: the name of a sensor must not contain + # or /"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name", "must have the form username,password"),
        ("a:b,word", "must not have a colon"),
        ("#x,word", "must not have a colon or begin with #"),
        ("", "must have the form username,password"),
    ],
)
def test_an_account_that_no_broker_can_have_is_named(
    folders: tuple[Path, Path], text: str, problem: str
) -> None:
    (folders[0] / "sensor_x_credentials").write_text(text)
    _, (said,) = broker_files.read_accounts(folders[0])
    assert said.startswith("secrets/sensor_x_credentials")
    assert problem in said
