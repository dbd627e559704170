"""Keepers write when it is time or a signal comes, and give back what they have written."""

import os
import signal

import numpy as np
import pytest

from escapement_jax.training.checkpoints import Checkpoints
from escapement_jax.training.keeper import Keeper
from escapement_jax.training.stop_signals import Stopped, StopSignals


def pack(number):
    return lambda: {"number": np.array(number)}


def test_without_checkpoints_nothing_is_kept():
    with Keeper() as keeper:
        keeper.offer("chains", "half way", lambda: pytest.fail("packed in vain"))
    assert keeper.kept("chains") is None
    assert keeper.resumed_from is None


def test_sections_come_back_as_they_were_offered_last(tmp_path):
    with Checkpoints(tmp_path / "c") as checkpoints, Keeper(checkpoints) as keeper:
        keeper.offer("pairs", "pairs fitted", pack(1))
        keeper.offer("chains", "threaded", pack(2))
        keeper.offer("chains", "swept", pack(3))
    with Checkpoints(tmp_path / "c") as checkpoints:
        keeper = Keeper(checkpoints)
        assert keeper.resumed_from == "swept"
        assert (int(keeper.kept("pairs")["number"]), int(keeper.kept("chains")["number"])) == (1, 3)
        assert keeper.kept("other") is None


def test_nothing_is_packed_before_it_is_time(tmp_path):
    with Checkpoints(tmp_path / "c") as checkpoints, Keeper(checkpoints, every=3600) as keeper:
        keeper.offer("chains", "early", lambda: pytest.fail("packed too early"))
    assert checkpoints.numbers == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_writes_what_was_offered_last(tmp_path, number):
    before = signal.getsignal(number)

    def work():
        with Checkpoints(tmp_path / "c") as checkpoints, Keeper(checkpoints, every=3600) as keeper:
            keeper.offer("chains", "half way", pack(5))
            os.kill(os.getpid(), number)
            pytest.fail("the signal was not seen")

    with pytest.raises(Stopped, match="kept half way: go on with --resume") as stop:
        work()
    assert stop.value.exit_code == 128 + number
    assert signal.getsignal(number) is before
    with Checkpoints(tmp_path / "c") as checkpoints:
        assert int(Keeper(checkpoints).kept("chains")["number"]) == 5


def test_a_signal_before_the_first_offer_says_that_nothing_was_written(tmp_path):
    with (
        pytest.raises(Stopped, match="stopped by SIGTERM; nothing was written"),
        Checkpoints(tmp_path / "c") as checkpoints,
        Keeper(checkpoints),
    ):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_waits_while_it_is_held():
    reached = []

    def work():
        with StopSignals() as signals:
            with signals.held():
                os.kill(os.getpid(), signal.SIGTERM)
                reached.append("end of the block")
            reached.append("too far")

    with pytest.raises(Stopped):
        work()
    assert reached == ["end of the block"]
