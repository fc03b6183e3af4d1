"""The contact sheet: figures on one page, with the height of their letters on a slide."""

import re
from html.parser import HTMLParser

import pytest

from examples.sheet import graphs, networks
from examples.sheet.__main__ import chapter, letters, main


class Sheet(HTMLParser):
    """The pictures of a page, by the row that they are in."""

    def __init__(self, text):
        super().__init__()
        self.rows = {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "tr":
            self.rows[given["id"]] = []
        if tag == "img":
            list(self.rows.values())[-1].append(given["src"])


def test_a_sheet_has_each_figure_twice_with_the_height_of_its_letters(tmp_path, capsys):
    assert main(["5-14", "6-17", "R-1", "S-4", "S-15", "-o", str(tmp_path)]) == 0
    assert re.match(r"5 figures in [\d.]+ s: .*sheet\.html", capsys.readouterr().out)
    text = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    rows = Sheet(text).rows
    assert list(rows) == ["5-14", "6-17", "R-1", "S-4", "S-15"]
    assert all(
        len(pictures) == 2 and all((tmp_path / name).exists() for name in pictures) for pictures in rows.values()
    )
    heights = [float(x) for x in re.findall(r"letters of <b[^>]*>([\d.]+)</b> points", text)]
    assert len(heights) == 10
    whole, fitted = heights[2:4]
    assert whole < 6 < 12 < fitted, "6-17 is readable in rows alone"
    assert 'class="small">' in text
    assert "https:" not in text
    assert re.findall('href="([^"]*)"', text) == ["index.html"], "which examples.figures writes, and links the sheet"
    with pytest.raises(SystemExit):
        main(["S-99"])
    assert "there is no figure S-99; there are 5-2" in capsys.readouterr().err


def test_all_of_the_chapter_twenty_more_and_every_network_are_there():
    assert len(dict(chapter())) > 30
    assert len(graphs()) == 20
    assert all(len(drawn().graph.ops) > 0 for drawn in graphs().values())


@pytest.mark.nightly
def test_every_network_is_drawn():
    for title, drawn in networks().items():
        assert letters(drawn()) > 2, title
