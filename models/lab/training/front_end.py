"""The front end of an exported model: log-mel features of a turn's samples, in its graph.

Computes what `features.log_mel` defines, in float32. The Fourier transform is a few products: in
bin k of 400 samples, the sample half a window later has the same factor with the sign (-1)^k, so
even bins need only the sum of the halves and odd bins their difference; every other even bin needs
only the sum of the quarters. That is 60,000 multiplications per frame instead of 160,000.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...voice import SAMPLES
from .features import DECADES, FLOOR, HANN, HOP, MEL_FILTERS, VARIANCE_FLOOR, WINDOW
from .onnx_builder import GraphBuilder

_BINS = np.arange(WINDOW // 2 + 1)


def front_end(builder: GraphBuilder, name: str) -> str:
    """Append the front end: SAMPLES (samples,) to features (1, samples // 160, 80)."""
    windows = _windows(builder, _standardised(builder))
    even, odd = _sum_and_difference(builder, windows, 200, "halves")
    fourth, other = _sum_and_difference(builder, even, 100, "quarters")
    parts = ((odd, _BINS[1::2], 200), (fourth, _BINS[::4], 100), (other, _BINS[2::4], 100))
    power = [_power(builder, x, bins, period, f"{x}.power") for x, bins, period in parts]
    joined = builder.add("Concat", power, "power", axis=1)
    filters = MEL_FILTERS[np.concatenate([bins for _, bins, _ in parts])]
    energy = builder.add("MatMul", [joined, builder.constant("mel", filters)], "bands")
    return _scaled_log(builder, energy, name)


def _number(builder: GraphBuilder, name: str, value: float) -> str:
    return builder.constant(f"front_end.{name}", np.float32(value))


def _standardised(builder: GraphBuilder) -> str:
    """Append zero mean and unit variance."""
    mean = builder.add("ReduceMean", [SAMPLES], "samples.mean", keepdims=1)
    centred = builder.add("Sub", [SAMPLES, mean], "samples.centred")
    squares = builder.add("Mul", [centred, centred], "samples.squares")
    variance = builder.add("ReduceMean", [squares], "samples.variance", keepdims=1)
    floor = _number(builder, "variance_floor", VARIANCE_FLOOR)
    spread = builder.add("Sqrt", [builder.add("Add", [variance, floor], "samples.sum")], "spread")
    return builder.add("Div", [centred, spread], "standardised")


def _windows(builder: GraphBuilder, x: str) -> str:
    """Append windows of 400 samples every 160, (frames, 400), joined from rows of 160."""
    edge = WINDOW // 2
    padded = builder.add("Pad", [x, builder.ints(edge, edge)], "padded", mode="reflect")
    length = builder.add("Shape", [SAMPLES], "samples.length")
    frames = builder.add("Div", [length, builder.ints(HOP)], "frames.count")
    one_on = builder.add("Add", [frames, builder.ints(1)], "frames.one_on")
    two_on = builder.add("Add", [frames, builder.ints(2)], "frames.two_on")
    whole = builder.add("Mul", [two_on, builder.ints(HOP)], "rows.length")
    cut = builder.add("Slice", [padded, builder.ints(0), whole], "rows.samples")
    rows = builder.add("Reshape", [cut, builder.ints(-1, HOP)], "rows")
    first = builder.add("Slice", [rows, builder.ints(0), frames, builder.ints(0)], "rows.first")
    second = builder.add("Slice", [rows, builder.ints(1), one_on, builder.ints(0)], "rows.second")
    third = builder.add("Slice", [rows, builder.ints(2), two_on, builder.ints(0)], "rows.third")
    start = builder.add(
        "Slice",
        [third, builder.ints(0), builder.ints(WINDOW - 2 * HOP), builder.ints(1)],
        "rows.start",
    )
    joined = builder.add("Concat", [first, second, start], "windows", axis=1)
    hann = builder.constant("hann", HANN.astype(np.float32))
    return builder.add("Mul", [joined, hann], "windowed")


def _sum_and_difference(builder: GraphBuilder, x: str, half: int, name: str) -> tuple[str, str]:
    """Append the sum and the difference of the first and the second half of every row."""
    first, second = builder.split(x, 1, (half, half), [f"{name}.first", f"{name}.second"])
    return (
        builder.add("Add", [first, second], f"{name}.sum"),
        builder.add("Sub", [first, second], f"{name}.difference"),
    )


def _power(builder: GraphBuilder, x: str, bins: NDArray[np.int64], period: int, name: str) -> str:
    """Append the power of some bins, (frames, bins), of x (frames, period)."""
    angle = 2 * np.pi / WINDOW * np.arange(period)[:, None] * bins
    squares = []
    for part, wave in (("real", np.cos(angle)), ("imaginary", np.sin(angle))):
        waves = builder.constant(f"{name}.{part}.waves", wave.astype(np.float32))
        value = builder.add("MatMul", [x, waves], f"{name}.{part}")
        squares.append(builder.add("Mul", [value, value], f"{value}.square"))
    return builder.add("Add", squares, name)


def _scaled_log(builder: GraphBuilder, energy: str, name: str) -> str:
    """Append the logarithm over one floor for all frames, scaled to about [-1, 1]."""
    decade = np.log(10)
    audible = builder.add("Max", [energy, _number(builder, "floor", FLOOR)], "bands.audible")
    logs = builder.add("Log", [audible], "bands.log")
    loudest = builder.add("ReduceMax", [logs], "bands.loudest", keepdims=0)
    below = _number(builder, "below", DECADES * decade)
    least = builder.add("Sub", [loudest, below], "bands.least")
    floored = builder.add("Max", [logs, least], "bands.floored")
    scaled = builder.add("Mul", [floored, _number(builder, "scale", 0.25 / decade)], "bands.scaled")
    shifted = builder.add("Add", [scaled, _number(builder, "shift", 1)], "bands.shifted")
    return builder.add("Unsqueeze", [shifted, builder.ints(0)], name)
