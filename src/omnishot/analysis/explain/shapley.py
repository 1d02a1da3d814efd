"""Shapley values: how much each input of a row moved its answer."""

from __future__ import annotations

from math import comb

import numpy as np


def subsets(inputs: int) -> np.ndarray:
    """Every subset of the inputs, bool `[2**inputs, inputs]`; number s holds input i if bit i of s is set."""
    return (np.arange(2**inputs)[:, None] >> np.arange(inputs)) % 2 == 1


def shapley(values: np.ndarray) -> np.ndarray:
    """Each input's share of the way from the value of nothing to the value of all inputs.

    φᵢ = Σ over the subsets S without i of |S|! (n − |S| − 1)! / n! · (v(S ∪ i) − v(S)): what input i adds, on average
    over all orders in which the inputs could have been shown. The shares sum to v(all) − v(nothing).

    Args:
        values: `[2**inputs, ...]`, the value of every subset in the order of `subsets`.

    Returns:
        float64 `[inputs, ...]`.

    Raises:
        ValueError: if there is not one value for every subset.

    Paper: Shapley, A Value for n-Person Games, 1953
    """
    values = np.asarray(values, np.float64)
    inputs = (len(values)).bit_length() - 1
    if len(values) != 2**inputs:
        raise ValueError(f"{len(values)} values are not one for every subset of some inputs: their number is 2**inputs")
    number, shares = np.arange(len(values)), []
    sizes = subsets(inputs).sum(1)
    for i in range(inputs):
        without = number[(number >> i) % 2 == 0]
        weight = np.array([1 / (inputs * comb(inputs - 1, int(size))) for size in sizes[without]])
        shares.append(np.tensordot(weight, values[without | 1 << i] - values[without], axes=1))
    return np.stack(shares) if shares else np.zeros((0, *values.shape[1:]))
