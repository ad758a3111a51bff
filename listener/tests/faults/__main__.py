"""`make faults`: the long matrix, as a table. PARTS="listener_killed ..." runs some, CYCLES=10 a tenth."""

import argparse
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

from faults import matrix
from faults.ledger import Outcome

Fault = Callable[[int], Outcome]

CYCLES: dict[Fault, int] = {
    matrix.listener_killed: 200,
    matrix.listener_killed_tls: 50,
    matrix.listener_stopped: 50,
    matrix.container_restarted: 10,
    matrix.archived: 50,
    matrix.broker_killed: 100,
    matrix.broker_restarted: 50,
    matrix.both_killed: 100,
    matrix.power_cut: 100,
    matrix.disk_full: 20,
    matrix.locked: 2,
    matrix.io_error: 200,
    matrix.read_only: 10,
    matrix.network_dropping: 25,
    matrix.network_resetting: 25,
    matrix.network_dropping_tls: 10,
    matrix.network_resetting_tls: 10,
    matrix.queued: 50_000,
    matrix.flood: 60,
    matrix.malformed: 100_000,
    matrix.malformed_json: 100_000,
    matrix.clock_steps: 20,
    matrix.standing_still: 5,
    matrix.foreign_files: 1_000,
}
CONTROLS: dict[Fault, int] = {
    matrix.control_acknowledged_early: 10,
    matrix.control_not_recorded: 10,
    matrix.control_snapshots: 5,
    matrix.control_power_cut_unsynced: 10,
}


def row(name: str, outcome: Outcome, verdict: str, spent_s: float) -> str:
    """Make a row of the table."""
    counts = f"{outcome.cycles} | {outcome.acknowledged} | {outcome.lost} | {outcome.doubled}"
    return f"| {name} | {counts} | {verdict} | {spent_s:.0f} s | {outcome.remark} |"


def main() -> int:
    """Run what is named, or all; give 1 when something was lost or doubled, or a control found nothing."""
    names = {fault.__name__: fault for fault in (*CYCLES, *CONTROLS)}
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("faults", nargs="*", help="default: all")
    chosen = parser.parse_args().faults or list(names)
    unknown = set(chosen) - set(names)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    percent = int(os.environ.get("CYCLES", "100"))
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, {percent} % of the cycles\n")
    print("| fault | cycles | acknowledged | lost | doubled | verdict | time | remark |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    bad = 0
    for name in chosen:
        fault = names[name]
        is_control = fault in CONTROLS
        cycles = CONTROLS[fault] if is_control else max(1, CYCLES[fault] * percent // 100)
        began_s = time.monotonic()
        try:
            outcome = fault(cycles)
        except Exception as error:  # noqa: BLE001 - an hour's run shall not end with one row
            bad += 1
            remark = f"{type(error).__name__}: {error}"
            print(f"| {name} | {cycles} | | | | DID NOT END | | {remark} |", flush=True)
            traceback.print_exc()
            continue
        passed = outcome.is_good() != is_control
        bad += not passed
        good, wrong = ("fails, as it must", "FOUND NOTHING") if is_control else ("ok", "BAD")
        title = (fault.__doc__ or name).split("\n")[0].rstrip(".")
        print(row(title, outcome, good if passed else wrong, time.monotonic() - began_s), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
