"""Programs that end when their parent does, however that ends.

The child is `python -m ecc_listener.demo.child_process module argument ...`. The parent holds the other
end of its standard input. When that closes, by `stop` or because the parent was killed, the child gets a
SIGTERM, and is ended hard if that doesn't end it.
"""

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

Child = subprocess.Popen[bytes]

_END_WITHIN_S = 10.0


def start(module: str, *arguments: str, folder: Path, output: Path) -> Child:
    """Run a Python module in a folder, with the settings of its arguments only; its output goes to a file."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECC_")}
    with output.open("ab") as out:
        return subprocess.Popen(
            # -P: a folder full of data is no place to import from.
            [sys.executable, "-P", "-m", "ecc_listener.demo.child_process", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            # Ctrl-C is for the parent, which then ends its children in order.
            process_group=0,
        )


def stop(child: Child) -> int:
    """End a child and wait for it; give its exit status."""
    child.terminate()
    try:
        child.wait(_END_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()
    return child.returncode


def main() -> None:
    """Be the child: run the module while the parent lives."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END_WITHIN_S)
    os._exit(1)


if __name__ == "__main__":
    main()
