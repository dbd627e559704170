import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.elm_simulation import SimulateElmConfig
from escapement_jax.elm.anchors.comparison import METHODS, r_squared, run_anchors, significant
from escapement_jax.elm.anchors.moments import column_pairs
from escapement_jax.elm.method_table import anchor_row
from escapement_jax.elm.simulation import simulate

NUM_TRAIN = 800


@pytest.fixture(scope="module")
def anchors():
    """Every method on a study of 1,000 with ten loci, and the truth."""
    config = SimulateElmConfig(
        individuals=1000, loci=10, additive_share=(1.0, 0.4), heritability=0.6, seed=7
    )
    study = simulate(config)
    coded, phenotypes = study.coded(np.float64), jnp.asarray(study.phenotypes)
    rows = np.arange(1000)
    train, test = rows[:NUM_TRAIN], rows[NUM_TRAIN:]
    pairs = column_pairs(np.arange(10))
    found = run_anchors(
        coded.rows(train), phenotypes[train], coded.rows(test), phenotypes[test], pairs, (*METHODS,)
    )
    true_pairs = study.truth.pair_effects(np.asarray(pairs))
    return {a.name: anchor_row(a, study.truth, true_pairs) for a in found}


@pytest.mark.parametrize("name", ["pair-scan", "pairwise", "lasso", "spike-slab"])
def test_methods_with_pairs_predict_an_epistatic_trait_better(anchors, name):
    assert anchors[name].test_r2[1] > anchors["additive"].test_r2[1] + 0.15
    assert anchors[name].slope[1] == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("name", ["pair-scan", "pairwise", "spike-slab"])
def test_discoveries_are_mostly_true(anchors, name):
    assert anchors[name].true[1] >= 4
    assert anchors[name].found[1] - anchors[name].true[1] <= 1
    assert anchors[name].found[0] <= 1


def test_additive_methods_agree(anchors):
    assert anchors["blup"].test_r2[0] == pytest.approx(anchors["additive"].test_r2[0], abs=0.01)
    assert anchors["additive"].additive_r2[0] > 0.95
    assert np.isnan(anchors["additive"].found).all()


def test_triples_of_an_additive_trait_are_not_found(anchors):
    assert anchors["triple-scan"].found[0] == 0
    assert anchors["triple-scan"].test_r2[0] == pytest.approx(
        anchors["additive"].test_r2[0], abs=0.02
    )


def test_an_unknown_method_is_refused():
    coded = simulate(SimulateElmConfig(individuals=10, loci=3)).coded(np.float64)
    traits = jnp.zeros((10, 1))
    with pytest.raises(ValueError, match="there is no anchor 'magic'"):
        run_anchors(coded, traits, coded, traits, column_pairs(np.arange(3)), ("magic",))


def test_r_squared_is_zero_for_the_mean_and_one_for_the_truth():
    observed = jnp.asarray([[1.0], [2.0], [6.0]])
    np.testing.assert_allclose(r_squared(observed, jnp.full((3, 1), 3.0)), 0, atol=1e-12)
    np.testing.assert_allclose(r_squared(observed, observed), 1)


def test_significance_is_that_of_benjamini_and_hochberg():
    z = jnp.asarray([[5.0, 0.1, 3.0, 1.0]])
    np.testing.assert_array_equal(significant(z, jnp.ones((1, 4))), [[True, False, True, False]])
