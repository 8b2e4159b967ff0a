"""Figures in the tables that people read."""

from __future__ import annotations

import math


def cell(value: float | None, spec: str = ".3f") -> str:
    """A figure in a format such as ".1%"; a dash where there is none (None or NaN)."""
    return "-" if value is None or math.isnan(value) else format(value, spec)
