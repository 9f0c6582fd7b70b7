"""A report as a program takes it: the records, and the forms that they can be had in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqonnx.report.records import ModelReport
from seqonnx.report.render import render_text
from seqonnx.report.selection import RowSelection
from seqonnx.report.serialize import CSV_COLUMNS, plain, to_markdown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Inspection(ModelReport):
    """All that is known of an ONNX model without running it; returned by `seqonnx.inspect`.

    `rows` has a `Row` per layer where the file records layers, else one per node, with `name`,
    `op_type`, `output_shape`, `dtype`, `params`, `weight_bytes`, `macs`, `macs_at` and more;
    `totals` has their sums and the peak of the activations, `inputs` and `outputs` the signature.
    A dimension is an integer, the name of a dynamic one, or None where nothing is known. `print`
    writes what the command `seqonnx inspect` does.

    Example:
        >>> report = keras.inspect("mnist.onnx")
        >>> report.totals.params, report.rows[0].output_shape
        (34826, ('batch', 26, 26, 32))
    """

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts, lists, strings and numbers, as `--json` writes it.

        Example:
            >>> json.dumps(keras.inspect("mnist.onnx").to_dict())
        """
        return plain(self)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the rows as a table of pandas, with the columns of `--csv`.

        Bodies of If, Loop and Scan are added up in the row of their node, so each column of
        numbers adds up to its total. What is not known is missing (`pandas.NA`, None).

        Raises:
            ImportError: if pandas is not installed.

        Example:
            >>> keras.inspect("mnist.onnx").to_dataframe().nlargest(3, "macs_at")
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "`to_dataframe` needs pandas: pip install pandas. `to_dict` needs nothing."
            ) from error
        table = pd.DataFrame(plain(self)["rows"], columns=list(CSV_COLUMNS))
        numbers = ("params", "weight_bytes", "macs_at")  # of which some may be missing
        return table.astype(dict.fromkeys(numbers, "Int64"))

    def to_markdown(self) -> str:
        """Return the report as Markdown: a list of facts, and tables that GitHub renders.

        Example:
            >>> Path("mnist.md").write_text(keras.inspect("mnist.onnx").to_markdown())
        """
        return to_markdown(RowSelection().of(self))

    def __str__(self) -> str:
        return render_text(RowSelection().of(self))
