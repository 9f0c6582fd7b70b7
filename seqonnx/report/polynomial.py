"""Counts that may depend on dynamic dimensions: integers times products of dimension names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

_PLAIN = re.compile(r"[^\s+*/()%-]+")

Dim = int | str | None
"""One dimension: a size, a dimension name, or None where nothing is known."""

GraphShape = tuple[Dim, ...] | None
"""Dimensions of a tensor, or None where even the rank is unknown."""


@dataclass(frozen=True)
class Polynomial:
    """A sum of `integer * name * name ...` terms, as exact as Python integers.

    Args:
        terms: pairs `(sorted dimension names, coefficient)`, without zero coefficients,
            highest degree first. Use `of` and the operators rather than this constructor.

    Example:
        >>> str(Polynomial.of(1234) * Polynomial.of("batch"))
        '1,234 * batch'
    """

    terms: tuple[tuple[tuple[str, ...], int], ...] = ()

    @classmethod
    def of(cls, dim: int | str) -> Polynomial:
        """Return the polynomial of one number or one dimension name.

        Names that exporters write for products, such as `4*batch`, are taken apart; any other
        expression (`s0 + 1`) stays a name.
        """
        if isinstance(dim, int):
            return cls._from({(): dim})
        factors = [factor.strip() for factor in dim.split("*")]
        if not all(_PLAIN.fullmatch(factor) for factor in factors):
            return cls._from({(dim,): 1})
        names = sorted(factor for factor in factors if not factor.isdecimal())
        return cls._from({tuple(names): prod(int(f) for f in factors if f.isdecimal())})

    @classmethod
    def product(cls, *dims: Dim) -> Polynomial | None:
        """Multiply dimensions; None if one of them is unknown."""
        result = cls.of(1)
        for dim in dims:
            if dim is None:
                return None
            result = result * cls.of(dim)
        return result

    @classmethod
    def total(cls, parts: Iterable[Polynomial]) -> Polynomial:
        """Add many at once: pairs would be added again and again, each time longer."""
        sums: Counter[tuple[str, ...]] = Counter()
        for part in parts:
            sums.update(dict(part.terms))
        return cls._from(sums)

    @classmethod
    def _from(cls, terms: Mapping[tuple[str, ...], int]) -> Polynomial:
        """Return the canonical form of `terms`."""
        kept = ((names, factor) for names, factor in terms.items() if factor != 0)
        return cls(tuple(sorted(kept, key=lambda term: (-len(term[0]), term[0]))))

    def __add__(self, other: Polynomial) -> Polynomial:
        return self.total((self, other))

    def __mul__(self, other: Polynomial) -> Polynomial:
        total: Counter[tuple[str, ...]] = Counter()
        for left, a in self.terms:
            for right, b in other.terms:
                total[tuple(sorted(left + right))] += a * b
        return self._from(total)

    @property
    def constant(self) -> int | None:
        """The value if no dimension name is left, else None."""
        if not self.terms:
            return 0
        return self.terms[0][1] if self.terms[0][0] == () else None

    @property
    def names(self) -> frozenset[str]:
        """The dimension names that the value depends on."""
        return frozenset(name for names, _ in self.terms for name in names)

    def evaluate(self, sizes: Mapping[str, int], default: int = 1) -> int:
        """Return the value where each name has its size, and `default` where it has none."""
        total = 0
        for names, factor in self.terms:
            total += factor * prod(sizes.get(name, default) for name in names)
        return total

    def format(self, separator: str = ",") -> str:
        """Write the terms, e.g. `1,234 * batch + 10`, with `separator` between thousands."""
        if not self.terms:
            return "0"
        return " + ".join(_term(names, factor, separator) for names, factor in self.terms)

    def __str__(self) -> str:
        return self.format()


def _term(names: tuple[str, ...], factor: int, separator: str) -> str:
    """Write one term; a name that is itself an expression goes in parentheses."""
    number = f"{factor:,}".replace(",", separator)
    powers = []
    for name, count in Counter(names).items():
        shown = name if not set(name) & set(" +-*/") else f"({name})"
        powers.append(shown if count == 1 else f"{shown}^{count}")
    if factor == 1 and powers:
        return " * ".join(powers)
    return " * ".join([number, *powers])
