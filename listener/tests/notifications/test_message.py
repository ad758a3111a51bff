import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ecc_listener.notifications.message import Message, compose
from ecc_listener.notifications.notice import Entry, Notice, Notification, Words

ZONE = ZoneInfo("America/New_York")
AT_US = int(datetime(2026, 11, 24, 19, 45, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000


def entry(location: str = "Office", **changes: Any) -> Entry:  # noqa: ANN401 - of three types
    details = (("Last reading", "68.2 °F (20.1 °C), 41 %"), ("Battery", "4 %"), ("Signal", "-67 dBm"))
    cause, advice = "The battery was at 4 %.", "Put new batteries into the sensor."
    words = Words(f"{location}: no reading since 14:20", cause, advice, details)
    notice = Notice(1, "silent", "ECCTH01", location, AT_US - 25 * MINUTE_US, None, None, 0, {})
    made = Entry(notice, "new", words, AT_US + DAY_US)
    for name, value in changes.items():
        if name in Words._fields:
            made = made._replace(words=made.words._replace(**{name: value}))
        elif name in Notice._fields:
            made = made._replace(notice=made.notice._replace(**{name: value}))
        else:
            made = made._replace(**{name: value})
    return made


def written(*entries: Entry, cause: str | None = None) -> Message:
    return compose(Notification(AT_US, entries, cause), ZONE)


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_one_thing_is_told_whole() -> None:
    message = written(entry())
    assert message.subject == "Office: no reading since 14:20"
    text = flat(message.plain)
    for words in (
        "Since 14:20 EST (25 min ago)",
        "Last reading 68.2 °F (20.1 °C), 41 %",
        "Battery 4 %",
        "Likely cause The battery was at 4 %.",
        "What to do Put new batteries into the sensor.",
        "The next message comes when it is resolved, or as a reminder on Wed 25 Nov, 14:45 EST.",
        "Sent by the ECC listener on Tue 24 Nov 2026, 14:45 EST.",
    ):
        assert words in text
    assert max(len(line) for line in message.plain.splitlines()) <= 76


def test_its_end_says_how_long_it_was_and_announces_no_more_mail() -> None:
    headline = "Office: recovered after 3 h 10 min, about 19 readings missing"
    over = entry(
        state="resolved", headline=headline, since_us=AT_US - 190 * MINUTE_US, resolved_us=AT_US, next_us=None
    )
    message = written(over)
    assert message.subject == f"Resolved: {headline}"
    assert "(for 3 h 10 min)" in flat(message.plain)
    assert "next message" not in message.plain


def test_a_reminder_says_so() -> None:
    message = written(entry(state="reminder", times_sent=1, since_us=AT_US - 2 * DAY_US - 4 * HOUR_US))
    assert message.subject == "Reminder: Office: no reading since 14:20"
    assert "Sun 22 Nov, 10:45 EST (2 days 4 h ago)" in flat(message.plain)
    assert "2 times, including this message" in flat(message.plain)


def test_what_has_a_common_cause_has_it_in_the_subject() -> None:
    cause = "3 sensors silent since 14:20, most likely the access point"
    message = written(entry("Office"), entry("Nave"), entry("Crypt"), cause=cause)
    assert message.subject == cause
    assert all(location in message.plain for location in ("Office", "Nave", "Crypt"))


def test_several_things_without_one_are_counted() -> None:
    message = written(entry("Office"), entry("Nave", state="resolved"), entry("Crypt", state="reminder"))
    assert message.subject == "Office: no reading since 14:20, and 2 more"
    assert "This message has 3 notices: 1 new, 1 still open, 1 resolved." in message.plain


def test_a_common_cause_is_told_once_with_what_to_do_and_a_line_for_each() -> None:
    cause = "25 sensors silent at once: most likely their access point or its power is off."
    message = written(
        *(entry(f"Room {number}", advice=f"Put new batteries into {number}.") for number in range(25)),
        cause=cause,
    )
    assert message.subject == cause.rstrip(".")
    text = flat(message.plain)
    assert "Since 14:20 EST (25 min ago)" in text
    assert text.count("Check whether the access point has power") == 1
    assert "batteries" not in text
    assert "Room 24: no reading since 14:20 4 % -67 dBm" in text
    assert len(message.plain.splitlines()) < 45
    assert max(len(line) for line in message.plain.splitlines()) <= 78


def test_of_very_many_things_the_gravest_is_told_whole() -> None:
    message = written(*(entry(f"Room {number}", details=()) for number in range(1000)))
    assert "Put new batteries" in message.plain
    assert message.plain.count("Likely cause") == 1
    assert "Room 50: no reading since 14:20 14:20 EST" in flat(message.plain)
    assert "Room 51:" not in message.plain
    assert "949 more; the page and `make status` show them" in flat(message.plain)
    assert len(message.html) < 30_000


def test_what_only_happened_announces_no_end() -> None:
    message = written(entry(kind="new", headline="New sensor ECCTH07 in Crypt"))
    assert "When" in message.plain
    assert "Since" not in message.plain
    assert "next message" not in message.plain


def test_a_fact_without_a_value_leaves_no_empty_line() -> None:
    assert "Folder" not in written(entry(details=(("Folder", ""), ("Free", "1 MB")))).plain


def test_times_follow_daylight_saving_and_show_the_zone() -> None:
    july_us = int(datetime(2026, 7, 1, 12, 0, tzinfo=UTC).timestamp()) * 1_000_000
    assert "Wed 1 Jul, 08:00 EDT" in written(entry(since_us=july_us)).plain


def test_hostile_names_are_only_text() -> None:
    name = "<script>alert(1)</script>\r\nBcc: all@example.org\u202e" + "x" * 500
    message = written(entry(name, headline=f"{name}: no reading"), entry(name))
    assert "\n" not in message.subject
    assert "\r" not in message.subject
    assert len(message.subject) <= 140
    assert "<script" not in message.html
    assert "\nBcc" not in message.plain
    assert "\u202e" not in message.plain + message.html + message.subject


def test_the_html_loads_nothing_and_has_no_sheet_of_styles() -> None:
    message = written(entry())
    assert not re.search(r"<style|<link|<script|https?:|src=", message.html)
    assert "color-scheme" in message.html
