"""The result of a decomposition: effects with uncertainty, and what they amount to."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from escapement_jax.elm.anchors.comparison import Anchor
from escapement_jax.elm.genotypes.coding import CodedGenotypes
from escapement_jax.elm.linear_map.joint_moments import pairwise_sum
from escapement_jax.elm.linear_map.sensitivity import Sensitivities

NORMAL_95 = 1.959963984540054


class EffectTable(eqx.Module):
    """Effects of one kind, traits by effects.

    `unshrunken` is unbiased and normal around the truth with standard deviation `stderr`; the
    interval and the p value belong to it. `effect` is the estimate to use: for pairs the
    posterior mean under a prior learned from all of them, for additive effects `unshrunken`.
    Method "source" gives no uncertainty: `stderr` and what follows from it are NaN.
    """

    effect: Float[Array, "traits effects"]
    unshrunken: Float[Array, "traits effects"]
    stderr: Float[Array, "traits effects"]
    p_value: Float[Array, "traits effects"]
    q_value: Float[Array, "traits effects"]
    inclusion_probability: Float[Array, "traits effects"]

    @property
    def lower_95(self) -> Float[Array, "traits effects"]:
        """Lower end of the 95 % interval about `unshrunken`."""
        return self.unshrunken - NORMAL_95 * self.stderr

    @property
    def upper_95(self) -> Float[Array, "traits effects"]:
        """Upper end of the 95 % interval about `unshrunken`."""
        return self.unshrunken + NORMAL_95 * self.stderr

    @staticmethod
    def without_uncertainty(effect: Float[Array, "traits effects"]) -> "EffectTable":
        """Return a table of estimates about whose errors nothing is known."""
        unknown = jnp.full_like(effect, jnp.nan)
        return EffectTable(effect, effect, unknown, unknown, unknown, unknown)


class VarianceComponents(eqx.Module):
    """Variance of each part of the phenotype, and of what no part explains in held-out folds."""

    variance: Float[Array, "traits components"]
    stderr: Float[Array, "traits components"]
    names: tuple[str, ...] = eqx.field(static=True)


class NetworkReport(eqx.Module):
    """What is known of the networks behind a decomposition.

    `gain` is the R2 that they add to the regression in held-out folds (NaN without a regression);
    `sensitivity`, `jacobians` and `reconstruction` are of the first network, on the test
    individuals with the coded alleles `inputs`.
    """

    test_r2: Float[Array, " traits"]
    test_correlation: Float[Array, " traits"]
    gain: Float[Array, " traits"]
    gain_stderr: Float[Array, " traits"]
    reconstruction_error: Float[Array, ""]
    outputs: Float[Array, "test traits"]
    reconstruction: Float[Array, "test traits"]
    sensitivity: Sensitivities
    jacobians: Float[Array, "test traits loci"]
    inputs: Float[Array, "test loci"]
    variance_spectrum: Float[Array, "traits orders_and_higher"]
    num_epochs: Int[Array, " networks"]


class Effects(eqx.Module):
    """Additive and epistatic effects of every trait, in units of the trait.

    `y = intercept + sum_c additive_c z_c + sum_p epistatic_p z_c(p) z_d(p)` with the contrasts `z`
    of `CodedGenotypes`: additive effects are average effects of substitution `alpha_i` per unit of
    `x`, and `reference_effect` is `b_i = alpha_i - sum_j b_ij mean(x_j)` (haploids; else NaN).
    `test_r2` is that of this model on the test individuals; with method "source" that of the
    network, as published.
    """

    additive: EffectTable
    reference_effect: Float[Array, "traits columns"]
    epistatic: EffectTable
    pairs: Int[Array, "pairs 2"]
    column_locus: Int[Array, " columns"]
    intercept: Float[Array, " traits"]
    variance: VarianceComponents
    test_r2: Float[Array, " traits"]
    network: NetworkReport | None
    anchors: tuple[Anchor, ...]
    column_kind: tuple[str, ...] = eqx.field(static=True)
    locus_names: tuple[str, ...] = eqx.field(static=True)
    trait_names: tuple[str, ...] = eqx.field(static=True)
    num_train: int = eqx.field(static=True)
    num_test: int = eqx.field(static=True)
    num_candidate_pairs: int = eqx.field(static=True)
    warnings: tuple[str, ...] = eqx.field(static=True)

    def predict(self, coded: CodedGenotypes) -> Float[Array, "individuals traits"]:
        """Return the phenotypes that the listed effects explain.

        Args:
            coded: genotypes in the coding of the decomposition (`CodedGenotypes.rows`).
        """
        products = pairwise_sum(coded.contrasts, self.pairs, self.epistatic.effect.T)
        return self.intercept[None] + coded.contrasts @ self.additive.effect.T + products
