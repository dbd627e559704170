"""States at which nothing changes, differentiable in all parameters."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Bool, Float

from escapement_jax.homeostasis.identifiability.moieties import conserved_moieties
from escapement_jax.homeostasis.model import MetabolicModel, State


class SteadyState(eqx.Module):
    """A state at which the concentrations stand still.

    Attributes:
        concentrations: The state.
        jacobian: ``dF/dc`` there; the state is stable if its eigenvalues have negative real parts.
        converged: Whether the solver found it.
    """

    concentrations: State
    jacobian: Float[Array, "metabolites metabolites"]
    converged: Bool[Array, ""]


@eqx.filter_jit
def steady_state(
    model: MetabolicModel,
    guess: State,
    *,
    conserved: Float[Array, "moieties metabolites"] | None = None,
    tolerance: float = 1e-10,
    most_steps: int = 256,
) -> SteadyState:
    """Solve ``F(c) = 0``; gradients follow from the implicit function theorem.

    Without homeostasis, conserved sums keep the value they have in the guess:
    ``F(c) = 0`` is solved together with ``l c = l c_guess``.

    Args:
        model: The dynamics.
        guess: Where to begin, and the value of conserved sums.
        conserved: Rows ``l`` with ``l F = 0``, such as those of ``conserved_moieties`` for a model
            without homeostasis; None where nothing is conserved.
        tolerance: Relative and absolute tolerance on the concentrations.
        most_steps: Steps of Newton's method with a trust region.
    """
    solver = optx.Dogleg(rtol=tolerance, atol=tolerance)
    pinned = guess if conserved is None else conserved @ guess

    def imbalance(state: State, model: MetabolicModel) -> State:
        change = model(state)
        if conserved is None:
            return change
        # The rates of change are blind along l; the conserved sums see exactly there.
        return change + conserved.T @ (conserved @ state - pinned)

    found = optx.root_find(imbalance, solver, guess, args=model, max_steps=most_steps, throw=False)
    jacobian = jax.jacfwd(model)(found.value)
    return SteadyState(found.value, jacobian, found.result == optx.RESULTS.successful)


def moieties_of(model: MetabolicModel) -> Float[Array, "moieties metabolites"] | None:
    """Return what a model without homeostasis conserves; None with homeostasis, or if nothing."""
    if bool(jnp.any(model.slopes != 0) | jnp.any(model.offsets != 0)):
        return None
    rows = conserved_moieties(np.asarray(model.network.stoichiometry))
    return jnp.asarray(rows) if len(rows) else None
