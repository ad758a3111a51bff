"""Which kinds of messages a recipient chose: `rooms digest`, or nothing, which means everything. Pure.

A choice is a text: words from `GROUPS` and single kinds, in alphabetical order, with a space between them.
"""

from difflib import get_close_matches
from functools import lru_cache

DIGEST = "digest"
GROUPS: dict[str, tuple[str, ...]] = {
    "rooms": (
        *("too_cold", "too_hot", "too_damp", "too_dry", "damp_risk", "near_dew_point"),
        *("above", "below"),
    ),
    "sensors": (
        *("silent", "battery_low", "weak_signal", "frozen", "jumps", "two_boards", "moved"),
        *("incomplete", "other_name", "new", "new_many"),
    ),
    "system": (
        *("all_silent", "store", "disk", "quarantine", "backup", "archive", "damaged"),
        *("limits_file", "mail", "clock"),
    ),
    DIGEST: (DIGEST,),
}
"""The kinds of notices by group; a kind that is in none belongs to `system`."""
_KINDS = {kind for kinds in GROUPS.values() for kind in kinds}
EVERYTHING = ""
ALLOWED = f"{', '.join(GROUPS)}, or single kinds: {', '.join(sorted(_KINDS - GROUPS.keys()))}"


class ChoiceError(ValueError):
    """Raised when a word is no kind of message; `hint` is its text without that word."""

    def __init__(self, word: str) -> None:
        """Name the word, what was probably meant, and what is allowed."""
        near = get_close_matches(word.lower(), [*GROUPS, *_KINDS], 1)
        self.hint = f"allowed are {ALLOWED}"
        meant = f"; did you mean {near[0]}?" if near else ""
        super().__init__(f"{word!r} is not a kind of message{meant}; {self.hint}")


def parse_choice(text: str) -> str:
    """Return the choice in a text such as `Rooms too-cold`, where capitals, commas and hyphens don't matter.

    Raises:
        ChoiceError: a word is not allowed.

    """
    words = set()
    for word in text.replace(",", " ").split():
        kind = word.lower().replace("-", "_")
        if kind not in GROUPS and kind not in _KINDS:
            raise ChoiceError(word)
        words.add(kind)
    return " ".join(sorted(words))


@lru_cache(maxsize=1_000)
def wants(choice: str, kind: str) -> bool:
    """Return whether a recipient with a choice gets messages of a kind."""
    words = choice.split()
    group = next((group for group, kinds in GROUPS.items() if kind in kinds), "system")
    return not words or kind in words or group in words


def in_words(name: str, choice: str) -> str:
    """Return the name of a recipient, with what it gets unless that is everything."""
    return f"{name} ({choice.replace(' ', ', ').replace('_', ' ')})" if choice else name
