"""N_e(t) given graphs: its most probable course, and Gaussian draws around it.

The size is constant inside a time level, and its logarithm `x_k` a random walk over the levels:

    log p(x) = -1/2 sum_k ((x_{k+1} - x_k) / STEP_SD)^2 - 1/2 ((mean x - x_0) / LEVEL_SD)^2.

`log p(G | x)` is that of `coalescence_density`, exact on the levels, and so is the gradient. By
Fisher's identity the mean of that gradient over posterior graphs is the gradient of the evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.demography.coalescence_density import (
    LogTransition,
    Mergers,
    log_first_tree_density,
    log_record_density,
    log_transition,
    log_transition_table,
    mergers,
)
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_model import ThreadingModel

STEP_SD = 0.25
"""Standard deviation of the change of log N_e from one level to the next, a factor of 1.3."""

LEVEL_SD = 1.0
"""Standard deviation of the mean of log N_e about the size that is told."""

_LARGEST_STEP = 1.0
_NEWTON_STEPS = 20
_SMALLEST_GAIN = 1e-3

LogSizes = Float64[np.ndarray, " sizes"]
"""Logarithm of the diploid size in every level but the last, whose intensity is infinite."""


@dataclass(frozen=True)
class QuadraticPeak:
    """Value, gradient and curvature (negative Hessian) of log densities at one place.

    Attributes:
        value: one per draw.
        gradient: one per draw.
        curvature: one per draw.
    """

    value: Float64[np.ndarray, "*draws"]
    gradient: Float64[np.ndarray, "*draws sizes"]
    curvature: Float64[np.ndarray, "*draws sizes sizes"]


@dataclass(frozen=True)
class GraphDemography:
    """The posterior of `N_e(t)` given each of several graphs.

    Attributes:
        chunks: mergers of all graphs, one batch per chunk.
        edges: lower edges of the levels, generations.
        num_haplotypes: number of haplotypes.
        log_size: `x_0`, log of the size that is told.
    """

    chunks: Sequence[Mergers]
    edges: Float64[np.ndarray, " levels"]
    num_haplotypes: int
    log_size: float

    def log_density(self, log_sizes: LogSizes) -> QuadraticPeak:
        """Log density of each graph at given sizes, up to a constant, with its derivatives."""
        intensities = level_intensities(log_sizes, self.edges)
        table = log_transition_table(intensities, self.num_haplotypes)
        x, widths = _as_device(log_sizes), _as_device(np.diff(self.edges))
        total = _first_tree_derivatives(x, widths, table, self.chunks[0])
        for chunk in self.chunks:
            total = jax.tree.map(np.add, total, _record_derivatives(x, widths, table, chunk))
        value, gradient, hessian = (np.asarray(part, np.float64) for part in total)
        return QuadraticPeak(value, gradient, -hessian)

    def log_prior(self, log_sizes: LogSizes) -> QuadraticPeak:
        """Log density of the random walk, up to a constant, with its derivatives."""
        steps = np.diff(np.eye(log_sizes.size), axis=0) / STEP_SD
        level = np.full((1, log_sizes.size), 1 / (log_sizes.size * LEVEL_SD))
        root = np.concatenate([steps, level])
        residual = root @ (log_sizes - self.log_size)
        return QuadraticPeak(
            np.asarray(-0.5 * residual @ residual), -root.T @ residual, root.T @ root
        )

    def most_probable(self, start: LogSizes) -> LogSizes:
        """Sizes that maximise the mean over graphs of `log p(G | x)`, plus `log p(x)`.

        Damped Newton steps; with one graph this is the mode given it, with draws from the
        posterior the M step of an EM algorithm.

        Args:
            start: where to start.
        """
        here, peak = start, self._mean_posterior(start)
        for _ in range(_NEWTON_STEPS):
            step = _newton_step(peak.gradient, peak.curvature)
            if step @ peak.gradient < _SMALLEST_GAIN:
                break
            there = self._mean_posterior(here + step)
            while there.value < peak.value and step @ peak.gradient >= _SMALLEST_GAIN:
                step = step / 4
                there = self._mean_posterior(here + step)
            here, peak = here + step, there
        return here

    def draw(self, key: PRNGKey, near: LogSizes) -> Float64[np.ndarray, "draws sizes"]:
        """Draw sizes for each graph from the normal approximation to the posterior given it.

        Its mode is one Newton step away from a common place, its curvature is taken there.

        Args:
            key: random key.
            near: a place near all modes, such as that of `most_probable`.
        """
        graphs, prior = self.log_density(near), self.log_prior(near)
        noise = np.asarray(jax.random.normal(key, graphs.gradient.shape), np.float64)
        drawn = []
        for gradient, curvature, normal in zip(
            graphs.gradient, graphs.curvature, noise, strict=True
        ):
            precision = _positive_definite(curvature + prior.curvature)
            root = np.linalg.cholesky(precision)
            mode = near + _newton_step(gradient + prior.gradient, precision)
            drawn.append(mode + np.linalg.solve(root.T, normal))
        return np.stack(drawn)

    def _mean_posterior(self, log_sizes: LogSizes) -> QuadraticPeak:
        graphs, prior = self.log_density(log_sizes), self.log_prior(log_sizes)
        return QuadraticPeak(
            np.asarray(graphs.value.mean(0) + prior.value),
            graphs.gradient.mean(0) + prior.gradient,
            graphs.curvature.mean(0) + prior.curvature,
        )


_mergers = jax.jit(jax.vmap(mergers, in_axes=(0, None)))


def graph_demography(
    graphs: Sequence[RecombinationGraph],
    model: ThreadingModel,
    edges: np.ndarray,
    population_size: float,
) -> GraphDemography:
    """Collect what the graphs say about the population size.

    Args:
        graphs: one batch of graphs per chunk, all haplotypes present.
        model: the law; its population size is not used.
        edges: lower edges of the levels, generations.
        population_size: diploid size at the centre of the prior.
    """
    return GraphDemography(
        chunks=[_mergers(graph, model) for graph in graphs],
        edges=np.asarray(edges, np.float64),
        num_haplotypes=graphs[0].present.shape[-1],
        log_size=float(np.log(population_size)),
    )


def level_intensities(log_sizes: LogSizes, edges: np.ndarray) -> Float64[np.ndarray, " levels"]:
    """Coalescent time inside each level, `(e_{k+1} - e_k) / (2 N_k)`, infinite in the last one.

    Args:
        log_sizes: log of the diploid size in every level but the last.
        edges: lower edges of the levels, generations.
    """
    return np.append(np.diff(edges) / (2 * np.exp(log_sizes)), np.inf)


def _as_device(values: np.ndarray) -> Float[Array, " sizes"]:
    return jnp.asarray(values, dtype=float)


def _with_derivatives(density):
    """Value, gradient and Hessian in the log sizes, compiled, for a batch of draws."""

    def at(
        log_sizes: Float[Array, " sizes"],
        widths: Float[Array, " sizes"],
        table: LogTransition,
        chunk: Mergers,
    ) -> Float[Array, ""]:
        finite = widths / (2 * jnp.exp(log_sizes))
        intensities = jnp.concatenate([finite, jnp.full(1, jnp.inf, finite.dtype)])
        return density(chunk, log_transition(intensities, table))

    def all_of(log_sizes, widths, table, chunk):
        arguments = (log_sizes, widths, table, chunk)
        return at(*arguments), jax.grad(at)(*arguments), jax.hessian(at)(*arguments)

    return jax.jit(jax.vmap(all_of, in_axes=(None, None, None, 0)))


_first_tree_derivatives = _with_derivatives(log_first_tree_density)
_record_derivatives = _with_derivatives(log_record_density)


def _positive_definite(curvature: np.ndarray) -> np.ndarray:
    """The matrix, its eigenvalues raised to a small positive floor."""
    values, vectors = np.linalg.eigh(curvature)
    return (vectors * np.maximum(values, 1e-3 * values[-1])) @ vectors.T


def _newton_step(gradient: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    step = np.linalg.solve(_positive_definite(curvature), gradient)
    return step * min(1.0, _LARGEST_STEP / np.abs(step).max())
