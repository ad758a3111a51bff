"""The chart of a week: for each room a line of temperature and one of humidity, as a PNG.

It has its own background, so that it is readable in dark mode as well.
"""

import unicodedata
from collections.abc import Sequence
from io import BytesIO
from typing import Literal, NamedTuple

from PIL import Image, ImageDraw, ImageFont

from ecc_listener.digest.content import SensorWeek
from ecc_listener.history.figures import Point, points

MAX_ROOMS = 12

# Twice the size at which a mail shows it, for screens with fine pixels.
_WIDTH, _MARGIN, _HEAD, _ROW, _LABEL, _GAP, _VALUES = 1280, 32, 84, 104, 240, 36, 116
_GROUND, _INK, _FAINT, _GRID = "#faf9f6", "#2b2b2b", "#6f6f6f", "#dedbd3"
_HOUR_US = 3_600_000_000
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_COLOURS = 48


class _Quantity(NamedTuple):
    name: Literal["temperature", "humidity"]
    unit: str
    line: str
    band: str


_QUANTITIES = (
    _Quantity("temperature", "°F", "#c2500a", "#f6dcc8"),
    _Quantity("humidity", "%", "#1f6fa8", "#cfe2f0"),
)


def draw(rooms: Sequence[SensorWeek], names: Sequence[str], midnights_us: Sequence[int]) -> bytes:
    """Draw the first rooms; `midnights_us` are the local beginnings of the seven days, and the end."""
    height = _HEAD + _ROW * min(len(rooms), MAX_ROOMS) + _MARGIN
    image = Image.new("RGB", (_WIDTH, height), _GROUND)
    pen = ImageDraw.Draw(image)
    rows = list(zip(rooms, names, strict=True))[:MAX_ROOMS]
    width = (_WIDTH - 2 * _MARGIN - _LABEL - _GAP - 2 * _VALUES) // 2
    for column, quantity in enumerate(_QUANTITIES):
        left = _MARGIN + _LABEL + column * (width + _VALUES + _GAP)
        lines = [points(room.hours, quantity.name) for room, _ in rows]
        low, high = _range(lines)
        title = f"{quantity.name.capitalize()}, {low:.0f} to {high:.0f} {quantity.unit}"
        pen.text((left, 18), title, _INK, _font(24))
        _days(pen, left, width, height, midnights_us)
        for row, line in enumerate(lines):
            box = left, _HEAD + row * _ROW + 12, width, _ROW - 24
            _curve(pen, _Plot(*box, midnights_us[0], midnights_us[-1], low, high), line, quantity)
    for row, (_, name) in enumerate(rows):
        top = _HEAD + row * _ROW
        pen.line((_MARGIN, top, _WIDTH - _MARGIN, top), _GRID, 2)
        pen.text((_MARGIN, top + _ROW // 2), _fitting(name, row), _INK, _font(26), "lm")
    file = BytesIO()
    image.quantize(_COLOURS).save(file, "PNG", optimize=True)
    return file.getvalue()


class _Plot(NamedTuple):
    left: int
    top: int
    width: int
    height: int
    start_us: int
    end_us: int
    low: float
    high: float

    def x(self, time_us: float) -> float:
        return self.left + self.width * (time_us - self.start_us) / (self.end_us - self.start_us)

    def y(self, value: float) -> float:
        return self.top + self.height * (self.high - value) / (self.high - self.low)


def _days(pen: ImageDraw.ImageDraw, left: int, width: int, height: int, midnights_us: Sequence[int]) -> None:
    span_us = midnights_us[-1] - midnights_us[0]
    for index, midnight_us in enumerate(midnights_us):
        x = left + width * (midnight_us - midnights_us[0]) / span_us
        pen.line((x, _HEAD, x, height - _MARGIN), _GRID, 2)
        if index < len(_DAYS):
            pen.text((x + width / 14, _HEAD - 10), _DAYS[index], _FAINT, _font(18), "ms")


def _curve(pen: ImageDraw.ImageDraw, plot: _Plot, hours: Sequence[Point], quantity: _Quantity) -> None:
    """Draw the band from lowest to highest and the line of means, with a gap where hours are missing."""
    for part in _unbroken(hours):
        middles = [plot.x(hour.start_us + _HOUR_US / 2) for hour in part]
        lows = [(x, plot.y(hour.low)) for x, hour in zip(middles, part, strict=True)]
        highs = [(x, plot.y(hour.high)) for x, hour in zip(middles, part, strict=True)]
        means = [(x, plot.y(hour.mean)) for x, hour in zip(middles, part, strict=True)]
        if len(part) == 1:
            x, y = means[0]
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), quantity.line)
            continue
        pen.polygon([*highs, *reversed(lows)], quantity.band)
        pen.line(means, quantity.line, 3, "curve")
    if hours:
        span = f"{min(hour.low for hour in hours):.0f} - {max(hour.high for hour in hours):.0f}"
        middle = plot.top + plot.height // 2
        pen.text((plot.left + plot.width + 14, middle), span, _FAINT, _font(22), "lm")


def _unbroken(hours: Sequence[Point]) -> list[list[Point]]:
    parts: list[list[Point]] = []
    for hour in hours:
        if parts and hour.start_us - parts[-1][-1].start_us <= 2 * _HOUR_US:
            parts[-1].append(hour)
        else:
            parts.append([hour])
    return parts


def _range(lines: Sequence[Sequence[Point]]) -> tuple[float, float]:
    """Return the common scale of all rooms, so that a cold one is seen to be cold."""
    low = min((hour.low for hours in lines for hour in hours), default=0.0)
    high = max((hour.high for hours in lines for hour in hours), default=1.0)
    return (low, high) if high - low >= 1 else (low - 0.5, high + 0.5)


def _fitting(name: str, row: int) -> str:
    """Write a name with the letters that the library's own font has, in the room there is."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name.replace("ß", "ss")) if one.isascii())
    plain = plain.strip() or f"Room {row + 1}"
    font = _font(26)
    if font.getlength(plain) <= _LABEL - 12:
        return plain
    while font.getlength(f"{plain}...") > _LABEL - 12:
        plain = plain[:-1]
    return f"{plain}..."


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
