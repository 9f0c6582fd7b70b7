"""The ratios of `bench.py` over versions: a line of JSON for each run, and a picture of them.

    python tools/bench.py --history tools/bench/history.jsonl
    python tools/bench/bench_history.py tools/bench/history.jsonl ratios.svg

The picture has a panel for each kind of machine (device, vector unit, threads) and a line for each
workload, from run to run in the order of the file; below the dashed line seqonnx is faster than the
best peer of that run. Ratios of rounds that were not quiet are not drawn.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from bench_rounds import geometric_mean

LEFT, TOP, WIDTH, HEIGHT, LEGEND = 50, 40, 520, 300, 170
LOWEST, HIGHEST = 0.25, 4.0
"""The ends of the axis, which is logarithmic; what is beyond them is drawn at them."""
TICKS = (0.25, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0)
KEPT = ("processor", "vector unit", "block size", "device", "threads", "date")


def entry(report: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a report of `bench.py` that the history keeps."""
    results = report["workloads"]
    own = report["frameworks"].get("seqonnx", {}).get("versions", {})
    counted = [one for one in results if one["task"] == "train" and one["counted"]]
    return {
        **{name: report["machine"][name] for name in KEPT},
        "versions": dict(own),
        "ratios": {one["workload"]: one["ratio_to_best_peer"] for one in results},
        "peers": {one["workload"]: one["best_peer"] for one in results},
        "ms": {
            one["workload"]: one["contestants"].get("seqonnx", {}).get("median_ms")
            for one in results
        },
        "mean": geometric_mean(one["ratio_to_best_peer"] for one in counted),
    }


def append(file: Path, line: Mapping[str, Any]) -> None:
    """Add a run to the history."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def read(file: Path) -> list[dict[str, Any]]:
    """The runs of a history, oldest first."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line != ""]


def panels(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The runs of each kind of machine."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        where = run["device"] if run["device"] != "cpu" else run["vector unit"]
        found.setdefault(f"{where}, threads: {run['threads']}", []).append(run)
    return found


def drawn(runs: Sequence[Mapping[str, Any]]) -> str:
    """The picture, as SVG."""
    made = panels(runs)
    whole = TOP + HEIGHT + 60
    body = [panel(title, of, index * whole) for index, (title, of) in enumerate(made.items())]
    size = f'width="{LEFT + WIDTH + LEGEND}" height="{max(1, len(made)) * whole}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" '
        'font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def panel(title: str, runs: Sequence[Mapping[str, Any]], offset: int) -> str:
    """One kind of machine: axes, a line for each workload, and their names."""
    parts = [f'<g transform="translate({LEFT},{offset + TOP})">']
    parts.append(f'<text y="-15" font-size="13">step over the best peer\'s: {escape(title)}</text>')
    for tick in TICKS:
        dashes = ' stroke-dasharray="4 3" stroke="black"' if tick == 1.0 else ' stroke="#ddd"'
        y = height(tick)
        parts.append(f'<line x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"{dashes}/>')
        parts.append(f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for index, run in enumerate(runs):
        label = f"{run['versions'].get('seqonnx', '?')} ({run['date']})"
        x = place(index, len(runs))
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT + 16}" text-anchor="middle">{escape(label)}</text>'
        )
    names = sorted({name for run in runs for name in run["ratios"]})
    for number, name in enumerate(names):
        parts += line(name, [run["ratios"].get(name) for run in runs], number, len(names))
    return "\n".join([*parts, "</g>"])


def line(name: str, ratios: Sequence[float | None], number: int, count: int) -> list[str]:
    """A workload: its points, the line through them, and its name beside its color."""
    color = f"hsl({360 * number // max(1, count)},70%,40%)"
    points = [
        (place(index, len(ratios)), height(ratio))
        for index, ratio in enumerate(ratios)
        if ratio is not None
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>']
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>' for x, y in points]
    last = next((f" {ratio:.2f}" for ratio in reversed(ratios) if ratio is not None), "")
    y = 12 * number + 4
    return [*parts, f'<text x="{WIDTH + 14}" y="{y}" fill="{color}">{escape(name)}{last}</text>']


def height(ratio: float) -> float:
    """Distance of a ratio from the top of the panel."""
    inside = min(max(ratio, LOWEST), HIGHEST)
    return HEIGHT * (1 - math.log(inside / LOWEST) / math.log(HIGHEST / LOWEST))


def place(index: int, count: int) -> float:
    """Distance of a run from the left of the panel."""
    return WIDTH * (index + 0.5) / count


def main(arguments: Sequence[str]) -> int:
    """Draw a history; returns the exit code."""
    if len(arguments) != 2:
        print(__doc__)
        return 2
    source, target = map(Path, arguments)
    target.write_text(drawn(read(source)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
