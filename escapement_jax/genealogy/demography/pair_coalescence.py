"""Population size from the pair-coalescence rates of posterior draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tskit

PRIOR_COALESCENCES = 2.0
NUM_SAMPLES = 4000


@dataclass(frozen=True)
class PopulationSizeEstimate:
    """A piecewise-constant diploid population size with its interval.

    Attributes:
        time_generations: Left edges of the epochs, generations before the present.
        population_size: Diploid size in each epoch.
        lower_95: 2.5 % quantile.
        upper_95: 97.5 % quantile.
    """

    time_generations: np.ndarray
    population_size: np.ndarray
    lower_95: np.ndarray
    upper_95: np.ndarray


def estimate_population_size(
    tree_sequences: Sequence[tskit.TreeSequence],
    epochs: np.ndarray,
    *,
    prior_size: float,
    seed: int,
) -> PopulationSizeEstimate:
    """Estimate N_e(t) as the inverse of the rate at which pairs of haplotypes coalesce.

    In an epoch of constant diploid size N a pair coalesces at rate ``1 / (2 N)``, estimated by
    ``events / exposure`` (see ``pair_coalescence_statistics``). With a gamma prior on the rate,
    mean ``1 / (2 prior_size)`` and the weight of ``a = PRIOR_COALESCENCES`` events, the posterior
    given a genealogy is again gamma: shape ``a + events``, rate ``2 a prior_size + exposure``.

    The size is the inverse of the mean rate. The interval holds 95 % of the sizes drawn from that
    posterior, each for a random draw of the genealogy, and so has both uncertainties. Draws were
    made under a size of their own, towards which the estimate leans where data are weak.

    Args:
        tree_sequences: Draws of the genealogy, in generations.
        epochs: Left edges of the epochs, generations; the first is 0.
        prior_size: Diploid size at the centre of the prior.
        seed: Seed of the interval.

    Returns:
        The estimate.
    """
    statistics = [pair_coalescence_statistics(draw, epochs) for draw in tree_sequences]
    events, exposure = np.array(statistics).transpose(1, 0, 2)
    shape = PRIOR_COALESCENCES + events
    rate = 2 * prior_size * PRIOR_COALESCENCES + exposure
    generator = np.random.default_rng(seed)
    chosen = generator.integers(len(shape), size=NUM_SAMPLES)
    sizes = rate[chosen] / (2 * generator.gamma(shape[chosen]))
    lower, upper = np.quantile(sizes, [0.025, 0.975], axis=0)
    return PopulationSizeEstimate(epochs, 1 / (2 * (shape / rate).mean(axis=0)), lower, upper)


def pair_coalescence_statistics(
    tree_sequence: tskit.TreeSequence, epochs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return effective numbers of pair coalescences, and the exposure to them, in each epoch.

    An ancestor of age t in which pairs coalesce, w in all (pairs times base pairs), adds w to the
    events of its epoch and ``w (min(t, end) - start)`` to the exposure of every epoch that starts
    before t. Pairs that share an ancestor are one event, not many: both sums are multiplied by
    ``sum w / sum w^2``, over the ancestors in the epoch, which makes the number of events that of
    equally informative independent ones, ``(sum w)^2 / sum w^2`` (Kish 1965); or by the same over
    all ancestors from the epoch's start on if that is more, so that an epoch without events counts.

    Args:
        tree_sequence: A genealogy in generations.
        epochs: Left edges of the epochs, generations.

    Returns:
        Events, and exposure in generations, one of each per epoch.
    """
    pairs = tree_sequence.pair_coalescence_counts(span_normalise=False, time_windows="nodes")
    ages, weights = tree_sequence.nodes_time[pairs > 0], pairs[pairs > 0]
    starts, ends = epochs[:, None], np.append(epochs[1:], np.inf)[:, None]
    reached = ages[None, :] >= starts
    inside = reached & (ages[None, :] < ends)
    share = np.maximum(_independent_share(weights, inside), _independent_share(weights, reached))
    apart = np.clip(ages[None, :] - starts, 0.0, ends - starts)
    return share * (inside @ weights), share * (apart @ weights)


def _independent_share(weights: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return ``sum w / sum w^2`` over the members of each row, 0 for an empty row."""
    squares = members @ weights**2
    return (members @ weights) / np.where(squares > 0, squares, 1.0)
