"""Environmental noise, once."""

import numpy as np
from jaxtyping import Float

from escapement_jax.elm.genotypes.study import Study


def add_environment(study: Study, heritability: float, generator: np.random.Generator) -> Study:
    """Lower the heritability of traits: y' = sqrt(H2) y + e, V(e) = (1 - H2) V(y).

    The phenotypic variance stays, every individual has its own noise, and the true effects are
    multiplied by sqrt(H2).

    Args:
        study: traits whose variance is taken to be genetic.
        heritability: H2 of the new traits, in (0, 1].
        generator: source of the noise.

    Raises:
        ValueError: the heritability is out of range.
    """
    if not 0 < heritability <= 1:
        raise ValueError(f"heritability is {heritability}; it must lie in (0, 1]")
    values = study.phenotypes
    noise = generator.normal(size=values.shape) * np.sqrt(1 - heritability) * values.std(axis=0)
    factor = np.full(values.shape[1], np.sqrt(heritability))
    return Study(
        genotypes=study.genotypes,
        phenotypes=factor * values + noise,
        individual_names=study.individual_names,
        locus_names=study.locus_names,
        trait_names=study.trait_names,
        ploidy=study.ploidy,
        truth=None if study.truth is None else study.truth.scaled(factor),
    )


def standardise(values: Float[np.ndarray, " individuals"]) -> Float[np.ndarray, " individuals"]:
    """Return values of mean zero and variance one; zeros where there is no variance."""
    spread = values.std()
    return (values - values.mean()) / (spread if spread > 0 else 1.0)
