"""Phenotypes of known additive, dominance and epistatic effects."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from escapement_jax.config.elm_simulation import SimulateElmConfig
from escapement_jax.elm.genotypes.calls import check_loci, recognise
from escapement_jax.elm.genotypes.coding import ContrastTable, contrast_table
from escapement_jax.elm.genotypes.study import Study, Truth
from escapement_jax.elm.simulation.environment import add_environment, standardise
from escapement_jax.elm.simulation.genotype_draws import draw_genotypes

SIGMOID_SLOPE, SIGMOID_MIDDLE = 3.0, 0.5


class _Trait(NamedTuple):
    values: np.ndarray
    effects: np.ndarray
    groups: np.ndarray
    interactions: np.ndarray


def simulate(config: SimulateElmConfig) -> Study:
    """Simulate genotypes and phenotypes.

    g = sum_c a_c z_c + sum_g b_g prod_{c in g} z_c on contrasts z of mean zero, with normal a and b
    and every locus in one group g; each part is scaled so that the realised V_A, V_D and V_G are as
    told (V_G = 1), then y = sqrt(H2) g + sqrt(1 - H2) e. At allele frequency one half this is
    AlphaSimR's trait with V_A / V_G set (Gaynor et al. 2021); elsewhere effects are average ones.

    Args:
        config: what to simulate.

    Returns:
        The study; its truth speaks of the phenotypes as given. There is none for a sigmoid link,
        whose epistasis is spread over all orders.

    Raises:
        ValueError: a locus came out without variation, or a coalescent has too few loci.
        ImportError: msprime is needed and not installed.
    """
    generator = np.random.default_rng(config.seed)
    genotypes = draw_genotypes(config, generator)
    calls = recognise(genotypes, ploidy=config.ploidy)
    check_loci(calls, [f"locus_{number}" for number in range(1, config.loci + 1)])
    table = contrast_table(calls)
    traits = [_trait(table, share, config, generator) for share in config.additive_share]
    values = np.stack([trait.values for trait in traits], axis=1)
    truth: Truth | None = Truth(
        additive=np.stack([trait.effects for trait in traits]),
        interaction_trait=np.repeat(np.arange(len(traits)), [len(t.groups) for t in traits]),
        interaction_columns=np.concatenate([trait.groups for trait in traits]),
        interaction_effect=np.concatenate([trait.interactions for trait in traits]),
    )
    if config.link == "sigmoid":
        squashed = 1 / (1 + np.exp(-SIGMOID_SLOPE * (values - SIGMOID_MIDDLE)))
        values, truth = np.apply_along_axis(standardise, 0, squashed), None
    if config.missing:
        genotypes = np.where(generator.random(genotypes.shape) < config.missing, np.nan, genotypes)
    study = Study.from_arrays(genotypes, values, ploidy=config.ploidy, truth=truth)
    return add_environment(study, config.heritability, generator)


def _trait(
    table: ContrastTable,
    additive_share: float,
    config: SimulateElmConfig,
    generator: np.random.Generator,
) -> _Trait:
    """Draw the effects of one trait, and scale them to the shares of the genetic variance."""
    contrasts = table.contrasts
    loci, order = config.loci, config.interaction_order
    is_additive = np.array([kind == "A" for kind in table.column_kind])
    effects = generator.normal(size=contrasts.shape[1])
    groups = generator.permutation(loci)[: loci // order * order].reshape(-1, order)
    interactions = generator.normal(size=len(groups))
    parts = (
        (additive_share, contrasts[:, is_additive] @ effects[is_additive]),
        (config.dominance_share, contrasts[:, ~is_additive] @ effects[~is_additive]),
        (
            1 - additive_share - config.dominance_share,
            np.prod(contrasts[:, groups], axis=2) @ interactions,
        ),
    )
    factors = [_factor(share, part) for share, part in parts]
    values = sum(factor * part for factor, (_, part) in zip(factors, parts, strict=True))
    scale = 1 / np.std(values)
    effects = effects * np.where(is_additive, factors[0], factors[1]) * scale
    present = factors[2] > 0
    return _Trait(
        values=standardise(np.asarray(values)),
        effects=effects,
        groups=groups if present else groups[:0],
        interactions=interactions * factors[2] * scale if present else interactions[:0],
    )


def _factor(share: float, part: Float[np.ndarray, " individuals"]) -> float:
    """Return what makes the variance of a part of the genetic value its share."""
    spread = float(np.std(part))
    return float(np.sqrt(max(share, 0.0))) / spread if spread > 0 and share > 1e-12 else 0.0
