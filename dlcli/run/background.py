"""One piece of work at a time beside the training; knows not what it does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Background:
    """A thread that does one job at a time; what a job raises is raised where it is waited for."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "dlcli-save")
        self._job: Future[None] | None = None

    def start(self, job: Callable[[], None]) -> None:
        """Begin a job once the one before is done.

        Raises:
            Exception: What the one before raised.
        """
        self.wait()
        self._job = self._pool.submit(job)

    def check(self) -> None:
        """Raise what a job raised that has ended; do not wait for one that has not."""
        if self._job is not None and self._job.done():
            self.wait()

    def wait(self) -> None:
        """Wait for the end of the job, if there is one, and raise what it raised."""
        job, self._job = self._job, None
        if job is not None:
            job.result()
