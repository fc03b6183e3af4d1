"""A model behind HTTP: `python examples/serve.py net.onnx`, or `python examples/serve.py out/project` for what the
project's `train.py` has written.

    curl -H "Content-Type: application/json" -d '{"rows": [[0, 0, …]]}' localhost:8000/predict
    {"outputs": [[-3.1, 8.6, …]]}

Requests that come within a few milliseconds are computed together, because one product with 64 rows takes little longer
than one with a single row. What comes in is limited in size, and is checked before the model sees it; a request that
cannot be answered is told why. `/health` says that the server lives, and `/metrics` counts, in the format of Prometheus.

It needs `pip install "tinygrad-edu[serve]"`, and onnxruntime for files of ONNX.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import tinygrad_edu as tg
from tinygrad_edu.nn import Module

Array = NDArray[Any]
logger = logging.getLogger("serve")


@dataclass(frozen=True)
class Limits:
    """How much there may be at once.

    batch: the most rows of a request, and of a call of the model.
    patience: how long the first row of a batch waits for others, in seconds.
    waiting: how many rows may wait; further requests are refused until there are fewer.
    body: the most bytes of a request.
    upload: how many seconds a request may take to arrive.
    """

    batch: int = 64
    patience: float = 0.003
    waiting: int = 1024
    body: int = 1_000_000
    upload: float = 10.0

    def __post_init__(self) -> None:
        if not (self.waiting >= self.batch >= 1 and self.body >= 1 and 0 <= self.patience < self.upload):
            raise ValueError(f"batch is 1 or more, waiting not less, patience less than upload; but got {self}")


# -- what is served -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """A model as the server calls it.

    call: a function of rows (N, *shape) that returns N results.
    shape, dtype: of a row.
    """

    call: Callable[[Array], Array]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def replayed(model: Module, shape: tuple[int, ...], limits: Limits = Limits()) -> Served:
    """A module of this library, whose forward pass is replayed.

    A program is recorded for one size of batch. So rows are filled up to the next power of two, and all sizes are
    recorded before the first request comes.
    """
    model.eval()
    dtype = next(model.parameters()).dtype

    @tg.replay
    def forward(x: tg.Tensor) -> tg.Tensor:
        with tg.no_grad():
            return model(x)

    def call(rows: Array) -> Array:
        filled = np.zeros((1 << (len(rows) - 1).bit_length(), *shape), dtype)
        filled[: len(rows)] = rows
        return np.asarray(forward(filled).numpy()[: len(rows)])

    for size in range(limits.batch.bit_length() + 1):
        call(np.zeros((min(1 << size, limits.batch), *shape), dtype))
    return Served(call, shape, dtype)


def of_project(folder: Path, limits: Limits) -> Served:
    """The best net of a training of `examples/project`."""
    sys.path.insert(0, str(Path(__file__).parent / "project"))  # whose files import each other by their own names
    network, settings = importlib.import_module("network"), importlib.import_module("settings")
    chosen = settings.Settings.read(folder / "settings.json")
    width = network.data_of(chosen)[0][0].shape[1]
    model = network.net_of(chosen, width)
    tg.train.load_checkpoint(folder / "best.safetensors", model=model)
    return replayed(model, (width,), limits)


def of_onnx(path: Path) -> Served:
    """A file of ONNX with one input, whose first axis is the batch and may be of any size. Its first output is served."""
    try:
        import onnxruntime
    except ImportError as error:
        raise SystemExit(f"{path} is run by onnxruntime: pip install onnxruntime") from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise SystemExit(f"{path} has the inputs {', '.join(i.name for i in inputs)}; a model with one input is served")
    batch, *shape = inputs[0].shape
    if isinstance(batch, int) or not all(isinstance(size, int) for size in shape):
        raise SystemExit(
            f"{path} takes {inputs[0].name} of shape {inputs[0].shape}; the first axis is to be free and the others "
            "fixed: export it with a dynamic batch"
        )
    kinds = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(int64)": "i8", "tensor(int32)": "i4"}
    if inputs[0].type not in kinds:
        raise SystemExit(f"{path} takes {inputs[0].type}; one of {', '.join(kinds)} is served")
    output = session.get_outputs()[0].name
    return Served(
        lambda rows: session.run([output], {inputs[0].name: rows})[0], tuple(shape), np.dtype(kinds[inputs[0].type])
    )


# -- what is counted ----------------------------------------------------------------------------------


class Metrics:
    """Counts of requests, rows, calls of the model and seconds."""

    bounds = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
    """Upper bounds of the classes of durations, in seconds."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.durations: Counter[float] = Counter()
        self.seconds = 0.0
        self.rows = 0
        self.batches = 0
        self.waiting = 0

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count one answer: its path and status, how long it took, and each bound of the histogram that it keeps."""
        self.requests[path, status] += 1
        self.seconds += seconds
        self.durations.update(bound for bound in self.bounds if seconds <= bound)

    def text(self) -> str:
        """All counts in the text format that Prometheus reads: for each a line of help, its type, and its values."""
        lines = ["# HELP serve_requests_total Answers, by path and status.", "# TYPE serve_requests_total counter"]
        lines += [
            f'serve_requests_total{{path="{path}",status="{status}"}} {count}'
            for (path, status), count in sorted(self.requests.items())
        ]
        for name, kind, said, number in (
            ("serve_rows_total", "counter", "Rows that the model was given.", self.rows),
            ("serve_batches_total", "counter", "Calls of the model.", self.batches),
            ("serve_waiting_rows", "gauge", "Rows that wait for the model.", self.waiting),
        ):
            lines += [f"# HELP {name} {said}", f"# TYPE {name} {kind}", f"{name} {number}"]
        lines += ["# HELP serve_request_seconds Time to an answer.", "# TYPE serve_request_seconds histogram"]
        lines += [f'serve_request_seconds_bucket{{le="{bound}"}} {self.durations[bound]}' for bound in self.bounds]
        count = sum(self.requests.values())
        lines += [f'serve_request_seconds_bucket{{le="+Inf"}} {count}']
        lines += [f"serve_request_seconds_sum {self.seconds:.6f}", f"serve_request_seconds_count {count}"]
        return "\n".join(lines) + "\n"


class Counted:
    """An application that counts the answers of the one inside it. Paths that do not exist count as one."""

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: set[str]) -> None:
        self.app, self.metrics, self.paths = app, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and count the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            path = scope["path"] if scope["path"] in self.paths else "other"
            self.metrics.request(path, status, time.perf_counter() - start)


# -- how requests become batches ----------------------------------------------------------------------


class Batches:
    """Collects the rows of requests, calls the model in a thread, and gives each request its own results.

    >>> async def two() -> None:
    ...     served = Served(lambda rows: rows * 2, (1,), np.dtype("f4"))
    ...     async with Batches(served, Limits(), metrics := Metrics()) as batches:
    ...         print(await asyncio.gather(*[batches.predict(np.full((1, 1), i, "f4")) for i in (1, 2)]))
    ...     print("calls:", metrics.batches)
    >>> asyncio.run(two())
    [array([[2.]], dtype=float32), array([[4.]], dtype=float32)]
    calls: 1
    """

    def __init__(self, model: Served, limits: Limits, metrics: Metrics) -> None:
        self.model, self.limits, self.metrics = model, limits, metrics
        self.waiting: deque[tuple[Array, asyncio.Future[Array]]] = deque()
        self.some, self.enough = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Self:
        self.pool = ThreadPoolExecutor(1, "model")
        self.task = asyncio.create_task(self.collect())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        self.pool.shutdown()

    async def predict(self, rows: Array) -> Array:
        """The results of these rows. Raises HTTPException if too many wait, or if the model fails on them."""
        if self.metrics.waiting + len(rows) > self.limits.waiting:
            raise HTTPException(
                503, f"{self.metrics.waiting} rows wait already; send these again later", {"Retry-After": "1"}
            )
        future: asyncio.Future[Array] = asyncio.get_running_loop().create_future()
        self.waiting.append((rows, future))
        self.metrics.waiting += len(rows)
        self.some.set()
        if self.metrics.waiting >= self.limits.batch:
            self.enough.set()
        return await future

    async def collect(self) -> None:
        """Make batches for ever: wait for a row, then for others, but not long."""
        while True:
            await self.some.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.enough.wait(), self.limits.patience)
            batch, size = [], 0
            while self.waiting and size + len(self.waiting[0][0]) <= self.limits.batch:
                batch.append(self.waiting.popleft())
                size += len(batch[-1][0])
            self.metrics.waiting -= size
            if not self.waiting:
                self.some.clear()
            if self.metrics.waiting < self.limits.batch:
                self.enough.clear()
            await self.answer(batch)

    async def answer(self, batch: list[tuple[Array, asyncio.Future[Array]]]) -> None:
        """Compute a batch. If the model fails, compute each request alone, so that one does not spoil the others."""
        rows = np.concatenate([rows for rows, _ in batch])
        self.metrics.batches += 1
        self.metrics.rows += len(rows)
        try:
            results = np.asarray(await asyncio.get_running_loop().run_in_executor(self.pool, self.model.call, rows))
            if len(results) != len(rows):
                raise RuntimeError(f"{len(results)} results for {len(rows)} rows")
            finite = np.isfinite(results.reshape(len(rows), -1)).all(axis=1)
        except Exception:
            if len(batch) > 1:
                for request in batch:
                    await self.answer([request])
                return
            logger.exception("the model failed on %d rows", len(rows))
            finite = None
        stop = 0
        for own, future in batch:
            start, stop = stop, stop + len(own)
            if future.done():  # the client is gone
                continue
            if finite is None:
                future.set_exception(HTTPException(500, "the model failed on these rows; the server's log says why"))
            elif not finite[start:stop].all():
                future.set_exception(HTTPException(500, "the model's results for these rows are not finite"))
            else:
                future.set_result(results[start:stop])


# -- what a body must be ------------------------------------------------------------------------------


async def body_of(request: Request, limits: Limits) -> bytes:
    """The bytes of a request. Raises HTTPException for those of another type, and if they are too many or too slow.

    What is too much is read and thrown away, because a client that cannot send on would not see the answer.
    """
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(limits.upload):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= limits.body:
                    body += chunk
    except TimeoutError:
        if size <= limits.body:
            raise HTTPException(408, f"the body did not arrive within {limits.upload:g} seconds") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body is not complete") from None
    kind = request.headers.get("content-type", "none").split(";")[0].strip().lower()
    packed = request.headers.get("content-encoding")
    if kind != "application/json" or packed:
        kind += f", packed by {packed:.60}" if packed else ""
        raise HTTPException(415, f"the body is application/json as it is, but its content type is {kind}")
    if size > limits.body:
        raise HTTPException(413, f"a body has {limits.body} bytes at most; send fewer rows at a time")
    return bytes(body)


def no_number(name: str) -> Any:
    """Refuse NaN and Infinity, which Python's JSON would read."""
    raise HTTPException(422, f"{name} is no number of JSON; rows are finite numbers")


def rows_of(body: bytes, model: Served, limits: Limits) -> Array:
    """The rows of a body, as an array (N, *shape). Raises HTTPException that says what is wrong with them. Of a number the
    first 400 digits are read, which are too large for every type already."""
    try:
        given = json.loads(body, parse_constant=no_number, parse_int=lambda digits: int(digits[:400]))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body is no JSON: {error}") from None
    if not isinstance(given, dict) or set(given) != {"rows"}:
        found = f"the keys {', '.join(map(repr, given)) or 'none'}" if isinstance(given, dict) else type(given).__name__
        raise HTTPException(422, f'the body is {{"rows": [[…], …]}}, but got {found:.200}')
    if not isinstance(given["rows"], list) or not given["rows"]:
        raise HTTPException(422, f"rows is a list of rows, one at least, but got {given['rows']!r:.60}")
    if len(given["rows"]) > limits.batch:
        raise HTTPException(413, f"{limits.batch} rows at most, but got {len(given['rows'])}; send fewer at a time")
    values = np.array(given["rows"], dtype=object)
    kinds = set(map(type, values.flat))
    if list in kinds:
        raise HTTPException(422, f"a row has shape {model.shape}, but got lists of unequal lengths")
    if kinds - {int, float}:
        odd = next(value for value in values.flat if type(value) not in (int, float))
        raise HTTPException(422, f"rows are numbers, but got {json.dumps(odd):.60}")
    if values.shape[1:] != model.shape:
        raise HTTPException(422, f"a row has shape {model.shape}, but got {values.shape[1:]}")
    if model.dtype.kind == "i" and float in kinds:
        raise HTTPException(422, "rows are whole numbers, but got some with a fraction")
    try:
        with np.errstate(over="ignore"):
            rows = values.astype(model.dtype)
    except OverflowError:
        rows = np.full(1, np.inf)
    if not np.isfinite(rows).all():
        raise HTTPException(422, f"rows are finite numbers of {model.dtype}, but some are too large for it")
    return rows


# -- the server ---------------------------------------------------------------------------------------


def application(model: Served, limits: Limits = Limits()) -> Starlette:
    """The server of a model, for uvicorn or another server of ASGI."""
    metrics = Metrics()
    batches = Batches(model, limits, metrics)

    async def predict(request: Request) -> Response:
        rows = rows_of(await body_of(request, limits), model, limits)
        return JSONResponse({"outputs": (await batches.predict(rows)).tolist()})

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "row": {"shape": model.shape, "dtype": str(model.dtype)}})

    async def measured(request: Request) -> Response:
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said, headers = error.detail, dict(error.headers or {})
        if error.status_code == 404:
            said = f"there is no {request.url.path:.60}; there are POST /predict, GET /health and GET /metrics"
        if error.status_code == 405:
            said = f"{request.url.path} takes {headers.get('Allow', 'another method')}, but got {request.method}"
        if error.status_code in (408, 413):
            headers["Connection"] = "close"  # of a body that did not end
        return JSONResponse({"error": said}, error.status_code, headers)

    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "the server failed; its log says why"}, 500)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with batches:
            yield

    routes = [Route("/predict", predict, methods=["POST"]), Route("/health", health), Route("/metrics", measured)]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: refused, Exception: failed})
    app.add_middleware(Counted, metrics=metrics, paths={route.path for route in routes})
    return app


def main(arguments: list[str] | None = None) -> int:
    """Serve a model until SIGINT or SIGTERM; requests that were taken are answered first."""
    import uvicorn

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a file of ONNX, or a folder that the project's train.py has written")
    parser.add_argument("--host", default="127.0.0.1", help="127.0.0.1, which only this machine reaches, if not given")
    parser.add_argument("--port", type=int, default=8000, help="8000, if not given; 0 takes a free one")
    said = dict(line.strip().split(": ", 1) for line in (Limits.__doc__ or "").splitlines() if ": " in line)
    for field in fields(Limits):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default, help=said[field.name])
    options = parser.parse_args(arguments)
    if not 0 <= options.port < 1 << 16:
        raise SystemExit(f"--port is from 0 to 65535, but got {options.port}")
    if not options.model.exists():
        raise SystemExit(f"there is no {options.model}; give a file of ONNX, or a folder that train.py has written")
    try:
        limits = Limits(**{field.name: getattr(options, field.name) for field in fields(Limits)})
        model = of_onnx(options.model) if options.model.is_file() else of_project(options.model, limits)
    except Exception as error:  # of files, of the library, or of onnxruntime
        raise SystemExit(f"{options.model} cannot be served: {error}") from error
    uvicorn.run(
        application(model, limits), host=options.host, port=options.port, access_log=False,
        limit_concurrency=1000, timeout_graceful_shutdown=10,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
