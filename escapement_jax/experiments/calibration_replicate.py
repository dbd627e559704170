"""One replicate of a calibration: simulated genomes, what is true of them, and what is inferred."""

import time
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import tskit

from escapement_jax.config.calibration import CalibrateConfig
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.experiments.simulate_genealogy import simulate_genealogy
from escapement_jax.genealogy.fit import infer
from escapement_jax.genealogy.genome.genotypes import Genotypes
from escapement_jax.genealogy.posterior import Posterior

if TYPE_CHECKING:
    import msprime

NODE_IS_RE_EVENT = 1 << 17
"""Flag of both nodes of a recombination, as in msprime."""

TMRCA = "log10 TMRCA"
RECOMBINATIONS = "recombinations"
TREE_LENGTH = "log10 mean tree length"
SIZE_OF_DIVERSITY = "log10 N_e of diversity"


def run_replicate(
    index: int,
    config: CalibrateConfig,
    told: InferConfig,
    history: "msprime.Demography | None" = None,
) -> dict[str, Any]:
    """Simulate and infer one data set.

    Args:
        index: Number of the replicate, which with the seed determines all that is random.
        config: What to simulate.
        told: How to infer; both rates given.
        history: Population size through time; by default that of the settings.

    Returns:
        The true values and the draws of every quantity, and the seconds taken; JSON values.

    Raises:
        ValueError: The genomes cannot be inferred; names the replicate.
    """
    started = time.perf_counter()
    seed = int(np.random.SeedSequence([config.seed, index]).generate_state(1)[0] // 2) + 1
    truth, haplotypes, positions = simulate_genealogy(
        config.simulation(seed), history=history, full_graph=True
    )
    genotypes = Genotypes.from_arrays(
        haplotypes, positions, start=0, end=config.sequence_length, ploidy=config.ploidy
    )
    try:
        posterior = infer(genotypes, told, key=jax.random.key(seed))
    except ValueError as error:
        raise ValueError(f"replicate {index} (finished ones are kept): {error}") from error
    places = ranked_places(config)
    drawn = draw_quantities(posterior, *places)
    true = true_quantities(truth, *places)
    return {
        "replicate": index,
        "seed": seed,
        "num_sites": genotypes.num_sites,
        "seconds": time.perf_counter() - started,
        "quantities": {
            name: {"truth": true[name].tolist(), "draws": drawn[name].tolist()} for name in true
        },
    }


def ranked_places(config: CalibrateConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (base pairs) and pairs of haplotypes [pairs, 2] that are far apart."""
    slices = np.arange(config.positions) + 0.5
    positions = np.floor(slices * config.sequence_length / config.positions)
    return positions, np.arange(2 * config.pairs).reshape(config.pairs, 2)


def true_quantities(
    tree_sequence: tskit.TreeSequence, positions: np.ndarray, pairs: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the quantities of a full ancestral recombination graph, one array per name.

    Args:
        tree_sequence: A simulated graph with its recombination nodes.
        positions: Base pairs.
        pairs: Haplotypes [pairs, 2].
    """
    times = [
        tree_sequence.at(position).tmrca(int(first), int(second))
        for first, second in pairs
        for position in positions
    ]
    recombinations = np.array([count_recombinations(tree_sequence)], dtype=float)
    return {
        TMRCA: np.log10(times),
        RECOMBINATIONS: recombinations,
        **_branch_quantities(tree_sequence),
    }


def draw_quantities(
    posterior: Posterior, positions: np.ndarray, pairs: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the quantities of every draw [draws, places], one array per name."""
    tmrca = posterior.pairwise_tmrca(positions, pairs=pairs)
    branches = [_branch_quantities(draw) for draw in posterior.tree_sequences]
    records = [[float(draw.num_segments - 1)] for draw in posterior.draws]
    return {
        TMRCA: np.log10(tmrca).reshape(posterior.num_draws, -1),
        RECOMBINATIONS: np.array(records),
        **{name: np.stack([one[name] for one in branches]) for name in branches[0]},
    }


def _branch_quantities(tree_sequence: tskit.TreeSequence) -> dict[str, np.ndarray]:
    length = tree_sequence.segregating_sites(mode="branch")
    # A pair is apart for twice its TMRCA, 4 N_e generations on average.
    size = tree_sequence.diversity(mode="branch") / 4
    return {
        TREE_LENGTH: np.log10([float(length)]),
        SIZE_OF_DIVERSITY: np.log10([float(size)]),
    }


def count_recombinations(tree_sequence: tskit.TreeSequence) -> int:
    """Count the recombinations that cut a branch of the local tree, silent ones included.

    Of the two nodes of a recombination the left one has to end and the right one to begin at the
    same base pair: recombinations between stretches of ancestral material do not count, since no
    local tree knows of them.

    Args:
        tree_sequence: A simulated graph with its recombination nodes.
    """
    recombinant = np.flatnonzero(tree_sequence.nodes_flags & NODE_IS_RE_EVENT)
    ends = np.full(tree_sequence.num_nodes, -np.inf)
    begins = np.full(tree_sequence.num_nodes, np.inf)
    np.maximum.at(ends, tree_sequence.edges_parent, tree_sequence.edges_right)
    np.minimum.at(begins, tree_sequence.edges_parent, tree_sequence.edges_left)
    left, right = recombinant[::2], recombinant[1::2]
    return int((ends[left] == begins[right]).sum())
