"""Gauss-Newton on the parameters, with the initial states of all segments profiled out."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.homeostasis.regression.equations import Factor
from escapement_jax.homeostasis.shooting.dynamics import Dynamics, Parameters
from escapement_jax.homeostasis.shooting.segments import Segments
from escapement_jax.training.devices import batched, num_devices, padded

MOST_STEPS = 12
LARGEST_DAMPING = 1e4
SMALLEST_GAIN = 1e-5
POOR_GAIN = 0.5
"""Below this share of the promised gain, the information matrix is computed anew."""


class Shot(eqx.Module):
    """Values and weights to fit, segment by segment, and the prior on the parameters.

    Attributes:
        segments: Where and when.
        values: Values to fit.
        weights: One over their variance; 0 where missing.
        state_precision: One over the squared size of each metabolite's concentrations; keeps
            initial states of metabolites that a segment did not measure in bounds.
        prior_precision: Of a normal prior on each parameter.
        prior_mean: Its centre.
    """

    segments: Segments
    values: Float[Array, "segments horizon metabolites"]
    weights: Float[Array, "segments horizon metabolites"]
    state_precision: Float[Array, " metabolites"]
    prior_precision: Parameters
    prior_mean: Parameters


class Profile(eqx.Module):
    """Information with the initial states profiled out.

    Attributes:
        information: On the parameters, ``A - B C^-1 B'`` summed over segments.
        response: ``C^-1 B'``: by how much each initial state answers to the parameters.
        inverse: ``C^-1``.
    """

    information: Float[Array, "parameters parameters"]
    response: Float[Array, "segments metabolites parameters"]
    inverse: Float[Array, "segments metabolites metabolites"]


@eqx.filter_jit
def profile(
    dynamics: Dynamics,
    parameters: Parameters,
    initial: Float[Array, "segments metabolites"],
    shot: Shot,
) -> Profile:
    """Return the Fisher information on the parameters when every segment starts anew.

    Args:
        dynamics: The model.
        parameters: Where.
        initial: First state of each segment.
        shot: The data; values do not matter, only weights.
    """
    size = len(parameters)

    def add(total: Array, item: tuple[Array, ...]) -> tuple[Array, tuple[Array, Array]]:
        activity, state, intervals, weights = item
        whole = dynamics.information(parameters, activity, state, intervals, weights)
        cross, own = whole[:size, size:], whole[size:, size:]
        factor = Factor.of(own + jnp.diag(shot.state_precision))
        inverse = factor.solve(jnp.eye(len(own), dtype=own.dtype))
        response = inverse @ cross.T
        return total + whole[:size, :size] - cross @ response, (response, inverse)

    segments, count = shot.segments, initial.shape[0]
    items = padded((segments.activities, initial, segments.intervals, shot.weights))
    # What pads carries no weight, and so no information.
    real = jnp.arange(items[3].shape[0]) < count
    items = (*items[:3], jnp.where(real[:, None, None], items[3], 0.0))
    parts = jax.tree.map(lambda leaf: leaf.reshape(num_devices(), -1, *leaf.shape[1:]), items)
    start = jnp.zeros((size, size), parameters.dtype)
    # One segment after the other on each device, the devices side by side.
    information, found = jax.vmap(lambda part: jax.lax.scan(add, start, part))(batched(parts))
    response, inverse = (leaf.reshape(-1, *leaf.shape[2:])[:count] for leaf in found)
    return Profile(jnp.sum(information, axis=0), response, inverse)


@eqx.filter_jit
def solve_segments(
    dynamics: Dynamics,
    parameters: Parameters,
    initial: Float[Array, "segments metabolites"],
    segments: Segments,
) -> Float[Array, "segments horizon metabolites"]:
    """Return the solution of every segment."""
    solve = lambda activity, state, intervals: dynamics.states(  # noqa: E731
        parameters, activity, state, intervals
    )
    items = padded((segments.activities, initial, segments.intervals))
    return jax.vmap(solve)(*items)[: initial.shape[0]]


@eqx.filter_jit
def _cost_and_gradient(
    dynamics: Dynamics, parameters: Parameters, initial: Array, shot: Shot
) -> tuple[Array, tuple[Array, Array]]:
    def cost(parameters: Array, initial: Array) -> Array:
        states = solve_segments(dynamics, parameters, initial, shot.segments)
        misfit = jnp.sum(shot.weights * (shot.values - states) ** 2)
        return misfit + jnp.sum(shot.prior_precision * (parameters - shot.prior_mean) ** 2)

    return jax.value_and_grad(cost, argnums=(0, 1))(parameters, initial)


@eqx.filter_jit
def _step(
    at: Profile, shot: Shot, slopes: tuple[Array, Array], damping: Array
) -> tuple[Array, Array]:
    """Damped step for parameters and initial states, from the gradient of the cost."""
    downhill, downhill_states = -0.5 * slopes[0], -0.5 * slopes[1]
    matrix = at.information + jnp.diag(shot.prior_precision)
    matrix = matrix + damping * jnp.diag(jnp.diag(matrix))
    right = downhill - jnp.einsum("smp,sm->p", at.response, downhill_states)
    move = Factor.of(matrix).solve(right)
    states = jnp.einsum("smn,sn->sm", at.inverse, downhill_states)
    return move, states - jnp.einsum("smp,p->sm", at.response, move)


def fit_segments(
    dynamics: Dynamics,
    parameters: Parameters,
    initial: Float[Array, "segments metabolites"],
    shot: Shot,
) -> tuple[Parameters, Float[Array, "segments metabolites"], float]:
    """Minimise ``sum w (value - c)^2`` over the parameters and all initial states.

    Gradients are exact and cheap, the information matrix is exact and dear; so one matrix serves
    for several steps, as long as these keep what it promises.

    Args:
        dynamics: The model.
        parameters: Where to start.
        initial: First state of each segment, to start from.
        shot: The data.

    Returns:
        The parameters, the initial states and the cost.
    """
    cost, slopes = _cost_and_gradient(dynamics, parameters, initial, shot)
    matrix, fresh, damping = profile(dynamics, parameters, initial, shot), True, 1e-4
    for _ in range(MOST_STEPS):
        move, moves = _step(matrix, shot, slopes, jnp.asarray(damping))
        trial = parameters + move, initial + moves
        trial_cost, trial_slopes = _cost_and_gradient(dynamics, *trial, shot)
        promised = -0.5 * float(jnp.sum(slopes[0] * move) + jnp.sum(slopes[1] * moves))
        gain = float(cost - trial_cost)
        if np.isfinite(gain) and gain >= 0:
            (parameters, initial), cost, slopes = trial, trial_cost, trial_slopes
            if gain <= SMALLEST_GAIN * float(cost):
                break
            damping, fresh = max(damping / 10, 1e-9), False
            outdated = gain < POOR_GAIN * promised
        elif fresh:
            damping, outdated = damping * 30, False
            if damping > LARGEST_DAMPING:
                break
        else:
            outdated = True
        if outdated:
            matrix, fresh = profile(dynamics, parameters, initial, shot), True
    return parameters, initial, float(cost)
