"""The transcriptional gene circuit: every node's production is a sigmoid of all the others."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.curiosity.systems.base import AbstractSystem
from escapement_jax.curiosity.systems.box import Box

MOST_UNROLLED_NODES = 8


class CircuitConstants(eqx.Module):
    """The constants of one circuit.

    Attributes:
        weights: Action of node j (column) on node i (row).
        biases: Input of every node without regulators.
        decay: Decay rate of every node, per second.
    """

    weights: Float[Array, "nodes nodes"]
    biases: Float[Array, " nodes"]
    decay: Float[Array, " nodes"]


class TranscriptionalCircuit(AbstractSystem):
    r"""Gene circuits ``y_i' = sigmoid(sum_j W_ij y_j + B_i) - k_i y_i`` (Hiscock 2019, eq. 1).

    Parameters are ``(y0 [n], W [n n], B [n])``, and ``k [n]`` too if decay rates may vary.
    """

    state_names: tuple[str, ...] = eqx.field(static=True)
    parameter_names: tuple[str, ...] = eqx.field(static=True)
    box: Box
    free_decay: bool = eqx.field(static=True)

    def __init__(
        self,
        num_nodes: int = 3,
        *,
        weight_range: tuple[float, float] = (-30.0, 30.0),
        bias_range: tuple[float, float] = (-10.0, 10.0),
        decay_range: tuple[float, float] | None = None,
        mask: Sequence[Sequence[int]] | np.ndarray | None = None,
        signs: Sequence[Sequence[int]] | np.ndarray | None = None,
    ) -> None:
        """Choose which circuits a search may visit.

        Args:
            num_nodes: Number of nodes.
            weight_range: Bounds of every weight.
            bias_range: Bounds of every bias.
            decay_range: Bounds of every decay rate, per second; without it all are 1.
            mask: Matrix of 0 (no edge from column to row) and 1; default: every edge may be.
            signs: Matrix of -1 (represses), 1 (activates) and 0 (either); default: either.

        Raises:
            ValueError: Less than one node, reversed bounds, decay that is not positive, a matrix
                of another shape or with other entries, or a sign that the range does not allow.
        """
        if num_nodes < 1:
            raise ValueError(f"num_nodes is {num_nodes}; a circuit needs at least 1")
        if decay_range is not None and decay_range[0] <= 0:
            raise ValueError(f"decay_range is {decay_range}; decay rates must be above 0")
        low, high = _weight_bounds(num_nodes, weight_range, mask, signs)
        # Without regulators a node rests at most at 1 / k, so no state ever needs to start above.
        top = 1.0 if decay_range is None else 1.0 / decay_range[0]
        bounds = [((0.0, top), num_nodes), (bias_range, num_nodes)]
        bounds += [] if decay_range is None else [(decay_range, num_nodes)]
        lows, highs = ([np.full(n, side[k]) for side, n in bounds] for k in (0, 1))
        self.box = Box.of(
            np.concatenate([lows[0], low.ravel(), *lows[1:]]),
            np.concatenate([highs[0], high.ravel(), *highs[1:]]),
        )
        self.state_names = tuple(f"y{i}" for i in range(num_nodes))
        self.parameter_names = _parameter_names(num_nodes, decay_range is not None)
        self.free_decay = decay_range is not None

    def unpack(
        self, parameters: Float[Array, " parameters"]
    ) -> tuple[Float[Array, " states"], CircuitConstants]:
        """Split a parameter vector into the initial state and the circuit's constants."""
        n = self.num_states
        y0, rest = parameters[:n], parameters[n:]
        weights, biases = rest[: n * n].reshape(n, n), rest[n * n : n * n + n]
        decay = rest[n * n + n :] if self.free_decay else jnp.ones_like(biases)
        return y0, CircuitConstants(weights, biases, decay)

    def vector_field(
        self, t: Float[Array, ""], y: Float[Array, " states"], args: CircuitConstants
    ) -> Float[Array, " states"]:
        """Return ``sigmoid(W y + B) - k y``; the gradient is finite for every input."""
        del t
        return jax.nn.sigmoid(_regulation(args.weights, y) + args.biases) - args.decay * y

    def describe(self) -> dict[str, Any]:
        """Return the kind, the parameter names and the bounds."""
        return {
            "kind": "transcriptional circuit",
            "nodes": self.num_states,
            "low": np.asarray(self.box.low, np.float32).tolist(),
            "high": np.asarray(self.box.high, np.float32).tolist(),
        }


def _regulation(
    weights: Float[Array, "nodes nodes"], y: Float[Array, " nodes"]
) -> Float[Array, " nodes"]:
    """Return ``W y``; unrolled where small, so that a batch of circuits is one fused kernel."""
    n = y.shape[0]
    if n > MOST_UNROLLED_NODES:
        return weights @ y
    total = weights[:, 0] * y[0]
    for j in range(1, n):
        total = total + weights[:, j] * y[j]
    return total


def _weight_bounds(
    n: int,
    weight_range: tuple[float, float],
    mask: Sequence[Sequence[int]] | np.ndarray | None,
    signs: Sequence[Sequence[int]] | np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    edges = _matrix("mask", n, np.ones((n, n)) if mask is None else mask, (0, 1))
    sign = _matrix("signs", n, np.zeros((n, n)) if signs is None else signs, (-1, 0, 1))
    low, high = np.full((n, n), float(weight_range[0])), np.full((n, n), float(weight_range[1]))
    low = np.where(edges == 0, 0.0, np.where(sign > 0, np.maximum(low, 0.0), low))
    high = np.where(edges == 0, 0.0, np.where(sign < 0, np.minimum(high, 0.0), high))
    if (low > high).any():
        i, j = np.argwhere(low > high)[0]
        raise ValueError(
            f"the weight from node {j} to node {i} must lie in [{low[i, j]}, {high[i, j]}], which "
            "is empty; change weight_range or signs"
        )
    return low, high


def _matrix(
    name: str, n: int, given: Sequence[Sequence[int]] | np.ndarray, allowed: tuple[int, ...]
) -> np.ndarray:
    matrix = np.asarray(given)
    if matrix.shape != (n, n):
        raise ValueError(f"{name} has shape {matrix.shape}; give one row per node, {(n, n)}")
    if not np.isin(matrix, allowed).all():
        raise ValueError(f"{name} holds {np.setdiff1d(matrix, allowed)[0]}; use {allowed} only")
    return matrix


def _parameter_names(n: int, free_decay: bool) -> tuple[str, ...]:
    names = [f"y{i}" for i in range(n)]
    names += [f"W{i}{j}" if n <= 10 else f"W{i}_{j}" for i in range(n) for j in range(n)]
    names += [f"B{i}" for i in range(n)]
    return tuple(names + [f"k{i}" for i in range(n)] * free_decay)
