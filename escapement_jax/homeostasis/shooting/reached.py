"""What one horizon of shooting leaves to the next, and how it is kept in checkpoints."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.homeostasis.shooting.dynamics import Parameters
from escapement_jax.homeostasis.shooting.gauss_newton import Shot
from escapement_jax.homeostasis.shooting.misfits import Misfit
from escapement_jax.homeostasis.shooting.noise_model import NoiseModel
from escapement_jax.homeostasis.shooting.segments import cut
from escapement_jax.homeostasis.time_courses import TimeCourses


class ShootingState(eqx.Module):
    """The fit: parameters, modelled concentrations, noise, and trajectories that were lost."""

    parameters: Parameters
    fitted: Float[np.ndarray, "trajectories frames metabolites"]
    noise: NoiseModel
    lost: np.ndarray


class Reached(NamedTuple):
    """What a horizon leaves to the next: the measurements still trusted, and the fit to them."""

    time_courses: TimeCourses
    state: ShootingState
    shot: Shot
    initial: Array
    misfits: tuple[Misfit, ...]


def pack(reached: Reached) -> dict[str, np.ndarray]:
    """Return everything as arrays by name."""
    time_courses, state, shot, initial, misfits = reached
    columns = [field.name for field in dataclasses.fields(Misfit)]
    return {
        "concentrations": np.asarray(time_courses.concentrations),
        "restarts": np.asarray(time_courses.restarts),
        "parameters": np.asarray(state.parameters),
        "fitted": state.fitted,
        "noise": np.array([state.noise.relative, state.noise.absolute]),
        "lost": state.lost,
        "values": np.asarray(shot.values),
        "weights": np.asarray(shot.weights),
        "state_precision": np.asarray(shot.state_precision),
        "initial": np.asarray(initial),
    } | {f"misfit_{name}": np.array([getattr(one, name) for one in misfits]) for name in columns}


def unpack(
    arrays: Mapping[str, np.ndarray],
    time_courses: TimeCourses,
    horizon: int,
    kept: np.ndarray,
    prior: tuple[Parameters, Parameters],
) -> Reached:
    """Return what `pack` was given.

    Args:
        arrays: What it made of it.
        time_courses: All measurements, before any were left out.
        horizon: The horizon that was reached.
        kept: Reactions of the dynamics.
        prior: Precisions and means of the priors.
    """
    on_device = {name: jnp.asarray(array) for name, array in arrays.items()}
    noise = NoiseModel(*arrays["noise"].tolist())
    state = ShootingState(on_device["parameters"], arrays["fitted"], noise, arrays["lost"])
    time_courses = eqx.tree_at(
        lambda courses: (courses.concentrations, courses.restarts),
        time_courses,
        (on_device["concentrations"], on_device["restarts"]),
    )
    segments = cut(time_courses, horizon, kept)
    shot = Shot(
        segments, on_device["values"], on_device["weights"], on_device["state_precision"], *prior
    )
    columns = [arrays[f"misfit_{field.name}"].tolist() for field in dataclasses.fields(Misfit)]
    misfits = tuple(Misfit(*row) for row in zip(*columns, strict=True))
    return Reached(time_courses, state, shot, on_device["initial"], misfits)
