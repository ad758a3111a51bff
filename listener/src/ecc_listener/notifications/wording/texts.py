"""Put a notice into words: what and where, the likely cause, what to do.

The sentences are in `texts.ini`, as Jinja templates; those of `own_texts` take their place. In them these
names are known:

- `where` (the location, or else the sensor's name), `name`, `location`, `since`, `lasted`, `limits_file`,
  `where_the_limit_is`, `age_of_backup`, `jump_lasted`; of a further number `field_name`, `field_value`,
  `field_limit`;
- every detail of the notice, such as `battery_percent`; `none` if it isn't known;
- the filters `whole` (a number without decimals), `temperature` and `difference` (from °F, in both units),
  `size` (from bytes), `counted("day")` ("1 day", "2 days") and `sentence` (capital first letter, full stop).

Whatever came from the network is shortened and made printable. Whoever shows a text as HTML has to escape it.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from datetime import UTC, tzinfo
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ecc_listener.local_time import duration
from ecc_listener.notifications.notice import DETAILS, Details, Entry, Notice, Words
from ecc_listener.notifications.wording.details import details
from ecc_listener.notifications.wording.phrases import (
    Context,
    clean,
    counted,
    difference,
    ordinal,
    sentence,
    size,
    temperature,
    whole,
)
from ecc_listener.readings.quantities import KNOWN, YES_NO

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_log = logging.getLogger(__name__)

_NOTHING_TO_DO = "Nothing needs to be done."
_LIMITS_FILE = "the limits file (data/db/ECCMQTTIoT_Limits.ini unless configured otherwise)"
_MANY = 3
_MAX_OWN = 1000
_EMPTY_PERCENT = 15
_WEAK_DBM = -85
_own: dict[str, dict[str, "Template"]] = {}
"""Templates that take the place of the built-in ones."""


class TextsError(ValueError):
    """Raised when a sentence is no template; its text says which one."""


def describe(notice: Notice, now_us: int, zone: tzinfo) -> Words:
    """Return the words of a notice, as it is at a time, in a time zone."""
    context = Context(notice, now_us, zone)
    name, values = section(notice), _values(context)
    headline, cause, advice = (_render(name, part, values) for part in ("headline", "cause", "advice"))
    rows = details(context)
    times = context.number("times")
    if times:
        rows = (*rows, ("How often", f"the {ordinal(times)} time recently; short ones are not reported"))
    return Words(headline, cause or None, advice or _NOTHING_TO_DO, rows)


def _render(name: str, part: str, values: Mapping[str, object]) -> str:
    """Return a sentence in one line; the built-in one if somebody's own fails, which must stop no notice."""
    if own := _own.get(name, {}).get(part):
        try:
            if shown := clean(" ".join(own.render(values).split()), _MAX_OWN):
                return shown
        except Exception as error:  # noqa: BLE001 - a template can raise anything
            _log.error("Your own text [%s] %s can't be used, so the built-in one is: %s", name, part, error)
            del _own[name][part]
    built_in = _templates()[name].get(part)
    return " ".join(built_in.render(values).split()) if built_in else ""


def replace(own: dict[str, dict[str, "Template"]]) -> None:
    """Let these templates take the place of the built-in ones; see `own_texts`."""
    _own.clear()
    _own.update(own)


def compile_own(text: str) -> "Template":
    """Return a template that somebody wrote, which can do nothing but fill in and choose words.

    Raises:
        TextsError: it has a mistake, or a name that isn't known.

    """
    from jinja2 import TemplateSyntaxError, meta  # noqa: PLC0415 - see _templates
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = _filled(ImmutableSandboxedEnvironment)
    environment.globals.clear()
    try:
        unknown = meta.find_undeclared_variables(environment.parse(text)) - _names()
        template = environment.from_string(text)
    except TemplateSyntaxError as error:
        raise TextsError(str(error.message)) from None
    if unknown:
        raise TextsError(
            f"{', '.join(sorted(unknown))}: not known here; allowed are {', '.join(sorted(_names()))}"
        )
    return template


def _names() -> set[str]:
    """Return the names that a sentence can have filled in."""
    return {*_values(Context(Notice(0, "new", "", None, 0, None, None, 0, {}), 0, UTC))}


def section(notice: Notice) -> str:
    """Return the section of `texts.ini` that fits a notice."""
    if notice.resolved_us is not None and (ended := f"{notice.kind} resolved") in _templates():
        return ended
    # An event has no end of its own: it is resolved as soon as it was sent.
    because = _cause(notice)
    return f"{notice.kind} because {because}" if because else notice.kind


def common_cause(entries: Sequence[Entry]) -> str | None:
    """Return what is probably behind all of it, if many problems of one kind begin at once."""
    new = Counter(one.notice.kind for one in entries if one.state == "new")
    silent, cold = new["silent"], new["too_cold"]
    if silent >= _MANY and silent == len(entries):
        return f"{silent} sensors silent at once: most likely their access point or its power is off."
    if cold >= _MANY and cold == len(entries):
        return f"{cold} rooms too cold at once: most likely the heating is off."
    return None


def _cause(notice: Notice) -> str | None:
    """Return the cause that the details of a notice point to, as `texts.ini` names it."""
    known = notice.details
    match notice.kind:
        case "silent":
            return _cause_of_silence(known)
        case "all_silent":
            fault = str(known.get("broker_fault") or "")
            if fault:
                return _cause_at_broker(fault)
            return None if known.get("sensors") else "no sensor has ever sent"
        case "moved" if known.get("old_place") == known.get("new_place"):
            return "the device was replaced"
        case _:
            return None


def _cause_of_silence(known: Details) -> str | None:
    percent, rssi_dbm = known.get("battery_percent"), known.get("rssi_dbm")
    if isinstance(percent, int | float) and percent <= _EMPTY_PERCENT:
        return "of its battery"
    if known.get("is_unavailable"):
        return "its bridge can't reach it"
    return "of its signal" if isinstance(rssi_dbm, int | float) and rssi_dbm <= _WEAK_DBM else None


def _cause_at_broker(fault: str) -> str:
    if "refuses user" in fault:
        return "the broker refuses the password"
    return "the broker refuses the listener" if "refuses" in fault else "the broker is unreachable"


def _values(context: Context) -> dict[str, object]:
    notice = context.notice
    newest_us = context.number("newest_us")
    known: dict[str, object] = {
        name: clean(value) if isinstance(value := notice.details.get(name), str) else context.number(name)
        for name in DETAILS
    }
    return (
        known
        | _of_field(context)
        | {
            "where": context.where,
            "name": context.name,
            "location": context.location,
            "since": context.hour(notice.since_us),
            "lasted": context.lasted,
            "limits_file": _LIMITS_FILE,
            "where_the_limit_is": f"You can change the limit in {_LIMITS_FILE}.",
            "age_of_backup": duration(context.now_us - int(newest_us)) if newest_us else "",
            # Of these the beginning is not enough.
            **{name: context.text(name) for name in ("broker_fault", "fault", "problems", "reason")},
            "jump_lasted": duration(int(abs(context.number("jump_s") or 0) * 1_000_000)),
        }
    )


def _of_field(context: Context) -> dict[str, object]:
    """Return the words for a further number that is beyond its limit."""
    field = context.text("field")
    quantity = KNOWN.get(field)
    unit = f" {quantity.unit}" if quantity and quantity.unit not in {"", YES_NO} else ""
    value, limit = context.number("value"), context.number("limit")
    return {
        "field_name": quantity.label if quantity else field or "a value",
        "field_value": "" if value is None else f", {value:,.6g}{unit}",
        "field_limit": "" if limit is None else f"The limit is {limit:,.6g}{unit}.",
    }


def check_sentences() -> str | None:
    """Return what is wrong with the file of the sentences, which people may edit; None if nothing is."""
    try:
        _templates()
    except (ConfigParserError, TextsError) as error:
        return f"notifications/wording/texts.ini: {' '.join(str(error).split())}"
    return None


@cache
def sentences() -> dict[str, dict[str, str]]:
    """Return the built-in sentences of each section, as they are in `texts.ini`."""
    parser = RawConfigParser(comment_prefixes=(";",), strict=True)
    parser.read_string(files(__package__).joinpath("texts.ini").read_text("utf-8"))
    return {name: dict(parser[name]) for name in parser.sections()}


def _filled(kind: "type[Environment]") -> "Environment":
    """Return an environment that knows what sentences use."""
    from jinja2 import StrictUndefined  # noqa: PLC0415 - see _templates

    environment = kind(undefined=StrictUndefined)  # plain text; HTML is escaped later
    environment.filters |= {
        "whole": whole,
        "temperature": temperature,
        "difference": difference,
        "size": size,
        "counted": counted,
        "sentence": sentence,
    }
    return environment


@cache
def _templates() -> dict[str, dict[str, "Template"]]:
    """Return the templates of each section: headline, cause, advice."""
    # Not before something is to be said: the listener rarely says anything, and Jinja takes memory.
    from jinja2 import Environment, TemplateSyntaxError  # noqa: PLC0415

    environment = _filled(Environment)
    found: dict[str, dict[str, Template]] = {}
    for name, parts in sentences().items():
        for part, text in parts.items():
            try:
                found.setdefault(name, {})[part] = environment.from_string(text)
            except TemplateSyntaxError as error:
                raise TextsError(f"[{name}] {part}: {error.message}") from None
    return found
