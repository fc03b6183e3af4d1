"""Making batches ahead of the loop that uses them, in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any


def prefetch(jobs: Iterable[Callable[[], Any]], workers: int, ahead: int) -> Iterator[Any]:
    """What each job returns, in the order of the jobs, which run in threads, up to `ahead` of them before they are asked for.

    Each job sees the context variables (`no_grad`, a `random.using` block) of the place where it is taken from `jobs`. An
    exception in a job is raised where its result would have come. Jobs not begun when the loop is left are dropped.
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
