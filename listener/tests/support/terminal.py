"""A terminal for a command, so that a test sees what a person sees."""

import os
import pty
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def shown(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command that ends by itself, in a folder; return everything that it wrote to the terminal."""
    ours, theirs = pty.openpty()
    text = b""
    with subprocess.Popen(command, cwd=folder, stdout=theirs, env=environment):
        os.close(theirs)
        # On Linux, reading fails when the other end has closed.
        with suppress(OSError):
            while chunk := os.read(ours, 10_000):
                text += chunk
        os.close(ours)
    return text.decode()
