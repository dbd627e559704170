"""Gibbs sweeps: which lineages are taken out of the graphs and drawn anew.

Re-threading whole haplotypes moves only the lowest branches; an internal node would move when all
haplotypes below it had, one after the other. So most moves take out the lineage that carries a
haplotype from a random level on, and with it move all that hangs below.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.graph.recombination_graph import RecombinationGraph
from escapement_jax.genealogy.model.threading_problem import ThreadingProblem
from escapement_jax.genealogy.threading.sequential_pass import rethread_lineages
from escapement_jax.genealogy.threading.window_layout import WindowLayout

SHARE_OF_WHOLE_HAPLOTYPES = 0.25
"""Moves that take out all of a haplotype's branch, whatever the random level."""

HIGHEST_FLOOR = 1.5
"""Floors are drawn among the levels that begin before this many times 2 N_e generations, by which
few lineages are left."""


def num_floors(problem: ThreadingProblem) -> int:
    """Number of levels from which lineages are taken out, at least one."""
    edges = np.asarray(problem.grid.edges)
    return max(int((edges < HIGHEST_FLOOR * 2 * problem.population_size).sum()), 1)


def random_orders(key: PRNGKey, draws: int, num_haplotypes: int) -> Int[Array, "draws haplotypes"]:
    """A random order of the haplotypes for every draw."""
    permute = jax.vmap(lambda one: jax.random.permutation(one, num_haplotypes))
    return permute(jax.random.split(key, draws)).astype(jnp.int32)


def random_floors(
    key: PRNGKey, shape: tuple[int, int], levels: int
) -> Int[Array, "draws haplotypes"]:
    """Levels from which to take lineages out: 0 for a quarter of them, else uniform.

    Args:
        key: random key.
        shape: numbers of draws and of moves.
        levels: number of levels to choose from.
    """
    key_whole, key_level = jax.random.split(key)
    whole = jax.random.bernoulli(key_whole, SHARE_OF_WHOLE_HAPLOTYPES, shape)
    return jnp.where(whole, 0, jax.random.randint(key_level, shape, 0, levels, jnp.int32))


def gibbs_sweep(
    key: PRNGKey,
    graphs: Sequence[RecombinationGraph],
    problem: ThreadingProblem,
    *,
    windows: int = 1,
    first: int = 0,
    moved: Callable[[Sequence[RecombinationGraph]], object] = lambda graphs: None,
) -> Sequence[RecombinationGraph]:
    """Draw one lineage of every haplotype anew, in a random order per draw.

    Every move leaves `p(G | D)` as it is. The choice of haplotype and level does not look at the
    graph, and that of windows neither.

    Args:
        key: random key.
        graphs: one batch of graphs per chunk, all haplotypes present.
        problem: genome and law.
        windows: about how many windows are worked on side by side; their edges shift from move to
            move.
        first: the move to begin with, of a sweep that was broken off.
        moved: called with the graphs after every move.
    """
    key_orders, key_floors, key_shifts, key_moves = jax.random.split(key, 4)
    chunks, draws = problem.chunks, graphs[0].moved.shape[0]
    orders = random_orders(key_orders, draws, problem.num_haplotypes)
    floors = random_floors(key_floors, (draws, problem.num_haplotypes), num_floors(problem))
    size = WindowLayout.split(len(chunks), windows).size
    shifts = np.asarray(jax.random.randint(key_shifts, (problem.num_haplotypes,), 0, size))
    for move in range(first, problem.num_haplotypes):
        shift = int(shifts[move]) if windows > 1 else 0
        layout = WindowLayout.split(len(chunks), windows, shift)
        graphs = rethread_lineages(
            jax.random.fold_in(key_moves, move),
            graphs,
            chunks,
            orders[:, move],
            floors[:, move],
            problem.model,
            layout,
        )
        moved(graphs)
    return graphs
