"""Measured concentrations through time."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import ArrayLike

from escapement_jax.homeostasis.network import Network

FEWEST_FRAMES = 8


class TimeCourses(eqx.Module):
    """Concentrations of all metabolites at common times, in one or more trajectories.

    Trajectories with times of their own share the union of all times, with the frames they lack
    missing.

    Attributes:
        times: Increasing.
        concentrations: NaN where nothing was measured.
        activities: Factor on the rate constant of each reaction, such as 0 for a knock-out.
        restarts: True where the state was disturbed just before a frame, so that the dynamics do
            not link it to the frame before; always true of the first.
    """

    times: Float[Array, " frames"]
    concentrations: Float[Array, "trajectories frames metabolites"]
    activities: Float[Array, "trajectories reactions"]
    restarts: Bool[Array, "trajectories frames"]

    @classmethod
    def create(
        cls,
        times: ArrayLike,
        concentrations: ArrayLike,
        network: Network,
        *,
        activities: ArrayLike | None = None,
        restarts: ArrayLike | None = None,
        allow_negative: bool = False,
    ) -> "TimeCourses":
        """Check measurements and return them.

        Args:
            times: Frames.
            concentrations: Frames x metabolites, or trajectories x frames x metabolites; NaN where
                missing. A value of exactly 0 means "below detection".
            network: The network the metabolites belong to, in its order.
            activities: Trajectories x reactions; by default all 1.
            restarts: Trajectories x frames; by default at the first frame only.
            allow_negative: Whether measurement noise may have made values negative.

        Raises:
            ValueError: The message names the first metabolite, trajectory and time at fault.
        """
        times = _checked_times(times)
        values = np.asarray(concentrations, dtype=np.float64)
        values = values[None] if values.ndim == 2 else values
        shape = ("any", len(times), network.num_metabolites)
        if values.ndim != 3 or values.shape[1:] != shape[1:]:
            raise ValueError(
                f"concentrations have shape {values.shape}; with {shape[1]} times and {shape[2]} "
                "metabolites in the network give frames x metabolites or trajectories x frames x "
                "metabolites"
            )
        _check_values(values, times, network, allow_negative)
        trajectories = len(values)
        if activities is None:
            activities = np.ones((trajectories, network.num_reactions))
        activity = _checked_activities(activities, trajectories, network)
        restart = np.zeros(values.shape[:2], bool) if restarts is None else np.asarray(restarts)
        if restart.shape != values.shape[:2]:
            raise ValueError(
                f"restarts have shape {restart.shape}; give trajectories x frames, here "
                f"{values.shape[:2]}"
            )
        restart = restart.astype(bool) | (np.arange(len(times)) == 0)
        return cls(*map(jnp.asarray, (times, values, activity, restart)))

    @property
    def num_trajectories(self) -> int:
        """Number of trajectories."""
        return self.concentrations.shape[0]

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return self.concentrations.shape[1]

    @property
    def num_metabolites(self) -> int:
        """Number of metabolites."""
        return self.concentrations.shape[2]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return bool(jnp.isfinite(self.concentrations).all())


def _checked_times(times: ArrayLike) -> np.ndarray:
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1:
        raise ValueError(f"times have shape {times.shape}; give one vector for all trajectories")
    if len(times) < FEWEST_FRAMES:
        raise ValueError(
            f"there are only {len(times)} frames; {FEWEST_FRAMES} are the fewest from which rates"
            " of change can be told, and some hundreds are needed for homeostasis"
        )
    if not np.isfinite(times).all():
        frame = int(np.argmin(np.isfinite(times)))
        raise ValueError(f"the time of frame {frame} is {times[frame]}; times are finite numbers")
    rising = np.diff(times) > 0
    if not rising.all():
        frame = int(np.argmin(rising)) + 1
        raise ValueError(
            f"times must increase; frame {frame} is at {times[frame]:g}, after {times[frame - 1]:g}"
        )
    return times


def _check_values(
    values: np.ndarray, times: np.ndarray, network: Network, allow_negative: bool
) -> None:
    wrong = np.isinf(values) if allow_negative else np.isinf(values) | (values < 0)
    if wrong.any():
        trajectory, frame, metabolite = np.argwhere(wrong)[0]
        value = values[trajectory, frame, metabolite]
        raise ValueError(
            f"metabolite {network.metabolite_names[metabolite]} has the concentration {value:g} at"
            f" time {times[frame]:g} of trajectory {trajectory}; use NaN for missing values, 0 for"
            " values below detection, or allow negative values if noise made them"
        )
    unseen = ~np.isfinite(values).any((0, 1))
    if unseen.any():
        names = ", ".join(np.array(network.metabolite_names)[unseen][:5])
        raise ValueError(
            f"metabolite {names} was never measured; remove it from the network or add its data"
        )
    empty = np.isfinite(values).any(2).sum(1) < FEWEST_FRAMES
    if empty.any():
        raise ValueError(
            f"trajectory {int(np.argmax(empty))} has measurements in fewer than {FEWEST_FRAMES}"
            " frames; leave it out"
        )


def _checked_activities(activities: ArrayLike, trajectories: int, network: Network) -> np.ndarray:
    activity = np.asarray(activities, dtype=np.float64)
    shape = (trajectories, network.num_reactions)
    if activity.shape != shape:
        raise ValueError(
            f"activities have shape {activity.shape}; give trajectories x reactions, here {shape}"
        )
    wrong = ~np.isfinite(activity) | (activity < 0)
    if wrong.any():
        trajectory, reaction = np.argwhere(wrong)[0]
        raise ValueError(
            f"reaction {network.reaction_names[reaction]} has the activity "
            f"{activity[trajectory, reaction]} in trajectory {trajectory}; activities are 0 or more"
        )
    return activity
