"""All expressions: importing the modules fills the table."""

from __future__ import annotations

from support.behaviour import layers, plots, tools, training, weights
from support.behaviour.table import CASES

__all__ = ["CASES", "layers", "plots", "tools", "training", "weights"]
