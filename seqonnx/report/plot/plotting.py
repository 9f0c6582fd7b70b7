"""`plot_model` and `model_to_dot`."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from seqonnx.layers.network import Network
from seqonnx.report.plot.dot import DotGraph, DotStyle
from seqonnx.report.plot.graph import PlotOptions, plot_graph
from seqonnx.report.plot.picture import RANK_DIRECTIONS, picture_of
from seqonnx.report.plot.raster import pixels_of
from seqonnx.report.plot.routes import SPLINES
from seqonnx.report.plot.svg import svg_of


def plot_model(
    model: Network,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> Any:
    """Draw the layers of a model; Graphviz is not needed.

    Args:
        model: a built model.
        to_file: the file: `.svg`; `.dot` for Graphviz's language; `.png` or another format of
            Pillow's, for which Pillow is needed (`seqonnx[images]`). PNG without an ending.
        show_shapes: whether to show the shapes that layers take and give.
        show_dtype: whether to show the dtypes that layers give.
        show_layer_names: whether to show names, or classes only.
        rankdir: direction of the flow: `"TB"` (from top to bottom), `"LR"`, `"BT"` or `"RL"`.
        expand_nested: whether to show the layers of models inside, in a frame.
        dpi: pixels per inch.
        show_layer_activations: whether to show the activations of layers.
        show_trainable: whether to show which layers train.
        splines: how arrows run: `"ortho"` (at right angles), `"line"` or `"polyline"` (straight),
            `"spline"` or `"curved"`.
        **kwargs: none.

    Returns:
        In a notebook the picture, to be shown; else None.

    Raises:
        ImportError: if Pillow is needed and not installed.
        ValueError: if the model is not built or an argument is not legal.
        OSError: if the file cannot be written.

    Example:
        >>> plot_model(model, "model.svg", show_shapes=True)  # doctest: +SKIP
    """
    _check(model, rankdir, splines, dpi, kwargs)
    options = PlotOptions(
        *(show_shapes, show_dtype, show_layer_names, expand_nested),
        *(show_layer_activations, show_trainable),
    )
    graph, path = plot_graph(model, options), Path(to_file)
    if path.suffix == ".dot":
        DotGraph(graph, DotStyle(rankdir, dpi, splines), subgraph=False).write(path)
        return None
    picture = picture_of(graph, rankdir, splines)
    if path.suffix == ".svg":
        path.write_text(svg_of(picture), "utf-8")
    else:
        pixels = pixels_of(picture, dpi)
        pixels.save(path, format=None if path.suffix else "png", dpi=(dpi, dpi))
    return _shown(path)


def model_to_dot(
    model: Network,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: float = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: Any,
) -> DotGraph:
    """Return the layers of a model in the language of Graphviz; pydot is not needed.

    Args:
        model: a built model.
        show_shapes: whether to show the shapes that layers take and give.
        show_dtype: whether to show the dtypes that layers give.
        show_layer_names: whether to show names, or classes only.
        rankdir: direction of the flow: `"TB"` (from top to bottom), `"LR"`, `"BT"` or `"RL"`.
        expand_nested: whether to show the layers of models inside, as clusters.
        dpi: dots per inch.
        subgraph: whether the result is a cluster, to stand in another graph.
        show_layer_activations: whether to show the activations of layers.
        show_trainable: whether to show which layers train.
        splines: how Graphviz draws edges.
        **kwargs: none.

    Returns:
        An object with `to_string()` and `write(path)`; for pydot's own object pass the string to
        `pydot.graph_from_dot_data`.

    Raises:
        ValueError: if the model is not built or an argument is not legal.

    Example:
        >>> dense = Sequential([Input((4,)), Dense(2, name="last")])
        >>> '"last"' in model_to_dot(dense).to_string()
        True
    """
    _check(model, rankdir, splines, dpi, kwargs)
    options = PlotOptions(
        *(show_shapes, show_dtype, show_layer_names, expand_nested),
        *(show_layer_activations, show_trainable),
    )
    return DotGraph(plot_graph(model, options), DotStyle(rankdir, dpi, splines), subgraph)


def _check(model: Network, rankdir: str, splines: str, dpi: float, unknown: dict[str, Any]) -> None:
    if unknown:
        raise ValueError(f"Unknown arguments of a plot: {sorted(unknown)}")
    if not model.built:
        raise ValueError(
            f"The model '{model.name}' is not built, so its connections are not known. Call "
            "`build()`, or call it on data, first"
        )
    if rankdir not in RANK_DIRECTIONS:
        raise ValueError(
            f"`rankdir` must be one of {', '.join(RANK_DIRECTIONS)}. Received: rankdir={rankdir!r}"
        )
    if splines not in SPLINES:
        raise ValueError(
            f"`splines` must be one of {', '.join(SPLINES)}. Received: splines={splines!r}"
        )
    if not dpi > 0:
        raise ValueError(f"`dpi` must be positive. Received: dpi={dpi!r}")


def _shown(path: Path) -> Any:
    """The picture for a notebook; None where IPython is not installed."""
    try:
        display = importlib.import_module("IPython.display")
    except ImportError:
        return None
    if path.suffix == ".svg":
        return display.SVG(filename=str(path))
    return display.Image(filename=str(path)) if path.suffix in {"", ".png", ".jpg"} else None
