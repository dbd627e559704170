"""What a simulation knows and a fit must find: used to score, never to fit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig
from escapement_jax.homeostasis.model import MetabolicModel
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.rate_laws import (
    AbstractRateLaw,
    MassAction,
    PowerLaw,
    Saturating,
)


class Truth(eqx.Module):
    """A model that is known, and the types behind its set points.

    Types are counted from 0. A slope is minus the strength of homeostasis.
    """

    model: MetabolicModel
    types: Int[Array, " metabolites"]
    type_slopes: Float[Array, " types"]
    type_baselines: Float[Array, " types"]

    @property
    def type_offsets(self) -> Float[Array, " types"]:
        """Pull at concentration zero, ``-slope baseline``, of each type."""
        return -self.type_slopes * self.type_baselines

    @property
    def log10_rates(self) -> Float[Array, " reactions"]:
        """log10 of the rate constants."""
        return jnp.log10(self.model.rates)


def draw_truth(
    network: Network, config: SimulateHomeostasisConfig, generator: np.random.Generator
) -> Truth:
    """Draw rate constants, and divide the metabolites evenly among the types, in order.

    Args:
        network: The reactions.
        config: Range of the rates, law, strengths and baselines.
        generator: NumPy's; rates are the first that is drawn from it.
    """
    log10_rates = generator.uniform(
        config.log10_rate_low, config.log10_rate_high, network.num_reactions
    )
    size = network.num_metabolites // config.num_types
    types = np.minimum(np.arange(network.num_metabolites) // size, config.num_types - 1)
    type_slopes, type_baselines = -np.asarray(config.strengths), np.asarray(config.baselines)
    model = MetabolicModel(
        network=network,
        law=true_law(config),
        rates=_floats(10.0**log10_rates),
        slopes=_floats(type_slopes[types]),
        offsets=_floats(-(type_slopes * type_baselines)[types]),
    )
    return Truth(model, jnp.asarray(types), _floats(type_slopes), _floats(type_baselines))


def true_law(config: SimulateHomeostasisConfig) -> AbstractRateLaw:
    """Return the law by which rates depend on the concentrations of substrates.

    Args:
        config: Name and parameter of the law.
    """
    if config.law == "power":
        return PowerLaw(_floats(config.exponent))
    if config.law == "saturating":
        return Saturating(_floats(np.log(config.half_saturation)))
    return MassAction()


def _floats(values: np.ndarray | float) -> Array:
    """Give an array of the default precision, so that a caller decides by `jax_enable_x64`."""
    return jnp.asarray(values, dtype=jax.dtypes.canonicalize_dtype(float))
