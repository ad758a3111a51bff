"""What a long command tells of itself."""

import io

from ecc_listener.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_file_each_thing_said_is_a_line() -> None:
    out = io.StringIO()
    progress = Progress(out)
    progress.say("begun")
    progress.say("ended")
    assert out.getvalue() == "begun\nended\n"


def test_in_a_file_the_state_comes_only_now_and_then() -> None:
    out = io.StringIO()
    progress = Progress(out)
    for number in range(100):
        progress.show(f"{number} sent")
    assert out.getvalue() == "0 sent\n"


def test_on_a_terminal_a_line_that_stays_replaces_the_state() -> None:
    out = Terminal()
    progress = Progress(out)
    progress.show("1 sent\n2 lost\n3 kept")
    progress.say("ended")
    assert out.getvalue() == "\r\033[J1 sent\n2 lost\n3 kept\033[2A\r\033[Jended\n"


def test_a_state_never_wraps() -> None:
    out = Terminal()
    Progress(out).show("x" * 500)
    assert out.getvalue() == "\r\033[J" + "x" * 79


def test_a_fault_is_told_once_and_so_is_its_end() -> None:
    out = io.StringIO()
    progress = Progress(out)
    for faults in ([], ["broker away"], ["broker away"], [], [], ["broker away"], []):
        progress.faults(faults)
    assert out.getvalue() == "Broker away; trying again\nAll sensors are connected again\n"
