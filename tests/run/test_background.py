"""Work beside the training: one piece at a time, and no error of it is lost."""

from __future__ import annotations

import threading

import pytest

from dlcli.run.background import Background


def fail() -> None:
    raise OSError("the disk is gone")


def test_a_job_waits_for_the_one_before() -> None:
    background, first_may_end, order = Background(), threading.Event(), []

    def first() -> None:
        first_may_end.wait(20)
        order.append(threading.active_count())
        order.append("first")

    background.start(first)
    assert order == []
    threads = threading.active_count()
    threading.Timer(0.05, first_may_end.set).start()
    background.start(lambda: order.append("second"))
    background.wait()
    assert order[1:] == ["first", "second"]
    assert order[0] <= threads + 1  # the timer's: no thread more than one works


@pytest.mark.parametrize("how", ["wait", "start"])
def test_an_error_is_raised_where_the_job_is_waited_for(how: str) -> None:
    background = Background()
    background.start(fail)
    with pytest.raises(OSError, match="the disk is gone"):
        background.wait() if how == "wait" else background.start(lambda: None)
    background.wait()  # it is told once


def test_an_error_is_told_without_waiting_once_it_is_there() -> None:
    background, may_end = Background(), threading.Event()

    def fail_later() -> None:
        may_end.wait(20)
        fail()

    def check_until_it_is_there() -> None:
        while True:
            background.check()

    background.start(fail_later)
    background.check()
    may_end.set()
    with pytest.raises(OSError, match="the disk is gone"):
        check_until_it_is_there()
