"""The state of the channels, in words for log, status and page."""

from collections.abc import Sequence
from datetime import UTC, tzinfo

from ecc_listener.local_time import day_and_time
from ecc_listener.notifications.outbox import ChannelState

OFF = "off: nobody is notified of problems; secrets/README.md says how to set it up"


def mail_state(states: Sequence[ChannelState], now_us: int, zone: tzinfo) -> str:
    """Return in one line whether messages are sent, to whom, and since when not."""
    if not states:
        return OFF
    said = [mail_fault(states, now_us, zone)] if mail_fault(states, now_us, zone) else []
    well = [state for state in states if not state.fault]
    if well:
        last_us = max(state.last_sent_us or 0 for state in well)
        sent = f"last sent {day_and_time(last_us, now_us, zone)}" if last_us else "nothing sent yet"
        said.append(f"to {', '.join(state.channel for state in well)}; {sent}")
    return "; ".join(one for one in said if one)


def mail_fault(states: Sequence[ChannelState], now_us: int, zone: tzinfo = UTC) -> str | None:
    """Return in one line what prevents messages from being sent, and since when; None if nothing does."""
    faults: dict[str, list[ChannelState]] = {}
    for state in states:
        if state.fault:
            faults.setdefault(state.fault, []).append(state)
    lines = []
    for fault, failing in faults.items():
        since_us = min(state.failing_since_us or now_us for state in failing)
        waiting = max(state.waiting for state in failing)
        backlog = {0: "", 1: ", 1 message is waiting"}.get(waiting, f", {waiting} messages are waiting")
        channels = ", ".join(state.channel for state in failing)
        lines.append(f"fails to {channels} since {day_and_time(since_us, now_us, zone)}{backlog}: {fault}")
    return "; ".join(lines) or None
