"""README and documentation: short, complete, up to date, and every link leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ecc_listener.cli import VERBS
from ecc_listener.settings import Settings

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "listener/docs"
PAGES = [ROOT / "README.md", ROOT / "secrets/README.md", *sorted(DOCS.glob("*.md"))]
README = PAGES[0].read_text()


def test_the_readme_is_one_page() -> None:
    assert len(README.splitlines()) <= 150


def test_the_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "listener/scripts/generate_docs.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_settings_page_has_every_setting_with_flag_and_variable() -> None:
    text = (DOCS / "settings.md").read_text()
    for name in Settings.model_fields:
        assert f"--{name}`" in text
        assert f"`ECC_{name.upper()}`" in text


def test_the_example_of_the_settings_has_every_one_and_no_other() -> None:
    named = set(re.findall(r"^#?ECC_(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named == {name.upper() for name in Settings.model_fields}


def test_the_commands_page_has_every_verb() -> None:
    text = (DOCS / "commands.md").read_text()
    for verb in VERBS:
        assert f"| `{verb}` |" in text


def test_the_commands_page_has_every_target_and_each_has_a_help_line() -> None:
    makefile = (ROOT / "Makefile").read_text()
    text = (DOCS / "commands.md").read_text()
    targets = set(re.findall(r"^\.PHONY: ([\w-]+)$", makefile, re.MULTILINE)) - {"test-setup"}
    assert targets
    for target in targets:
        assert f"| `make {target}` |" in text
        assert re.search(rf"^{target}:.*## \w", makefile, re.MULTILINE), target


def test_the_readme_links_to_every_page() -> None:
    for page in DOCS.glob("*.md"):
        assert f"(listener/docs/{page.name})" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_the_files_that_the_documentation_names_exist() -> None:
    package = ROOT / "listener/src/ecc_listener"
    text = (DOCS / "architecture.md").read_text()
    named = [
        name for name in re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", text) if not name.startswith("secrets")
    ]
    assert named
    for name in named:
        places = (package / name, package / f"{name}.py", ROOT / "listener" / name)
        assert any(place.exists() for place in places), name


def test_the_pictures_are_there_and_small() -> None:
    for page in PAGES:
        for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text()):
            assert (page.parent / picture).stat().st_size < 60_000
    assert "![" in README


def test_what_the_architecture_says_is_in_a_file_is_in_it() -> None:
    package = ROOT / "listener/src/ecc_listener"
    named = re.findall(
        r"((?:`\w+`(?:,| and)? ?)+)(?:in|of) `([\w/]+\.py)`", (DOCS / "architecture.md").read_text()
    )
    assert len(named) > 15
    for names, path in named:
        text = (package / path).read_text()
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^\s*(def |class )?{name}\b", text, re.MULTILINE), f"{name} in {path}"
