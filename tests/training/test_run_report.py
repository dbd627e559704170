import time

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.training.run_report import RunReport, covered_seconds

whole_spans = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 10)).map(lambda span: (span[0], sum(span)))
)


@given(spans=whole_spans)
def test_covered_seconds_is_the_length_of_the_union(spans):
    seconds = {second for start, end in spans for second in range(start, end)}
    floats = [(float(start), float(end)) for start, end in spans]
    assert covered_seconds(floats) == len(seconds)


def test_compilation_is_told_from_the_run():
    with RunReport() as report:
        begin = time.perf_counter()
        jax.jit(lambda x: jnp.cumsum(jnp.sin(x) * 3.0))(jnp.arange(7.0)).block_until_ready()
        time.sleep(0.05)
        elapsed = time.perf_counter() - begin
    assert 0 < report.seconds["compile"] < elapsed
    assert report.seconds["run"] >= 0.05
    assert sum(report.seconds.values()) == pytest.approx(elapsed, abs=0.02)


def test_nothing_is_counted_after_the_block():
    with RunReport() as report:
        pass
    before = report.seconds
    jax.jit(lambda x: x * 5.0 + 1.0)(jnp.arange(11.0)).block_until_ready()
    assert report.seconds == before


def test_peak_memory_is_in_megabytes():
    held = b"x" * 100_000_000
    assert len(held) / 1e6 <= RunReport().peak_memory_mb < 64_000
