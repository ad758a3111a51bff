import pytest

from ecc_listener.notifications.notice import KINDS
from ecc_listener.recipients import DIGEST, GROUPS, ChoiceError, in_words, parse_choice, wants


def test_every_kind_of_notice_belongs_to_one_group() -> None:
    kinds = [kind for kinds in GROUPS.values() for kind in kinds]
    assert sorted(kinds) == sorted({*KINDS, DIGEST})


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("", ""),
        ("rooms", "rooms"),
        (" Rooms, DIGEST ", "digest rooms"),
        ("too-cold too_damp too-cold", "too_cold too_damp"),
    ],
)
def test_a_choice_is_read_as_people_write_it(text: str, choice: str) -> None:
    assert parse_choice(text) == choice


def test_what_is_no_kind_is_named_with_what_was_meant_and_what_is_allowed() -> None:
    with pytest.raises(ChoiceError) as wrong:
        parse_choice("rooms sistem")
    assert str(wrong.value).startswith(
        "'sistem' is not a kind of message; did you mean system?; allowed are rooms, sensors, system, digest"
    )
    assert "near_dew_point" in str(wrong.value)


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("", {"too_cold", "silent", "store", "digest", "of_tomorrow"}),
        ("rooms", {"too_cold"}),
        ("sensors", {"silent"}),
        # A kind that has no group yet is never lost: it is the system's.
        ("system", {"store", "of_tomorrow"}),
        ("digest too_cold", {"too_cold", "digest"}),
        ("too_damp", set()),
    ],
)
def test_a_recipient_gets_what_it_chose(choice: str, wanted: set[str]) -> None:
    kinds = ("too_cold", "silent", "store", "digest", "of_tomorrow")
    assert {kind for kind in kinds if wants(choice, kind)} == wanted


def test_a_recipient_is_shown_with_its_choice() -> None:
    assert in_words("you@example.org", "digest too_cold") == "you@example.org (digest, too cold)"
    assert in_words("you@example.org", "") == "you@example.org"
