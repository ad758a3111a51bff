"""PURE: one sheet of text, as plain text and as simple HTML.

Every text may hold what came from the network: what can't be printed is replaced, HTML is escaped. The HTML
has inline styles only, takes its colours from the reader's light or dark mode, and loads nothing.
"""

import textwrap
from html import escape
from typing import NamedTuple

from ecc_listener.notifications.wording.phrases import clean

PICTURE_ID = "picture"
"""Where a sheet's picture is in the mail: `cid:` and this."""

_WIDTH = 76
_MAX_TEXT = 1000
_MAX_FIRST_CELL, _MAX_CELL = 48, 24
_FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_COLOURS = {"bad": "#d9534f", "good": "#3c9a5f", "plain": "#808080"}
"""Readable on white and on black alike; they only underline what the words say."""


class Block(NamedTuple):
    """Something with a title, and what there is to say of it: (label, text)."""

    title: str
    rows: tuple[tuple[str, str], ...]
    tone: str = "plain"
    """"bad", "good" or "plain"."""


class Table(NamedTuple):
    """Columns with a head; all but the first are numbers or short words."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Body(NamedTuple):
    """What one mail says, from top to bottom."""

    title: str
    lead: tuple[str, ...] = ()
    parts: tuple[Block | Table, ...] = ()
    picture_text: str | None = None
    """What the picture shows, for who doesn't see it; None: there is no picture."""
    foot: tuple[str, ...] = ()


def plain(sheet: Body) -> str:
    """Give the sheet as plain text."""
    pieces = [_paragraph(sheet.title), *(_paragraph(one) for one in sheet.lead)]
    pieces += [_plain_block(part) if isinstance(part, Block) else _plain_table(part) for part in sheet.parts]
    # By the line of "-- " mail programs know what stands below everything.
    return "\n\n".join(pieces) + "\n\n-- \n" + "\n".join(_paragraph(one) for one in sheet.foot) + "\n"


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


def html(sheet: Body) -> str:
    """Give the sheet as HTML."""
    parts = [f'<h1 style="font-size:20px;line-height:1.3;margin:0 0 12px">{_safe(sheet.title)}</h1>']
    parts += [f'<p style="margin:0 0 12px">{_safe(one)}</p>' for one in sheet.lead]
    if sheet.picture_text:
        parts.append(
            f'<img src="cid:{PICTURE_ID}" alt="{_safe(sheet.picture_text)}" width="640"'
            ' style="max-width:100%;height:auto;border:0;border-radius:8px;margin:4px 0 12px">'
        )
    parts += [_html_block(part) if isinstance(part, Block) else _html_table(part) for part in sheet.parts]
    foot = "<br>".join(_safe(one) for one in sheet.foot)
    parts.append(f'<p style="margin:20px 0 0;font-size:13px;opacity:0.75">{foot}</p>')
    return (
        '<!DOCTYPE html><html lang="en" style="color-scheme:light dark"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="supported-color-schemes" content="light dark">'
        f"<title>{_safe(sheet.title)}</title></head>"
        f'<body style="margin:0;padding:16px;{_FONT};font-size:15px;line-height:1.45">'
        f'<div style="max-width:640px;margin:0 auto">{"".join(parts)}</div></body></html>'
    )


def _safe(text: str) -> str:
    return escape(clean(text, _MAX_TEXT))


def _html_block(block: Block) -> str:
    cell = 'style="padding:2px 16px 2px 0;vertical-align:top;text-align:left;'
    rows = "".join(
        f'<tr><th scope="row" {cell}font-weight:normal;opacity:0.75;white-space:nowrap">{_safe(label)}</th>'
        f'<td {cell}overflow-wrap:anywhere">{_safe(text)}</td></tr>'
        for label, text in block.rows
    )
    return (
        f'<div style="border-left:4px solid {_COLOURS[block.tone]};padding:2px 0 2px 12px;margin:0 0 16px">'
        f"{_html_title(block.title)}"
        f'<table style="border-collapse:collapse;font-size:15px">{rows}</table></div>'
    )


def _html_table(table: Table) -> str:
    line = "border-bottom:1px solid rgba(128,128,128,0.4)"
    style = f"padding:4px 0 4px 12px;text-align:right;white-space:nowrap;{line}"
    first = f"padding:4px 0;text-align:left;font-weight:normal;overflow-wrap:anywhere;{line}"
    head = "".join(
        f'<th scope="col" style="{style if index else first};font-weight:600">{_safe(cell)}</th>'
        for index, cell in enumerate(table.head)
    )
    rows = "".join(
        f'<tr><th scope="row" style="{first}">{_safe(name)}</th>'
        + "".join(f'<td style="{style}">{_safe(cell)}</td>' for cell in cells)
        + "</tr>"
        for name, *cells in table.rows
    )
    note = (
        f'<p style="margin:4px 0 0;font-size:13px;opacity:0.75">{_safe(table.note)}</p>' if table.note else ""
    )
    return (
        f'<div style="margin:0 0 16px;overflow-x:auto">{_html_title(table.title)}'
        f'<table style="border-collapse:collapse;width:100%;font-size:14px"><tr>{head}</tr>{rows}</table>'
        f"{note if table.note else ''}</div>"
    )


def _html_title(title: str) -> str:
    return f'<h2 style="font-size:16px;margin:0 0 4px">{_safe(title)}</h2>' if title else ""
