"""Draw the comparison: a dot for each row's median, a line from its quickest round to its slowest.

The scale is logarithmic, in multiples of the bare drain of the same round. Usage:

    python bench/picture.py [--results bench/out/results.json] [--to docs/performance.svg]
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

HERE: Final = Path(__file__).parent
PICTURE: Final = HERE.parent / "docs" / "performance.svg"
_WIDTH, _LEFT, _RIGHT = 860, 330, 90
_LINE, _HEAD, _FOOT = 24, 44, 44
#: Room that a row's figures take.
_LABEL: Final = 70
_TICKS: Final = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)
_INK, _FAINT, _OURS, _PEER = "#24292f", "#d0d7de", "#0969da", "#8c959f"


def draw(results: dict[str, Any]) -> str:
    """The picture as SVG, one block for each size.

    Args:
        results: what `bench/run.py` wrote.
    """
    sizes = results["sizes"]
    height = sum(_HEAD + _LINE * len(size["results"]) for size in sizes) + _FOOT
    greatest = max(
        ratio for size in sizes for each in size["results"].values() for ratio in each["ratios"]
    )
    axis = _Axis(greatest)
    look = f'font-family="system-ui, sans-serif" font-size="13" fill="{_INK}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {look}>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *_sizes(sizes, axis),
        _text(
            _WIDTH / 2,
            height - 14,
            "times a bare drain of the same pages, left is faster; red: our target",
        ),
        "</svg>\n",
    ]
    return "\n".join(parts)


class _Axis:
    """Where a ratio is drawn.

    Args:
        greatest: ratio that has to fit in.
    """

    def __init__(self, greatest: float) -> None:
        self.ticks = [each for each in _TICKS if each < greatest * 1.5]
        self._least = math.log(0.8)
        self._span = math.log(max(greatest, self.ticks[-1]) * 1.15) - self._least

    def x(self, ratio: float) -> float:
        """Pixels from the left."""
        share = (math.log(max(ratio, 0.8)) - self._least) / self._span
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _sizes(sizes: list[dict[str, Any]], axis: _Axis) -> Iterator[str]:
    top = 0
    for size in sizes:
        title = f"{size['rows']:,} appointments, {size['latency_ms']} ms a page"
        yield _text(14, top + 26, title, 'font-weight="600" text-anchor="start"')
        bottom = top + _HEAD + _LINE * len(size["results"])
        for tick in axis.ticks:
            yield _line(axis.x(tick), top + _HEAD - 10, axis.x(tick), bottom - 6, _FAINT)
            yield _text(axis.x(tick), top + 26, f"{tick} x", f'fill="{_PEER}" font-size="11"')
        for number, each in enumerate(size["results"].values()):
            yield from _row(each, top + _HEAD + _LINE * number + 8, axis)
        top = bottom


def _row(each: dict[str, Any], y: float, axis: _Axis) -> Iterator[str]:
    colour = _OURS if each["title"].startswith("zimun-sync") else _PEER
    yield _text(_LEFT - 14, y + 4, each["title"], 'text-anchor="end"')
    yield _line(axis.x(min(each["ratios"])), y, axis.x(max(each["ratios"])), y, colour, 2)
    yield f'<circle cx="{axis.x(each["ratio"]):.1f}" cy="{y}" r="5" fill="{colour}"/>'
    if each["target"]:
        x = axis.x(each["target"])
        yield _line(x, y - 8, x, y + 8, "#cf222e", 1.5)
    label = f"{each['ratio']:.2f} x, {each['wall_s']:.1f} s"
    x = axis.x(max(each["ratios"])) + 10
    if each["target"] and x - 10 < axis.x(each["target"]) < x + _LABEL:  # they would cross
        x = axis.x(each["target"]) + 10
    yield _text(x, y + 4, label, f'text-anchor="start" font-size="11" fill="{colour}"')


def _text(x: float, y: float, text: str, more: str = "") -> str:
    anchor = "" if "text-anchor" in more else 'text-anchor="middle" '
    return f'<text x="{x:.1f}" y="{y:.1f}" {anchor}{more}>{escape(text)}</text>'


def _line(*ends: float | str) -> str:
    x1, y1, x2, y2, colour, *width = ends
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width[0] if width else 1}"/>'
    )


def main() -> None:
    """Draw what was measured last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=HERE / "out" / "results.json")
    parser.add_argument("--to", type=Path, default=PICTURE)
    options = parser.parse_args()
    options.to.write_text(draw(json.loads(options.results.read_text())))


if __name__ == "__main__":
    main()
