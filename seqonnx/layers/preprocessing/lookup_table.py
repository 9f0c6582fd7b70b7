"""Lookup tables: the nodes that turn tokens into their numbers, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.versions import LOOKUP_DOMAIN
from seqonnx.layers.preprocessing.vocabulary import Specials, Token

DROPPED = -1
"""The number of a masked token where it counts for nothing."""


def emit_tokens(
    op: Emitter, numbers: ir.Value, tokens: Sequence[Token], specials: Specials
) -> ir.Value:
    """Emit the token at each place of a vocabulary.

    Args:
        op: emitter of the graph.
        numbers: places (int64); those that there are not give the token for unknown ones.
        tokens: the vocabulary, without the places in front.
        specials: the places in front.
    """
    table: dict[int, Token] = dict(enumerate(tokens, start=len(specials.tokens)))
    if specials.mask is not None:
        table[0] = specials.mask
    default = "" if specials.oov is None else specials.oov
    return _look_up(op, numbers, table or {-1: default}, default)


def emit_numbers(
    op: Emitter,
    x: ir.Value,
    bins: ir.Value | None,
    tokens: Sequence[Token],
    specials: Specials,
) -> ir.Value:
    """Emit the place of each token in a vocabulary.

    Args:
        op: emitter of the graph.
        x: tokens: strings, or int64.
        bins: the place of each among those for unknown tokens, where there are several; None: the
            rest of a division of the token itself.
        tokens: the vocabulary, without the places in front.
        specials: the places in front. With none for unknown tokens, these fail at run time.
    """
    first, start = len(specials.tokens), int(specials.masked)
    table: dict[Token, int] = {token: place for place, token in enumerate(tokens, start=first)}
    if specials.mask is not None:
        table[specials.mask] = 0 if specials.masked else DROPPED
    unknown = start if specials.oov_count == 1 else first + len(tokens)
    any_key: Token = "" if x.dtype == ir.DataType.STRING else 0  # none is not legal
    numbers = _look_up(op, x, table or {any_key: unknown}, unknown)
    if specials.oov_count == 1:
        return numbers
    missing = op.Equal(numbers, unknown)
    if specials.oov_count == 0:
        # Picking from a list of one number fails for every place but the first.
        with op.scope("every_token_must_be_in_the_vocabulary"):
            none = op.constant(np.zeros(1, np.int64), "none")
            return op.Add(numbers, op.Gather(none, op.cast(missing, "int64"), axis=0))
    if bins is None:
        bins = op.Mod(x, specials.oov_count)
    return op.Where(missing, op.Add(bins, start), numbers)


def _look_up(op: Emitter, x: ir.Value, table: Mapping[Any, Token], default: Token) -> ir.Value:
    """Each key in place of which its value stands; the default for what is no key."""
    into = "string" if isinstance(default, str) else "int64"
    keys = "keys_strings" if isinstance(next(iter(table)), str) else "keys_int64s"
    attributes = {
        keys: list(table),
        f"values_{into}s": list(table.values()),
        f"default_{into}": default,
    }
    found: ir.Value = op.emit("LabelEncoder", [x], attributes | {"_domain": LOOKUP_DOMAIN})
    return found
