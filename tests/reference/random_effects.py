"""A decomposition made up of random numbers, for tests of what reads one."""

import jax.numpy as jnp
import numpy as np

from escapement_jax.elm.anchors.comparison import Anchor
from escapement_jax.elm.effects import Effects, EffectTable, NetworkReport, VarianceComponents
from escapement_jax.elm.genotypes.study import Study, Truth
from escapement_jax.elm.linear_map.sensitivity import Sensitivities

LOCI, TRAITS, TEST = 6, 2, 40


def random_truth():
    """Additive effects of six loci, and three pairs that act on the second trait."""
    generator = np.random.default_rng(1)
    return Truth(
        additive=generator.normal(size=(TRAITS, LOCI)),
        interaction_trait=np.array([1, 1, 1]),
        interaction_columns=np.array([[0, 1], [2, 3], [4, 5]]),
        interaction_effect=np.array([0.5, -0.4, 0.3]),
    )


def random_study():
    """Forty haploids with two traits."""
    generator = np.random.default_rng(2)
    genotypes = generator.choice([-1.0, 1.0], (TEST, LOCI))
    return Study.from_arrays(genotypes, generator.normal(size=(TEST, TRAITS)), truth=random_truth())


def effect_table(truth, generator, stderr=0.02):
    noise = generator.normal(size=truth.shape) * stderr
    estimate = jnp.asarray(truth + noise)
    strength = np.abs(truth + noise) / stderr
    p_value = jnp.asarray(np.exp(-(strength**2) / 2))
    return EffectTable(
        effect=estimate,
        unshrunken=estimate,
        stderr=jnp.full_like(estimate, stderr),
        p_value=p_value,
        q_value=jnp.minimum(p_value * 10, 1.0),
        inclusion_probability=1 - p_value,
    )


def network_report(generator):
    outputs = jnp.asarray(generator.normal(size=(TEST, TRAITS)))
    unknown = jnp.full((TRAITS,), jnp.nan)
    return NetworkReport(
        test_r2=jnp.asarray([0.4, 0.5]),
        test_correlation=jnp.asarray([0.6, 0.7]),
        gain=unknown,
        gain_stderr=unknown,
        reconstruction_error=jnp.asarray(1e-13),
        outputs=outputs,
        reconstruction=outputs,
        sensitivity=Sensitivities(
            jnp.asarray(generator.normal(size=(TRAITS, LOCI))),
            jnp.asarray(generator.random((TRAITS, LOCI))),
        ),
        jacobians=jnp.asarray(generator.normal(size=(TEST, TRAITS, LOCI))),
        inputs=jnp.asarray(generator.choice([-1.0, 1.0], (TEST, LOCI))),
        variance_spectrum=jnp.asarray([[0.7, 0.2, 0.06, 0.04], [0.2, 0.7, 0.06, 0.04]]),
        num_epochs=jnp.asarray([12]),
    )


def random_effects(*, network=True, dominance=False):
    """Effects near `random_truth`, an anchor and, if wanted, a network."""
    generator = np.random.default_rng(3)
    pairs = np.stack(np.triu_indices(LOCI, 1), axis=1)
    truth = random_truth()
    additive = effect_table(truth.additive, generator)
    epistatic = effect_table(truth.pair_effects(pairs), generator)
    anchor = Anchor(
        name="pairwise",
        additive=additive.effect,
        additive_stderr=additive.stderr,
        epistatic=epistatic.effect,
        epistatic_stderr=epistatic.stderr,
        discoveries=epistatic.q_value <= 0.05,
        triples=None,
        test_r2=jnp.asarray([0.3, 0.6]),
        cpu_seconds=1.5,
    )
    return Effects(
        additive=additive,
        reference_effect=additive.effect,
        epistatic=epistatic,
        pairs=jnp.asarray(pairs),
        column_locus=jnp.asarray([0, 1, 2, 0, 1, 2] if dominance else np.arange(LOCI)),
        intercept=jnp.zeros(TRAITS),
        variance=VarianceComponents(
            jnp.asarray([[0.5, 0.1, 0.4], [0.2, 0.5, 0.3]]),
            jnp.full((TRAITS, 3), 0.02),
            ("additive", "additive x additive", "residual"),
        ),
        test_r2=jnp.asarray([0.5, 0.7]),
        network=network_report(generator) if network else None,
        anchors=(anchor,),
        column_kind=("A", "A", "A", "D", "D", "D") if dominance else ("A",) * LOCI,
        locus_names=tuple("abc" if dominance else "abcdef"),
        trait_names=("height", "yield"),
        num_train=200,
        num_test=TEST,
        num_candidate_pairs=len(pairs),
        warnings=("made up",),
    )
