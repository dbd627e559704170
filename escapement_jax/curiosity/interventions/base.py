"""What may be done to a rollout on its way, by the index of the step."""

from abc import abstractmethod

import equinox as eqx
from jaxtyping import Array, Float, Int, PyTree


class AbstractIntervention(eqx.Module):
    """Acts on one rollout, before and after every step; whatever is random was drawn before.

    Steps are counted, never timed: step `k` starts at exactly `k * step_size`.

    Attributes:
        batched: Whether every array has a leading axis with one entry per member of the batch;
            otherwise all members share the intervention.
    """

    batched: eqx.AbstractVar[bool]

    @abstractmethod
    def before_step(
        self, step: Int[Array, ""], y: Float[Array, " states"], args: PyTree[Array]
    ) -> tuple[Float[Array, " states"], PyTree[Array]]:
        """Return the state that a step starts from, and the arguments that hold during it."""

    @abstractmethod
    def after_step(
        self,
        step: Int[Array, ""],
        y: Float[Array, " states"],
        y_next: Float[Array, " states"],
        args: PyTree[Array],
    ) -> Float[Array, " states"]:
        """Return where the step from `y` leads, given where it would lead undisturbed."""


class Together(AbstractIntervention):
    """Several interventions at once; each sees what those before it have done."""

    parts: tuple[AbstractIntervention, ...]
    batched: bool = eqx.field(static=True)

    def __init__(self, *parts: AbstractIntervention) -> None:
        """Combine interventions that are all batched, or all shared.

        Raises:
            ValueError: Some are batched and some are not, or there are none.
        """
        kinds = {part.batched for part in parts}
        if len(kinds) != 1:
            raise ValueError(
                "interventions can be combined if all are batched or all are shared; of these "
                f"{sum(part.batched for part in parts)} of {len(parts)} are batched"
            )
        self.parts, self.batched = parts, kinds.pop()

    def before_step(
        self, step: Int[Array, ""], y: Float[Array, " states"], args: PyTree[Array]
    ) -> tuple[Float[Array, " states"], PyTree[Array]]:
        """Apply every part in turn."""
        for part in self.parts:
            y, args = part.before_step(step, y, args)
        return y, args

    def after_step(
        self,
        step: Int[Array, ""],
        y: Float[Array, " states"],
        y_next: Float[Array, " states"],
        args: PyTree[Array],
    ) -> Float[Array, " states"]:
        """Apply every part in turn."""
        for part in self.parts:
            y_next = part.after_step(step, y, y_next, args)
        return y_next
