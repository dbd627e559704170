"""From settings to time courses whose truth is known."""

import operator

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.simulation.experiment import run_experiment
from escapement_jax.homeostasis.simulation.integrate import Trajectory, explain_failure
from escapement_jax.homeostasis.simulation.interventions import draw_interventions
from escapement_jax.homeostasis.simulation.observation import measure
from escapement_jax.homeostasis.simulation.random_networks import random_network
from escapement_jax.homeostasis.simulation.truth import Truth, draw_truth
from escapement_jax.homeostasis.time_courses import TimeCourses


class Simulation(eqx.Module):
    """Time courses as measured, the states behind them, and the truth.

    What was not reached because a solver failed is NaN; `failures` says which and why.
    """

    time_courses: TimeCourses
    states: Float[Array, "trajectories frames metabolites"]
    truth: Truth
    failures: tuple[str, ...] = eqx.field(static=True, default=())

    @property
    def network(self) -> Network:
        """The reactions."""
        return self.truth.model.network


def simulate(config: SimulateHomeostasisConfig) -> Simulation:
    """Simulate time courses of a random network.

    The same settings give the same network, rates, starts and errors. Rates and starts come before
    everything else, so that noise or more trajectories leave the first trajectory's start as it is.

    Args:
        config: What to simulate.

    Raises:
        ValueError: The network cannot be drawn, or every trajectory failed; says why.
    """
    generator = np.random.default_rng(config.seed)
    network = random_network(
        num_metabolites=config.metabolites,
        num_reactions=config.reactions,
        seed=config.seed,
        cycle_fraction=config.cycle_fraction,
        cycle_length=config.cycle_length,
        max_metabolites_per_reaction=config.max_metabolites_per_reaction,
    )
    truth = draw_truth(network, config, generator)
    low, high = config.concentration_low, config.concentration_high
    starts = generator.uniform(low, high, (config.trajectories, config.metabolites))
    interventions = draw_interventions(config, generator)
    times = _frame_times(config, generator)
    trajectories = run_experiment(truth.model, starts, times, interventions, config, generator)
    failures = _failures(trajectories, times)
    if len(failures) == config.trajectories:
        raise ValueError(f"no trajectory could be integrated: {failures[0]}")
    states = np.asarray(trajectories.concentrations)
    courses = TimeCourses.create(
        times,
        measure(states, config, generator),
        activities=interventions.activities,
        restarts=interventions.restarts(len(times)),
        network=network,
        allow_negative=True,
    )
    return Simulation(courses, trajectories.concentrations, truth, failures)


def _frame_times(
    config: SimulateHomeostasisConfig, generator: np.random.Generator
) -> Float[np.ndarray, " frames"]:
    regular = config.time_step * np.arange(config.frames + 1)
    if not config.irregular_times:
        return regular
    inner = np.sort(generator.uniform(0, regular[-1], config.frames - 1))
    return np.concatenate([[0.0], inner, [regular[-1]]])


def _failures(trajectories: Trajectory, times: np.ndarray) -> tuple[str, ...]:
    each = [
        jax.tree.map(operator.itemgetter(index), trajectories)
        for index in range(len(trajectories.concentrations))
    ]
    return tuple(
        explain_failure(one, times, name=f"trajectory {index}")
        for index, one in enumerate(each)
        if not one.succeeded
    )
