"""What is done to the trajectories of an experiment: knock-downs and step perturbations."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from escapement_jax.config.homeostasis_simulation import SimulateHomeostasisConfig


@dataclasses.dataclass(frozen=True)
class Interventions:
    """What is done to every trajectory; the first is left alone.

    Attributes:
        activities: Factor on every rate constant, 1 for none.
        factors: Factor on every concentration at the frame of the perturbation, 1 for none.
        frame: The frame of the perturbation.
    """

    activities: Float[np.ndarray, "trajectories reactions"]
    factors: Float[np.ndarray, "trajectories metabolites"]
    frame: int

    def restarts(self, num_frames: int) -> Bool[np.ndarray, "trajectories frames"]:
        """Return where a trajectory starts anew, because it was perturbed just before the frame.

        Args:
            num_frames: Frames of a trajectory.
        """
        restarts = np.zeros((len(self.factors), num_frames), dtype=bool)
        restarts[:, self.frame] = (self.factors != 1).any(axis=1)
        return restarts


def draw_interventions(
    config: SimulateHomeostasisConfig, generator: np.random.Generator
) -> Interventions:
    """Draw which reactions are slowed and which metabolites are stepped in each trajectory.

    Args:
        config: How many, and by what factor.
        generator: NumPy's; nothing is drawn from it where nothing is done.
    """
    activities = np.ones((config.trajectories, config.reactions))
    factors = np.ones((config.trajectories, config.metabolites))
    for trajectory in range(1, config.trajectories):
        if config.knock_downs:
            slowed = generator.choice(config.reactions, config.knock_downs, replace=False)
            activities[trajectory, slowed] = config.knock_down_factor
        if config.perturbations:
            stepped = generator.choice(config.metabolites, config.perturbations, replace=False)
            factors[trajectory, stepped] = config.perturbation_factor
    return Interventions(activities, factors, frame=(config.frames + 1) // 2)
