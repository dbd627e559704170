"""Solutions of the model over a segment, and their sensitivities."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from escapement_jax.homeostasis.model import State
from escapement_jax.homeostasis.rate_laws import AbstractRateLaw
from escapement_jax.homeostasis.stepping import Integrator, step

Parameters = Float[Array, " parameters"]
"""Rate constants of the reactions kept, slopes, offsets, parameters of the law, end to end."""

FRAMES_AT_ONCE = 16
GRAM_BLOCKS = 4


class Dynamics(eqx.Module):
    """The model as a function of one vector of parameters.

    Attributes:
        stoichiometry: ``S`` of the reactions kept.
        substrate_orders: ``E`` of the reactions kept.
        law: The law, whose parameters are replaced by those of the vector.
        integrator: How a frame leads to the next.
        substeps: Steps between two frames.
    """

    stoichiometry: Float[Array, "metabolites reactions"]
    substrate_orders: Float[Array, "metabolites reactions"]
    law: AbstractRateLaw
    integrator: Integrator = eqx.field(static=True)
    substeps: int = eqx.field(static=True)

    def split(self, parameters: Parameters) -> list[Array]:
        """Return rates, slopes, offsets and parameters of the law."""
        metabolites, reactions = self.stoichiometry.shape
        ends = [reactions, reactions + metabolites, reactions + 2 * metabolites]
        return jnp.split(parameters, ends)

    def rate_of_change(
        self, parameters: Parameters, activity: Float[Array, " reactions"], state: State
    ) -> State:
        """Return ``dc/dt``."""
        rates, slopes, offsets, law = self.split(parameters)
        factors = self.law.with_parameters(law).log_factor(state)
        fluxes = rates * activity * jnp.exp(factors @ self.substrate_orders)
        return self.stoichiometry @ fluxes + slopes * state + offsets

    def states(
        self,
        parameters: Parameters,
        activity: Float[Array, " reactions"],
        initial: State,
        intervals: Float[Array, " horizon"],
    ) -> Float[Array, "horizon metabolites"]:
        """Return the solution at every frame of a segment, the first included."""
        field = lambda state: self.rate_of_change(parameters, activity, state)  # noqa: E731

        def advance(state: State, interval: Array) -> tuple[State, State]:
            after = step(field, state, interval, method=self.integrator, substeps=self.substeps)
            return jnp.where(self._stops(state, after), 0.0, after), state

        return jax.lax.scan(advance, initial, intervals)[1]

    def information(
        self,
        parameters: Parameters,
        activity: Float[Array, " reactions"],
        initial: State,
        intervals: Float[Array, " horizon"],
        weights: Float[Array, "horizon metabolites"],
    ) -> Float[Array, "all all"]:
        """Fisher information ``sum_t Z_t' W_t Z_t`` on parameters and initial state together.

        The sensitivities ``Z = dc/d(parameters, initial)`` obey ``dZ/dt = F_c Z + F_theta`` and are
        carried along by the very steps of the solution, so they are its exact derivatives; they
        are 0 where a step was stopped at concentration 0.

        Args:
            parameters: Where.
            activity: Factor on each rate constant.
            initial: State at the first frame.
            intervals: Time from frame to frame; a whole number of times 16 of them.
            weights: One over the variance of each measurement; 0 where missing.
        """
        metabolites, size = len(initial), len(parameters)

        def field(pair: tuple[Array, Array]) -> tuple[Array, Array]:
            state, sensitivity = pair
            by_state, by_parameters = self._jacobians(parameters, activity, state)
            free = jnp.zeros((metabolites, metabolites), state.dtype)
            source = jnp.concatenate([by_parameters, free], axis=1)
            change = self.rate_of_change(parameters, activity, state)
            return change, by_state @ sensitivity + source

        def advance(pair: tuple[Array, Array], interval: Array) -> tuple:
            state, sensitivity = step(
                field, pair, interval, method=self.integrator, substeps=self.substeps
            )
            stops = self._stops(pair[0], state)
            after = jnp.where(stops, 0.0, state), jnp.where(stops[:, None], 0.0, sensitivity)
            return after, pair[1]

        def chunk(carry: tuple, place: tuple[Array, Array]) -> tuple[tuple, None]:
            pair, total = carry
            pair, sensitivities = jax.lax.scan(advance, pair, place[0])
            scaled = sensitivities * jnp.sqrt(place[1])[..., None]
            rows = scaled.reshape(-1, size + metabolites)
            return (pair, total + _gram(rows)), None

        start = jnp.concatenate(
            [jnp.zeros((metabolites, size)), jnp.eye(metabolites)], axis=1
        ).astype(initial.dtype)
        total = jnp.zeros((size + metabolites, size + metabolites), initial.dtype)
        chunks = (
            intervals.reshape(-1, FRAMES_AT_ONCE),
            weights.reshape(-1, FRAMES_AT_ONCE, metabolites),
        )
        return jax.lax.scan(chunk, ((initial, start), total), chunks)[0][1]

    def _stops(self, before: State, after: State) -> Bool[Array, " metabolites"]:
        """Whether a step of Euler's method overshoots 0, where simulators of that kind stop it.

        A state that noise put below 0 to begin with moves on freely.
        """
        if self.integrator != "euler":
            return jnp.zeros(before.shape, bool)
        return (before >= 0.0) & (after < 0.0)

    def _jacobians(
        self, parameters: Parameters, activity: Float[Array, " reactions"], state: State
    ) -> tuple[Array, Array]:
        """``dF/dc`` and ``dF/dparameters``."""
        rates, slopes, _, values = self.split(parameters)
        factor = lambda values, state: self.law.with_parameters(values).log_factor(state)  # noqa: E731
        log_factors, growth = jax.jvp(
            lambda state: factor(values, state), (state,), (jnp.ones_like(state),)
        )
        by_law = jax.jacfwd(factor)(values, state)
        unit = activity * jnp.exp(log_factors @ self.substrate_orders)
        turning = self.stoichiometry * (rates * unit)[None]
        by_factor = turning @ self.substrate_orders.T
        by_state = by_factor * growth[None] + jnp.diag(slopes)
        blocks = [
            self.stoichiometry * unit[None],
            jnp.diag(state),
            jnp.eye(len(state), dtype=state.dtype),
            by_factor @ by_law,
        ]
        return by_state, jnp.concatenate(blocks, axis=1)


def _gram(rows: Float[Array, "rows columns"]) -> Float[Array, "columns columns"]:
    """``rows' rows``; of the blocks below the diagonal, none is computed."""
    blocks = jnp.array_split(rows, GRAM_BLOCKS, axis=1)
    upper = {
        (i, j): blocks[i].T @ blocks[j] for i in range(GRAM_BLOCKS) for j in range(i, GRAM_BLOCKS)
    }
    everywhere = range(GRAM_BLOCKS)
    return jnp.block(
        [[upper[i, j] if i <= j else upper[j, i].T for j in everywhere] for i in everywhere]
    )
