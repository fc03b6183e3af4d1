"""Makes batches in threads, ahead of the loop that uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any


def prefetch(jobs: Iterable[Callable[[], Any]], workers: int, ahead: int) -> Iterator[Any]:
    """Run the jobs in threads, and yield what each returns, in the order of the jobs.

    Each job sees the context variables (`no_grad`, a `random.using` block) of the place where it is taken from `jobs`.
    An exception in a job is raised where its result would have come. Jobs that have not begun when the loop is left are
    dropped.

    jobs: functions without arguments.
    workers: the number of threads.
    ahead: how many jobs may run before their results are asked for.
    """
    pending: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="DataLoader") as pool:
        try:
            for job in jobs:
                pending.append(pool.submit(copy_context().run, job))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
