"""CLAHE: values of pixels spread evenly within parts of the image, up to a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Unpack

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name, ir_dtype
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import Pair, value_range
from seqonnx.layers.preprocessing.histograms import count, pick, to_bins
from seqonnx.layers.preprocessing.image_layer import ImageLayer, channels_of
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import rescale
from seqonnx.ops.pixels import known_size

_BINS: Final = 256


def _grid(given: Any) -> tuple[int, int]:
    """Numbers of tiles, checked."""
    pair = isinstance(given, list | tuple) and len(given) == 2
    if not pair or not all(isinstance(tiles, int) and tiles > 0 for tiles in given):
        raise ValueError(
            "Argument `tile_grid_size` must be two positive integers (rows and columns of tiles). "
            f"Received: tile_grid_size={given}"
        )
    return given[0], given[1]


@register("layer")
class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Spreads the values of pixels evenly within tiles of every channel, in training and inference.

    Zuiderveld, "Contrast limited adaptive histogram equalization" (1994): the histogram of each
    tile is cut off at a limit, what is cut off goes to all bins alike, and the values of a pixel
    by the four nearest tiles are interpolated.

    Args:
        value_range: the least and the greatest value of a pixel.
        clip_limit: limit in units of a bin of an even histogram; 0 or less for none.
        tile_grid_size: rows and columns of tiles.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal, or the images have no known size.

    Example:
        >>> layer = ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))
        >>> layer(np.ones((1, 8, 8, 3))).shape
        (1, 8, 8, 3)
    """

    value_range: Setting[Pair] = Setting(value_range)
    clip_limit: Setting[float] = Setting()
    tile_grid_size: Setting[tuple[int, int]] = Setting(_grid)

    _only_in_training = False

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Sequence[int] = (8, 8),
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_range
        self.clip_limit = clip_limit
        self.tile_grid_size = tile_grid_size

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        size, channels = known_size(op, images, type(self).__name__), channels_of(images)
        if channels is None:
            raise ValueError(
                f"Layer '{self.name}' needs images with a known number of channels. "
                f"Received: shape {images.shape}"
            )
        tiles = _Tiles.of(size, self.tile_grid_size, channels)
        values = tiles.filled(op, rescale(op, images, self.value_range, (0, 255)))
        places = to_bins(op, values, _BINS)
        table = self._tables(op, tiles, places, dtype_name(images))
        made = op.Slice(tiles.interpolated(op, places, table), [0, 0], list(size), [2, 3])
        return rescale(op, made, (0, 255), self.value_range)

    def _tables(self, op: Emitter, tiles: _Tiles, places: ir.Value, dtype: str) -> ir.Value:
        """The new value of each bin of each tile, (tiles, bins)."""
        counts = count(op, tiles.rows(op, places), _BINS, dtype)
        if self.clip_limit > 0:
            cut = op.Min(counts, float(self.clip_limit * tiles.pixels / _BINS))
            excess = op.ReduceSum(op.Sub(counts, cut), [1], keepdims=1)
            counts = op.Add(cut, op.Div(excess, float(_BINS)))
        total = op.CumSum(counts, 1)
        first = op.ReduceMin(total, [1], keepdims=1)
        rest = op.Sub(float(tiles.pixels), first)
        share = op.Div(op.Sub(total, first), op.Where(op.Equal(rest, 0.0), 1.0, rest))
        return op.Clip(op.Mul(share, 255.0), 0.0, 255.0)


@dataclass(frozen=True)
class _Tiles:
    """Tiles of images: all as large, the last ones filled up by the image mirrored.

    Args:
        size: height and width of the images.
        grid: rows and columns of tiles.
        tile: height and width of a tile.
        channels: number of channels.
    """

    size: tuple[int, int]
    grid: tuple[int, int]
    tile: tuple[int, int]
    channels: int

    @classmethod
    def of(cls, size: tuple[int, int], grid: tuple[int, int], channels: int) -> _Tiles:
        height, width = (-(-all_ // parts) for all_, parts in zip(size, grid, strict=True))
        return cls(size, grid, (height, width), channels)

    @property
    def pixels(self) -> int:
        """Number of pixels of a tile."""
        return self.tile[0] * self.tile[1]

    def filled(self, op: Emitter, images: ir.Value) -> ir.Value:
        """Images as large as all tiles; the part that is added mirrors the edge."""
        for axis, (old, parts, each) in enumerate(
            zip(self.size, self.grid, self.tile, strict=True)
        ):
            if parts * each > old:
                places = np.arange(parts * each) % (2 * old)
                mirrored = np.where(places < old, places, 2 * old - 1 - places)
                images = op.Gather(images, mirrored, axis=axis + 2)
        return images

    def rows(self, op: Emitter, places: ir.Value) -> ir.Value:
        """Pixels with a row for each tile, by image, channel, row and column of tiles."""
        (rows, columns), (height, width) = self.grid, self.tile
        parts = op.Reshape(places, [-1, self.channels, rows, height, columns, width])
        ordered = op.Transpose(parts, perm=[0, 1, 2, 4, 3, 5])
        return op.Reshape(ordered, [-1, self.pixels])

    def interpolated(self, op: Emitter, places: ir.Value, table: ir.Value) -> ir.Value:
        """New values of pixels: what the four nearest tiles say, by their distance."""
        (rows, columns), dtype = self.grid, ir_dtype(dtype_name(table)).numpy()
        height, width = rows * self.tile[0], columns * self.tile[1]
        whole = op.Reshape(table, [-1, rows * columns * _BINS])
        flat = op.Reshape(places, [-1, height * width])
        total: ir.Value | None = None
        for row, height_weight in self._around(0):
            for column, width_weight in self._around(1):
                found = op.Add(flat, ((row[:, None] * columns + column) * _BINS).reshape(-1))
                value = op.Reshape(pick(op, whole, found), [-1, self.channels, height, width])
                weight = (height_weight[:, None] * width_weight).astype(dtype)
                part = op.Mul(value, weight)
                total = part if total is None else op.Add(total, part)
        assert total is not None
        return total

    def _around(self, axis: int) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
        """For each pixel the tiles before and behind it, each with its weight."""
        each, last = self.tile[axis], self.grid[axis] - 1
        place = (np.arange(self.grid[axis] * each) - each / 2.0) / each
        before = np.floor(place)
        tiles = before.astype(np.int64)
        weight = place - before
        return [
            (np.maximum(tiles, 0), 1.0 - weight),
            (np.minimum(tiles + 1, last), weight),
        ]
