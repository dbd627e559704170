"""The energy landscape that a set of trajectories draws: valleys where they stay."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class EnergyLandscape(NamedTuple):
    """A surface over the plane of two states.

    Attributes:
        x: Centres of the cells along the first state.
        y: Centres of the cells along the second.
        energy: ``-log(density / highest density)``, infinite where no trajectory has been.
    """

    x: Float[np.ndarray, " cells_x"]
    y: Float[np.ndarray, " cells_y"]
    energy: Float[np.ndarray, "cells_x cells_y"]


def energy_landscape(
    states: Float[Array, "two times members"],
    *,
    low: tuple[float, float],
    high: tuple[float, float],
    bins: int = 40,
) -> EnergyLandscape:
    """Estimate ``U = -log p`` from the share of time that trajectories spend in every cell.

    This is the quasi-potential of Wang et al. (2008, PNAS 105:12271) for the ensemble of the
    trajectories given: it describes where they are, and depends on where they were started.

    Args:
        states: The two states at equally spaced times; members that are not finite are left out.
        low: Lower ends of the plane.
        high: Upper ends of the plane.
        bins: Cells along either axis.

    Raises:
        ValueError: The plane is empty, or no trajectory is ever inside.
    """
    if not all(bottom < top for bottom, top in zip(low, high, strict=True)):
        raise ValueError(f"the plane from {low} to {high} is empty; give the lower ends first")
    visited = np.asarray(jnp.reshape(states, (2, -1)), dtype=float)
    visited = visited[:, np.isfinite(visited).all(axis=0)]
    counts, x_edges, y_edges = np.histogram2d(
        *visited, bins=bins, range=list(zip(low, high, strict=True))
    )
    if not counts.any():
        raise ValueError(f"no trajectory enters the plane from {low} to {high}; widen it")
    with np.errstate(divide="ignore"):
        energy = -np.log(counts / counts.max())
    centres = [0.5 * (edges[:-1] + edges[1:]) for edges in (x_edges, y_edges)]
    return EnergyLandscape(centres[0], centres[1], energy)
