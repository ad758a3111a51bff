"""Progress of a long command: a status that is overwritten on a terminal, plain lines elsewhere."""

import time
from shutil import get_terminal_size
from typing import TextIO

_CLEAR_FROM_HERE = "\r\033[J"
_PLAIN_EVERY_S = 10.0
_REDRAW_EVERY_S = 0.1
_SAME_FAULT_EVERY_S = 60.0


class Progress:
    """Lines that stay, and one status that is updated."""

    def __init__(self, out: TextIO) -> None:
        """Write to a terminal or a file."""
        self._out = out
        self.is_terminal = out.isatty()
        self._height = 0
        self._next_s = 0.0
        self._is_well = True
        self._said_s: dict[str, float] = {}

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._write(f"{self._clear()}{text}\n")
        self._height = 0
        self._next_s = min(self._next_s, time.monotonic()) if self.is_terminal else self._next_s

    def show(self, state: str) -> None:
        """Update the status, of one or more lines; in a file only from time to time."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        if self.is_terminal:
            self._next_s = now_s + _REDRAW_EVERY_S
            columns, rows = get_terminal_size()
            lines = [line[: columns - 1] for line in state.split("\n")[: rows - 1]]
            self._write(self._clear() + "\n".join(lines))
            self._height = len(lines)
        else:
            self._next_s = now_s + _PLAIN_EVERY_S
            self._write(state + "\n")

    def clear(self) -> None:
        """Remove the status."""
        self._write(self._clear())
        self._height = 0

    def faults(self, faults: list[str]) -> None:
        """Report the current faults, and when all are over; the same one not all the time."""
        for fault in faults:
            self._say_seldom(f"{fault[:1].upper()}{fault[1:]}; trying again")
        if not faults and not self._is_well:
            self._say_seldom("All sensors are connected again")
        self._is_well = not faults

    def _clear(self) -> str:
        if not self.is_terminal:
            return ""
        up = f"\033[{self._height - 1}A" if self._height > 1 else ""
        return up + _CLEAR_FROM_HERE

    def _say_seldom(self, text: str) -> None:
        now_s = time.monotonic()
        if now_s >= self._said_s.get(text, 0.0):
            self._said_s[text] = now_s + _SAME_FAULT_EVERY_S
            self.say(text)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
