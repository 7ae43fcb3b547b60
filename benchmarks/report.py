"""One measured figure, and the table of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value.

    Attributes:
        reach: what is aimed at, as text such as ``≤ 2.5``; empty where the figure only informs.
    """

    name: str
    value: float
    unit: str
    reach: str = ""
    detail: str = ""

    @property
    def is_reached(self) -> bool | None:
        """Tell whether the aim is met; None where there is none."""
        if not self.reach:
            return None
        relation, _, bound = self.reach.partition(" ")
        limit = float(bound)
        return {"≤": self.value <= limit, "<": self.value < limit, "≥": self.value >= limit}[relation]


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as aligned text."""
    rows = [
        (
            {True: "ok", False: "MISSED", None: ""}[figure.is_reached],
            figure.name,
            f"{figure.value:.3g} {figure.unit}" if abs(figure.value) < 1000 else f"{figure.value:.0f} {figure.unit}",
            figure.reach,
            figure.detail,
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
