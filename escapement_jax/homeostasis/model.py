"""The model: reactions on a network, and a pull of every metabolite towards its set point."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.rate_laws import AbstractRateLaw

State = Float[Array, " metabolites"]


class MetabolicModel(eqx.Module):
    """``dc/dt = S v(c) + slope * c + offset``, with ``v_j = k_j prod_i f(c_i)^E_ij``.

    Homeostasis ``-lambda (c - baseline)`` is the line of slope ``-lambda`` and offset
    ``lambda * baseline``.

    Attributes:
        network: ``S`` and ``E``.
        law: ``f``.
        rates: Rate constants ``k``, in units of concentration per time.
        slopes: Slope of homeostasis, per unit of time; negative where it is stable.
        offsets: Homeostasis at concentration 0, in concentration per time.
    """

    network: Network
    law: AbstractRateLaw
    rates: Float[Array, " reactions"]
    slopes: Float[Array, " metabolites"]
    offsets: Float[Array, " metabolites"]

    def __call__(self, concentration: State) -> State:
        """Return ``dc/dt``."""
        reactions = self.network.stoichiometry @ self.fluxes(concentration)
        return reactions + self.homeostasis(concentration)

    def unit_fluxes(
        self, concentration: Float[Array, "*frames metabolites"]
    ) -> Float[Array, "*frames reactions"]:
        """Return the speed of each reaction for ``k = 1``: ``prod_i f(c_i)^E_ij``."""
        return jnp.exp(self.law.log_factor(concentration) @ self.network.substrate_orders)

    def fluxes(
        self, concentration: Float[Array, "*frames metabolites"]
    ) -> Float[Array, "*frames reactions"]:
        """Return the speed ``v`` of each reaction."""
        unit = self.unit_fluxes(concentration)
        return unit * jnp.broadcast_to(self.rates, unit.shape)

    def homeostasis(
        self, concentration: Float[Array, "*frames metabolites"]
    ) -> Float[Array, "*frames metabolites"]:
        """Return ``slope * c + offset``."""
        shape = concentration.shape
        slopes, offsets = (
            jnp.broadcast_to(self.slopes, shape),
            jnp.broadcast_to(self.offsets, shape),
        )
        return slopes * concentration + offsets

    def with_activity(self, activity: Float[Array, " reactions"]) -> "MetabolicModel":
        """Return the model with every rate constant multiplied, as by a knock-down."""
        return eqx.tree_at(lambda model: model.rates, self, self.rates * activity)
