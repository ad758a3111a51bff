"""A volunteer's own sentences, in place of those of `texts.ini`; read at the start of a program.

They are in a file beside the limits file, which is created with all advice, commented out. Whatever is wrong
in it is named, and the built-in sentence is used in its place: no sentence may stop a notice.
"""

import logging
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from ecc_listener.notifications.wording import texts

if TYPE_CHECKING:
    from jinja2 import Template

_log = logging.getLogger(__name__)

NAME = "ECCMQTTIoT_Texts.ini"
PARTS = ("headline", "cause", "advice")
_MAX_BYTES = 200_000
_MAX_PROBLEMS = 5
_HEAD = """\
# Your own sentences for mails, the page and make status, in place of the built-in ones.
#
# To change what a mail says under "What to do", remove the # before a section in brackets and before the
# lines of its advice, and edit them. "headline" and "cause" can be set in the same way. What is in {{ }} is
# filled in; leave it as it is, or leave it out. A line that begins with spaces continues the line above it.
#
# Then run: make restart
# It names what is wrong in this file; the built-in sentence is used there until it is corrected.
"""


def path_beside(limits_file: Path) -> Path:
    """Return where the file lies."""
    return limits_file.with_name(NAME)


def use(limits_file: Path, *, is_created: bool = False) -> None:
    """Let all texts have the own sentences from now on; log what is wrong in them."""
    path = path_beside(limits_file)
    if is_created and not path.exists():
        with suppress(OSError):
            path.write_text(example(), encoding="utf-8")
    templates, problems = read(path)
    texts.replace(templates)
    for problem in problems:
        _log.error("In %s: %s; the built-in sentence is used in its place", path, problem)


def example() -> str:
    """Return the file as it is created: each advice, commented out."""
    sections = [_HEAD]
    for name, parts in texts.sentences().items():
        if "advice" in parts:
            lines = "\n#  ".join(line.strip() for line in parts["advice"].splitlines())
            sections.append(f"#[{name}]\n#advice = {lines}\n")
    return "\n".join(sections)


def read(path: Path) -> tuple[dict[str, dict[str, "Template"]], list[str]]:
    """Return the own templates of each section, and one line for each mistake; nothing without a file."""
    parser = RawConfigParser(comment_prefixes=("#", ";"), strict=True, default_section="\0")
    try:
        with path.open("rb") as file:
            parser.read_string(file.read(_MAX_BYTES).decode("utf-8-sig"), "the file")
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError, ConfigParserError) as error:
        return {}, [f"it can't be read: {_in_one_line(getattr(error, 'strerror', None) or error)}"]
    found: dict[str, dict[str, Template]] = {}
    problems = []
    for section in parser.sections():
        if section not in texts.sentences():
            problems.append(_unknown(f"[{section}]", section, [*texts.sentences()]))
            continue
        for part, text in parser[section].items():
            if part not in PARTS:
                problems.append(_unknown(f"[{section}] {part}", part, PARTS))
                continue
            try:
                found.setdefault(section, {})[part] = texts.compile_own(text)
            except texts.TextsError as error:
                problems.append(f"[{section}] {part}: {_in_one_line(error)}")
    return found, problems[:_MAX_PROBLEMS]


def _unknown(where: str, word: str, known: "list[str] | tuple[str, ...]") -> str:
    near = get_close_matches(word, known, 1)
    allowed = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(known)}"
    return f"{where}: there is no such name; {allowed}"


def _in_one_line(error: object) -> str:
    return " ".join(str(error).split())
