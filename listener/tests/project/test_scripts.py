import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def up(folder: Path, docker: str | None) -> subprocess.CompletedProcess[str]:
    """Run `up` where `docker` is a stand-in that says what a machine without a working Engine says."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("bash", "id", "dirname", "mktemp", "sed", "stat", "cat"):
        (programs / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    if docker is not None:
        (programs / "docker").write_text(f"#!/bin/bash\n{docker}\n")
        (programs / "docker").chmod(0o755)
    return subprocess.run(
        ["/bin/bash", ROOT / "listener/scripts/up"],
        env={"PATH": str(programs), "HOME": os.environ.get("HOME", "/")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("docker", "what", "step"),
    [
        (None, "Docker isn't installed.", "install Docker Engine"),
        (
            "#!/bin/bash\necho 'Cannot connect to the Docker daemon' >&2; exit 1",
            "isn't running.",
            "systemctl start",
        ),
        (
            "#!/bin/bash\necho 'permission denied while trying' >&2; exit 1",
            "is not allowed to use Docker.",
            "usermod -aG",
        ),
        ("#!/bin/bash\n[ $1 = version ]", "Docker Compose isn't installed.", "install it"),
    ],
)
def test_what_is_missing_is_one_line_with_the_next_step(
    tmp_path: Path, docker: str | None, what: str, step: str
) -> None:
    told = up(tmp_path, docker)
    assert told.returncode == 1
    lines = told.stderr.splitlines()
    assert len(lines) == 2
    assert what in lines[0]
    assert lines[1].startswith("  Next step: ")
    assert step in lines[1]
