"""Shapley values: the contribution of each input to a prediction."""

from __future__ import annotations

from math import comb

import numpy as np


def subsets(inputs: int) -> np.ndarray:
    """Every subset of the inputs, bool `[2**inputs, inputs]`; number s holds input i if bit i of s is set."""
    return (np.arange(2**inputs)[:, None] >> np.arange(inputs)) % 2 == 1


def shapley(values: np.ndarray) -> np.ndarray:
    """The contribution of each input to the difference between the value of all inputs and that of none.

    φᵢ = Σ over the subsets S without i of |S|! (n − |S| − 1)! / n! · (v(S ∪ i) − v(S)): what input i adds, averaged
    over all orders of adding the inputs. The contributions sum to v(all) − v(none).

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
        raise ValueError(f"{len(values)} values are not one for every subset of some inputs: 2**inputs are needed")
    number, contributions = np.arange(len(values)), []
    sizes = subsets(inputs).sum(1)
    for i in range(inputs):
        without = number[(number >> i) % 2 == 0]
        weight = np.array([1 / (inputs * comb(inputs - 1, int(size))) for size in sizes[without]])
        contributions.append(np.tensordot(weight, values[without | 1 << i] - values[without], axes=1))
    return np.stack(contributions) if contributions else np.zeros((0, *values.shape[1:]))
