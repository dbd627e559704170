"""The state of an inference between two threadings, as named arrays and back: bit for bit."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from escapement_jax.genealogy.demography.gaussian_mixture import GaussianMixture
from escapement_jax.genealogy.demography.pair_fit import DemographyFit, RateEstimate
from escapement_jax.genealogy.demography.size_models import size_model
from escapement_jax.genealogy.graph.graph_draw import GraphDraw
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem
from escapement_jax.genealogy.world.world_parameters import World

_Arrays = Mapping[str, np.ndarray]
_GRAPH = ("trees", "moved", "cut_level", "present")
_DRAW = ("trees", "first_bin", "moved", "cut_level")
_LEARNED = ("factor_draws", "error_draws", "size_draws")
_RATES = ("recombination_factor", "genotype_error")


@dataclass(frozen=True)
class RunState:
    """What an inference carries along; keys follow from the seed and the place reached.

    Attributes:
        world: Parameters that all chains share.
        graphs: One batch of graphs per chunk.
        log_weights: One row per haplotype threaded in the pass, float64 [chains].
        seconds: Wall time of each of them.
        bound_correction: Of the pass, once it is over, float64 [chains].
        sweep: Sweeps made.
        moves: Moves made of the next sweep; its parameters are learned by then.
        log_densities: Rows of the trace so far.
        levels: The same, of coalescence levels.
        draws: Draws collected so far.
    """

    world: World
    graphs: Sequence[RecombinationGraph] = ()
    log_weights: Sequence[np.ndarray] = ()
    seconds: Sequence[float] = ()
    bound_correction: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))
    sweep: int = 0
    moves: int = 0
    log_densities: Sequence[np.ndarray] = ()
    levels: Sequence[np.ndarray] = ()
    draws: Sequence[GraphDraw] = ()

    def pack(self) -> dict[str, np.ndarray]:
        """Return everything as named arrays."""
        packed = {
            "log_weights": np.array(self.log_weights),
            "seconds": np.array(self.seconds),
            "bound_correction": self.bound_correction,
            "reached": np.array([self.sweep, self.moves]),
            "log_densities": np.array(self.log_densities),
            "levels": np.array(self.levels),
        }
        for name in _GRAPH:
            packed[f"graph/{name}"] = np.stack([getattr(graph, name) for graph in self.graphs])
        return packed | _pack_draws(self.draws) | _pack_world(self.world)

    @classmethod
    def unpack(cls, arrays: _Arrays) -> "RunState":
        """Return the state that was packed."""
        sweep, moves = arrays["reached"].tolist()
        graphs = zip(*(arrays[f"graph/{name}"] for name in _GRAPH), strict=True)
        return cls(
            world=_unpack_world(arrays),
            graphs=[jax.vmap(RecombinationGraph)(*map(jnp.asarray, graph)) for graph in graphs],
            log_weights=list(arrays["log_weights"]),
            seconds=arrays["seconds"].tolist(),
            bound_correction=arrays["bound_correction"],
            sweep=sweep,
            moves=moves,
            log_densities=list(arrays["log_densities"]),
            levels=list(arrays["levels"]),
            draws=_unpack_draws(arrays),
        )


def _pack_draws(draws: Sequence[GraphDraw]) -> dict[str, np.ndarray]:
    """Draws one after the other, with the number of segments of each."""
    packed = {"draw/segments": np.array([draw.num_segments for draw in draws], int)}
    if draws:
        for name in _DRAW:
            packed[f"draw/{name}"] = np.concatenate([getattr(draw, name) for draw in draws])
    return packed


def _unpack_draws(arrays: _Arrays) -> list[GraphDraw]:
    ends = np.cumsum(arrays["draw/segments"])
    if not ends.size:
        return []
    parts = [np.split(arrays[f"draw/{name}"], ends[:-1]) for name in _DRAW]
    return [GraphDraw(*part) for part in zip(*parts, strict=True)]


def _pack_world(world: World) -> dict[str, np.ndarray]:
    packed = {f"world/{name}": np.array(getattr(world, name)) for name in (*_RATES, *_LEARNED)}
    return packed | {"world/log_sizes": world.log_sizes}


def _unpack_world(arrays: _Arrays) -> World:
    factor, error = (float(arrays[f"world/{name}"]) for name in _RATES)
    learned = (tuple(arrays[f"world/{name}"]) for name in _LEARNED)
    return World(factor, error, arrays["world/log_sizes"], *learned)


def pack_demography(fit: DemographyFit) -> dict[str, np.ndarray]:
    """Return what pairs of haplotypes have said, as named arrays."""
    packed = {
        name: np.asarray(getattr(fit.posterior, name))
        for name in ("weights", "means", "covariances")
    }
    for name in _RATES:
        rate = getattr(fit, name)
        if rate is not None:
            packed[name] = np.array(dataclasses.astuple(rate))
    return packed | {"quality": np.array([fit.log_likelihood, float(fit.converged)])}


def unpack_demography(arrays: _Arrays, problem: ThreadingProblem, kind: str) -> DemographyFit:
    """Return the fit to pairs that was packed.

    Args:
        arrays: What was packed.
        problem: The problem that it was a fit to.
        kind: How the size is written.
    """
    log_likelihood, converged = arrays["quality"].tolist()
    rates = {
        name: RateEstimate(*arrays[name].tolist()) if name in arrays else None for name in _RATES
    }
    return DemographyFit(
        time_generations=np.asarray(problem.grid.edges, dtype=np.float64),
        sizes=size_model(kind, problem.grid, problem.population_size),
        posterior=GaussianMixture(arrays["weights"], arrays["means"], arrays["covariances"]),
        log_likelihood=log_likelihood,
        converged=bool(converged),
        **rates,
    )
