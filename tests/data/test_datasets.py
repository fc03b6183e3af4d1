"""Data sets: what is in them, the files they come in, and what is said of files that are not what they should be."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from tinygrad_edu.data import datasets
from tinygrad_edu.data.datasets import archive, idx, images

FILES = list(images.MNIST.files)


def packed(array):
    """The bytes of an IDX file."""
    code = {np.dtype(kind).str[1:]: code for code, kind in idx.TYPES.items()}[array.dtype.str[1:]]
    return (
        struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


# -- digits ------------------------------------------------------------------------------------------


def test_the_digits_in_the_package_are_those_of_scikit_learn(monkeypatch):
    pixels, labels = load_digits(return_X_y=True)
    monkeypatch.setitem(sys.modules, "sklearn", None)  # none of it is needed
    (x, y), (x_test, y_test) = datasets.digits()
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((1437, 64), (1437,), (360, 64), (360,))
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    order = np.random.default_rng(0).permutation(1797)
    assert np.array_equal(np.concatenate([x, x_test]), pixels[order] / 16)
    assert np.array_equal(np.concatenate([y, y_test]), labels[order])
    (squares, _), (squares_test, _) = datasets.digits(flatten=False)
    assert squares_test.shape == (360, 8, 8)
    assert np.array_equal(squares.reshape(-1, 64), x)


# -- the IDX format ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0, 5)])
def test_read_idx(tmp_path, dtype, shape):
    array = np.random.default_rng(0).integers(100, size=shape).astype(dtype)
    (tmp_path / "plain").write_bytes(packed(array))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(packed(array)))
    for name in ("plain", "packed.gz"):
        read = datasets.read_idx(tmp_path / name)
        assert (read.dtype, read.shape) == (array.dtype, shape)
        assert np.array_equal(read, array)
        assert read.flags.writeable


def test_files_that_are_not_idx_say_so(tmp_path):
    whole = packed(np.arange(6, dtype="i4").reshape(2, 3))
    small = gzip.compress(whole)
    wrong = {
        "empty": (b"", "is not an IDX file"),
        "text": (b"hello", "is not an IDX file"),
        "type": (whole[:2] + b"\x07" + whole[3:], "is not an IDX file"),
        "long": (whole + b"\0", "has more than it says"),
        "text.gz": (b"hello", "is not a whole gzip file"),
        "broken.gz": (small[:12] + b"\xff\xff\xff\xff" + small[16:], "is not a whole gzip file"),
    }
    for name, (content, message) in wrong.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            datasets.read_idx(tmp_path / name)
        assert name in str(caught.value)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_that_is_cut_at_any_byte_says_so(tmp_path, suffix):
    content = packed(np.arange(6, dtype="i4").reshape(2, 3))
    content = gzip.compress(content) if suffix else content
    path = tmp_path / f"images{suffix}"
    for end in range(len(content)):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match=f"images{suffix} is "):
            datasets.read_idx(path)


# -- MNIST, from a folder, the cache or a server -----------------------------------------------------


class Server:
    """A web server of these tests' own, with small files like those of MNIST; `asked` lists what was fetched from it."""

    def __init__(self, content):
        self.content, self.asked, self.cut, self.stalled = content, [], set(), threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.removeprefix("/")
                owner.asked.append(name)
                body = owner.content.get(name)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if name in owner.cut else body)
                if name == "stall":
                    owner.stalled.wait(10)

            def log_message(self, *_):
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.stalled.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        name: rng.integers(256 if "images" in name else 10, size=(n, 28, 28) if "images" in name else n).astype("u1")
        for name, n in zip(FILES, (3, 3, 2, 2), strict=True)
    }


@pytest.fixture
def files(arrays):
    return {name: gzip.compress(packed(array)) for name, array in arrays.items()}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and no named folder."""
    monkeypatch.delenv("TINYGRAD_EDU_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tinygrad_edu"


@pytest.fixture
def server(files, monkeypatch):
    serving = Server(dict(files))
    checksums = {name: f"md5:{hashlib.md5(content).hexdigest()}" for name, content in files.items()}
    for name in ("MNIST", "FASHION_MNIST"):
        monkeypatch.setattr(images, name, archive.Archive(name.lower(), serving.url, checksums))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(pooch.get_logger(), "disabled", True)  # it writes to the standard error of the first test
    yield serving
    serving.close()


def put(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def check(arrays, load=datasets.mnist, **options):
    split = load(**options)
    for (x, y), pictures, labels in zip(split, FILES[::2], FILES[1::2], strict=True):
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert np.array_equal(x.reshape(len(x), 28, 28), arrays[pictures].astype(np.float32) / np.float32(255))
        assert np.array_equal(y, arrays[labels])
    return split[0][0]


def test_mnist_from_a_named_folder(arrays, files, tmp_path, monkeypatch, cache):
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    put(tmp_path / "mnist", files)
    assert check(arrays).shape == (3, 784)
    assert check(arrays, flatten=False).shape == (3, 28, 28)
    for name in FILES:  # unpacked ones serve as well
        (tmp_path / "mnist" / name).with_suffix("").write_bytes(packed(arrays[name]))
        (tmp_path / "mnist" / name).unlink()
    check(arrays)
    (tmp_path / "mnist" / FILES[3]).with_suffix("").unlink()
    with pytest.raises(FileNotFoundError, match=rf"TINYGRAD_EDU_DATA is set, but .*{FILES[3]} does not exist"):
        datasets.mnist()
    assert not cache.exists()


@pytest.mark.parametrize("load", [datasets.mnist, datasets.fashion_mnist])
def test_a_download_is_kept_in_the_cache(arrays, files, cache, server, load, capsys):
    check(arrays, load)
    assert server.asked == FILES
    assert {path.name: path.read_bytes() for path in (cache / load.__name__).iterdir()} == files
    fetched = len(server.asked)
    check(arrays, load)
    assert len(server.asked) == fetched
    assert "%" not in capsys.readouterr().err  # no bar where nobody watches


def test_the_cache_is_read_without_pooch(arrays, files, cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    put(cache / "mnist", files)
    check(arrays)
    (cache / "mnist" / FILES[0]).unlink()
    with pytest.raises(ImportError, match=rf"pip install pooch tqdm; or put {FILES[0]} into a folder mnist"):
        datasets.mnist()


def test_a_download_shows_how_far_it_is(arrays, cache, server, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    check(arrays)
    assert all(f"{name}: 100%" in sys.stderr.getvalue() for name in FILES)
    (cache / "mnist" / FILES[1]).unlink()
    monkeypatch.setitem(sys.modules, "tqdm", None)
    check(arrays)


DAMAGE = {
    "corrupt": (lambda body: body[:20] + bytes([body[20] ^ 1]) + body[21:], ValueError, "is not the published"),
    "another file": (lambda body: b"<html>Sign in</html>", ValueError, "is not the published"),
    "empty": (lambda body: b"", ValueError, "is not the published"),
    "cut": (lambda body: body, OSError, "could not be downloaded"),
    "gone": (lambda body: None, OSError, "could not be downloaded: 404"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", [FILES[0], FILES[3]])
def test_a_download_that_fails_names_its_file_and_leaves_nothing(arrays, files, cache, server, damage, name):
    spoil, kind, message = DAMAGE[damage]
    server.content[name] = spoil(files[name])
    server.cut = {name} if damage == "cut" else set()
    with pytest.raises(kind, match=message) as caught:
        datasets.mnist()
    assert server.url + name in str(caught.value)
    assert f"put {name} into a folder mnist" in str(caught.value)
    assert {path.name for path in (cache / "mnist").iterdir()} == set(FILES[: FILES.index(name)])
    server.content, server.cut = files, set()
    check(arrays)


def test_a_server_that_is_not_there(cache, server):
    server.close()
    with pytest.raises(OSError, match=r"could not be downloaded: .*; try again, or put"):
        datasets.mnist()
    assert not any(cache.rglob("*.*"))


def test_a_download_that_is_interrupted_leaves_nothing(arrays, cache, server, monkeypatch):
    class Interrupted:
        total = 0

        def update(self, _):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archive, "_bar", lambda file: Interrupted())
        with pytest.raises(KeyboardInterrupt):
            datasets.mnist()
    assert not any(cache.rglob("*.*"))
    check(arrays)


def test_a_process_that_is_killed_during_a_download_leaves_no_half_file(arrays, files, cache, server):
    server.content["stall"], server.cut = files[FILES[0]], {"stall"}
    script = f"""
        from tinygrad_edu.data.datasets.archive import Archive
        Archive("mnist", {server.url!r}, {{"stall": "md5:0"}}).find("stall")
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stderr=subprocess.DEVNULL)
    limit = time.perf_counter() + 60
    while "stall" not in server.asked and time.perf_counter() < limit:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert server.asked == ["stall"]
    assert not (cache / "mnist" / "stall").exists()
    check(arrays)


def test_files_that_hold_something_else_are_named(arrays, files, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(tmp_path))
    for name, array, message in (
        (
            FILES[0],
            np.zeros((3, 8, 8), "u1"),
            r"should hold images \(N, 28, 28\) of bytes, but holds shape \(3, 8, 8\)",
        ),
        (FILES[0], np.zeros(3, "u1"), r"should hold images .* holds shape \(3,\)"),
        (FILES[2], np.zeros((2, 28, 28), "f4"), "should hold images .* of float32"),
        (FILES[1], np.zeros(2, "u1"), r"should hold 3 labels .* holds shape \(2,\)"),
        (FILES[1], np.full(3, 10, "u1"), "should hold 3 labels from 0 to 9 .* up to 10"),
        (FILES[3], arrays[FILES[2]], "should hold 2 labels"),
    ):
        put(tmp_path / "mnist", {**files, name: gzip.compress(packed(array))})
        with pytest.raises(ValueError, match=message) as caught:
            datasets.mnist()
        assert str(tmp_path / "mnist" / name) in str(caught.value)
    put(tmp_path / "mnist", {**files, FILES[1]: files[FILES[1]][:-3]})
    with pytest.raises(ValueError, match=f"{FILES[1]} is not a whole gzip file"):
        datasets.mnist()


NAMED = os.environ.get("TINYGRAD_EDU_DATA", "")


@pytest.mark.skipif(
    not NAMED or not (Path(NAMED) / "mnist").is_dir(), reason="TINYGRAD_EDU_DATA does not name a folder with MNIST"
)
def test_mnist_itself():
    (x, y), (x_test, y_test) = datasets.mnist()
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((60000, 784), (60000,), (10000, 784), (10000,))
    assert abs(x.mean() - 0.1307) < 1e-3
    assert abs(x.std() - 0.3081) < 1e-3
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


# -- points and gates --------------------------------------------------------------------------------


@given(st.integers(2, 60), st.floats(0, 1), st.integers(0, 99), st.integers(2, 5))
def test_points_are_shared_out_and_drawn_from_the_generator(n, noise, seed, classes):
    for make, several in (
        (lambda rng: datasets.moons(n + classes, noise, rng), 2),
        (lambda rng: datasets.circles(n + classes, noise, generator=rng), 2),
        (lambda rng: datasets.spiral(n + classes, classes, noise, rng), classes),
    ):
        x, y = make(np.random.default_rng(seed))
        assert (x.shape, x.dtype, y.shape, y.dtype) == ((n + classes, 2), np.float32, (n + classes,), np.int64)
        counts = np.bincount(y, minlength=several)
        assert len(counts) == several
        assert counts.max() - counts.min() <= 1
        again, _ = make(np.random.default_rng(seed))
        assert np.array_equal(x, again)


def test_points_lie_on_their_curves():
    x, y = datasets.circles(200, 0.0, 0.3)
    np.testing.assert_allclose(np.hypot(*x.T), np.where(y == 0, 1, 0.3), rtol=1e-6)
    x, y = datasets.moons(200, 0.0)
    centre = np.where(y[:, None] == 0, [0.0, 0.0], [1.0, 0.5])
    np.testing.assert_allclose(np.hypot(*(x - centre).T), 1, rtol=1e-6)
    assert np.all((x[:, 1] >= 0)[y == 0])
    assert np.all((x[:, 1] <= 0.5)[y == 1])
    x, y = datasets.spiral(300, 4, 0.0)
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 0], x[:, 1])
    turned = (angle - 2 * np.pi * y / 4 - 4 * radius)[radius > 0] / (2 * np.pi)
    np.testing.assert_allclose(turned, np.round(turned), atol=1e-5)


def test_noise_is_as_large_as_said():
    for make in (datasets.moons, datasets.circles):
        noisy, _ = make(4000, 0.2, generator=np.random.default_rng(0))
        exact, _ = make(4000, 0.0, generator=np.random.default_rng(1))
        assert abs(np.sqrt(noisy.var(0).sum() - exact.var(0).sum()) / np.sqrt(2) - 0.2) < 0.02


TRUTH = {"and": all, "or": any, "nand": lambda x: not all(x), "nor": lambda x: not any(x)}
TRUTH |= {"xor": lambda x: sum(x) % 2, "xnor": lambda x: not sum(x) % 2}


@given(st.sampled_from(sorted(TRUTH)), st.integers(1, 6))
def test_gates_are_their_truth_tables(name, inputs):
    for called in (name, name.upper()):
        x, y = datasets.gates(called, inputs)
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        rows = [tuple(row) for row in x.astype(int).tolist()]
        assert rows == sorted(rows)
        assert len(set(rows)) == 2**inputs
        assert y.tolist() == [int(TRUTH[name](row)) for row in rows]


def test_points_and_gates_refuse():
    for make, message in (
        (lambda: datasets.gates("nad"), "one of and, or, nand, nor, xor, xnor and at least one input, but got 'nad'"),
        (lambda: datasets.gates("and", 0), "at least one input, but got 'and' and 0"),
        (lambda: datasets.moons(1), "at least one point for each class, but got noise=0.1 and 1 points for 2"),
        (lambda: datasets.moons(10, -1), "noise=-1"),
        (lambda: datasets.spiral(2), "2 points for 3"),
        (lambda: datasets.circles(10, factor=1.0), "factor of the inner radius, from 0 up to 1, but got 1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
