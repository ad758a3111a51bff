"""Send one message to one apprise URL: `python -m ecc_listener.notifications.apprise_process`.

On standard input comes a JSON object with `url`, `title` and `body`; without a body the URL is only looked
at. The answer is one word: `sent`, `refused` or `unknown`.
"""

import ctypes
import json
import logging
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Send it."""
    # Killed with its parent: a listener that is started again would send the same message beside it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    logging.disable(logging.CRITICAL)
    from apprise import Apprise  # noqa: PLC0415 - not before logging is off

    told = json.load(sys.stdin)
    sender = Apprise()
    if not sender.add(told["url"]):
        print("unknown")
    elif not told["body"] or sender.notify(told["body"], told["title"]):
        print("sent")
    else:
        print("refused")


if __name__ == "__main__":
    main()
