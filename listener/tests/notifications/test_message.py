import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ecc_listener.notifications.message import Letter, compose
from ecc_listener.notifications.notice import Notice, Occasion, Telling, Words

ZONE = ZoneInfo("America/New_York")
AT_US = int(datetime(2026, 11, 24, 19, 45, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000


def telling(place: str = "Office", **changes: Any) -> Telling:  # noqa: ANN401 - of three types
    facts = (("Last reading", "68.2 °F (20.1 °C), 41 %"), ("Battery", "4 %"), ("Signal", "-67 dBm"))
    cause, advice = "The battery was at 4 %.", "Put new batteries into the sensor."
    words = Words(f"{place}: no reading since 14:20", cause, advice, facts)
    notice = Notice(1, "silent", "ECCTH01", place, AT_US - 25 * MINUTE_US, None, None, 0, {})
    made = Telling(notice, "new", words, AT_US + DAY_US)
    for name, value in changes.items():
        if name in Words._fields:
            made = made._replace(words=made.words._replace(**{name: value}))
        elif name in Notice._fields:
            made = made._replace(notice=made.notice._replace(**{name: value}))
        else:
            made = made._replace(**{name: value})
    return made


def written(*tellings: Telling, cause: str | None = None) -> Letter:
    return compose(Occasion(AT_US, tellings, cause), ZONE)


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_one_thing_is_told_whole() -> None:
    letter = written(telling())
    assert letter.subject == "Office: no reading since 14:20"
    text = flat(letter.plain)
    for words in (
        "Since 14:20 EST (25 min ago)",
        "Last reading 68.2 °F (20.1 °C), 41 %",
        "Battery 4 %",
        "Likely cause The battery was at 4 %.",
        "What to do Put new batteries into the sensor.",
        "The next mail comes when it is over, or as a reminder on Wed 25 Nov, 14:45 EST if it goes on.",
        "Written by the ECC listener on Tue 24 Nov 2026, 14:45 EST.",
    ):
        assert words in text
    assert max(len(line) for line in letter.plain.splitlines()) <= 76


def test_its_end_says_how_long_it_was_and_announces_no_more_mail() -> None:
    headline = "Office: recovered after 3 h 10 min, about 19 readings missing"
    over = telling(
        state="over", headline=headline, since_us=AT_US - 190 * MINUTE_US, over_us=AT_US, next_us=None
    )
    letter = written(over)
    assert letter.subject == headline
    assert "it lasted 3 h 10 min" in flat(letter.plain)
    assert "next mail" not in letter.plain


def test_a_reminder_says_so() -> None:
    letter = written(telling(state="still", times_told=1, since_us=AT_US - 2 * DAY_US - 4 * HOUR_US))
    assert letter.subject == "Still: Office: no reading since 14:20"
    assert "Sun 22 Nov, 10:45 EST (2 days 4 h ago)" in flat(letter.plain)
    assert "2 times, this one included" in flat(letter.plain)


def test_what_has_a_common_cause_has_it_in_the_subject() -> None:
    cause = "3 sensors silent since 14:20, most likely the access point"
    letter = written(telling("Office"), telling("Nave"), telling("Crypt"), cause=cause)
    assert letter.subject == cause
    assert all(place in letter.plain for place in ("Office", "Nave", "Crypt"))


def test_several_things_without_one_are_counted() -> None:
    letter = written(telling("Office"), telling("Nave", state="over"), telling("Crypt", state="still"))
    assert letter.subject == "Office: no reading since 14:20, and 2 more"
    assert "3 things in one mail: 1 began, 1 still on, 1 over." in letter.plain


def test_a_common_cause_is_told_once_with_what_to_do_and_a_line_for_each() -> None:
    cause = "25 sensors silent at once: most likely their access point or its power is off."
    letter = written(
        *(telling(f"Room {number}", advice=f"Put new batteries into {number}.") for number in range(25)),
        cause=cause,
    )
    assert letter.subject == cause.rstrip(".")
    text = flat(letter.plain)
    assert "Since 14:20 EST (25 min ago)" in text
    assert text.count("See whether the access point has power") == 1
    assert "batteries" not in text
    assert "Room 24: no reading since 14:20 4 % -67 dBm" in text
    assert len(letter.plain.splitlines()) < 45
    assert max(len(line) for line in letter.plain.splitlines()) <= 78


def test_of_very_many_things_the_gravest_is_told_whole() -> None:
    letter = written(*(telling(f"Room {number}", facts=()) for number in range(1000)))
    assert "Put new batteries" in letter.plain
    assert letter.plain.count("Likely cause") == 1
    assert "Room 50: no reading since 14:20 14:20 EST" in flat(letter.plain)
    assert "Room 51:" not in letter.plain
    assert "949 more, which page and status show" in flat(letter.plain)
    assert len(letter.html) < 30_000


def test_what_only_happened_announces_no_end() -> None:
    letter = written(telling(kind="new", headline="New sensor ECCTH07 in Crypt"))
    assert "When" in letter.plain
    assert "Since" not in letter.plain
    assert "next mail" not in letter.plain


def test_a_fact_without_a_value_leaves_no_empty_line() -> None:
    assert "Folder" not in written(telling(facts=(("Folder", ""), ("Free", "1 MB")))).plain


def test_times_follow_daylight_saving_and_show_the_zone() -> None:
    july_us = int(datetime(2026, 7, 1, 12, 0, tzinfo=UTC).timestamp()) * 1_000_000
    assert "Wed 1 Jul, 08:00 EDT" in written(telling(since_us=july_us)).plain


def test_hostile_names_are_only_text() -> None:
    name = "<script>alert(1)</script>\r\nBcc: all@example.org\u202e" + "x" * 500
    letter = written(telling(name, headline=f"{name}: no reading"), telling(name))
    assert "\n" not in letter.subject
    assert "\r" not in letter.subject
    assert len(letter.subject) <= 140
    assert "<script" not in letter.html
    assert "\nBcc" not in letter.plain
    assert "\u202e" not in letter.plain + letter.html + letter.subject


def test_the_html_loads_nothing_and_has_no_sheet_of_styles() -> None:
    letter = written(telling())
    assert not re.search(r"<style|<link|<script|https?:|src=", letter.html)
    assert "color-scheme" in letter.html
