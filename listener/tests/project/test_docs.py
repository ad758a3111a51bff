import re
from pathlib import Path

from ecc_listener.cli import VERBS
from ecc_listener.settings import Settings

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()


def test_the_readme_names_every_setting_with_flag_and_variable() -> None:
    for name in Settings.model_fields:
        assert f"--{name}`" in README or f"--{name} " in README
        assert f"ECC_{name.upper()}`" in README


def test_the_example_of_the_settings_has_every_one_and_no_other() -> None:
    named = set(re.findall(r"^#?ECC_(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named == {name.upper() for name in Settings.model_fields}


def test_the_readme_names_every_verb() -> None:
    for verb in VERBS:
        assert f"| `{verb}` |" in README


def test_the_readme_names_every_target_and_each_has_a_help_line() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: ([\w-]+)$", makefile, re.MULTILINE)) - {"test-setup"}
    for target in targets:
        assert f"| `make {target}" in README
        assert re.search(rf"^{target}:.*## \w", makefile, re.MULTILINE), target


def test_the_pictures_are_there_and_small() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).stat().st_size < 60_000
