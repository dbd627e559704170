"""Every verb that keeps its state goes on from any of its states, bit for bit."""

import numpy as np
import pytest

from tests.reference.survivors import SURVIVORS, Recorder

SLOW = ("train",)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in SURVIVORS],
)
def test_a_run_goes_on_from_any_state_bit_for_bit(name):
    recorder = Recorder()
    whole = SURVIVORS[name](recorder)
    places = [place for place, _ in recorder.states]
    assert len(places) == len(set(places)) >= 3
    chosen = {0, len(places) // 2, len(places) - 1}
    for index in sorted(chosen):
        again = Recorder(recorder.states[index][1])
        resumed = SURVIVORS[name](again)
        # No work that was kept is done again.
        assert [place for place, _ in again.states] == places[index + 1 :]
        assert set(resumed) == set(whole)
        for key in whole:
            np.testing.assert_array_equal(resumed[key], whole[key], err_msg=f"{key}")
