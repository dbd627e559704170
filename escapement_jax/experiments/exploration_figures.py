"""Figures of an exploration, from its history and rollouts solved again."""

import dataclasses
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from escapement_jax.curiosity.behaviour.base import AbstractBehaviour
from escapement_jax.curiosity.behaviour.feasibility import feasible_cells
from escapement_jax.curiosity.behaviour.oscillation import DESCRIPTOR_NAMES
from escapement_jax.curiosity.diversity.grid import DescriptorGrid
from escapement_jax.curiosity.experiment import Experiment
from escapement_jax.curiosity.history import History
from escapement_jax.curiosity.systems.circuit import TranscriptionalCircuit
from escapement_jax.plotting.curiosity import (
    plot_archive,
    plot_circuits,
    plot_curves,
    plot_time_courses,
    save_figure,
)

NUM_REPRESENTATIVES = 9
SECONDS_SHOWN = 40.0
"""Of an oscillation: slow ones show two periods, fast ones can still be told apart."""


def representatives(
    history: History, behaviour: AbstractBehaviour, number: int = NUM_REPRESENTATIVES
) -> Int[np.ndarray, " chosen"]:
    """Choose discoveries that differ most: each farthest from those before it.

    Distances are in units of the extent of the space; the first is the best one.

    Args:
        history: The rollouts.
        behaviour: The space of behaviours.
        number: How many to choose, if there are so many.

    Returns:
        Rows of the history.
    """
    low, high = np.array(behaviour.low), np.array(behaviour.high)
    inside = ((history.descriptors >= low) & (history.descriptors <= high)).all(axis=1)
    rows = np.flatnonzero(history.found & inside)
    if not rows.size:
        return rows
    extent = high - low
    places = history.descriptors[rows] / extent
    chosen = [int(history.quality[rows].argmax())]
    distance = np.full(rows.size, np.inf)
    while len(chosen) < min(number, rows.size):
        distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return rows[chosen]


def save_figures(
    folder: Path,
    experiment: Experiment,
    history: History,
    grid: DescriptorGrid,
    chosen: Int[np.ndarray, " chosen"],
) -> None:
    """Draw archive, curves, time courses and circuits into a folder, as PNG and SVG.

    Args:
        folder: The folder; it is created.
        experiment: What was done with parameters.
        history: The rollouts.
        grid: The cells that are counted.
        chosen: Rows of the history to show in full.
    """
    behaviour = experiment.behaviour
    oscillating = behaviour.names == DESCRIPTOR_NAMES
    system = experiment.system
    circuit = isinstance(system, TranscriptionalCircuit)
    feasible = None
    if oscillating and isinstance(system, TranscriptionalCircuit) and not system.free_decay:
        feasible = int(feasible_cells(grid.low, grid.high, grid.bins).sum())
    save_figure(plot_archive(history, behaviour), folder / "archive")
    save_figure(plot_curves(history, grid, feasible=feasible), folder / "curves")
    if not chosen.size:
        return
    titles = [_title(history.descriptors[row], behaviour.names) for row in chosen]
    times, courses = solve_again(experiment, history.parameters[chosen])
    if oscillating:
        shown = times >= times[-1] - SECONDS_SHOWN
        times, courses = times[shown], courses[..., shown]
    names = system.state_names
    if not circuit:
        courses, names = (
            courses[:, list(experiment.rollout.observed)],
            [names[i] for i in experiment.rollout.observed],
        )
    figure = plot_time_courses(times, courses, titles=titles, state_names=names)
    save_figure(figure, folder / "time_courses")
    if isinstance(system, TranscriptionalCircuit):
        weights = [
            np.asarray(system.unpack(jnp.asarray(row))[1].weights)
            for row in history.parameters[chosen]
        ]
        save_figure(plot_circuits(np.stack(weights), titles=titles), folder / "circuits")


def solve_again(
    experiment: Experiment, parameters: Float[np.ndarray, "members parameters"]
) -> tuple[Float[np.ndarray, " times"], Float[np.ndarray, "members states times"]]:
    """Solve members again, keeping every state at every step.

    Args:
        experiment: What is done with parameters.
        parameters: The members.

    Returns:
        Times in seconds, and the states.
    """
    system, rollout = experiment.system, experiment.rollout
    whole = dataclasses.replace(
        rollout, num_kept=rollout.num_steps, observed=tuple(range(system.num_states))
    )
    solve = eqx.filter_jit(lambda rows: whole(system, rows, experiment.intervention).states)
    states = np.moveaxis(np.asarray(solve(jnp.asarray(parameters))), -1, 0)
    return np.arange(rollout.num_steps) * rollout.step_size, states


def _title(descriptors: Float[np.ndarray, " descriptors"], names: tuple[str, ...]) -> str:
    if names == DESCRIPTOR_NAMES:
        offset, amplitude, frequency = descriptors
        return f"{frequency:.2f} Hz, amplitude {amplitude:.2f}, offset {offset:.2f}"
    return ", ".join(f"{name} {x:.2g}" for name, x in zip(names, descriptors, strict=True))
