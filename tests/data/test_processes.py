"""Results come in order, as from one process; nothing that goes wrong leaves a process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlcli.data.processes import each_in_processes
from dlcli.errors import MachineError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")


@pytest.fixture(autouse=True)
def _three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1, 2})


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_results_come_in_order(count: int) -> None:
    before = children()
    found = list(each_in_processes(lambda n: 2 * n, range(count), most=3))
    assert found == [2 * n for n in range(count)]
    assert children() == before


def test_other_processes_compute_them() -> None:
    found = set(each_in_processes(lambda _: os.getpid(), range(9), most=3))
    assert len(found) == 3
    assert os.getpid() not in found


def test_results_may_be_larger_than_a_pipe() -> None:
    sizes = [len(found) for found in each_in_processes(lambda n: bytes(n << 20), range(6), most=3)]
    assert sizes == [n << 20 for n in range(6)]


def test_what_the_function_raises_is_raised_in_its_place() -> None:
    def halve(number: int) -> int:
        if number == 4:
            raise MachineError("four is too much", suggestion="three")
        return number // 2

    before = children()
    results = each_in_processes(halve, range(9), most=3)
    assert [next(results) for _ in range(4)] == [0, 0, 1, 1]
    with pytest.raises(MachineError, match="four is too much") as caught:
        next(results)
    assert caught.value.faults[0].suggestion == "three"
    assert children() == before


@pytest.mark.parametrize("size", [1, 1 << 22])
def test_a_killed_process_is_told_even_amid_a_result(size: int) -> None:
    """Most are killed while they wait for their reader."""
    before = children()
    results = each_in_processes(lambda _: bytes(size), range(100_000), most=3)
    next(results)
    time.sleep(0.2)
    for process in children() - before:
        os.kill(int(process), signal.SIGKILL)
    with pytest.raises(MachineError, match="was killed"):
        list(results)
    assert children() == before


class OddError(Exception):
    """Cannot be made again from what it was made of."""

    def __init__(self, *, what: str) -> None:
        super().__init__(what)
        self.own = lambda: None


def test_an_error_of_any_kind_says_where_it_was_raised() -> None:
    def fail(number: int) -> int:
        raise OddError(what=f"number {number}")

    with pytest.raises(RuntimeError, match=r"in fail\n") as caught:
        list(each_in_processes(fail, range(4), most=2))
    assert "OddError: number 0" in str(caught.value)
    with pytest.raises(ZeroDivisionError) as divided:
        list(each_in_processes(lambda n: 1 // n, range(4), most=2))
    assert "test_processes.py" in divided.value.__notes__[0]


def test_where_no_process_can_begin_this_one_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    real, begun = os.fork, []

    def refusing() -> int:
        if begun:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        begun.append(True)
        return real()

    monkeypatch.setattr(os, "fork", refusing)
    before, open_before = children(), len([*Path("/proc/self/fd").iterdir()])
    assert list(each_in_processes(lambda _: os.getpid(), range(5), most=3)) == [os.getpid()] * 5
    assert children() == before
    assert len([*Path("/proc/self/fd").iterdir()]) == open_before


def test_who_waits_for_no_children_gets_results_too() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert list(each_in_processes(lambda n: n, range(5), most=3)) == list(range(5))
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_who_takes_no_more_leaves_no_process() -> None:
    before = children()
    results = each_in_processes(lambda n: n, range(1000), most=3)
    next(results)
    assert len(children() - before) == 3
    results.close()
    assert children() == before


def test_processes_go_with_a_parent_that_is_killed() -> None:
    program = """
import os, time
os.sched_getaffinity = lambda _: {0, 1, 2}
from dlcli.data.processes import each_in_processes
for process in each_in_processes(lambda _: os.getpid(), range(10**9), most=3):
    print(process, flush=True)
    time.sleep(0.05)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    found = {int(parent.stdout.readline()) for _ in range(3)}
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 20
    while any(map(is_running, found)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_running, found))


def is_running(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
