"""The published score of rate constants, and the ceiling that the network's structure sets."""

import numpy as np
from jaxtyping import Float

from escapement_jax.array_types import PRNGKey
from escapement_jax.homeostasis.identifiability.split_rates import split_rates
from escapement_jax.homeostasis.identifiability.structure import structure_of
from escapement_jax.homeostasis.network import Network


def rate_constants_r2(
    log10_rates: Float[np.ndarray, " reactions"], true_log10_rates: Float[np.ndarray, " reactions"]
) -> float:
    """Return the squared correlation of log10 rate constants, over all reactions as published.

    Args:
        log10_rates: Recovered; every one finite.
        true_log10_rates: The truth.
    """
    return float(np.corrcoef(log10_rates, true_log10_rates)[0, 1] ** 2)


def identity_r2(
    log10_rates: Float[np.ndarray, " reactions"], true_log10_rates: Float[np.ndarray, " reactions"]
) -> float:
    """Return ``1 - sum (x - t)^2 / sum (t - mean t)^2``, which a wrong scale does not satisfy.

    Args:
        log10_rates: Recovered.
        true_log10_rates: The truth.
    """
    spread = ((true_log10_rates - true_log10_rates.mean()) ** 2).sum()
    return float(1 - ((log10_rates - true_log10_rates) ** 2).sum() / spread)


def structural_ceiling(
    network: Network, true_log10_rates: Float[np.ndarray, " reactions"], *, key: PRNGKey
) -> float:
    """Return the published score of a perfect fit: what it says of rates that no data can tell.

    Everything that can be identified is taken from the truth; the rest is split by the prior, as
    in a recovery. No method can expect to score more.

    Args:
        network: The reactions.
        true_log10_rates: The truth.
        key: Random key of the split.
    """
    structure = structure_of(network)
    effective = structure.combinations @ 10.0**true_log10_rates
    split = split_rates(effective, structure, key=key)
    return rate_constants_r2(np.log10(split), true_log10_rates)
