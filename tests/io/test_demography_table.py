import numpy as np
import pytest

from escapement_jax.io.demography_table import read_demography
from escapement_jax.io.genealogy_results import write_demography
from tests.reference.random_posterior import random_posterior


def test_reads_what_a_run_writes(tmp_path):
    estimate = random_posterior().population_size
    write_demography(tmp_path / "demography.csv", estimate)
    times, sizes = read_demography(tmp_path / "demography.csv")
    np.testing.assert_allclose(times, estimate.time_generations, rtol=1e-5)
    np.testing.assert_allclose(sizes, estimate.population_size, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,population_size\n0,1\n", "column time_generations is missing"),
        ("", "column time_generations is missing"),
        ("time_generations,population_size\n", "no epoch"),
        ("time_generations,population_size\n0,many\n", "line 2: 0, many are not two numbers"),
        ("time_generations,population_size\n0\n", "line 2: 0, None are not two numbers"),
        ("time_generations,population_size\n5,1\n", "first epoch starts at 5"),
        ("time_generations,population_size\n0,1\n9,1\n3,1\n", "3 follows 9"),
        ("time_generations,population_size\n0,1\n9,-2\n", "size -2 at 9 generations"),
        ("time_generations,population_size\n0,nan\n", "size nan"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, message):
    path = tmp_path / "demography.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_demography(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_demography(tmp_path / "demography.csv")
