"""Draws results.json as SVG: `python plot.py RESULTS SVG`.

By hand, since a plotting library would be the largest requirement of this folder. Its colours are
legible on white and on black, for GitHub shows the picture on either. Programs that are off the
scale, and those with two threads, are in the table of the terminal only.
"""

import pathlib
import sys
from xml.sax.saxutils import escape

from goals import ONE
from results import Results

TITLES = {
    "flat": "flat JSON lines",
    "concat": "the same, run together",
    "nested": "nested JSON lines, filtered",
    "shuffled": "the same, members in random order",
    "mixed": "the same, with mixed types",
    "escapes": "the same, with much that is escaped",
    "flat.gz": "flat JSON lines, gzip",
    "nested.gz": "nested JSON lines, gzip, filtered",
    "csv": "the flat rows as CSV",
    "parquet": "the flat rows as Parquet",
    "small": "5,000 small files of flat JSON lines, gzip",
}
PROGRAMS = [ONE, "duckdb", "chdb", "polars"]
GIGABYTE = 10**9

WIDTH, COLUMNS, TOP = 880, 2, 44
LABEL, BAR, LINE, GAP = 156, 220, 17, 16
GROUP = LINE * (len(PROGRAMS) + 1) + GAP
TEXT, OURS, OTHERS = "#6e7781", "#2f81f7", "#8c959f"


def draw(results: Results) -> str:
    drawn = [task for task in TITLES if task in results.tasks]
    seconds = {task: _seconds(results, task) for task in drawn}
    scale = BAR / max(max(values.values()) for values in seconds.values())
    rows = -(-len(drawn) // COLUMNS)
    height = TOP + rows * GROUP + LINE
    groups = []
    for number, task in enumerate(drawn):
        column, row = divmod(number, rows)
        x, y = column * WIDTH // COLUMNS, TOP + row * GROUP
        groups.append(_text(x, y + 12, TITLES[task], bold=True))
        for line, (program, value) in enumerate(seconds[task].items(), start=1):
            groups.append(_bar(x, y + line * LINE, program, value, scale))
    versions = ", ".join(f"{name} {of}" for name, of in results.machine["versions"].items())
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    style = f'font-family="sans-serif" font-size="12" fill="{TEXT}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style} role="img">',
            "<title>CPU seconds by program and task</title>",
            _text(0, 16, "CPU seconds for 1 GB of JSON, or the same rows; one thread", bold=True),
            *groups,
            _text(0, height - 4, f"{results.machine['cpu']}; {versions}", small=True),
            "</svg>\n",
        ]
    )


def _seconds(results: Results, task: str) -> dict[str, float]:
    """By program, for as many rows as 1 GB of JSON has."""
    measured = results.tasks[task]
    json = measured["bytes"] if task == "small" else results.size
    return {
        program: results.median(task, program, "cpu") * GIGABYTE / json
        for program in PROGRAMS
        if program in measured["programs"]
    }


def _bar(x: int, y: int, program: str, value: float, scale: float) -> str:
    ours = program == ONE
    start, length = x + LABEL, value * scale
    size = f'width="{length:.1f}" height="{LINE - 4}"'
    return "\n".join(
        [
            _text(start - 6, y + 11, program, bold=ours, end=True),
            f'<rect x="{start}" y="{y + 1}" {size} rx="2" fill="{OURS if ours else OTHERS}"/>',
            _text(round(start + length) + 6, y + 11, f"{value:.2f}", bold=ours),
        ]
    )


def _text(
    x: int, y: int, text: str, *, bold: bool = False, end: bool = False, small: bool = False
) -> str:
    style = ' font-weight="bold"' * bold + ' text-anchor="end"' * end + ' font-size="10"' * small
    return f'<text x="{x}" y="{y}"{style}>{escape(text)}</text>'


if __name__ == "__main__":
    source, target = map(pathlib.Path, sys.argv[1:])
    target.parent.mkdir(exist_ok=True)
    target.write_text(draw(Results.load(source)))
