"""Wrong uses of figures: each is refused by an error that says what was given, and what is taken."""

import re

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import leaf
from tinygrad_edu import nn
from viz import Graph, draw, draw_backward, trace
from viz.__main__ import main

x, w, v = leaf(2.0, "x"), leaf(3.0, "w"), leaf(np.ones(3), "v")
y, u = x * w, v * 2.0
model = nn.Linear(2, 2, dtype=float)
called = model(tg.Tensor(np.ones((1, 2)), name="in")).sum()

OPTIONS = [
    ({"names": [x]}, TypeError, r"names= takes a dictionary of texts and tensors.* \{'x': x\}, but got list \[Tensor"),
    ({"names": x}, TypeError, "names= takes a dictionary .* but got Tensor"),
    ({"names": {"x": 3}}, TypeError, "names={'x': …} takes a tensor or a module, but got int 3"),
    ({"names": {1: x}}, TypeError, "each name in names= takes a text, .* but got int 1"),
    ({"wrt": 3}, ValueError, "3 is not in this figure; give a tensor"),
    ({"wrt": "nope"}, ValueError, "no value is called 'nope' in this figure; the names are: x, w"),
    ({"wrt": v}, ValueError, "not in this figure"),
    ({"show": 3}, TypeError, r"show= takes .* as in \('value', 'grad'\), but got int 3"),
    ({"show": ["value", 3]}, ValueError, "show=3 is not known; choose one of 'value', 'grad'"),
    ({"show": [["value"]]}, ValueError, "choose one of"),
    ({"grad": None}, ValueError, "grad=None is not known; choose one of 'number', 'symbol', 'blank'"),
    ({"collapse": -1}, ValueError, "collapse=-1 is not a depth"),
    ({"collapse": True}, TypeError, "collapse=True is not a depth"),
    ({"collapse": 2.5}, TypeError, "collapse=2.5 is not a depth"),
    ({"collapse": [3]}, TypeError, "collapse= takes a module, or several, but got int 3"),
    ({"cloud": "x"}, TypeError, "cloud= takes a module, or several, but got str 'x'"),
    ({"cloud": model}, ValueError, "cloud= names a module that was not called"),
    ({"style": ["book"]}, ValueError, "choose one of 'book', 'record', 'plain'"),
    ({"theme": []}, ValueError, "choose one of 'default', 'print', 'dark'"),
    ({"direction": {}}, ValueError, "choose one of 'both', 'forward'"),
    ({"lang": []}, ValueError, "choose one of 'en', 'ko'"),
    ({"sizes": [32]}, TypeError, r"sizes= takes a dictionary .*\{32: 'N'\}, but got list \[32\]"),
    ({"sizes": {"a": "N"}}, TypeError, "each length in sizes= takes a whole number"),
    ({"sizes": {32: 5}}, TypeError, "sizes={32: …} takes a text, but got int 5"),
    ({"gradient": "x"}, TypeError, r"gradient= takes numbers of shape \(\), but got 'x'"),
    ({"gradient": [1, 2]}, ValueError, r"gradient= has shape \(2,\)"),
    ({"loss": 3}, TypeError, "loss= takes .* as in 'L', but got int 3"),
    ({"annotate": [1]}, TypeError, "annotate= takes a dictionary"),
    ({"annotate": {x: None}}, TypeError, "takes a text or a number, but got NoneType"),
    ({"annotate": {(x, "a"): "b"}}, TypeError, "a number: 0 is the first use, but got str 'a'"),
    ({"annotate": {(x, 0, 1): "b"}}, ValueError, "not in this figure"),
    ({"values": "x"}, TypeError, "values= takes a dictionary"),
    ({"legend": {x: 3}}, TypeError, "the legend .* takes a text, but got int 3"),
    ({"max_nodes": "10"}, TypeError, "max_nodes= takes a whole number of operations and values, .* but got str '10'"),
    ({"max_nodes": True}, TypeError, "but got bool True"),
    ({"max_nodes": 0}, ValueError, "max_nodes=0 is not a whole number of operations and values, from 1 on"),
    ({"timeout": "a"}, TypeError, "timeout= takes a number of seconds above 0, but got str 'a'"),
    ({"timeout": -1}, ValueError, "timeout=-1 is not a number of seconds above 0"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error", "said"), OPTIONS)
def test_an_option_that_is_not_understood(options, error, said):
    with pytest.raises(error, match=said):
        draw(y, **options)


def both(a, b):
    return a * b


USES = [
    (lambda: draw(model), TypeError, r"draw\(Linear, …\) calls Linear\(x\) .* missing .* 'x'; write draw\(Linear, x\)"),
    (lambda: draw(both, 3), TypeError, r"calls both\(a, b\) .* missing a required argument: 'b'; write draw\(both, a, b\)"),
    (lambda: draw(both, 3, 4, 5), TypeError, "too many positional arguments"),
    (lambda: draw(nn.Linear), TypeError, "Linear is a class; make one first"),
    (lambda: draw(max, 1, 2), TypeError, r"max\(\) does not say what it takes; write draw\(lambda x: max\(x\), 3\)"),
    (lambda: draw([y, u], gradient=3), TypeError, "gradient= of several outputs takes a list, with one for each"),
    (lambda: draw(Graph((), (), ())), ValueError, "nothing to draw: this graph has no values"),
    (lambda: draw(trace(y), check=True), ValueError, "check= needs the tensors of a computation, but this is a Graph"),
    (lambda: draw(trace(y), names={"a": x}), ValueError, "names= needs the tensors"),
    (lambda: draw(trace(y), 3), ValueError, "numbers= needs the tensors"),
    (lambda: draw(called, collapse=[nn.Linear(2, 2)]), ValueError, "not called in this figure"),
    (lambda: draw_backward(3), TypeError, r"draw_backward\(\) takes the tensor that is differentiated, but got int 3"),
    (lambda: draw_backward([y]), TypeError, "but got list"),
    (lambda: draw_backward(y, names=[x]), TypeError, "names= takes a dictionary"),
    (lambda: draw_backward(u), RuntimeError, "single number"),
    (lambda: trace(y, names=[x]), TypeError, "names= takes a dictionary"),
    (lambda: trace(y, names={"a": 3}), TypeError, "takes a tensor or a module"),
    (lambda: draw(y).save(3), TypeError, "save.* takes the name of a file, as in 'figure.svg', but got int 3"),
    (lambda: draw(y).save("figure"), ValueError, r"'figure' does not say in which format to save; end it in one of \.svg"),
    (lambda: draw(y).frames().save_all(3), TypeError, "the name of a folder, but got int 3"),
    (lambda: draw(y).frames().save("a.jpg"), ValueError, "'jpg' is not known; choose one of 'svg', 'pdf', 'tex', 'gif'"),
    (lambda: draw(y).save("a.gif"), ValueError, r".gif shows steps, one after another; write .frames\(\).save\('a.gif'\)"),
    (lambda: draw(y).frames().svg(seconds="x"), TypeError, "seconds= takes"),
    (lambda: draw(y).frames().svg(seconds=0), ValueError, "seconds=0"),
    (lambda: draw(y).frames()[99], IndexError, "there are 3 frames, from 0 to 2, and no frame 99"),
    (lambda: draw(y).frames()["a"], TypeError, "whole number"),
    (lambda: Graph.from_json("{"), ValueError, "not the JSON of a graph of version 1"),
    (lambda: Graph.from_json("[]"), ValueError, "not the JSON of a graph"),
    (lambda: Graph.from_json('{"version": 1}'), ValueError, "write it again .* 'ops'"),
    (lambda: Graph.from_json(trace(y).to_json().replace("flows", "flow")), ValueError, "not the JSON of a graph"),
    (lambda: Graph.from_json(re.sub('"v0"', '"v9"', trace(y).to_json(), count=1)), ValueError, "u0 names the value 'v0'"),
]  # fmt: skip


@pytest.mark.parametrize(("use", "error", "said"), USES)
def test_a_use_that_makes_no_sense(use, error, said):
    with pytest.raises(error, match=said):
        use()


def test_what_stands_in_the_way_of_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(NotADirectoryError, match="file' is a file, and no folder"):
        draw(y).save(tmp_path / "file" / "a.svg")
    with pytest.raises(NotADirectoryError, match="is a file, and no folder"):
        draw(y).frames().save_all(tmp_path / "file")
    with pytest.raises(IsADirectoryError, match=r"folder\.svg': there is a folder of that name"):
        draw(y).save(tmp_path / "folder.svg")
    assert draw(y).save(tmp_path / "new" / "folder" / "a.svg").exists()


def test_the_command_line_refuses_in_one_line(tmp_path, capsys):
    for arguments, message in (
        (["x * 2", "x=1", "-o", str(tmp_path / "figure")], "does not say in which format"),
        (["x * 2", "x=1", "-o", str(tmp_path)], "does not say in which format"),
        (["x * 2", "x=1", "--frames", str(tmp_path / "f"), "--style", "record"], "style 'book'"),
        (["x * 2", "x=1", "--wrt", "q"], "no value is called 'q' in this figure; the names are: x"),
        (["x * 2", "x=1", "--style", "nope"], "choose from"),
        (["exp()", "x=1"], "whose names are: none"),
        (["svd(x)", "x=[[1, 2], [3, 4]]"], "there are 3 results"),
        (["x * 2", "x=1", "--style", "plain", "--direction", "backward"], "choose one of 'both', 'forward'"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        said = capsys.readouterr().err
        assert message in said
        assert "Traceback" not in said


def test_the_command_line_draws_a_value_alone_under_its_name(capsys):
    assert main(["x", "x=2"]) == 0
    assert "x is 2" in capsys.readouterr().out


def test_a_check_where_there_is_no_number_says_so_without_a_warning(capsys):
    assert main(["x ** 0.5", "x=-1", "--check"]) == 0
    assert "NaN" in capsys.readouterr().out
