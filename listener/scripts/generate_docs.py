#!/usr/bin/env python3
"""Write the generated parts of listener/docs: settings, commands, figures. Run it with the project's Python.

.venv/bin/python listener/scripts/generate_docs.py            write them
.venv/bin/python listener/scripts/generate_docs.py --check    exit with 1 if a page is out of date
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from ecc_listener.cli import SHORT, VERBS
from ecc_listener.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "listener/docs"


def settings() -> Iterator[str]:
    """Yield the table of all settings, in the order of the class."""
    yield "| flag | variable | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in Settings.model_fields.items():
        flags = " ".join((*SHORT.get(name, ()), f"--{name}"))
        described = (field.description or "").replace("|", "\\|")
        yield f"| `{flags}` | `{PREFIX}{name.upper()}` | {default(name)} | {described} |"


def default(name: str) -> str:
    """Return a setting's default as a person would write it."""
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        # Which of the two holds on this machine must not change the page.
        made = field.get_default(call_default_factory=True)
        return f"the secret, or `{secret_or(name, made)}`"
    value = field.default
    if isinstance(value, timedelta):
        return f"{value.total_seconds() / 60:g} minutes"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    if isinstance(value, bool):
        return "`yes`" if value else "`no`"
    if type(value).__name__ == "ByteSize":
        return str(value.human_readable(separator=" ")).replace(".0 ", " ")
    return "none" if value is None else f"`{value}`"


def secret_or(name: str, made: Path) -> Path:
    """Return the file in the working directory that is read where there is no secret."""
    source = (ROOT / ".env.example").read_text()
    found = re.search(rf"^#?{PREFIX}{name.upper()}=(\S+)$", source, re.MULTILINE)
    return Path(found.group(1)) if found else made


def verbs() -> Iterator[str]:
    """Yield the table of the verbs."""
    yield "| verb | what it does |"
    yield "|---|---|"
    for name, verb in VERBS.items():
        yield f"| `{name}` | {verb.help} |"


def targets() -> Iterator[str]:
    """Yield the tables of the make targets, by group."""
    makefile = (ROOT / "Makefile").read_text()
    group = None
    for line in makefile.splitlines():
        if line.startswith("##@ "):
            group = line[4:]
            yield from ("", f"**{group}**", "", "| target | what it does |", "|---|---|")
        elif found := re.match(r"([a-z][a-z-]*):[^=]*## (.+)", line):
            if group is None:
                group = ""
                yield from ("| target | what it does |", "|---|---|")
            yield f"| `make {found.group(1)}` | {found.group(2)} |"


def figures() -> Iterator[str]:
    """Yield the table of the benchmark's newest figures."""
    results = json.loads((ROOT / "listener/benchmarks/results.json").read_text())
    yield "| what | figure | to reach | date |"
    yield "|---|---|---|---|"
    for what, figure in results.items():
        value, unit = figure["value"], figure["unit"]
        number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"  # noqa: PLR2004
        target = figure["target"].replace("|", "\\|")
        indented = what.replace("  ", "… ", 1) if what.startswith("  ") else what
        yield f"| {indented} | {number} {unit}".rstrip() + f" | {target} | {figure['date']} |"
    machines = sorted({figure["machine"] for figure in results.values()})
    yield ""
    yield f"Machine: {'; '.join(machines)}."


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "settings": settings,
    "verbs": verbs,
    "targets": targets,
    "figures": figures,
}


def filled(text: str) -> str:
    """Return a page with its generated parts as they should be."""

    def part(found: re.Match[str]) -> str:
        lines = "\n".join(PARTS[found.group(1)]()).strip()
        return f"<!-- generated: {found.group(1)} -->\n\n{lines}\n\n<!-- end -->"

    return re.sub(r"<!-- generated: (\w+) -->.*?<!-- end -->", part, text, flags=re.DOTALL)


def main() -> int:
    """Write or check every page; return the exit status."""
    is_check = "--check" in sys.argv[1:]
    outdated = []
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text()
        wanted = filled(text)
        if text != wanted:
            outdated.append(page.name)
            if not is_check:
                page.write_text(wanted)
    if outdated:
        print(f"{'Out of date' if is_check else 'Written'}: {', '.join(outdated)}")
    if is_check and outdated:
        print("Next step: .venv/bin/python listener/scripts/generate_docs.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
