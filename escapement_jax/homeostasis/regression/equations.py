"""The balance equations of all metabolites, averaged over windows: linear in rates and homeostasis.

For given laws, ``<dc_i/dt> = sum_j S_ij <u_j> k_j + slope_i <c_i> + offset_i``, where ``u_j`` is
the flux for ``k_j = 1``, ``<>`` the mean over a window, and every row carries a weight.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from escapement_jax.homeostasis.rate_laws import AbstractRateLaw
from escapement_jax.homeostasis.regression.weak_form import WeakForm

METABOLITES_AT_ONCE = 32
REFINEMENTS = 2


class Coefficients(eqx.Module):
    """What the equations are linear in.

    Attributes:
        rates: Rate constant of each reaction.
        slopes: Slope of homeostasis of each metabolite.
        offsets: Offset of homeostasis of each metabolite.
    """

    rates: Float[Array, " reactions"]
    slopes: Float[Array, " metabolites"]
    offsets: Float[Array, " metabolites"]

    @property
    def vector(self) -> Float[Array, " coefficients"]:
        """All coefficients: rates, slopes, offsets."""
        return jnp.concatenate([self.rates, self.slopes, self.offsets])

    @classmethod
    def of_vector(cls, vector: Float[Array, " coefficients"], metabolites: int) -> "Coefficients":
        """Split a vector into rates, slopes and offsets."""
        rates = vector.shape[0] - 2 * metabolites
        return cls(*jnp.split(vector, [rates, rates + metabolites]))


class BalanceEquations(eqx.Module):
    """Everything the regression reads.

    Attributes:
        concentrations: All frames of all trajectories.
        activities: Factor on each rate constant, at each frame.
        stoichiometry: ``S`` of the reactions kept.
        substrate_orders: ``E`` of the reactions kept.
        windows: The weak form.
        derivatives: ``<dc/dt>``.
        row_weights: Weight of each window and metabolite; 0 leaves a row out.
        participants: Reactions in which each metabolite takes part, padded with their number.
    """

    concentrations: Float[Array, "frames metabolites"]
    activities: Float[Array, "frames reactions"]
    stoichiometry: Float[Array, "metabolites reactions"]
    substrate_orders: Float[Array, "metabolites reactions"]
    windows: WeakForm
    derivatives: Float[Array, "rows metabolites"]
    row_weights: Float[Array, "rows metabolites"]
    participants: Int[Array, "metabolites degree"]

    def mean_unit_fluxes(self, law: AbstractRateLaw) -> Float[Array, "rows reactions"]:
        """Return ``<u_j>`` under a law."""
        unit = jnp.exp(law.log_factor(self.concentrations) @ self.substrate_orders)
        return self.windows.mean(unit * self.activities)

    def mean_concentrations(self) -> Float[Array, "rows metabolites"]:
        """Return ``<c_i>``."""
        return self.windows.mean(self.concentrations)

    def predict(
        self, coefficients: Float[Array, " coefficients"], fluxes: Float[Array, "rows reactions"]
    ) -> Float[Array, "rows metabolites"]:
        """Return weighted ``<dc/dt>`` as the model has it.

        Args:
            coefficients: Rates, slopes and offsets.
            fluxes: ``<u_j>``.
        """
        metabolites = self.stoichiometry.shape[0]
        parts = Coefficients.of_vector(coefficients, metabolites)
        reactions = (fluxes * parts.rates[None]) @ self.stoichiometry.T
        homeostasis = self.mean_concentrations() * parts.slopes[None] + parts.offsets[None]
        return self.row_weights * (reactions + homeostasis)

    def weighted_derivatives(self) -> Float[Array, "rows metabolites"]:
        """Return weighted ``<dc/dt>`` as measured."""
        return self.row_weights * self.derivatives


def participants_of(stoichiometry: Float[np.ndarray, "metabolites reactions"]) -> np.ndarray:
    """Return the reactions of each metabolite as rows padded with the number of reactions."""
    metabolites, reactions = stoichiometry.shape
    lists = [np.flatnonzero(row) for row in stoichiometry]
    table = np.full((metabolites, max(1, *map(len, lists))), reactions)
    for row, members in zip(table, lists, strict=True):
        row[: len(members)] = members
    return table


def normal_matrix(
    equations: BalanceEquations, fluxes: Float[Array, "rows reactions"]
) -> Float[Array, "coefficients coefficients"]:
    """Return ``A' A`` of the weighted equations, assembled metabolite by metabolite.

    A row of ``A`` holds only the reactions of one metabolite, its slope and its offset, so the cost
    is ``rows * sum_i degree_i^2`` and not ``rows * metabolites * coefficients^2``.

    Args:
        equations: The equations.
        fluxes: ``<u_j>``.
    """
    metabolites, reactions = equations.stoichiometry.shape
    pad = ((0, 0), (0, 1))
    fluxes, signs = jnp.pad(fluxes, pad), jnp.pad(equations.stoichiometry, pad)
    concentrations = equations.mean_concentrations()

    def block(item: tuple[Array, ...]) -> tuple[Array, Array]:
        members, sign, weight, concentration, i = item
        columns = fluxes[:, members] * sign[members][None]
        own = jnp.stack([concentration, jnp.ones_like(concentration)], axis=1)
        table = weight[:, None] * jnp.concatenate([columns, own], axis=1)
        # Padding goes to a place beyond the last coefficient, which is cut off at the end.
        home = jnp.stack([reactions + i, reactions + metabolites + i])
        end = reactions + 2 * metabolites
        places = jnp.concatenate([jnp.where(members < reactions, members, end), home])
        return table.T @ table, places

    items = (
        equations.participants,
        signs,
        equations.row_weights.T,
        concentrations.T,
        jnp.arange(metabolites),
    )
    blocks, places = jax.lax.map(block, items, batch_size=METABOLITES_AT_ONCE)
    size = reactions + 2 * metabolites
    matrix = jnp.zeros((size + 1, size + 1), blocks.dtype)
    matrix = matrix.at[places[:, :, None], places[:, None, :]].add(blocks)
    return matrix[:size, :size]


class Factor(eqx.Module):
    """Cholesky factor of a matrix scaled to a unit diagonal, with a small ridge.

    Attributes:
        scale: Square roots of the diagonal, inverted.
        lower: The factor.
    """

    scale: Float[Array, " size"]
    lower: Float[Array, "size size"]

    @classmethod
    def of(cls, matrix: Float[Array, "size size"], ridge: float = 1e-13) -> "Factor":
        """Factorise a symmetric matrix that is positive or nearly so."""
        diagonal = jnp.diag(matrix)
        scale = jnp.where(diagonal > 0, 1 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0)), 1.0)
        scaled = matrix * scale[:, None] * scale[None]
        return cls(scale, jnp.linalg.cholesky(scaled + ridge * jnp.eye(len(matrix))))

    def solve(self, right: Float[Array, " size *columns"]) -> Float[Array, " size *columns"]:
        """Solve for one right-hand side or several columns."""
        scale = self.scale.reshape((-1,) + (1,) * (right.ndim - 1))
        scale = jnp.broadcast_to(scale, right.shape)
        return scale * jax.scipy.linalg.cho_solve((self.lower, True), scale * right)


def best_coefficients(
    equations: BalanceEquations,
    fluxes: Float[Array, "rows reactions"],
    factor: Factor,
) -> Float[Array, " coefficients"]:
    """Return the least-squares coefficients for given laws.

    The residual is refined, as the normal matrix squares the condition number.

    Args:
        equations: The equations.
        fluxes: ``<u_j>``.
        factor: Of the normal matrix.
    """
    target = equations.weighted_derivatives()
    start = jnp.zeros(factor.scale.shape[0], target.dtype)
    predict = lambda vector: equations.predict(vector, fluxes)  # noqa: E731
    _, pull_back = jax.vjp(predict, start)

    def refine(vector: Array, _: None) -> tuple[Array, None]:
        return vector + factor.solve(pull_back(target - predict(vector))[0]), None

    return jax.lax.scan(refine, start, None, length=1 + REFINEMENTS)[0]
