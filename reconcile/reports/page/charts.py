"""
Charts as inline SVG: plain numbers in, marked-up text out, each with its words for whoever does not see it.

Knows lengths and places. Colours are classes that the page's style sheet gives; nothing in a
chart is text, so that it can be drawn at any width. Equal numbers give equal text.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_WIDE = 1000  # units across; the page stretches them to the width there is
_HIGH = 20
_THINNEST = 8  # a bar that is not nothing can be seen
_GAP = 0.25  # of a column

# `format` of Markup escapes what goes in.
_CHART = Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>')
_CUT = Markup('<path class="gap" d="M60 0h20l-20 20h-20z"/>')  # a gap in a bar whose axis does not begin at 0
_BAR = Markup('<rect class="{}" x="{:.1f}" y="2" width="{:.1f}" height="{}"/>')
_COLUMN = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')


def step_bar(before: int, after: int, *, low: int, high: int, kind: str, words: str) -> Markup:
    """
    Return one bar of a waterfall: from `before` to `after` on an axis from `low` to `high`.

    `kind` is the class of the bar; with "cut" among it, the bar has a gap. `words` says what it shows.
    """
    left, right = sorted((_place(before, low, high), _place(after, low, high)))
    width = max(right - left, _THINNEST)
    bar = _BAR.format(kind, min(left, _WIDE - width), width, _HIGH - 4)
    return _CHART.format(words, _WIDE, _HIGH, bar + (_CUT if "cut" in kind.split() else ""))


def length_bar(value: int, *, most: int, kind: str, words: str) -> Markup:
    """Return a bar as long as `value` is of `most`; nothing is drawn for 0."""
    bar = _BAR.format(kind, 0, max(_place(value, 0, most), _THINNEST), _HIGH - 4) if value else ""
    return _CHART.format(words, _WIDE, _HIGH, bar)


def columns(values: Sequence[int], *, kinds: Sequence[str], titles: Sequence[str], words: str, high: int) -> Markup:
    """
    Return upright columns, one per value and none negative, `high` units high; the last are at the right.

    `titles` are shown by browsers over each column, `words` stands for the whole chart.
    """
    most = max(values, default=0)
    wide = _WIDE / max(len(values), 1)
    bars = Markup("")
    for number, (value, kind, title) in enumerate(zip(values, kinds, titles, strict=True)):
        tall = max(high * value / most, 2) if value else 1
        left = wide * (number + _GAP / 2)
        bars += _COLUMN.format(kind, left, high - tall, wide * (1 - _GAP), tall, title)
    return _CHART.format(words, _WIDE, high, bars)


def _place(value: int, low: int, high: int) -> float:
    return _WIDE * (value - low) / (high - low) if high > low else 0.0
