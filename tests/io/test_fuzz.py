"""Every reader refuses what it cannot read, by name, or reads it right; see `fuzzing.py`.

Few inputs here; `python benchmarks/fuzz_readers.py` tries thousands.
"""

import tempfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.io.fuzzed_readers import READERS
from tests.io.fuzzing import attempt, broken_files, damages

EXAMPLES = 12


@pytest.fixture(scope="module")
def sound():
    return {name: reader.seed() for name, reader in READERS.items()}


@pytest.mark.parametrize("name", READERS)
def test_sound_files_are_read(name, sound, tmp_path):
    assert attempt(READERS[name], sound[name], tmp_path) == "read"


@pytest.mark.parametrize("name", READERS)
def test_broken_files_are_refused_or_read_right(name, sound):
    @hypothesis.settings(max_examples=EXAMPLES, database=None, derandomize=True)
    @hypothesis.given(damages, st.sampled_from([0, 0, *range(len(sound[name]))]))
    def one(damage, which):
        with tempfile.TemporaryDirectory() as folder:
            attempt(READERS[name], broken_files(sound[name], damage, which), Path(folder))

    one()
