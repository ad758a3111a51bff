from zoneinfo import ZoneInfo

from ecc_listener.notifications.outbox import ChannelState
from ecc_listener.notifications.status import OFF, mail_fault, mail_state

ZONE = ZoneInfo("Europe/Berlin")
NOW_US = 1_795_500_000_000_000  # 2026-11-24 06:00 UTC
HOUR_US = 3_600_000_000
GOOD = ChannelState("you@x", 0, NOW_US - HOUR_US, None, None)
BAD = ChannelState("they@x", 2, None, NOW_US - 30 * HOUR_US, "the server is down. Next step: wait")


def test_without_ways_it_says_how_to_turn_it_on() -> None:
    assert mail_state([], NOW_US, ZONE) == OFF
    assert "secrets/README.md" in OFF


def test_what_works_says_when_it_last_did() -> None:
    assert mail_state([GOOD], NOW_US, ZONE) == "to you@x; last sent 06:00 CET"
    assert mail_state([GOOD._replace(last_sent_us=None)], NOW_US, ZONE) == "to you@x; nothing sent yet"
    assert mail_fault([GOOD], NOW_US, ZONE) is None


def test_what_fails_comes_first_and_a_common_fault_is_told_once() -> None:
    both = [BAD, GOOD, BAD._replace(channel="she@x", waiting=1)]
    said = mail_state(both, NOW_US, ZONE)
    assert said == (
        "fails to they@x, she@x since Mon 23 Nov, 01:00 CET, 2 messages are waiting: "
        "the server is down. Next step: wait; to you@x; last sent 06:00 CET"
    )


def test_what_fails_while_nothing_waits_counts_nothing() -> None:
    said = mail_fault([BAD._replace(waiting=0)], NOW_US, ZONE)
    assert said == "fails to they@x since Mon 23 Nov, 01:00 CET: the server is down. Next step: wait"
