"""The least error of prediction that noise allows, by Cramer and Rao.

    python benchmarks/homeostasis/held_out_bound.py

The information of the time courses about rates and pooled homeostasis, at the truth and with the
true types, is carried over to the held-out trajectory of `recovery_table.py`: 10 time units from
another start. To first order the error is proportional to the noise.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from record import write_result  # noqa: E402
from recovery_table import RESULTS, SEEDS  # noqa: E402

from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig  # noqa: E402
from escapement_jax.homeostasis.identifiability.structure import structure_of  # noqa: E402
from escapement_jax.homeostasis.shooting.dynamics import Dynamics  # noqa: E402
from escapement_jax.homeostasis.shooting.fit import dynamics_of  # noqa: E402
from escapement_jax.homeostasis.shooting.gauss_newton import Shot, profile  # noqa: E402
from escapement_jax.homeostasis.shooting.segments import cut  # noqa: E402
from escapement_jax.homeostasis.simulation.simulate import Simulation, simulate  # noqa: E402

HORIZON = 288
NOISE = 0.1


def least_error(simulation: Simulation) -> float:
    """Return the bound on the root mean square error, over the spread of the truth."""
    truth = simulation.truth
    structure = structure_of(simulation.network, np.asarray(simulation.time_courses.activities))
    dynamics = dynamics_of(simulation.network, structure, truth.model.law, "euler", 1)
    rates = jnp.asarray(structure.combinations) @ truth.model.rates
    pooling = _pooling(len(rates), np.asarray(truth.types))
    pooled = jnp.concatenate(
        [rates, jnp.asarray(truth.type_slopes), jnp.asarray(truth.type_offsets)]
    )
    information = pooling.T @ _information(simulation, dynamics, pooling @ pooled, structure.kept)
    covariance = _inverse(information @ pooling)
    start = jnp.asarray(np.random.default_rng(2026).uniform(1.0, 9.0, len(truth.types)))
    ones, steps = jnp.ones(len(rates)), jnp.full(101, 0.1)
    predict = lambda values: dynamics.states(pooling @ values, ones, start, steps)  # noqa: E731
    tangents = jax.jacfwd(predict)(pooled).reshape(-1, len(pooled))
    variance = jnp.einsum("ip,pq,iq->i", tangents, covariance, tangents).mean()
    return float(jnp.sqrt(variance) / jnp.std(predict(pooled)))


def _pooling(reactions: int, types: np.ndarray) -> jax.Array:
    """Matrix that hands the slope and offset of a type to its members."""
    membership = np.eye(types.max() + 1)[types]
    zero = np.zeros((reactions, membership.shape[1]))
    nothing = np.zeros_like(membership)
    return jnp.asarray(
        np.block(
            [
                [np.eye(reactions), zero, zero],
                [np.zeros((len(types), reactions)), membership, nothing],
                [np.zeros((len(types), reactions)), nothing, membership],
            ]
        )
    )


def _information(
    simulation: Simulation, dynamics: Dynamics, parameters: jax.Array, kept: np.ndarray
) -> jax.Array:
    """Fisher information of all segments, their initial states profiled out."""
    segments = cut(simulation.time_courses, HORIZON, kept)
    states = simulation.states.reshape(-1, simulation.states.shape[-1])[segments.frames]
    weights = segments.mask / (NOISE * states + NOISE / 10) ** 2
    tiny = jnp.full(states.shape[-1], 1e-8)
    shot = Shot(segments, states, weights, tiny, jnp.zeros(len(parameters)), parameters)
    return profile(dynamics, parameters, states[:, 0], shot).information


def _inverse(matrix: jax.Array) -> jax.Array:
    scale = 1 / jnp.sqrt(jnp.diag(matrix))
    return scale[:, None] * jnp.linalg.inv(matrix * scale[:, None] * scale) * scale


def main() -> None:
    """Compute the bound of every network."""
    jax.config.update("jax_enable_x64", True)
    cases = []
    for seed in SEEDS:
        bound = least_error(simulate(SimulateHomeostasisConfig(seed=seed)))
        case = {"seed": seed, "relative_noise": NOISE, "horizon": HORIZON, "least_error": bound}
        cases.append(case)
        print(case, flush=True)
    result = {"row": "held-out bound", "cases": cases}
    write_result(RESULTS / "homeostasis_held_out_bound.json", result)


if __name__ == "__main__":
    main()
