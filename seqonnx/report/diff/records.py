"""The result of a comparison of two files: plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass

from seqonnx.report.polynomial import GraphShape


@dataclass(frozen=True)
class ChangedDetail:
    """One thing that differs, in words."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class LoneNode:
    """A node that only one of the files has, with what it takes."""

    name: str
    op_type: str
    output_shape: GraphShape
    params: int
    macs_at: int | None


@dataclass(frozen=True)
class ChangedNode:
    """A node that both files have, and what differs in it."""

    name: str
    other_name: str
    op_type: str
    changes: tuple[ChangedDetail, ...]


@dataclass(frozen=True)
class ChangedWeight:
    """A stored tensor that differs.

    Args:
        name: its name in the first file.
        other_name: its name in the second.
        node: the node of the first file that reads it.
        before: dtype and sizes in the first file.
        after: dtype and sizes in the second.
        largest: the largest difference between two numbers; infinite where one of them is no
            finite number, None where sizes differ or elements are texts.
        relative: `largest` in parts of the largest finite number of the first file; None as
            `largest` is, or where that number is 0.
    """

    name: str
    other_name: str
    node: str
    before: str
    after: str
    largest: float | None
    relative: float | None


@dataclass(frozen=True)
class ApartValue:
    """A value that both models computed, and how far apart: None where sizes or dtypes differ."""

    node: str
    other_node: str
    value: str
    op_type: str
    largest: float | None
    relative: float | None


@dataclass(frozen=True)
class RunDifference:
    """Both models run on the same inputs.

    Args:
        compared: values that were compared, in the order of the first file, until they parted.
        total: values that both files have.
        parted: the first value that differs by more than rounding explains; None if none does.
        outputs: the outputs of the models, all of them compared.
        alike: whether outputs agree as nearly as rounding explains.
    """

    compared: int
    total: int
    parted: ApartValue | None
    outputs: tuple[ApartValue, ...]
    alike: bool


@dataclass(frozen=True)
class FileDifference:
    """Everything `seqonnx inspect --diff` prints.

    Args:
        file: the first file.
        other: the second file.
        facts: opsets, versions, metadata, inputs and outputs that differ.
        sizes: numbers of both files: bytes, parameters, MACs, nodes; equal ones too.
        removed: nodes that only the first file has.
        added: nodes that only the second file has.
        changed: nodes of both in which something differs.
        weights: weights of both that differ.
        renamed: pairs of names of nodes that differ in nothing but these.
        paired: number of nodes that both files have.
        run: what running both found; None if that was not asked for.
    """

    file: str
    other: str
    facts: tuple[ChangedDetail, ...]
    sizes: tuple[tuple[str, int | None, int | None], ...]
    removed: tuple[LoneNode, ...]
    added: tuple[LoneNode, ...]
    changed: tuple[ChangedNode, ...]
    weights: tuple[ChangedWeight, ...]
    renamed: tuple[tuple[str, str], ...]
    paired: int
    run: RunDifference | None = None

    @property
    def equal(self) -> bool:
        """Whether nothing differs but names of nodes and of values inside."""
        parts = (self.facts, self.removed, self.added, self.changed, self.weights)
        return all(len(part) == 0 for part in parts) and (self.run is None or self.run.alike)
