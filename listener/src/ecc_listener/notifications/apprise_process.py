"""Send one message to one apprise URL: `python -m ecc_listener.notifications.apprise_process`.

Standard input is a JSON object with `url`, `title` and `body`; without a body the URL is only checked. The
answer is one word: `sent`, `refused` or `unknown`.
"""

import ctypes
import json
import logging
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Read the request, send it, print the answer."""
    # This process is killed with its parent: a restarted listener would send the same message again.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    logging.disable(logging.CRITICAL)
    from apprise import Apprise  # noqa: PLC0415 - not before logging is off

    request = json.load(sys.stdin)
    sender = Apprise()
    if not sender.add(request["url"]):
        print("unknown")
    elif not request["body"] or sender.notify(request["body"], request["title"]):
        print("sent")
    else:
        print("refused")


if __name__ == "__main__":
    main()
