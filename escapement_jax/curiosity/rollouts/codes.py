"""What became of each member of a batch of rollouts."""

from enum import IntEnum


class RolloutCode(IntEnum):
    """One code per member, so that a batch never dies for one of its members."""

    OK = 0
    NOT_FINITE = 1
    TOO_MANY_STEPS = 2

    @property
    def explanation(self) -> str:
        """What happened and what can be done about it."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    RolloutCode.OK: "the rollout reached its end",
    RolloutCode.NOT_FINITE: "a state became infinite or not a number; take a smaller step_size, "
    "narrower bounds, or a stiff solver",
    RolloutCode.TOO_MANY_STEPS: "the solver used up its steps; allow more of them, looser "
    "tolerances, or narrower bounds",
}
