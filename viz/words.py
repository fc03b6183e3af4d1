"""The fixed words of figures, in each language that they are drawn in."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "figure": "Computational graph of {name}",
        "forward": "forward",
        "backward": "backward",
        "operations": "{n:,} operations",
        "repeats": "⋯ {n:,} more times ⋯",
        "some": "some computation",
        "collapsed": "{shown:,} of {all:,} operations are drawn one by one; the others are collapsed",
        "given": "{name} is {value}",
        "gradient": "; {d} is {grad}",
        "operation": "{op} takes {inputs} and gives {outputs}.",
        "back": "Going back, {arriving} arrives; {backs}.",
        "sends": "{grad} goes to {name}",
        "and": " and ",
        "comma": ", ",
        "nothing": "nothing",
        "array": "an array of shape {shape}",
    },
    "ko": {
        "figure": "{name}의 계산 그래프",
        "forward": "순전파",
        "backward": "역전파",
        "operations": "연산 {n:,}개",
        "repeats": "⋯ {n:,}번 더 반복 ⋯",
        "some": "어떤 계산",
        "collapsed": "연산 {all:,}개 가운데 {shown:,}개만 하나씩 그리고 나머지는 접었습니다",
        "given": "{name}: {value}",
        "gradient": ", {d} = {grad}",
        "operation": "{op} 노드: 입력 {inputs}, 출력 {outputs}.",
        "back": "역전파: {arriving} 도착, {backs}.",
        "sends": "{name} 쪽으로 {grad}",
        "and": ", ",
        "comma": ", ",
        "nothing": "없음",
        "array": "형상 {shape}의 배열",
    },
}


def words(lang: str) -> Mapping[str, str]:
    """The words of a language. Raises ValueError for one that there are none of."""
    if lang not in WORDS:
        raise ValueError(f"lang={lang!r} is not known; choose one of {', '.join(map(repr, WORDS))}")
    return WORDS[lang]
