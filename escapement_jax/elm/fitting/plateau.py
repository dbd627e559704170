"""The learning-rate schedule and the stopping rule, both driven by the validation loss."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

SCHEDULE_PATIENCE = 3
SCHEDULE_FACTOR = 0.5
SCHEDULE_THRESHOLD = 1e-4


class Plateau(eqx.Module):
    """Learning rate that is halved once the loss has not fallen for more than three epochs.

    The rule is PyTorch's `ReduceLROnPlateau(factor=0.5, patience=3)`: a fall counts if it exceeds
    a relative 1e-4.
    """

    learning_rate: Float[Array, ""]
    lowest: Float[Array, ""]
    epochs_without_fall: Int[Array, ""]

    @staticmethod
    def start(learning_rate: float, dtype: jnp.dtype) -> "Plateau":
        """Return the state before the first epoch."""
        return Plateau(
            jnp.asarray(learning_rate, dtype), jnp.asarray(jnp.inf, dtype), jnp.asarray(0)
        )

    def after(self, loss: Float[Array, ""]) -> "Plateau":
        """Return the state after an epoch with the given validation loss."""
        fell = loss < self.lowest * (1 - SCHEDULE_THRESHOLD)
        waited = jnp.where(fell, 0, self.epochs_without_fall + 1)
        lower = waited > SCHEDULE_PATIENCE
        rate = jnp.where(lower, self.learning_rate * SCHEDULE_FACTOR, self.learning_rate)
        lowest = jnp.where(fell, loss, self.lowest)
        return Plateau(rate, lowest, jnp.where(lower, 0, waited))


class EarlyStopping(eqx.Module):
    """The lowest validation loss so far and how long ago it was."""

    lowest: Float[Array, ""]
    best_epoch: Int[Array, ""]
    epochs_without_fall: Int[Array, ""]

    def after(
        self, loss: Float[Array, ""], epoch: Int[Array, ""], min_delta: float
    ) -> tuple["EarlyStopping", Bool[Array, ""]]:
        """Return the state after an epoch, and whether the loss fell by `min_delta` or more."""
        fell = loss < self.lowest - min_delta
        state = EarlyStopping(
            jnp.where(fell, loss, self.lowest),
            jnp.where(fell, epoch, self.best_epoch),
            jnp.where(fell, 0, self.epochs_without_fall + 1),
        )
        return state, fell
