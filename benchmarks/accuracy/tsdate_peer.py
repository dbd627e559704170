"""The peer tsinfer + tsdate on the same genotypes."""

import numpy as np
import tskit

from benchmarks.accuracy.true_tmrca import pairwise_mrca
from benchmarks.simulated_genotypes import MUTATION_RATE, RECOMBINATION_RATE
from escapement_jax.genealogy.genotypes import Genotypes


def is_available() -> bool:
    """Return whether tsinfer and tsdate can be imported."""
    try:
        import tsdate  # noqa: F401
        import tsinfer  # noqa: F401
    except ImportError:
        return False
    return True


def tsdate_tmrca(
    genotypes: Genotypes, positions: np.ndarray, seed: int, num_draws: int
) -> np.ndarray:
    """Return draws of pairwise TMRCA [draws, pairs, positions] in generations.

    The topology is tsinfer's, one for all draws; node times are drawn independently from tsdate's
    gamma posteriors (mean `mn`, variance `vr` in the node metadata).
    """
    import tsdate
    import tsinfer

    sample_data = tsinfer.SampleData(sequence_length=genotypes.end)
    for position, alleles in zip(genotypes.positions, genotypes.haplotypes, strict=True):
        sample_data.add_site(int(position), alleles, ["A", "T"])
    sample_data.finalise()
    inferred = tsinfer.infer(sample_data, recombination_rate=RECOMBINATION_RATE)
    dated = tsdate.date(tsdate.preprocess_ts(inferred), mutation_rate=MUTATION_RATE)
    mean, variance = _posterior_node_times(dated)
    fixed = variance == 0
    shape, scale = mean**2 / np.where(fixed, 1, variance), variance / np.where(fixed, 1, mean)
    generator = np.random.default_rng(seed)
    times = np.where(fixed, mean, generator.gamma(shape, scale, (num_draws, len(mean))))
    return times[:, pairwise_mrca(dated, positions)]


def _posterior_node_times(tree_sequence: tskit.TreeSequence) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of each node's time; samples sit at time 0 with variance 0."""
    metadata = [node.metadata or {} for node in tree_sequence.nodes()]
    mean = np.array([entry.get("mn", 0.0) for entry in metadata])
    return mean, np.array([entry.get("vr", 0.0) for entry in metadata])
