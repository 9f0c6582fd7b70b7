"""Write the recorded outputs ("golden files") that tests compare with the live ones.

    python tools/refresh/refresh_golden.py [api | operators | all]

Without an argument it lists them. Read the difference before you commit it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout, not an installed copy


def _api() -> str:
    from public_api import render

    return render()


def _operators() -> str:
    from operators_stub import render

    return render()


GOLDEN: dict[str, tuple[str, Callable[[], str]]] = {
    "api": ("tests/architecture/public_api.txt", _api),
    "operators": ("seqonnx/graph/operators.pyi", _operators),
}
"""Name on the command line: the file, and the function that returns its new content."""


def main() -> None:
    """Refresh the golden files named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="*", help=f"what to refresh: {', '.join(GOLDEN)} or all")
    names = parser.parse_args().name
    unknown = [name for name in names if name not in {*GOLDEN, "all"}]
    if len(unknown) > 0:
        parser.error(f"unknown: {', '.join(unknown)}. Known: {', '.join(GOLDEN)}, all")
    if len(names) == 0:
        for name, (path, _) in GOLDEN.items():
            print(f"{name}: {path}")
        return
    for name in GOLDEN if "all" in names else names:
        path, build = GOLDEN[name]
        target = ROOT / path
        new = build()
        changed = not target.is_file() or target.read_text("utf-8") != new
        target.write_text(new, "utf-8", newline="\n")
        print(f"{path}: {'changed' if changed else 'unchanged'}")


if __name__ == "__main__":
    main()
