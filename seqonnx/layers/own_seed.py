"""OwnSeed: the `seed` of a layer that draws."""

from __future__ import annotations

from typing import Any

from seqonnx.layers.setting import Setting
from seqonnx.seeds import SeedGenerator, checked_seed


class OwnSeed(Setting[int | None]):
    """The `seed` of a layer: what the layer draws follows it, or the run where it is None.

    Raises:
        ValueError: on setting, if it is neither None nor an integer.
    """

    def __init__(self) -> None:
        super().__init__(checked_seed)

    def __set__(self, layer: Any, value: Any) -> None:
        before = vars(layer).get(self._name)
        super().__set__(layer, value)
        seed = vars(layer)[self._name]
        if seed is None:
            layer._source = None
        elif layer._source is None or seed != before:
            layer._source = SeedGenerator(seed)
