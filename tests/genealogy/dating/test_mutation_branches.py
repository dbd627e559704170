import itertools

import numpy as np
import pytest

from escapement_jax.genealogy.dating.mutation_branches import sample_mutated_branches

# ((0, 1), 2) with the root in item 3 and the cherry in item 4: slots need not be in order of time.
PARENTS = np.array([4, 4, 3, -1, 3])
TIMES = np.array([0.0, 0.0, 0.0, 900.0, 300.0])
RATE, MISASSIGNED = 4e-4, 0.1


def enumerated(genotypes, error):
    """Probability of every set of changed branches, by all alleles of all five items."""
    law = {}
    for alleles in itertools.product([0, 1], repeat=5):
        if len(set(alleles[:3])) == 1:
            continue  # the site would not vary
        weight = (1 - MISASSIGNED, MISASSIGNED)[alleles[3]]
        for item in (0, 1, 2, 4):
            length = TIMES[PARENTS[item]] - TIMES[item]
            change = (1 - np.exp(-2 * RATE * length)) / 2
            weight *= change if alleles[item] != alleles[PARENTS[item]] else 1 - change
        for sample, genotype in enumerate(genotypes):
            if genotype != -1:
                weight *= 1 - error if genotype == alleles[sample] else error
        changed = tuple(i for i in (0, 1, 2, 4) if alleles[i] != alleles[PARENTS[i]])
        law[changed] = law.get(changed, 0) + weight
    total = sum(law.values())
    return {changed: weight / total for changed, weight in law.items()}


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("genotypes", "error"),
    [
        ((1, 1, 0), 0.0),
        ((1, 0, 0), 0.05),
        ((0, 1, 0), 0.4),
        ((1, 0, 1), 0.0),
        ((-1, 1, 0), 0.0),
        ((-1, 1, 1), 0.3),
        ((-1,) * 3, 0.0),
    ],
)
def test_branches_follow_the_enumerated_law(genotypes, error):
    count = 20_000
    sites, items = sample_mutated_branches(
        np.tile(PARENTS, (count, 1)),
        np.tile(TIMES, (count, 1)),
        np.tile(np.array(genotypes, np.int8), (count, 1)),
        np.full(count, RATE),
        ancestral_misassignment=MISASSIGNED,
        genotype_error=error,
        generator=np.random.default_rng(3),
    )
    code = np.zeros(count, int)
    np.add.at(code, sites, 2**items)
    for changed, probability in enumerated(genotypes, error).items():
        found = (code == sum(2**i for i in changed)).mean()
        # Five standard errors, and room for one more than expected of what hardly happens.
        assert abs(found - probability) < 5 * np.sqrt(probability / count) + 2 / count
