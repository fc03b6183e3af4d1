"""The example that serves a model: its answers, its batches, its limits, what it refuses and what it counts."""

from __future__ import annotations

import concurrent.futures
import doctest
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette")

from starlette.testclient import TestClient

import tinygrad_edu as tg
from examples import serve
from tinygrad_edu import nn

ROOT = Path(__file__).parents[2]
SHAPE = (2, 3)


@pytest.fixture(scope="module")
def net():
    tg.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(6, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 4)
    )


@pytest.fixture(scope="module")
def model(net):
    return serve.replayed(net, SHAPE, serve.Limits(batch=8))


@pytest.fixture
def client(model):
    with TestClient(serve.application(model, serve.Limits(batch=8, body=5000))) as client:
        yield client


def fake(call, dtype="f4", shape=(1,)):
    return serve.Served(call, shape, np.dtype(dtype))


def metric(client, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE).group(1))


def together(functions):
    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(function) for function in functions]]


def test_the_example_in_the_example():
    assert doctest.testmod(serve) == (0, 2)


# -- answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_answers_are_the_model_s(client, net, rng, count):
    rows = rng.normal(size=(count, *SHAPE)).astype(np.float32)
    answer = client.post("/predict", json={"rows": rows.tolist()})
    assert answer.status_code == 200
    with tg.no_grad():
        expected = net.eval()(rows).numpy()
    np.testing.assert_allclose(answer.json()["outputs"], expected, rtol=1e-5, atol=1e-6)


def test_a_replayed_model_is_recorded_before_the_first_request(net, rng, monkeypatch):
    calls = []
    monkeypatch.setattr(net, "forward", lambda x, forward=net.forward: (calls.append(len(x)), forward(x))[1])
    model = serve.replayed(net, SHAPE, serve.Limits(batch=8))
    sizes = set(calls)
    for count in range(1, 9):
        assert model.call(rng.normal(size=(count, *SHAPE)).astype(np.float32)).shape == (count, 4)
    assert sizes == set(calls) == {1, 2, 4, 8}


def test_a_file_of_onnx(tmp_path, rng):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    weight = rng.normal(size=(3, 2)).astype(np.float32)

    def write(path, inputs):
        number = onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
            "net",
            [onnx.helper.make_tensor_value_info(name, number, shape) for name, shape in inputs.items()],
            [onnx.helper.make_tensor_value_info("y", number, None)],
            [onnx.numpy_helper.from_array(weight, "w")] if "w" not in inputs else [],
        )
        version = onnx.helper.make_opsetid("", 18)
        onnx.save(onnx.helper.make_model(graph, ir_version=10, opset_imports=[version]), path)
        return path

    served = serve.of_onnx(write(tmp_path / "net.onnx", {"x": ["batch", 3]}))
    assert (served.shape, served.dtype) == ((3,), np.float32)
    rows = rng.normal(size=(5, 3)).astype(np.float32)
    with TestClient(serve.application(served)) as client:
        answer = client.post("/predict", json={"rows": rows.tolist()}).json()
    np.testing.assert_allclose(answer["outputs"], rows @ weight, rtol=1e-6)
    with pytest.raises(SystemExit, match="the first axis is to be free"):
        serve.of_onnx(write(tmp_path / "fixed.onnx", {"x": [1, 3]}))
    with pytest.raises(SystemExit, match="has the inputs x, w"):
        serve.of_onnx(write(tmp_path / "two.onnx", {"x": ["batch", 3], "w": [3, 2]}))
    (tmp_path / "none.onnx").write_bytes(b"no model")
    with pytest.raises(SystemExit, match=r"none.onnx cannot be served"):
        serve.main([str(tmp_path / "none.onnx")])


def test_an_exported_net(net, tmp_path, rng):
    pytest.importorskip("onnxruntime")
    rows = rng.normal(size=(3, *SHAPE)).astype(np.float32)
    tg.export.onnx(net.eval(), rows, tmp_path / "net.onnx")
    with tg.no_grad():
        np.testing.assert_allclose(
            serve.of_onnx(tmp_path / "net.onnx").call(rows), net(rows).numpy(), rtol=1e-5, atol=1e-6
        )


# -- batches ------------------------------------------------------------------------------------------


def test_requests_at_the_same_time_are_one_batch_each_with_its_own_answer():
    sizes, hold = [], threading.Event()

    def held(rows):
        sizes.append(len(rows))
        hold.wait(60)
        return rows * 2

    with (
        TestClient(serve.application(fake(held), serve.Limits(batch=16))) as client,
        concurrent.futures.ThreadPoolExecutor(20) as pool,
    ):
        taken = [pool.submit(client.post, "/predict", json={"rows": [[i], [i + 0.5]]}) for i in range(20)]
        while sum(sizes) + metric(client, "serve_waiting_rows") < 40:  # the first batch is held until all have come
            time.sleep(0.01)
        hold.set()
        assert [future.result().json() for future in taken] == [{"outputs": [[2 * i], [2 * i + 1]]} for i in range(20)]
        assert sum(sizes) == metric(client, "serve_rows_total") == 40
        assert len(sizes) == metric(client, "serve_batches_total") <= 4
        assert sizes[1] == max(sizes) == 16
        assert metric(client, "serve_waiting_rows") == 0


def test_a_row_alone_does_not_wait_long():
    with TestClient(serve.application(fake(lambda rows: rows), serve.Limits(patience=0.8))) as client:
        start = time.perf_counter()
        client.post("/predict", json={"rows": [[1]]})
        assert 0.7 < time.perf_counter() - start < 5
    with TestClient(serve.application(fake(lambda rows: rows), serve.Limits(patience=60, upload=90))) as client:
        start = time.perf_counter()
        client.post("/predict", json={"rows": [[1]] * 64})  # a full batch
        assert time.perf_counter() - start < 30


def test_overload_is_refused_with_the_time_to_come_back():
    hold, began = threading.Event(), threading.Event()

    def held(rows):
        began.set()
        hold.wait(10)
        return rows

    limits = serve.Limits(batch=2, waiting=4)
    with (
        TestClient(serve.application(fake(held), limits)) as client,
        concurrent.futures.ThreadPoolExecutor(3) as pool,
    ):
        taken = [pool.submit(client.post, "/predict", json={"rows": [[0], [0]]})]
        assert began.wait(10)
        taken += [pool.submit(client.post, "/predict", json={"rows": [[i], [i]]}) for i in (1, 2)]
        while metric(client, "serve_waiting_rows") < 4:
            time.sleep(0.01)
        refused = client.post("/predict", json={"rows": [[9]]})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json() == {"error": "4 rows wait already; send these again later"}
        assert client.get("/health").status_code == 200
        hold.set()
        assert [future.result().json()["outputs"][0][0] for future in taken] == [0, 1, 2]
        assert client.post("/predict", json={"rows": [[9]]}).status_code == 200


# -- failures -----------------------------------------------------------------------------------------


def test_a_model_that_fails_on_some_rows_fails_for_their_request_alone(caplog):
    def divides(rows):
        time.sleep(0.03)
        if (rows == 0).any():
            raise ZeroDivisionError("secret")
        return np.where(rows == 3, np.inf, 1 / rows)

    with TestClient(serve.application(fake(divides))) as client:
        jobs = [lambda i=i: client.post("/predict", json={"rows": [[i]]}) for i in (1, 0, 2, 4, 3)]
        answers = together(jobs)
        assert [answer.status_code for answer in answers] == [200, 500, 200, 200, 500]
        assert [answer.json()["outputs"] for answer in answers if answer.status_code == 200] == [
            [[1]],
            [[0.5]],
            [[0.25]],
        ]
        assert answers[1].json() == {"error": "the model failed on these rows; the server's log says why"}
        assert answers[4].json() == {"error": "the model's results for these rows are not finite"}
        assert metric(client, 'serve_requests_total{path="/predict",status="500"}') == 2
    assert "ZeroDivisionError: secret" in caplog.text


@pytest.mark.parametrize("wrong", [lambda rows: ["a word"] * len(rows), lambda rows: rows[:0], lambda rows: None])
def test_a_model_that_gives_no_numbers_fails_and_the_server_goes_on(wrong):
    calls = []

    def now_and_then(rows):
        calls.append(1)
        return wrong(rows) if len(calls) == 1 else rows

    with TestClient(serve.application(fake(now_and_then))) as client:
        assert client.post("/predict", json={"rows": [[1]]}).status_code == 500
        assert client.post("/predict", json={"rows": [[1]]}).json() == {"outputs": [[1]]}


def test_a_fault_of_the_server_itself_is_told_without_its_stack(model, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(serve, "rows_of", broken)
    with TestClient(serve.application(model), raise_server_exceptions=False) as client:
        answer = client.post("/predict", json={"rows": [[1]]})
        assert (answer.status_code, answer.json()) == (500, {"error": "the server failed; its log says why"})
        assert metric(client, 'serve_requests_total{path="/predict",status="500"}') == 1


# -- what is refused ----------------------------------------------------------------------------------

JSON = {"content-type": "application/json"}
ROW = [[0, 0, 0], [0, 0, 0]]


def rows(*given):
    return json.dumps({"rows": list(given)})


@pytest.mark.parametrize(
    ("body", "status", "cause"),
    [
        ("{", 400, "the body is no JSON: Expecting property name"),
        (b"\xff\xfe\xfa", 400, "the body is no JSON"),
        ("[" * 2400, 400, "the body is no JSON"),
        ("", 400, "the body is no JSON: Expecting value"),
        ("[1]", 422, 'the body is {"rows": [[…], …]}, but got list'),
        ('{"row": []}', 422, "but got the keys 'row'"),
        ("{}", 422, "but got the keys none"),
        ('{"rows": [], "also": 1}', 422, "but got the keys 'rows', 'also'"),
        ('{"rows": 3}', 422, "a list of rows, one at least, but got 3"),
        ('{"rows": []}', 422, "one at least"),
        (rows([0, 0, 0]), 422, "a row has shape (2, 3), but got (3,)"),
        (rows([[0, 0], [0, 0]]), 422, "a row has shape (2, 3), but got (2, 2)"),
        (rows(1), 422, "a row has shape (2, 3), but got ()"),
        (rows([[0, 0, 0], [0, 0]]), 422, "unequal lengths"),
        (rows([[0, 0, 0], 1]), 422, "unequal lengths"),
        (rows([["0", 0, 0], [0, 0, 0]]), 422, 'rows are numbers, but got "0"'),
        (rows([[None, 0, 0], [0, 0, 0]]), 422, "rows are numbers, but got null"),
        (rows([[True, 0, 0], [0, 0, 0]]), 422, "rows are numbers, but got true"),
        (rows([[{"a": 1}, 0, 0], [0, 0, 0]]), 422, 'rows are numbers, but got {"a": 1}'),
        (rows([[float("nan"), 0, 0], [0, 0, 0]]), 422, "NaN is no number of JSON"),
        (rows([[float("-inf"), 0, 0], [0, 0, 0]]), 422, "-Infinity is no number of JSON"),
        (rows(ROW).replace("0", "1e999", 1), 422, "finite numbers of float32, but some are too large"),
        (rows([[1e300, 0, 0], [0, 0, 0]]), 422, "finite numbers of float32, but some are too large"),
        (rows([[10**400, 0, 0], [0, 0, 0]]), 422, "finite numbers of float32, but some are too large"),
        (rows(ROW).replace("0", "9" * 4500, 1), 422, "finite numbers of float32, but some are too large"),
        (rows(*[ROW] * 9), 413, "8 rows at most, but got 9"),
        (rows(*[ROW] * 8) + " " * 5000, 413, "a body has 5000 bytes at most"),
    ],
)
def test_bad_bodies(client, body, status, cause):
    answer = client.post("/predict", content=body, headers=JSON)
    assert answer.status_code == status
    assert cause in answer.json()["error"]
    assert client.post("/predict", content=rows(ROW), headers=JSON).status_code == 200
    assert metric(client, "serve_rows_total") == 1


def test_a_body_without_a_length_has_the_same_limit(client):
    parts = [b" " * 1000 for _ in range(1000)]
    answer = client.post("/predict", content=iter(parts), headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (
        413,
        "a body has 5000 bytes at most; send fewer rows at a time",
    )
    answer = client.post("/predict", content=iter([*parts[:4], rows(ROW).encode()]), headers=JSON)
    assert answer.status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_other_content_types(client, kind):
    answer = client.post("/predict", content=rows(ROW), headers={"content-type": kind} if kind else {})
    assert answer.status_code == 415
    assert answer.json() == {
        "error": f"the body is application/json as it is, but its content type is {kind or 'none'}"
    }
    packed = client.post("/predict", content=rows(ROW), headers={**JSON, "content-encoding": "gzip"})
    assert (packed.status_code, "json, packed by gzip" in packed.json()["error"]) == (415, True)
    with_charset = {"content-type": "Application/JSON; charset=utf-8"}
    assert client.post("/predict", content=rows(ROW), headers=with_charset).status_code == 200


def test_other_methods_and_paths(client):
    answer = client.get("/predict")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"error": "/predict takes POST, but got GET"}
    answer = client.get("/predit")
    assert answer.status_code == 404
    assert answer.json() == {"error": "there is no /predit; there are POST /predict, GET /health and GET /metrics"}
    assert client.delete("/health").status_code == 405


def test_a_model_of_whole_numbers_takes_no_fractions():
    with TestClient(serve.application(fake(lambda rows: rows, "i4", (2,)))) as client:
        assert client.post("/predict", json={"rows": [[1, -2]]}).json() == {"outputs": [[1, -2]]}
        for bad, cause in (([1.5, 0], "whole numbers"), ([2**40, 0], "too large"), ([2**80, 0], "too large")):
            answer = client.post("/predict", json={"rows": [bad]})
            assert answer.status_code == 422
            assert cause in answer.json()["error"]


def test_metrics_count_each_answer(client):
    for content in (rows(ROW), rows(ROW, ROW), "{"):
        client.post("/predict", content=content, headers=JSON)
    client.get("/health")
    client.get("/nowhere/1")
    client.get("/nowhere/2")
    text = client.get("/metrics").text
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'serve_requests_total{path="/predict",status="200"} 2',
        'serve_requests_total{path="/predict",status="400"} 1',
        'serve_requests_total{path="/health",status="200"} 1',
        'serve_requests_total{path="other",status="404"} 2',
        "serve_rows_total 3",
        "serve_request_seconds_count 6",
        'serve_request_seconds_bucket{le="+Inf"} 6',
    ):
        assert line in text.splitlines()
    buckets = [int(count) for count in re.findall(r'seconds_bucket\{le="[^"]+"\} (\d+)', text)]
    assert buckets == sorted(buckets)
    assert len(buckets) == len(serve.Metrics.bounds) + 1
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [\d.e+-]+', line), line
    assert client.get("/health").json() == {"status": "ok", "row": {"shape": [2, 3], "dtype": "float32"}}


# -- the real server ----------------------------------------------------------------------------------

PROGRAM = """
import sys, time, uvicorn
import tinygrad_edu as tg
from tinygrad_edu import nn
from examples import serve
tg.manual_seed(0)
net = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
limits = serve.Limits(upload=2.0)
model = serve.replayed(net, (64,), limits)
def call(rows):
    if sys.argv[1:]:
        print("called", flush=True)
        time.sleep(float(sys.argv[1]))
    return model.call(rows)
app = serve.application(serve.Served(call, model.shape, model.dtype), limits)
config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=10)
with config.bind_socket() as place:
    print(place.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[place])
"""


class Server:
    """The server in a process of its own; given seconds, its model says that it is called, and takes so much longer."""

    def __init__(self, *delay):
        self.delay = delay

    def __enter__(self):
        command = [sys.executable, "-W", "error", "-c", PROGRAM, *map(str, self.delay)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.port = self.process.stdout.readline().strip().decode()
        for _ in range(300):
            try:
                connection = self.connection()
                connection.request("GET", "/health")
                assert connection.getresponse().read().startswith(b'{"status":"ok"')
                connection.close()
                return self
            except OSError:
                assert self.process.poll() is None, self.process.stderr.read().decode()
                time.sleep(0.1)
        raise TimeoutError("the server did not begin")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self.process.stdout.close()
        self.process.stderr.close()

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)


def predict(connection, rows):
    connection.request("POST", "/predict", json.dumps({"rows": rows}), JSON)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_a_server_that_is_stopped_answers_what_it_has_taken():
    with Server(0.5) as server:
        connection = server.connection()
        large = server.connection()
        large.request("POST", "/predict", b" " * 12_000_000, JSON)  # more than fits into buffers between the two
        assert large.getresponse().status == 413
        large.close()
        slow = server.connection()
        slow.putrequest("POST", "/predict")  # promises a body that never comes
        slow.putheader("Content-Type", "application/json")
        slow.putheader("Content-Length", "100")
        slow.endheaders()
        assert slow.getresponse().status == 408
        connection.request("POST", "/predict", json.dumps({"rows": [[0.0] * 64]}), JSON)
        assert server.process.stdout.readline() == b"called\n"
        server.process.send_signal(signal.SIGTERM)
        answer = connection.getresponse()
        assert (answer.status, len(json.loads(answer.read())["outputs"][0])) == (200, 10)
        assert server.process.wait(10) in (0, -signal.SIGTERM)
        assert server.process.stderr.read() == b""
        with pytest.raises(OSError, match="refused"):
            server.connection().connect()
        connection.close()
        slow.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nowhere.onnx"], "there is no nowhere.onnx; give a file of ONNX, or a folder"),
        ([".", "--batch", "0"], r"cannot be served: batch is 1 or more, .* but got Limits\(batch=0"),
        ([".", "--waiting", "9"], "waiting not less"),
        ([".", "--port", "99999"], "--port is from 0 to 65535, but got 99999"),
        ([".", "--patience", "60"], "patience less than upload"),
        (["."], "settings.json"),
    ],
)
def test_what_cannot_be_served_is_said(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit, match=message):
        serve.main(options)


@pytest.mark.nightly
def test_200_requests_a_second_for_a_minute_and_none_is_lost(capsys):
    """Requests begin on time, whether or not the ones before have been answered."""
    rate, seconds = 200, 60
    row = np.random.default_rng(0).normal(size=64).round(3).tolist()
    latencies, statuses = [], []
    local = threading.local()

    def ask(due):
        if not hasattr(local, "connection"):
            local.connection = server.connection()
        status, answer = predict(local.connection, [row])
        latencies.append(time.perf_counter() - due)  # from when it was due: waiting for a connection counts
        statuses.append((status, len(answer.get("outputs", [[]])[0])))

    with Server() as server, concurrent.futures.ThreadPoolExecutor(32) as pool:
        start = time.perf_counter()
        for i in range(rate * seconds):
            due = start + i / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            pool.submit(ask, due)
        pool.shutdown(wait=True)
        took = time.perf_counter() - start
        connection = server.connection()
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    rows_total, batches = (
        int(re.search(rf"^serve_{n}_total (\d+)$", text, re.M).group(1)) for n in ("rows", "batches")
    )
    middle, high, highest = np.percentile(latencies, [50, 99, 100]) * 1000
    with capsys.disabled():
        print(
            f"\n{len(statuses)} requests in {took:.1f} s, {rows_total / batches:.2f} rows a call; "
            f"latency: median {middle:.1f} ms, 99 % {high:.1f} ms, longest {highest:.1f} ms"
        )
    assert statuses == [(200, 10)] * (rate * seconds)
    assert rows_total == rate * seconds
    assert f'serve_requests_total{{path="/predict",status="200"}} {rate * seconds}' in text
    assert took < seconds + 5
