import os
from datetime import timedelta
from pathlib import Path

import pytest

from ecc_listener import settings as module
from ecc_listener.commands import check
from ecc_listener.credentials import CredentialsError, read_mail, read_mqtt
from ecc_listener.settings import Settings, SettingsError, load, unknown_variables

PASSWORD = "hunter2,with comma"  # noqa: S105 - a test's


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start each test in an empty folder, with no setting from outside."""
    for name in os.environ:
        if name.startswith("ECC_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "SECRETS", tmp_path / "secrets")


def problems(listening: bool, **flags: object) -> list[str]:  # noqa: FBT001 - of a test
    with pytest.raises(SettingsError) as wrong:
        load(flags, listening=listening)
    return wrong.value.problems


def test_the_defaults_are_the_original_s() -> None:
    settings = load({})
    assert settings.log_file_path == Path("ECCMQTTIoT.log")
    assert settings.database_file_path == Path("ECCTempHum.sqlite3")
    assert settings.credentials_file_path == Path("ECCMQTTIoT_Credentials.txt")
    assert settings.gmail_credentials_file_path == Path("ECCMQTTIoT_GMail_Credentials.txt")
    assert settings.last_notice_file_path == Path("ECCMQTTIoT_Last_Notice.dat")
    assert settings.mqtt_broker == "127.0.0.1"
    assert settings.timer_check == timedelta(minutes=20)
    assert settings.last_notice_silence_time == timedelta(days=1)
    assert settings.max_log_archives == 9
    assert settings.archive_log_size == 1_073_741_824


def test_flags_win_over_the_environment_then_env_file_then_secrets_then_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load({}).mqtt_port == 1883
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "mqtt_port").write_text("1001\n")
    assert load({}).mqtt_port == 1001
    (tmp_path / ".env").write_text("ECC_MQTT_PORT=1002\n")
    assert load({}).mqtt_port == 1002
    monkeypatch.setenv("ECC_MQTT_PORT", "1003")
    assert load({}).mqtt_port == 1003
    assert load({"mqtt_port": "1004"}).mqtt_port == 1004


def test_the_credentials_are_a_docker_secret_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "mqtt_credentials").write_text("me,secret")
    assert load({}).credentials_file_path == tmp_path / "secrets" / "mqtt_credentials"
    assert load({"credentials_file_path": "other"}).credentials_file_path == Path("other")


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECC_TIMER_CHECK", "")
    assert load({}).timer_check == timedelta(minutes=20)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("timer_check", "0.05", timedelta(seconds=3)),
        ("timer_check", "PT2H", timedelta(hours=2)),
        ("archive_log_size", "500MB", 500_000_000),
        ("archive_log_size", "1GiB", 1 << 30),
        ("archive_log_size", "1073741824", 1 << 30),
        ("mqtt_topics", "a, b/+/c,d/#", ("a", "b/+/c", "d/#")),
        ("mqtt_topics", "#", ("#",)),
        ("mqtt_topics", "/a//b", ("/a//b",)),
        ("log_level", "debug", "DEBUG"),
    ],
)
def test_what_a_person_would_write_is_understood(name: str, text: str, value: object) -> None:
    assert getattr(load({name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("timer_check", "soon", "is not a number of minutes"),
        ("timer_check", "0", "greater than"),
        ("timer_check", "nan", "is not a number of minutes"),
        ("mqtt_port", "0", "greater than or equal to 1"),
        ("mqtt_port", "65536", "less than or equal to 65535"),
        ("mqtt_port", "x", "valid integer"),
        ("max_log_archives", "-1", "greater than or equal to 0"),
        ("archive_log_size", "big", "could not"),
        ("mqtt_topics", "a,b#", "'b#' is not a topic filter"),
        ("mqtt_topics", "a/#/b", "is not a topic filter"),
        ("mqtt_topics", "a+b", "is not a topic filter"),
        ("mqtt_topics", "a,,b", "'' is not a topic filter"),
        ("mqtt_broker", "mqtt://broker", "without mqtt://"),
        ("log_level", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("smtp_security", "none", "'tls' or 'starttls'"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(name: str, text: str, says: str) -> None:
    lines = problems(False, **{name: text})
    assert len(lines) == 1
    assert lines[0].startswith(f"{name}: ")
    assert says in lines[0]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "ECCMQTTIoT_Credentials.txt").write_text("nobody")
    lines = problems(True, mqtt_port="0", timer_check="x", log_file_path="/nowhere/log")
    assert sorted(line.partition(":")[0] for line in lines) == [
        "credentials_file_path",
        "log_file_path",
        "mqtt_port",
        "timer_check",
    ]


def test_the_listener_needs_folders_that_are_there() -> None:
    lines = problems(True, database_file_path="/nowhere/db", credentials_file_path="none")
    assert any("the folder /nowhere does not exist; create it" in line for line in lines)
    assert any("the file none does not exist; create it with username,password" in line for line in lines)


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("no certificate")
    lines = problems(True, mqtt_ca_file=tmp_path / "ca")
    assert any("is not a readable CA certificate" in line for line in lines)


def test_a_variable_that_is_no_setting_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ECC_TIMER_CHEK", "20")
    (tmp_path / ".env").write_text("ECC_MQTT_TOPIC=x\nPUID=1000\nECC_MQTT_PORT=1883\n")
    assert unknown_variables() == ["ECC_MQTT_TOPIC", "ECC_TIMER_CHEK"]


def test_settings_cannot_change_while_it_runs() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load({}).mqtt_port = 1


@pytest.mark.parametrize(
    "text", ["me,hunter2,with comma", " me , hunter2,with comma \r\n", "\ufeffme,hunter2,with comma\n"]
)
def test_white_space_and_line_ends_around_credentials_do_not_count(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    credentials = read_mqtt(tmp_path / "file")
    assert credentials.username == "me"
    assert credentials.password.get_secret_value() == PASSWORD
    assert "hunter2" not in repr(credentials)


@pytest.mark.parametrize(
    "data", [b"", b"me", b"me,", b",hunter2", b"\xff\xfe", b"me,hunter2\nyou,hunter2", bytes(20_000)]
)
def test_malformed_credentials_are_told_without_their_content(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(CredentialsError) as wrong:
        read_mqtt(tmp_path / "file")
    assert str(tmp_path / "file") in str(wrong.value)
    assert "username,password" in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def test_a_folder_in_place_of_the_credentials_is_told(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="can't be read: Is a directory"):
        read_mqtt(tmp_path)


def test_mail_credentials_are_the_original_s_four_fields(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(
        "me@example.org, abcd efgh ijkl mnop ,None,you@example.org; they@example.org\n"
    )
    mail = read_mail(tmp_path / "file")
    assert mail is not None
    assert mail.password.get_secret_value() == "abcdefghijklmnop"
    assert mail.local_host_name is None
    assert mail.destinations == ("you@example.org", "they@example.org")


def test_after_a_mail_address_may_stand_what_it_gets(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(
        "me@example.org,abcd,None,you@example.org;warden@example.org rooms digest; it@example.org  System"
    )
    mail = read_mail(tmp_path / "file")
    assert mail is not None
    assert mail.destinations == ("you@example.org", "warden@example.org", "it@example.org")
    assert mail.choices == {
        "you@example.org": "",
        "warden@example.org": "digest rooms",
        "it@example.org": "system",
    }


def test_a_kind_of_message_that_does_not_exist_is_a_problem_of_the_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mail").write_text("me@example.org,hunter2,None,you@example.org romms")
    flags: dict[str, object] = {"gmail_credentials_file_path": tmp_path / "mail"}
    assert check.main(flags, {}) == 2
    (line,) = (one for one in capsys.readouterr().out.splitlines() if "gmail" in one)
    assert "after an address, 'romms' is not a kind of message; did you mean rooms?" in line
    assert "allowed are rooms, sensors, system, digest" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("text", ["", " \n"])
def test_without_mail_credentials_mail_is_off(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    assert read_mail(tmp_path / "file") is None
    assert read_mail(tmp_path / "none") is None


@pytest.mark.parametrize(
    "text", ["me@example.org,hunter2", "me,hunter2,None,you@x", "a@b,hunter2,,", "a@b,,,c@d"]
)
def test_malformed_mail_credentials_are_told_without_their_content(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(CredentialsError) as wrong:
        read_mail(tmp_path / "file")
    assert "hunter2" not in str(wrong.value)


def test_every_setting_is_explained() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_a_secret_that_cannot_be_read_is_a_problem_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/mqtt_broker").write_text("broker")
    read = Path.read_text

    def refused(path: Path, *given: object, **more: object) -> str:
        # Root may read everything, so the tests can't make a file that it may not.
        if path.name == "mqtt_broker":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", refused)
    (said,) = problems(listening=True)
    assert said.startswith(f"{tmp_path}/secrets/mqtt_broker can't be read by user ")
    assert said.endswith("Permission denied; change its owner or its mode")
