"""All trajectories of an experiment at once, with what is done to them."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig
from escapement_jax.homeostasis.model import MetabolicModel
from escapement_jax.homeostasis.simulation.integrate import (
    Trajectory,
    euler_trajectory,
    is_stiff,
    solved_trajectory,
)
from escapement_jax.homeostasis.simulation.interventions import Interventions


def run_experiment(
    model: MetabolicModel,
    starts: Float[np.ndarray, "trajectories metabolites"],
    times: Float[np.ndarray, " frames"],
    interventions: Interventions,
    config: SimulateHomeostasisConfig,
    generator: np.random.Generator,
) -> Trajectory:
    """Integrate every trajectory; the leaves of the result lead with trajectories.

    Args:
        model: The true one.
        starts: First states.
        times: Of the frames.
        interventions: What is done to every trajectory.
        config: The integrator, its tolerances, and process noise.
        generator: NumPy's, for process noise.
    """
    if config.integrator == "euler":
        return _euler(model, starts, interventions, config, generator)
    implicit = config.integrator == "kvaerno5"
    if config.integrator == "auto":
        implicit = is_stiff(model, _floats(starts), float(times[-1]))
    if (interventions.factors == 1).all():
        return _solve(model, starts, times, interventions, config, implicit=implicit)
    frame = interventions.frame
    early = _solve(model, starts, times[: frame + 1], interventions, config, implicit=implicit)
    stepped = np.asarray(early.concentrations)[:, -1] * interventions.factors
    late = _solve(model, stepped, times[frame:], interventions, config, implicit=implicit)
    return eqx.filter_vmap(_joined)(early, late)


def _joined(early: Trajectory, late: Trajectory) -> Trajectory:
    """Join the parts before and from the frame of a perturbation; the first failure counts."""
    went_well = early.outcome == diffrax.RESULTS.successful
    return Trajectory(
        jnp.concatenate([early.concentrations[:-1], late.concentrations]),
        diffrax.RESULTS.where(went_well, late.outcome, early.outcome),
    )


def _euler(
    model: MetabolicModel,
    starts: np.ndarray,
    interventions: Interventions,
    config: SimulateHomeostasisConfig,
    generator: np.random.Generator,
) -> Trajectory:
    shape = (config.trajectories, config.frames, config.metabolites)
    factors = np.ones(shape)
    factors[:, interventions.frame - 1] = interventions.factors
    noise = np.zeros(shape)
    if config.process_noise > 0:
        noise = config.process_noise * generator.standard_normal(shape)

    arrays = map(_floats, (starts, interventions.activities, factors, noise))
    return _euler_trajectories(model, _floats(np.asarray(config.time_step)), *arrays)


@eqx.filter_jit
def _euler_trajectories(
    model: MetabolicModel,
    time_step: Float[Array, ""],
    starts: Float[Array, "trajectories metabolites"],
    activities: Float[Array, "trajectories reactions"],
    factors: Float[Array, "trajectories steps metabolites"],
    noise: Float[Array, "trajectories steps metabolites"],
) -> Trajectory:
    @eqx.filter_vmap
    def run(start: Array, activity: Array, factor: Array, disturbance: Array) -> Trajectory:
        states = euler_trajectory(
            model.with_activity(activity),
            start,
            time_step=time_step,
            factors=factor,
            disturbances=disturbance,
        )
        return Trajectory(states, diffrax.RESULTS.successful)

    return run(starts, activities, factors, noise)


def _solve(
    model: MetabolicModel,
    starts: np.ndarray,
    times: np.ndarray,
    interventions: Interventions,
    config: SimulateHomeostasisConfig,
    *,
    implicit: bool,
) -> Trajectory:
    solver = diffrax.Kvaerno5() if implicit else diffrax.Tsit5()
    tolerances = config.relative_tolerance, config.absolute_tolerance
    arrays = map(_floats, (times, starts, interventions.activities))
    return _solved_trajectories(model, solver, tolerances, *arrays)


@eqx.filter_jit
def _solved_trajectories(
    model: MetabolicModel,
    solver: diffrax.AbstractAdaptiveSolver,
    tolerances: tuple[float, float],
    times: Float[Array, " frames"],
    starts: Float[Array, "trajectories metabolites"],
    activities: Float[Array, "trajectories reactions"],
) -> Trajectory:
    @eqx.filter_vmap
    def run(start: Array, activity: Array) -> Trajectory:
        return solved_trajectory(
            model.with_activity(activity),
            start,
            times,
            solver=solver,
            relative_tolerance=tolerances[0],
            absolute_tolerance=tolerances[1],
        )

    return run(starts, activities)


def _floats(values: np.ndarray) -> Array:
    return jnp.asarray(values, dtype=jax.dtypes.canonicalize_dtype(float))
