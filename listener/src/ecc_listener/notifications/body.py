"""The body of a message, as plain text and as HTML (`templates/body.html`).

Every text may contain what came from the network: what isn't printable is replaced, and HTML is escaped.
"""

import textwrap
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ecc_listener.notifications.wording.phrases import clean

if TYPE_CHECKING:
    from jinja2 import Template

PICTURE_ID = "picture"
"""The Content-ID of the picture in a mail."""

_WIDTH = 76
_MAX_TEXT = 1000
_MAX_FIRST_CELL, _MAX_CELL = 48, 24


class Block(NamedTuple):
    """A title, and rows of (label, text)."""

    title: str
    rows: tuple[tuple[str, str], ...]
    tone: str = "plain"
    """"bad", "good" or "plain"."""


class Table(NamedTuple):
    """A table with a head; all columns but the first are numbers or short words."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Body(NamedTuple):
    """What one message says, from top to bottom."""

    title: str
    lead: tuple[str, ...] = ()
    parts: tuple[Block | Table, ...] = ()
    picture_text: str | None = None
    """What the picture shows, for those who don't see it; None if there is no picture."""
    foot: tuple[str, ...] = ()


def plain(body: Body) -> str:
    """Return the body as plain text."""
    pieces = [_paragraph(body.title), *(_paragraph(one) for one in body.lead)]
    pieces += [_plain_block(part) if isinstance(part, Block) else _plain_table(part) for part in body.parts]
    # Mail programs recognise a signature by the line "-- ".
    return "\n\n".join(pieces) + "\n\n-- \n" + "\n".join(_paragraph(one) for one in body.foot) + "\n"


def _paragraph(text: str, first: str = "", later: str = "") -> str:
    return textwrap.fill(
        clean(text, _MAX_TEXT), _WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    )


def _plain_block(block: Block) -> str:
    width = max((len(label) for label, _ in block.rows), default=0) + 2
    lines = [_paragraph(block.title)] if block.title else []
    lines += [
        _paragraph(text, f"  {clean(label, _MAX_TEXT):<{width}}", " " * (width + 2))
        for label, text in block.rows
    ]
    return "\n".join(lines)


def _plain_table(table: Table) -> str:
    rows = [
        [clean(first, _MAX_FIRST_CELL), *(clean(cell, _MAX_CELL) for cell in rest)]
        for first, *rest in (table.head, *table.rows)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_paragraph(table.title)] if table.title else []
    for first, *rest in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join([*lines, *([_paragraph(table.note, "  ", "  ")] if table.note else [])])


def html(body: Body) -> str:
    """Return the body as HTML."""
    return _template().render(body=body, picture_id=PICTURE_ID)


@cache
def _template() -> "Template":
    # Not before something is sent: the listener rarely sends anything, and Jinja takes memory.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("ecc_listener.notifications"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["clean"] = lambda text: clean(text, _MAX_TEXT)
    return environment.get_template("body.html")
