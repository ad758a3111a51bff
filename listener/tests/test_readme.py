import re
import subprocess
from pathlib import Path

from ecc_listener.cli import VERBS
from ecc_listener.settings import Settings
from ecc_listener.store import Store

ROOT = Path(__file__).parents[2]
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


def test_the_readme_s_queries_run_in_the_shell_of_make_sql(tmp_path: Path) -> None:
    Store(tmp_path / "db", 100_000).close()
    block = README.split("```sql\n")[1].split("```")[0]
    assert block.count(";") == 5
    views = ROOT / "listener/scripts/views.sql"
    command = ["sqlite3", "-bail", "-readonly", "-cmd", f".read {views}", str(tmp_path / "db")]
    done = subprocess.run(command, input=block, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
