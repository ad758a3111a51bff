from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ecc_listener.commands import check
from ecc_listener.notifications.notice import Details, Notice, Words
from ecc_listener.notifications.wording import own_texts, texts
from ecc_listener.notifications.wording.texts import describe, sentences
from support.brokers import OFFICE, Mosquitto, until
from support.listeners import Listener
from support.mail_servers import MailServer

NOW_US = 1_795_500_000_000_000


@pytest.fixture(autouse=True)
def _ends_with_the_built_in_texts() -> Iterator[None]:
    yield
    texts.replace({})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / own_texts.NAME


def words(path: Path, kind: str = "too_cold", **details: float | str | None) -> Words:
    own_texts.use(path.with_name("limits.ini"))
    known: Details = {"temperature_f": 50.0, **details}
    return describe(Notice(1, kind, "ECCTH02", "Nave", NOW_US, None, None, 0, known), NOW_US, ZoneInfo("UTC"))


def test_what_to_do_is_what_somebody_has_written(path: Path) -> None:
    built_in = words(path)
    path.write_text(
        "[too_cold]\nadvice = Call the sexton about {{ where }}, {{ temperature_f | temperature }}.\n"
        '  The key is in room #2; {% if name == "ECCTH02" %}ring twice{% endif %}.\n'
    )
    found = words(path)
    assert found.advice == "Call the sexton about Nave, 50.0 °F (10.0 °C). The key is in room #2; ring twice."
    assert found._replace(advice="") == built_in._replace(advice="")
    path.unlink()
    assert words(path) == built_in


def test_headline_and_cause_can_be_set_also_where_there_is_none(path: Path) -> None:
    path.write_text("[too_cold]\nheadline = Brrr: {{ where }}\ncause = Somebody left the door open.\n")
    assert words(path)[:2] == ("Brrr: Nave", "Somebody left the door open.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[too_cold]\nadvice = Call {{ where\n", "[too_cold] advice: "),
        ("[too_cold]\nadvice = Call {{ were }}\n", "were: not known here; allowed are "),
        ("[too_cold]\nadvice = {{ where | upper_case }}\n", "upper_case"),
        ("[too_clod]\nadvice = Call\n", "[too_clod]: there is no such name; did you mean too_cold?"),
        ("[too_cold]\nadvise = Call\n", "[too_cold] advise: there is no such name; did you mean advice?"),
        ("advice = Call\n", "it can't be read: "),
        ("[too_cold]\nadvice = A\n[too_cold]\nadvice = B\n", "it can't be read: "),
        ("[too_cold]\nadvice = {{ range(9) }}\n", "range: not known here"),
    ],
)
def test_a_mistake_is_named_and_the_built_in_sentence_is_used(
    path: Path, text: str, said: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    built_in = words(path)
    path.write_text(text)
    assert words(path) == built_in
    assert said in caplog.text
    assert "the built-in sentence is used in its place" in caplog.text
    # It is a note, and prevents nothing.
    path.with_name("account").write_text("me,hunter2")
    flags = {name: path.with_name(name) for name in ("limits_file_path", "log_file_path")}
    assert check.main({**flags, "credentials_file_path": path.with_name("account")}, {}) == 0
    (note,) = (line for line in capsys.readouterr().out.splitlines() if own_texts.NAME in line)
    assert note.startswith("Note: ")
    assert said in note


@pytest.mark.parametrize("data", [b"\xff\xfe[too_cold]", b"\0" * 100])
def test_what_is_no_text_is_named(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert own_texts.read(path)[0] == {}
    assert own_texts.read(path)[1][0].startswith("it can't be read: ")


def test_a_folder_in_its_place_is_named(path: Path) -> None:
    path.mkdir()
    assert own_texts.read(path) == ({}, ["it can't be read: Is a directory"])


def test_a_sentence_that_fails_only_at_times_stops_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text("[battery_low]\nadvice = It lasts {{ 7 // days_left }} times a week.\n")
    assert words(path, "battery_low", days_left=2.0).advice == "It lasts 3.0 times a week."
    own_texts.use(path.with_name("limits.ini"))
    found = words(path, "battery_low", days_left=0.0).advice
    assert "battery" in found.lower()
    assert "[battery_low] advice can't be used" in caplog.text


def test_a_sentence_without_a_word_is_the_built_in_one(path: Path) -> None:
    built_in = words(path)
    path.write_text("[too_cold]\nheadline =\nadvice = {{ days_left and 'x' or '' }}\n")
    assert words(path) == built_in


def test_one_mistake_leaves_the_other_sentences_in_effect(path: Path) -> None:
    path.write_text("[too_hot]\nadvice = {{ x }}\n[too_cold]\nadvice = Call the sexton.\n")
    assert words(path).advice == "Call the sexton."


def test_the_file_is_created_with_all_advice_and_nothing_in_effect(path: Path) -> None:
    built_in = words(path)
    own_texts.use(path.with_name("limits.ini"), is_created=True)
    assert own_texts.read(path) == ({}, [])
    assert words(path) == built_in
    # Uncommented as it is, it says what is built in.
    lines = path.read_text("utf-8").partition("corrected.\n")[2].splitlines()
    path.write_text("\n".join(line.removeprefix("#") for line in lines))
    found, problems = own_texts.read(path)
    assert problems == []
    assert found.keys() == {name for name, parts in sentences().items() if "advice" in parts}
    assert words(path) == built_in


def test_a_file_that_is_there_is_left_alone(path: Path) -> None:
    path.write_text("; mine\n")
    own_texts.use(path.with_name("limits.ini"), is_created=True)
    assert path.read_text() == "; mine\n"


def test_the_listener_runs_with_a_broken_file_and_takes_the_next_one_at_a_restart(
    tmp_path: Path, broker: Mosquitto, server: MailServer
) -> None:
    folder = tmp_path / "listener"
    folder.mkdir()
    (folder / "limits.ini").write_text("[Office]\ntoo hot = 50 F for 0 min\n")
    listener = Listener(
        folder, broker.port, limits_file_path=folder / "limits.ini", timer_check="0.02", **server.settings()
    )
    own = folder / own_texts.NAME
    own.write_text("[too_hot\nadvice = Call the sexton.\n")
    listener.start()
    assert "the built-in sentence is used in its place" in listener.log()
    try:
        broker.publish(OFFICE)
        listener.wait_for(1)
        until(lambda: any("too hot" in one for one in server.subjects()), 30)
        assert not any("Call the sexton" in text_of(mail) for _, mail in server.mails)
        listener.stop()
        own.write_text("[all_silent]\nadvice = Call the sexton.\n")
        listener.start()
        until(lambda: any("Call the sexton" in text_of(mail) for _, mail in server.mails), 30)
    finally:
        listener.end()


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    text: str = body.get_content()
    return text
