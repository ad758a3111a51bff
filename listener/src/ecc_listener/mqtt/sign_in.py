"""Connect to the broker and subscribe once, to find out what prevents it."""

import secrets
import time

from ecc_listener.mqtt.session import UNDER_WAY, Broker, Session


def find_fault(broker: Broker, timeout_s: float = 6.0) -> str | None:
    """Return what prevents this account from receiving the topics; None if nothing does.

    The listener's own session is not touched: this is another one, which the broker forgets at once.
    """
    apart = broker._replace(client_id=f"ecc-doctor-{secrets.token_hex(4)}", is_kept=False)
    session = Session(apart, lambda _is_known: None, lambda: None, lambda: 0)
    deadline_s = time.monotonic() + timeout_s
    while session.fault in UNDER_WAY and time.monotonic() < deadline_s:
        session.receive()
        session.wait(0.1)
    fault = session.fault
    session.close()
    return f"broker {broker.host}:{broker.port} does not answer" if fault in UNDER_WAY else fault
