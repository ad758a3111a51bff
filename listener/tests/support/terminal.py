"""A terminal for a command, so that its output is what a person sees."""

import os
import pty
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def shown(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command that ends by itself in a folder; give all that it wrote to the terminal."""
    ours, theirs = pty.openpty()
    text = b""
    with subprocess.Popen(command, cwd=folder, stdout=theirs, env=environment):
        os.close(theirs)
        # Linux calls it an error when the other end closes.
        with suppress(OSError):
            while chunk := os.read(ours, 10_000):
                text += chunk
        os.close(ours)
    return text.decode()
