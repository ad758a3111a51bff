"""Child processes that end when their parent does, in whatever way it ends.

A child is `python -m ecc_listener.demo.child_process MODULE ARGUMENT ...`. The parent holds the other end of
its standard input. When that is closed, by `stop` or because the parent was killed, the child sends itself a
SIGTERM, and ends itself if that has no effect.
"""

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

Child = subprocess.Popen[bytes]

_END_WITHIN_S = 10.0


def start(module: str, *arguments: str, folder: Path, output: Path, inherited: Sequence[int] = ()) -> Child:
    """Run a Python module in a folder, with no settings but its arguments; its output goes to a file.

    It inherits these file descriptors.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECC_")}
    # What a program of the demonstration sends stays on this machine, even if there is a proxy.
    environment |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    with output.open("ab") as out:
        return subprocess.Popen(
            # -P: no module may be imported from a folder of data.
            [sys.executable, "-P", "-m", "ecc_listener.demo.child_process", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            # Ctrl-C must only reach the parent, which then ends its children in order.
            process_group=0,
            pass_fds=inherited,
        )


def stop(child: Child, within_s: float) -> None:
    """Terminate a child and wait for it; kill it if it is not done in time."""
    child.terminate()
    try:
        child.wait(within_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()


def main() -> None:
    """Run the module in this process while the parent lives."""
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
