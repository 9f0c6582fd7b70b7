"""Write down which public names of Keras there are, which not and why, and what differs.

    python tools/refresh/keras_names_table.py [--check]

The table goes to `docs/keras_names.md`. It compares with what `record_keras_names.py` recorded.
With `--check` nothing is written, and the exit code is 1 where it is stale.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import sys
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout, not an installed copy

FILE = ROOT / "docs" / "keras_names.md"
COMMAND = "python tools/refresh/keras_names_table.py"
NAMES = ROOT / "tests" / "support" / "keras_names.json"
EVIDENCE = ROOT / "tests" / "support" / "keras_evidence.json"
FAMILIES: Final = (
    *("layers", "losses", "metrics", "optimizers", "callbacks", "initializers", "regularizers"),
    *("constraints", "activations", "utils", "datasets"),
)
"""Modules whose names count only with a test against values that were recorded from Keras."""
BY_NAME: Final = {"POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY"}
Argument = tuple[str, str, str | None]

_EXPORTED: Final = "export its model to ONNX and use `layers.ONNXModel`"
_CALIBRATED: Final = "GPTQ and AWQ are not there: quantised weights are int8 or int4"
_FLOAT8: Final = "training in 8-bit floats is not there: ONNX Runtime multiplies none on the CPU"
_GRAPH: Final = "belongs to a backend that runs line by line; here a step is one graph"
_NOT_WRITTEN: Final = "not written yet"
REASONS: Final[dict[str, str]] = {
    "keras.Function": "a part of a backend's model; use `Model(inputs, outputs)`",
    "keras.Operation": "a function of `ops` is a node of the graph; derive from `Layer`",
    "keras.RematScope": "`compile(recompute=)` names the layers whose outputs are kept",
    "keras.StatelessScope": _GRAPH,
    "keras.SymbolicScope": _GRAPH,
    "keras.name_scope": "names of weights come from their layers",
    "keras.remat": "`compile(recompute=)` names the layers whose outputs are kept",
    "keras.callbacks.OrbaxCheckpoint": "writes with Orbax, of JAX; use `ModelCheckpoint`",
    "keras.distribution": "one process: distribution is not there yet",
    "keras.dtype_policies.AWQDTypePolicy": _CALIBRATED,
    "keras.dtype_policies.DTypePolicyMap": "not written yet; give each layer its `dtype=`",
    "keras.dtype_policies.GPTQDTypePolicy": _CALIBRATED,
    "keras.dtype_policies.QuantizedFloat8DTypePolicy": _FLOAT8,
    "keras.export.ExportArchive": "writes TensorFlow's SavedModel; use `model.export`",
    "keras.layers.FlaxLayer": f"runs Flax; {_EXPORTED}",
    "keras.layers.JaxLayer": f"runs JAX; {_EXPORTED}",
    "keras.layers.MaxNumBoundingBoxes": "augmentations refuse bounding boxes",
    "keras.layers.TFSMLayer": f"runs TensorFlow; {_EXPORTED}",
    "keras.layers.TorchModuleWrapper": f"runs PyTorch; {_EXPORTED}",
    "keras.quantizers.AWQConfig": _CALIBRATED,
    "keras.quantizers.Float8QuantizationConfig": _FLOAT8,
    "keras.quantizers.GPTQConfig": _CALIBRATED,
    "keras.saving.KerasFileEditor": _NOT_WRITTEN,
    "keras.visualization": "not written yet; Keras's needs OpenCV and matplotlib",
}
"""Why a name is missing: by its path, or by that of its module."""


@dataclass(frozen=True)
class Module:
    """The names of one of Keras's modules, and how they are here.

    Args:
        name: path of the module, such as `keras.layers`.
        same: names that are there with Keras's signature.
        missing: names that are not there, with the reason or "".
        different: names whose signature differs, with the difference.
        untested: names with Keras's signature, but without values that Keras gave.
    """

    name: str
    same: list[str]
    missing: dict[str, str]
    different: dict[str, str]
    untested: list[str]

    @property
    def total(self) -> int:
        """How many names the module has in Keras."""
        return len(self.same) + len(self.missing) + len(self.different) + len(self.untested)

    @property
    def family(self) -> str:
        """The family of modules that this one belongs to, or ""."""
        part = self.name.partition(".")[2].partition(".")[0]
        return part if part in FAMILIES else ""


def modules() -> list[Module]:
    """Compare every recorded module with the one that is here."""
    recorded = json.loads(NAMES.read_text("utf-8"))
    return [compared(name, names) for name, names in recorded.items()]


def compared(name: str, names: dict[str, list[Argument]]) -> Module:
    """Compare one module."""
    module = Module(name, [], {}, {}, [])
    tested = json.loads(EVIDENCE.read_text("utf-8"))
    for each, theirs in names.items():
        path = f"{name}.{each}"
        found = ours(path)
        if found is None:
            module.missing[each] = REASONS.get(path, REASONS.get(name, ""))
        elif (difference := signature_difference(found, theirs)) != "":
            module.different[each] = difference
        elif module.family and path not in tested:
            module.untested.append(each)
        else:
            module.same.append(each)
    return module


def ours(path: str) -> Any:
    """Return what stands here at a path of Keras's, or None."""
    found, done = importlib.import_module("seqonnx"), "seqonnx"
    for part in path.split(".")[1:]:
        done = f"{done}.{part}"
        if hasattr(found, part):
            found = getattr(found, part)
            continue
        try:
            found = importlib.import_module(done)
        except ModuleNotFoundError:
            return None
    return found


def signature_difference(thing: Any, theirs: list[Argument]) -> str:
    """Return what differs between a signature and a recorded one, or "".

    Further arguments of ours are no difference where they come after Keras's, nor are arguments
    that come as typed options instead of one by one.
    """
    given = inspect.signature(thing).parameters.values()
    own = {each.name: each for each in given if each.kind.name in BY_NAME}
    wanted = {name: default for name, kind, default in theirs if kind in BY_NAME}
    known = set(own) | options(thing)
    parts = [f"`{name}` is missing" for name in wanted if name not in known]
    both = [name for name in wanted if name in own]
    if list(own)[: len(both)] != both:
        parts.append("another order")
    for name in both:
        default = own[name].default
        text = None if default is inspect.Parameter.empty else repr(default)
        if not same_default(wanted[name], text):
            parts.append(f"`{name}` is {_shown(text)}, in Keras {_shown(wanted[name])}")
    return "; ".join(parts)


def options(thing: Any) -> set[str]:
    """Return the names of arguments that a typed `**options` stands for."""
    function = thing.__init__ if inspect.isclass(thing) else thing
    variable = [
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.kind is inspect.Parameter.VAR_KEYWORD
    ]
    if len(variable) == 0:
        return set()
    try:
        hint = typing.get_type_hints(function).get(variable[0])
    except NameError:  # a name that only a type checker imports
        return set()
    return {key for each in typing.get_args(hint) for key in typing.get_type_hints(each)}


def same_default(theirs: str | None, mine: str | None) -> bool:
    """Whether two texts of defaults say the same: 4 and 4.0, or 1 and (1, 1), do."""
    return theirs == mine or (None not in (theirs, mine) and _plain(theirs) == _plain(mine))


def _plain(text: str | None) -> Any:
    try:
        value = ast.literal_eval(str(text))
    except (SyntaxError, ValueError):
        return text
    while isinstance(value, tuple) and len(set(value)) == 1:
        value = value[0]
    return value


def _shown(default: str | None) -> str:
    return "required" if default is None else f"`{default}`"


def render() -> str:
    """Return the text of the file."""
    known = modules()
    there = sum(len(each.same) for each in known)
    total = sum(each.total for each in known)
    missing = sum(len(each.missing) for each in known)
    untested = sum(len(each.untested) for each in known)
    different = total - there - missing - untested
    return f"""# Names of Keras

<!-- Made by `{COMMAND}`: change the code, then run it. -->

Of the {total} public names of Keras 3.15.1, {there} are here with Keras's arguments in Keras's
order and with its defaults, {different} with another signature, {untested} are not compared with
values of Keras, and {missing} are missing. In the families of the first table a name counts only
where a test compares it with values that real Keras gave; `tests/support/keras_evidence.json` says
which test. A name that Keras has in two modules counts twice. Defaults that say the same, such as 1
and (1, 1), are equal, and there may be further arguments after Keras's. The functions of
`keras.ops` have [a page of their own](ops.md).

{_families(known)}

{_overview(known)}

## What is missing

{_missing(known)}

## What has another signature

{_different(known)}

## What is not compared

These have Keras's signature, and tests, but none with values or behaviour that Keras gave.

{_untested(known)}

## What there is

{_there(known)}
"""


def _overview(known: list[Module]) -> str:
    rows = ["| module | names | there |", "|---|---|---|"]
    rows += [f"| `{each.name}` | {each.total} | {len(each.same)} |" for each in known]
    return "\n".join(rows)


def _families(known: list[Module]) -> str:
    rows = ["| family | names | there | of 100 |", "|---|---|---|---|"]
    for family in FAMILIES:
        total, there = counts(known, family)
        rows.append(f"| `{family}` | {total} | {there} | {100 * there / total:.1f} |")
    totals = [counts(known, family) for family in FAMILIES]
    total, there = sum(each[0] for each in totals), sum(each[1] for each in totals)
    rows.append(f"| together | {total} | {there} | {100 * there / total:.1f} |")
    return "\n".join(rows)


def counts(known: list[Module], family: str) -> tuple[int, int]:
    """How many names a family of modules has in Keras, and how many of them are here."""
    own = [each for each in known if each.family == family]
    return sum(each.total for each in own), sum(len(each.same) for each in own)


def _untested(known: list[Module]) -> str:
    parts = [f"`{each.name}`: {_listed(each.untested)}." for each in known if each.untested]
    return "\n\n".join(parts) if parts else "None."


def _missing(known: list[Module]) -> str:
    rows = ["| module | names | reason |", "|---|---|---|"]
    for each in known:
        by_reason: dict[str, list[str]] = {}
        for name, reason in each.missing.items():
            by_reason.setdefault(reason, []).append(name)
        rows += [
            f"| `{each.name}` | {_listed(names)} | {why} |" for why, names in by_reason.items()
        ]
    return "\n".join(rows)


def _different(known: list[Module]) -> str:
    rows = ["| name | difference |", "|---|---|"]
    for each in known:
        rows += [f"| `{each.name}.{name}` | {how} |" for name, how in each.different.items()]
    return "\n".join(rows)


def _there(known: list[Module]) -> str:
    parts = [f"`{each.name}`: {_listed(each.same)}." for each in known if len(each.same) > 0]
    return "\n\n".join(parts)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether the file is stale")
    check = parser.parse_args().check
    text = render()
    stale = not FILE.exists() or FILE.read_text("utf-8") != text
    if check:
        print(f"{FILE.relative_to(ROOT)}: {'stale; run ' + COMMAND if stale else 'current'}")
        return int(stale)
    FILE.write_text(text, "utf-8")
    print(f"{FILE.relative_to(ROOT)}: {'changed' if stale else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
