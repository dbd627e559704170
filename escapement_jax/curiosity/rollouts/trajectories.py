"""What is kept of a batch of rollouts."""

import equinox as eqx
from jaxtyping import Array, Float, Int


class Trajectories(eqx.Module):
    """The kept part of a batch of rollouts, structure of arrays: the batch is the last axis.

    Attributes:
        states: Observed states at the last `kept` sampled times, the end excluded.
        final_state: Every state at the end.
        codes: `RolloutCode` of every member.
    """

    states: Float[Array, "observed kept batch"]
    final_state: Float[Array, "states batch"]
    codes: Int[Array, " batch"]
