"""Measured samples, in whatever order a table has them, gathered into time courses."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.time_courses import TimeCourses


def gather_samples(
    path: Path,
    network: Network,
    *,
    times: np.ndarray,
    trajectories: Sequence[str] | None,
    metabolites: Sequence[str],
    values: np.ndarray,
    allow_negative: bool = False,
) -> TimeCourses:
    """Arrange samples by trajectory and time, and their columns as in the network.

    Replicates (samples of one trajectory at one time) are averaged. Trajectories with times of
    their own share the union of all times, with the frames they lack missing.

    Args:
        path: Where the samples are from, for messages.
        network: The reactions.
        times: Time of every sample.
        trajectories: Trajectory of every sample; by default all belong to one.
        metabolites: Names of the columns.
        values: Samples x columns; NaN where missing.
        allow_negative: Whether noise may have made concentrations negative.

    Raises:
        ValueError: A column is not in the network or appears twice, a metabolite of the network has
            no column, a time is not a number, or there are no samples.
    """
    if not len(times):
        raise ValueError(f"{path}: there are no samples; write at least one line below the header")
    if not np.isfinite(times).all():
        raise ValueError(f"{path}: sample {np.flatnonzero(~np.isfinite(times))[0]} has no time")
    columns = _columns(path, network, metabolites)
    names = ["all"] * len(times) if trajectories is None else list(trajectories)
    labels = list(dict.fromkeys(names))
    rows = np.array([labels.index(name) for name in names])
    grid, frames = np.unique(times, return_inverse=True)
    totals = np.zeros((len(labels), len(grid), network.num_metabolites))
    counts = np.zeros_like(totals)
    measured = np.isfinite(values)
    place = (rows[:, None], frames[:, None], columns[None, :])
    np.add.at(totals, place, np.where(measured, values, 0.0))
    np.add.at(counts, place, measured.astype(float))
    with np.errstate(invalid="ignore"):
        means = totals / np.where(counts > 0, counts, np.nan)
    return TimeCourses.create(grid, means, network, allow_negative=allow_negative)


def _columns(path: Path, network: Network, metabolites: Sequence[str]) -> np.ndarray:
    rows = {name: row for row, name in enumerate(network.metabolite_names)}
    unknown = [name for name in metabolites if name not in rows]
    if unknown:
        raise ValueError(
            f"{path}: metabolite {unknown[0]} is not in the network; rename it, or take the column "
            f"out (the network has {', '.join(network.metabolite_names[:5])}, ...)"
        )
    repeated = [name for name in rows if list(metabolites).count(name) > 1]
    if repeated:
        raise ValueError(f"{path}: metabolite {repeated[0]} has two columns; keep one")
    absent = [name for name in rows if name not in set(metabolites)]
    if absent:
        raise ValueError(
            f"{path}: the network's metabolite {absent[0]} has no column ({len(absent)} have "
            "none); measure it, or take it out of the network if its concentration does not change "
            "(--hold-unmeasured)"
        )
    return np.array([rows[name] for name in metabolites])
