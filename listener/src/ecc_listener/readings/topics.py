"""A topic as a decoder sees it. Pure."""

from typing import NamedTuple

OWN_TOPIC = "ecc-listener"
"""Below it stands what this program publishes itself, which is never read as a sensor's."""


class Topic(NamedTuple):
    """The topic of a message."""

    levels: tuple[str, ...]
    base: int
    """How many levels the filter names before its first wildcard: the base topic of a bridge."""
    is_fahrenheit: bool = False
    """Whether temperatures without a unit are in °F."""

    @property
    def below(self) -> tuple[str, ...]:
        """The levels below the base, at least the last one."""
        return self.levels[min(self.base, len(self.levels) - 1) :]


def topic_of(name: str, topic_filter: str, *, is_fahrenheit: bool) -> Topic:
    """Return the topic with a name that a filter has let through."""
    literal = 0
    for level in topic_filter.split("/"):
        if level in {"+", "#"}:
            break
        literal += 1
    return Topic(tuple(name.split("/")), literal, is_fahrenheit)


def matches(topic_filter: str, name: str) -> bool:
    """Return whether a filter lets a topic through (MQTT 3.1.1, section 4.7)."""
    wanted, levels = topic_filter.split("/"), name.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in {"+", levels[place]}:
            return False
    return len(wanted) == len(levels)
