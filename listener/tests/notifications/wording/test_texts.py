import re
from zoneinfo import ZoneInfo

import pytest

from ecc_listener.notifications.message import compose
from ecc_listener.notifications.notice import KINDS, Details, Entry, Notice, Notification
from ecc_listener.notifications.wording.texts import (
    _templates,
    check_sentences,
    describe,
    section,
    sentences,
)

ZONE = ZoneInfo("Europe/Berlin")
MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
NOW_US = 1_795_500_000_000_000
VALUES: Details = {
    "temperature_f": 73.4,
    "humidity_percent": 39.2,
    "battery_percent": 93.5,
    "battery_v": 3.41,
    "rssi_dbm": -67,
}
FULL: dict[str, Details] = {
    "all_silent": {"broker_fault": None, "sensors": 20, "last_us": NOW_US - HOUR_US},
    "store": {"fault": "the disk is full"},
    "disk": {"free_bytes": 4e8, "folder": "/data", "days_left": 0.9},
    "silent": VALUES | {"interval_s": 600, "missing": 1},
    "too_cold": VALUES | {"limit": 80, "limit_of": "temperature_f"},
    "too_hot": VALUES | {"limit": 70, "limit_of": "temperature_f"},
    "too_damp": VALUES | {"limit": 30, "limit_of": "humidity_percent"},
    "too_dry": VALUES | {"limit": 50, "limit_of": "humidity_percent"},
    "damp_risk": VALUES | {"hours": 1, "limit": 30, "limit_of": "humidity_percent"},
    "near_dew_point": VALUES | {"spread_f": 4, "limit": 5, "limit_of": "spread_f"},
    "battery_low": VALUES | {"limit": 20, "limit_of": "battery_percent", "days_left": 1.2},
    "jumps": VALUES | {"before_f": 70, "after_f": 160},
    "weak_signal": VALUES | {"signal_dbm": -88.4, "limit": -85, "limit_of": "signal_dbm"},
    "two_boards": VALUES | {"macs": "AA and BB"},
    "moved": VALUES | {"old_place": "Office", "new_place": "Hall", "old_mac": "AA", "new_mac": "BB"},
    "quarantine": {"count": 21, "topic": "attic", "reason": "no field7"},
    "backup": {"newest_us": NOW_US - 3 * DAY_US},
    "archive": {"reason": "Another program has the database open."},
    "damaged": {"files": "ECCTempHum.damaged"},
    "limits_file": {"problems": "[Office] too clod: there is no such line", "file": "limits"},
    "mail": {"fault": "the password is wrong"},
    "clock": {"jump_s": -7200},
    "above": VALUES | {"field": "co2_ppm", "value": 1500.0, "limit": 1200.0},
    "below": VALUES | {"field": "field11", "value": 970.25, "limit": 980.0},
    "incomplete": VALUES | {"lacking": "battery charge", "reason": "field5 (battery charge) is missing"},
    "other_name": VALUES | {"reason": "the topic is that of ECCTH01, but the payload names ECCTH02"},
    "new_many": {"count": 1, "examples": "A, B, C"},
}
"""What the watch knows of each kind, with the numbers at which words go wrong."""
HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07\r\nBcc: all@example.org",
    "x" * 300,
    "\u202egnirts\u2066",
    "<script>alert(1)</script>",
    "",
]


def notice(kind: str, details: Details, *, is_over: bool = False, name: str = "ECCTH01") -> Notice:
    resolved_us = NOW_US if is_over else None
    is_stack = kind not in FULL or "temperature_f" not in FULL[kind]
    subject, location = (
        ("", None) if is_stack and kind not in {"frozen", "new"} else (name, name and "Office")
    )
    return Notice(1, kind, subject, location, NOW_US - DAY_US - 5 * MINUTE_US, resolved_us, None, 0, details)


def texts(one: Notice) -> str:
    words = describe(one, NOW_US, ZONE)
    return "\n".join([words.headline, words.cause or "", words.advice, *map(": ".join, words.details)])


def ends(kind: str) -> list[bool]:
    return [False] if KINDS[kind].is_event or kind == "new_many" else [False, True]


def test_every_kind_has_sentences_and_no_sentence_is_left_over() -> None:
    sections = _templates().keys()
    for kind in KINDS:
        assert kind in sections
        assert (f"{kind} resolved" in sections) is (ends(kind) == [False, True])
    assert {name.split()[0] for name in sections} == KINDS.keys()
    for name in sections:
        assert "headline" in _templates()[name]
        assert _templates()[name].keys() <= {"headline", "cause", "advice"}
    assert FULL.keys() | {"frozen", "new"} == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_known", [True, False])
def test_every_kind_says_what_and_where_and_the_next_step(kind: str, *, is_known: bool) -> None:
    said = set()
    for is_over in ends(kind):
        one = notice(kind, FULL.get(kind, VALUES) if is_known else {}, is_over=is_over)
        words = describe(one, NOW_US, ZONE)
        said.add(words.headline)
        assert 10 < len(words.headline) < 140
        assert words.advice.endswith((".", "restart", ")"))
        assert "None" not in texts(one)
        # No count of one with a plural, none without a number.
        assert not re.search(
            r"\b1 (days|hours|readings|sensors|names|messages|more new sensor names)\b", texts(one)
        )
        if one.subject:
            assert {"Office", "ECCTH01"} & {*re.findall(r"\w+", words.headline)}
            assert "ECCTH01" in texts(one)
    assert len(said) == len(ends(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", HOSTILE)
def test_what_comes_from_the_network_is_harmless(kind: str, text: str) -> None:
    details = {
        name: text if isinstance(value, str) else value for name, value in FULL.get(kind, VALUES).items()
    }
    one = notice(kind, details, name=text)._replace(location=text)
    words = describe(one, NOW_US, ZONE)
    shown = "".join([words.headline, words.cause or "", words.advice, *map("".join, words.details)])
    assert shown.isprintable()
    assert len(words.headline) < 250
    message = compose(Notification(NOW_US, (Entry(one, "new", words, None),), None), ZONE)
    assert message.subject.isprintable()
    assert len(message.subject) <= 140
    assert "<script" not in message.html


@pytest.mark.parametrize(
    ("details", "cause"),
    [
        ({"battery_percent": 4}, "The battery was at 4 %"),
        ({"battery_percent": 90, "rssi_dbm": -89}, "The signal was weak (-89 dBm)"),
        ({"battery_percent": 90, "rssi_dbm": -60}, "It stopped although battery and signal were good"),
    ],
)
def test_the_likely_cause_of_a_silence_comes_from_what_was_last_seen(details: Details, cause: str) -> None:
    assert cause in texts(notice("silent", VALUES | details))


@pytest.mark.parametrize(
    ("details", "headline"),
    [
        ({"broker_fault": "the broker refuses user sensor"}, "refuses the listener's password"),
        ({"broker_fault": "the broker refuses it"}, "the broker refuses the listener"),
        ({"broker_fault": "connection refused by the machine"}, "the broker can't be reached"),
        ({"sensors": 20}, "All sensors: no reading since"),
        ({"sensors": 0}, "No sensor has sent a reading yet"),
    ],
)
def test_why_nobody_is_heard_is_told_apart(details: Details, headline: str) -> None:
    assert headline in describe(notice("all_silent", details), NOW_US, ZONE).headline


@pytest.mark.parametrize(
    ("kind", "details", "headline"),
    [
        (
            "disk",
            {"free_bytes": 4e8, "days_left": 0.2},
            "The disk is almost full: 400 MB free, full in about 1 day",
        ),
        (
            "disk",
            {"free_bytes": 9e9, "days_left": 6.7},
            "The disk is almost full: 9.0 GB free, full in about 7 days",
        ),
        (
            "battery_low",
            {"battery_percent": 9, "days_left": 6.7},
            "Office: battery at 9 %, about 7 days left",
        ),
        (
            "battery_low",
            {"battery_percent": 4, "days_left": 0.3},
            "Office: battery at 4 %, less than a day left",
        ),
        ("battery_low", {"battery_percent": 4, "days_left": 1.2}, "Office: battery at 4 %, about 1 day left"),
        ("damp_risk", {"hours": 1}, "Office: damp for 1 hour, mould may grow"),
        ("backup", {"newest_us": NOW_US - 3 * DAY_US}, "No backup for 3 days"),
        ("backup", {"newest_us": None}, "There is no backup yet"),
        ("clock", {"jump_s": -7200}, "The clock was set back by 2 h"),
        ("clock", {"jump_s": 7200}, "The clock was set forward by 2 h"),
        ("new_many", {"count": 1}, "1 more new sensor name within a day"),
    ],
)
def test_numbers_are_said_as_people_say_them(kind: str, details: Details, headline: str) -> None:
    assert describe(notice(kind, details), NOW_US, ZONE).headline == headline


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_for_when_it_is_over(kind: str) -> None:
    for over in (notice(kind, FULL.get(kind, VALUES), is_over=True), notice(kind, {}, is_over=True)):
        assert describe(over, NOW_US, ZONE).headline


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("too_cold", "80.0 °F (26.7 °C)"),
        ("too_damp", "30 % humidity"),
        ("battery_low", "20 %"),
        ("weak_signal", "-85 dBm"),
    ],
)
def test_a_limit_is_told_in_its_unit(kind: str, limit: str) -> None:
    assert ("Limit", limit) in describe(notice(kind, FULL[kind]), NOW_US, ZONE).details


def test_every_cause_has_its_section() -> None:
    causes = [notice("moved", {"old_mac": "A", "new_mac": "B"})]
    causes += [notice("silent", VALUES | known) for known in ({"battery_percent": 4}, {"rssi_dbm": -89})]
    causes.append(notice("silent", VALUES | {"is_unavailable": 1}))
    faults = ("the broker refuses user sensor", "the broker refuses it", "connection refused by the machine")
    causes += [notice("all_silent", {"broker_fault": fault}) for fault in faults]
    causes.append(notice("all_silent", {"sensors": 0}))
    reached = {section(one) for one in causes}
    assert reached == {name for name in _templates() if " because " in name}
    for one in causes:
        assert describe(one, NOW_US, ZONE).cause or one.kind == "moved"


def test_a_recovery_says_how_long_it_lasted_and_what_is_missing() -> None:
    over = notice("silent", VALUES | {"missing": 19}, is_over=True)
    assert (
        describe(over, NOW_US, ZONE).headline
        == "Office: sending again after 1 day, about 19 readings missing"
    )
    one = over._replace(details=VALUES | {"missing": 1})
    assert (
        describe(one, NOW_US, ZONE).headline == "Office: sending again after 1 day, about 1 reading missing"
    )
    none = over._replace(details=VALUES | {"missing": 0})
    assert describe(none, NOW_US, ZONE).headline == "Office: sending again after 1 day"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("[x]\nheadline = {{ where }\n", "texts.ini: [x] headline: unexpected '}'"),
        ("[x]\nheadline = {% if %}\n", "texts.ini: [x] headline: "),
        ("headline = x\n", "texts.ini: File contains no section headers"),
    ],
)
def test_a_sentence_that_somebody_broke_is_named(
    monkeypatch: pytest.MonkeyPatch, broken: str, said: str
) -> None:
    assert check_sentences() is None

    class Folder:
        def joinpath(self, _name: str) -> "Folder":
            return self

        def read_text(self, _encoding: str) -> str:
            return broken

    monkeypatch.setattr("ecc_listener.notifications.wording.texts.files", lambda _package: Folder())
    _templates.cache_clear()
    sentences.cache_clear()
    try:
        assert said in str(check_sentences())
    finally:
        monkeypatch.undo()
        _templates.cache_clear()
        sentences.cache_clear()
