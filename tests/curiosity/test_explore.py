import functools
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.config.curiosity import ExploreConfig
from escapement_jax.curiosity import Experiment, History, TranscriptionalCircuit, explore
from escapement_jax.curiosity.behaviour import SourceOscillation
from escapement_jax.curiosity.explore import default_experiment, identify, make_search
from escapement_jax.curiosity.rollouts import FixedStepRollout
from escapement_jax.curiosity.search.search import _run

SYSTEM = TranscriptionalCircuit()
STRATEGIES = (
    "frontier",
    "random",
    "imgep",
    "descriptor-goals",
    "imflow",
    "map-elites",
    "novelty",
)
KEY = jax.random.key(7)


def config(strategy="frontier", **other):
    source = {"behaviour": "source-oscillation"} if strategy == "imgep" else {}
    sizes = {"budget": 120, "batch_size": 20, "num_starts": 40, "bins": 6, "num_steps": 200}
    return ExploreConfig(strategy=strategy, start="unstable-focus", **(sizes | source | other))


@functools.cache
def history(strategy):
    return explore(SYSTEM, config(strategy), key=KEY)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_searches_inside_the_box_and_remembers_parents(strategy):
    done = history(strategy)
    assert len(done) == 120
    low, high = np.asarray(SYSTEM.box.low), np.asarray(SYSTEM.box.high)
    assert ((done.parameters >= low) & (done.parameters <= high)).all()
    assert (done.parents[:40] == -1).all()
    assert (done.parents < np.arange(120) // 20 * 20).all()
    if strategy != "random":
        assert (done.parents[40:] >= 0).all()
        assert done.found.sum() >= 10
    if strategy not in ("random", "imgep"):
        assert done.found[done.parents[40:]].all()


@pytest.mark.parametrize("strategy", ["frontier", "imflow", "imgep"])
def test_resuming_gives_the_same_bits(strategy):
    whole = history(strategy)
    kept = []
    explore(SYSTEM, config(strategy, checkpoint_every=3), key=KEY, on_checkpoint=kept.append)
    assert len(kept[0]) == 60
    file = io.BytesIO()
    np.savez(file, **kept[0].to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        read = History.from_arrays(arrays)
    resumed = explore(SYSTEM, config(strategy), key=KEY, history=read)
    for name in ("parameters", "descriptors", "found", "quality", "codes", "parents"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))
    for ours, theirs in zip(resumed.memory, whole.memory, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_history_goes_on_with_a_larger_budget():
    longer = explore(SYSTEM, config(budget=160), key=KEY, history=history("frontier"))
    np.testing.assert_array_equal(longer.parameters[:120], history("frontier").parameters)
    assert len(longer) == 160


def test_asking_and_telling_by_hand_is_the_search():
    experiment = default_experiment(SYSTEM, config())
    search = make_search(experiment, config())
    state = search.init(key=KEY)
    look = jax.jit(lambda rows: experiment(rows))
    for _ in range(2):
        proposal, asked = search.ask(state)
        state = search.tell(asked, proposal, look(proposal.parameters))
    np.testing.assert_allclose(state.library.parameters[:40], history("frontier").parameters[:40])
    np.testing.assert_array_equal(state.library.found[:40], history("frontier").found[:40])


def test_one_program_serves_every_number_of_batches():
    search = make_search(default_experiment(SYSTEM, config()), config())
    search.run(search.init(key=KEY), 2)
    before = _run._cached._cache_size()
    search.run(search.init(key=jax.random.key(1)), 4)
    assert _run._cached._cache_size() == before


def test_histories_of_other_searches_are_refused():
    done = history("frontier")
    with pytest.raises(ValueError, match=r"rollout.num_steps is 200 there and 240 here"):
        explore(SYSTEM, config(num_steps=240), key=KEY, history=done)
    with pytest.raises(ValueError, match="system.nodes"):
        explore(TranscriptionalCircuit(2), config(), key=KEY, history=done)
    with pytest.raises(ValueError, match="another seed"):
        explore(SYSTEM, config(), key=jax.random.key(8), history=done)
    with pytest.raises(ValueError, match="room for 80"):
        explore(SYSTEM, config(budget=80), key=KEY, history=done)
    arrays = {name: a for name, a in done.to_arrays().items() if name != "codes"}
    with pytest.raises(ValueError, match="no array 'codes'"):
        History.from_arrays(arrays)


def test_a_history_of_five_thousand_is_small():
    """Parameters, descriptors, flags, quality, code and parent: 82 bytes a rollout in float32."""
    search = make_search(default_experiment(SYSTEM, ExploreConfig()), ExploreConfig())
    state = jax.eval_shape(lambda: search.init(key=jax.random.key(0)))
    leaves = jax.tree.leaves((state.library, state.memory))
    size = sum(leaf.size * min(leaf.dtype.itemsize, 4) for leaf in leaves)
    assert size < 1e6


def test_published_goals_need_spectra():
    experiment = Experiment(SYSTEM, FixedStepRollout(), SourceOscillation(num_bins=0))
    with pytest.raises(ValueError, match="no spectrum"):
        explore(experiment, config("imgep"), key=KEY)


def test_a_search_that_finds_nothing_goes_on_drawing():
    quiet = TranscriptionalCircuit(weight_range=(-0.1, 0.1))
    done = explore(quiet, config(), key=KEY)
    assert not done.found.any()
    assert (done.parents == -1).all()
    assert np.unique(done.parameters[:, 3]).size == 120


def test_identity_tells_interventions_apart_too():
    experiment = default_experiment(SYSTEM, config())
    touched = Experiment(SYSTEM, experiment.rollout, experiment.behaviour, jnp.ones(2))
    names = [identify(make_search(one, config())) for one in (experiment, touched)]
    assert names[0] != names[1]
