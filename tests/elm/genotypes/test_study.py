import numpy as np
import pytest

from escapement_jax.elm.genotypes.study import Study, Truth

GENOTYPES = np.array([[0, 1, 0, 1], [1, 1, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1.0]])


def truth():
    return Truth(
        additive=np.ones((2, 4)),
        interaction_trait=np.array([0, 1]),
        interaction_columns=np.array([[2, 0], [1, 3]]),
        interaction_effect=np.array([0.5, -2.0]),
    )


def test_pair_effects_are_found_in_either_order():
    pairs = np.array([[0, 1], [0, 2], [3, 1]])
    np.testing.assert_array_equal(truth().pair_effects(pairs), [[0, 0.5, 0], [0, 0, -2]])


def test_scaling_a_trait_scales_its_truth():
    scaled = truth().scaled(np.array([2.0, 10.0]))
    np.testing.assert_array_equal(scaled.additive[:, 0], [2, 10])
    np.testing.assert_array_equal(scaled.interaction_effect, [1, -20])


def test_unusable_loci_are_left_out_and_counted_and_the_truth_is_given_up():
    study = Study.from_arrays(GENOTYPES, np.arange(4.0), truth=truth())
    usable, dropped = study.usable()
    assert usable.locus_names == ("locus_1", "locus_4")
    assert dropped == {"monomorphic": 1, "duplicated": 1}
    assert usable.truth is None


def test_tags_are_left_out_and_counted():
    generator = np.random.default_rng(0)
    table = (generator.random((200, 3)) < 0.5).astype(float)
    table[:, 2] = table[:, 0]
    table[0, 2] = 1 - table[0, 2]
    usable, dropped = Study.from_arrays(table, np.arange(200.0)).usable(prune_r2=0.5)
    assert usable.locus_names == ("locus_1", "locus_2")
    assert dropped == {"tagged": 1}


@pytest.mark.parametrize(
    ("phenotypes", "names", "message"),
    [
        (np.arange(3.0), {}, "3 phenotyped individuals, but the genotypes need 4"),
        (np.arange(4.0), {"locus_names": ["a"]}, "1 locus names, but the genotypes need 4"),
        (np.arange(4.0), {"trait_names": ["a", "b"]}, "2 trait names, but the genotypes need 1"),
        (["a", "b", "c", "d"], {}, "phenotypes are not numbers"),
    ],
)
def test_numbers_must_match(phenotypes, names, message):
    with pytest.raises(ValueError, match=message):
        Study.from_arrays(GENOTYPES, phenotypes, **names)
