import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.elm.genotypes.calls import recognise, usable_loci
from escapement_jax.elm.genotypes.coding import contrast_table, encode

SEEDS = st.integers(0, 2**32 - 1)


def diploid(seed, individuals=60, loci=4):
    generator = np.random.default_rng(seed)
    table = generator.integers(0, 3, (individuals, loci)).astype(float)
    table[:3] = np.arange(3)[:, None]  # Every genotype is there at every locus.
    return table


@pytest.mark.parametrize("low", [-1, 0])
def test_haploids_are_read_as_signs_whatever_their_coding(low):
    table = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 0, 0]])
    coded = encode(np.where(table == 1, 1, low))
    np.testing.assert_array_equal(coded.inputs, 2 * table - 1)
    np.testing.assert_allclose(coded.contrasts, coded.inputs - coded.inputs.mean(axis=0)[None, :])
    np.testing.assert_allclose(coded.frequencies, table.mean(axis=0))
    assert coded.ploidy == 1
    assert coded.column_kind == ("A", "A", "A")


@given(SEEDS)
def test_diploid_contrasts_are_orthogonal_within_a_locus(seed):
    table = contrast_table(recognise(diploid(seed)))
    additive, dominance = table.contrasts[:, :4], table.contrasts[:, 4:]
    np.testing.assert_allclose(table.contrasts.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.sum(additive * dominance, axis=0), 0, atol=1e-10)


@given(SEEDS)
def test_contrasts_measure_the_effects_of_their_names(seed):
    """Genotypic values -a, d, a: the slope on the dominance contrast is d, and both fit exactly."""
    dosage = diploid(seed)[:, :2]
    table = contrast_table(recognise(dosage))
    a, d = 0.7, -0.3
    values = np.select([dosage[:, 0] == 0, dosage[:, 0] == 1], [-a, d], a)
    design = table.contrasts[:, [0, 2]]
    slope = np.linalg.lstsq(design, values - values.mean(), rcond=None)[0]
    assert slope[1] == pytest.approx(d)
    exact = design @ slope + values.mean()
    np.testing.assert_allclose(exact, values, atol=1e-12)


@given(SEEDS)
def test_four_kinds_of_pairs_hold_any_table_of_two_loci(seed):
    """Nine genotypic values: a mean, A and D of both loci, AxA, AxD, DxA and DxD, nothing left."""
    dosage = diploid(seed, individuals=200, loci=2).astype(int)
    dosage[:9] = [(i, j) for i in range(3) for j in range(3)]
    values = np.random.default_rng(seed).normal(size=(3, 3))[dosage[:, 0], dosage[:, 1]]
    columns = contrast_table(recognise(dosage)).contrasts
    pairs = [columns[:, i] * columns[:, j] for i, j in ((0, 1), (0, 3), (2, 1), (2, 3))]
    design = np.column_stack([np.ones(200), columns, *pairs])
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    np.testing.assert_allclose(fitted, values, atol=1e-10)


def test_a_locus_without_heterozygotes_has_no_dominance_contrast():
    table = np.array([[0, 0], [2, 1], [0, 2], [2, 1], [0, 0]])
    coded = encode(table)
    assert coded.column_kind == ("A", "A", "D")
    np.testing.assert_array_equal(coded.column_locus, [0, 1, 1])


@pytest.mark.parametrize("code", [np.nan, -9, -1])
def test_missing_calls_have_the_mean_of_their_locus(code):
    table = diploid(1)
    complete = encode(np.delete(table, 5, axis=0)).inputs
    table[5] = code
    coded = encode(table)
    np.testing.assert_array_equal(coded.contrasts[5], 0)
    np.testing.assert_allclose(coded.inputs[5], complete.mean(axis=0), rtol=1e-6)


def test_rows_keep_the_coding_of_everybody():
    coded = encode(diploid(2))
    some = coded.rows([4, 1])
    np.testing.assert_array_equal(some.contrasts, coded.contrasts[jnp.asarray([4, 1])])
    assert some.num_individuals == 2
    assert some.frequencies is coded.frequencies


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[0, 3], [1, 2], [2, 0]], "not recognised: seen 0, 1, 2, 3"),
        ([[-1, 0], [0, 1], [1, 1]], "not recognised: seen -1, 0, 1"),
        ([[0.5, 1], [1, 0], [0, 1]], "not recognised"),
        ([[0, 0], [0, 1], [0, 1]], r"1 locus \(locus_1\) has the same genotype"),
        ([[0, 0, 1], [1, 1, 1], [0, 0, 0]], "locus_2 = locus_1"),
        ([[0, 1, 1], [1, 0, 1], [0, 1, 0]], "locus_2 = locus_1"),
        ([[0, 2, 1], [1, 1, 1], [2, 0, 0]], "locus_2 = locus_1"),
        ([[np.nan, 0], [np.nan, 1], [np.nan, 1]], "no call that is there"),
        ([[1], [0]], "at least 2 individuals and 2 loci, seen 2 and 1"),
        ([1, 0, 1], "individuals by loci"),
    ],
)
def test_unusable_genotypes_are_refused_by_name(table, message):
    with pytest.raises(ValueError, match=message):
        encode(np.array(table))


def test_ploidy_tells_diploids_without_a_second_homozygote():
    table = np.array([[0, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 1]])
    assert encode(table).ploidy == 1
    assert encode(table, ploidy=2).ploidy == 2
    with pytest.raises(ValueError, match="with ploidy 1"):
        encode(table + 1, ploidy=1)
    with pytest.raises(ValueError, match="choose 1 or 2"):
        encode(table, ploidy=3)


@pytest.mark.parametrize(
    ("names", "message"),
    [(["a", "b"], "2 locus names for 3 loci"), (["a", "b", "a"], r"\['a'\] occur more than once")],
)
def test_names_must_fit(names, message):
    with pytest.raises(ValueError, match=message):
        encode(np.array([[0, 1, 1], [1, 0, 1], [0, 0, 0], [1, 1, 0]]), locus_names=names)


def test_usable_loci_vary_and_repeat_none():
    table = np.array([[0, 1, 0, 1, 0], [1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 1, 0, 1, 0]])
    np.testing.assert_array_equal(usable_loci(recognise(table)), [0, 4])
