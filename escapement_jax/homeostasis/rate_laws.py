"""How the speed of a reaction depends on the concentration of a substrate.

Every law is a function ``f`` with ``f(1) = 1``, shared by all substrates: reaction ``j`` runs at
``v_j = k_j prod_i f(c_i)^E_ij``. The normalisation makes the rate constants ``k`` identifiable, as
``f -> a f`` could be undone by ``k``.
"""

from abc import abstractmethod
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from escapement_jax.array_types import PRNGKey

LawName = Literal["mass-action", "power", "saturating", "spline", "neural"]

Concentration = Float[Array, ""]

SMALLEST_CONCENTRATION = 1e-8
"""Concentrations below are taken as this one, so that their logarithm exists."""


class AbstractRateLaw(eqx.Module):
    """A substrate law ``f`` with free parameters.

    Implementing a law: store the parameters as inexact arrays and everything else as static
    fields, and write ``log_factor_at`` for one concentration, with ``log_factor_at(1) = 0``.
    """

    @abstractmethod
    def log_factor_at(self, concentration: Concentration) -> Concentration:
        """Return ``log f(c)`` of one concentration."""

    def log_factor(self, concentrations: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Return ``log f(c)`` of each concentration."""
        return jnp.vectorize(self.log_factor_at)(concentrations)

    @property
    def parameters(self) -> Float[Array, " parameters"]:
        """The free parameters as one vector; empty if there are none."""
        free = eqx.filter(self, eqx.is_inexact_array)
        return ravel_pytree(free)[0] if jax.tree.leaves(free) else jnp.zeros(0)

    def with_parameters(self, values: Float[Array, " parameters"]) -> "AbstractRateLaw":
        """Return the law with other values of its free parameters."""
        free, rest = eqx.partition(self, eqx.is_inexact_array)
        return eqx.combine(ravel_pytree(free)[1](values), rest)


def log_concentration(concentration: Concentration) -> Concentration:
    """Return ``log c``, a concentration near 0 taken as the smallest."""
    return jnp.log(jnp.maximum(concentration, SMALLEST_CONCENTRATION))


class MassAction(AbstractRateLaw):
    """``f(c) = c``: molecules meet at random."""

    def log_factor_at(self, concentration: Concentration) -> Concentration:
        """Return ``log c``."""
        return log_concentration(concentration)


class PowerLaw(AbstractRateLaw):
    """``f(c) = c^p``, the law of biochemical systems theory.

    Attributes:
        exponent: ``p``.
    """

    exponent: Float[Array, ""]

    def log_factor_at(self, concentration: Concentration) -> Concentration:
        """Return ``p log c``."""
        return self.exponent * log_concentration(concentration)


class Saturating(AbstractRateLaw):
    """``f(c) = c (1 + K) / (c + K)``, the law of Michaelis and Menten.

    Attributes:
        log_constant: Logarithm of the half-saturation constant ``K``, a concentration.
    """

    log_constant: Float[Array, ""]

    def log_factor_at(self, concentration: Concentration) -> Concentration:
        """Return ``log c + log(1 + K) - log(c + K)``."""
        log_c = log_concentration(concentration)
        return log_c + jax.nn.softplus(self.log_constant) - jnp.logaddexp(log_c, self.log_constant)


class SplineLaw(AbstractRateLaw):
    """``log f`` is a cubic spline of ``log c`` with even knots, straight beyond the last ones.

    Attributes:
        increments: Differences of neighbouring B-spline coefficients; ``f(c) = c^p`` has
            ``p * spacing`` everywhere, and positive increments make ``f`` increase.
        low: ``log c`` at which the spline begins.
        spacing: Distance of the knots.
    """

    increments: Float[Array, " increments"]
    low: float = eqx.field(static=True)
    spacing: float = eqx.field(static=True)

    @classmethod
    def power(cls, exponent: float, low: float, high: float, intervals: int) -> "SplineLaw":
        """Return the spline of ``c^exponent`` between two values of ``log c``."""
        spacing = (high - low) / intervals
        return cls(jnp.full(intervals + 2, exponent * spacing), low, spacing)

    def log_factor_at(self, concentration: Concentration) -> Concentration:
        """Return ``s(log c) - s(0)`` for the spline ``s``."""
        return self._spline(log_concentration(concentration)) - self._spline(jnp.zeros(()))

    def refined(self) -> "SplineLaw":
        """Return the same function with twice the intervals."""
        left, right = self.increments[:-1], self.increments[1:]
        pairs = jnp.stack([(3 * left + right) / 8, (left + 3 * right) / 8], axis=1)
        return SplineLaw(pairs.ravel(), self.low, self.spacing / 2)

    def _spline(self, log_c: Concentration) -> Concentration:
        intervals = self.increments.shape[0] - 2
        place = (log_c - self.low) / self.spacing
        inside = jnp.clip(place, 0.0, intervals)
        # A sum of steps: each increment is weighted by a B-spline summed from there upwards.
        steps = _cubic_step(inside - jnp.arange(-2.0, intervals))
        ends = jnp.stack([self.increments[:2].mean(), self.increments[-2:].mean()])
        beyond = jnp.minimum(place, 0.0) * ends[0] + jnp.maximum(place - intervals, 0.0) * ends[1]
        return steps @ self.increments + beyond


def _cubic_step(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Sum of the cubic B-splines ``b(x - 1) + b(x - 2) + ...`` of support ``[0, 4]``, from 0 to 1.

    Its derivative is the quadratic B-spline on ``[0, 3]``, here integrated piece by piece.
    """
    x = jnp.clip(x, 0.0, 3.0)
    first = x**3 / 6.0
    middle = first - (x - 1.0) ** 3 / 2.0
    last = 1.0 - (3.0 - x) ** 3 / 6.0
    return jnp.where(x < 1.0, first, jnp.where(x < 2.0, middle, last))


class NeuralLaw(AbstractRateLaw):
    """``log f(c) = p log c + n(log c) - n(0)`` for a network ``n`` with one hidden layer.

    Attributes:
        exponent: ``p``.
        input_weights: Steepness of each hidden unit.
        input_biases: Place of each hidden unit.
        output_weights: Contribution of each hidden unit.
    """

    exponent: Float[Array, ""]
    input_weights: Float[Array, " hidden"]
    input_biases: Float[Array, " hidden"]
    output_weights: Float[Array, " hidden"]

    @classmethod
    def power(
        cls, exponent: float, low: float, high: float, hidden: int, *, key: PRNGKey
    ) -> "NeuralLaw":
        """Return a network near ``c^exponent`` whose units lie between two values of ``log c``."""
        centres = jnp.linspace(low, high, hidden)
        weights = jnp.full(hidden, hidden / (high - low))
        outputs = 1e-3 * jax.random.normal(key, (hidden,))
        return cls(jnp.asarray(exponent, outputs.dtype), weights, -weights * centres, outputs)

    def log_factor_at(self, concentration: Concentration) -> Concentration:
        """Return ``p log c + n(log c) - n(0)``."""
        log_c = log_concentration(concentration)
        return self.exponent * log_c + self._network(log_c) - self._network(jnp.zeros(()))

    def _network(self, log_c: Concentration) -> Concentration:
        hidden = jnp.tanh(log_c * self.input_weights + self.input_biases)
        return hidden @ self.output_weights
