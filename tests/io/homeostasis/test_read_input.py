"""Time courses and networks in every format say the same."""

import csv
import json

import h5py
import numpy as np
import pytest

from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.time_courses import TimeCourses
from escapement_jax.io.homeostasis.arrays import write_archive
from escapement_jax.io.homeostasis.read_input import read_metabolic_input, read_network
from escapement_jax.io.homeostasis.tables import write_network_table

TIMES = np.arange(9.0)


@pytest.fixture
def network():
    stoichiometry = [[-1.0, 1.0, 0.0], [1.0, -1.0, -2.0], [0.0, 0.0, 2.0]]
    orders = [[1.0, 0.0, 1.0], [0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
    return Network.create(
        stoichiometry, orders, metabolite_names="abc", reaction_names=["f", "g", "h"]
    )


@pytest.fixture
def courses(network):
    values = np.random.default_rng(1).uniform(1, 2, (2, 9, 3))
    values[0, 2, 1] = np.nan
    return TimeCourses.create(TIMES, values, network)


def write_samples(path, courses, metabolites="abc", order=(2, 0, 1)):
    """Write both trajectories, columns out of order."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trajectory", "time", *(metabolites[place] for place in order)])
        for name, values in zip("xy", np.asarray(courses.concentrations), strict=True):
            for time, row in zip(TIMES, values, strict=True):
                fields = [
                    "" if np.isnan(row[place]) else repr(float(row[place])) for place in order
                ]
                writer.writerow([name, time, *fields])


def assert_same(read, courses, network):
    found, found_network = read
    np.testing.assert_array_equal(found_network.stoichiometry, network.stoichiometry)
    np.testing.assert_array_equal(found_network.substrate_orders, network.substrate_orders)
    assert found_network.metabolite_names == network.metabolite_names
    for name in ("times", "concentrations", "activities", "restarts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(courses, name))


def test_archives_give_back_what_was_written(tmp_path, courses, network):
    path = tmp_path / "data.npz"
    write_archive(path, courses, network)
    assert_same(read_metabolic_input(path), courses, network)


def test_the_smallest_archive_will_do(tmp_path, courses, network):
    path = tmp_path / "data.npz"
    values = np.asarray(courses.concentrations)[1]
    np.savez(path, times=TIMES, concentrations=values, stoichiometry=network.stoichiometry)
    found, found_network = read_metabolic_input(path)
    assert found.concentrations.shape == (1, 9, 3)
    np.testing.assert_array_equal(
        found_network.substrate_orders, np.maximum(-np.asarray(network.stoichiometry), 0)
    )


def test_tables_give_back_what_was_written(tmp_path, courses, network):
    write_samples(tmp_path / "samples.csv", courses)
    write_network_table(tmp_path / "network.csv", network)
    read = read_metabolic_input(tmp_path / "samples.csv", tmp_path / "network.csv")
    assert_same(read, courses, network)


def test_annotated_data_gives_back_what_was_written(tmp_path, courses, network):
    write_network_table(tmp_path / "network.csv", network)
    with h5py.File(tmp_path / "samples.h5ad", "w") as file:
        file["X"] = np.asarray(courses.concentrations).reshape(18, 3)
        file["obs/time"] = np.tile(TIMES, 2)
        file["obs/trajectory/categories"] = np.array(["x", "y"], dtype=h5py.string_dtype())
        file["obs/trajectory/codes"] = np.repeat([0, 1], 9)
        file["var/ids"] = np.array(list("abc"), dtype=h5py.string_dtype())
        file["var"].attrs["_index"] = "ids"
    read = read_metabolic_input(tmp_path / "samples.h5ad", tmp_path / "network.csv")
    assert_same(read, courses, network)


def test_replicates_are_averaged_and_times_are_joined(tmp_path, courses, network):
    write_network_table(tmp_path / "network.csv", network)
    lines = ["time,trajectory,a,b,c"]
    lines += [f"{time},x,1,2,3\n{time},x,3,2,3" for time in range(8)]
    lines += [f"{time + 0.5},y,1,1,1" for time in range(8)]
    (tmp_path / "samples.csv").write_text("\n".join(lines) + "\n")
    found, _ = read_metabolic_input(tmp_path / "samples.csv", tmp_path / "network.csv")
    assert found.concentrations.shape == (2, 16, 3)
    np.testing.assert_array_equal(found.concentrations[0, ::2, 0], np.full(8, 2.0))
    assert np.isnan(found.concentrations[0, 1::2]).all()


def test_bounds_say_in_which_directions_reactions_run(tmp_path):
    model = {
        "metabolites": [{"id": "a"}, {"id": "b"}],
        "reactions": [
            {"id": "both", "metabolites": {"a": -1, "b": 1}, "lower_bound": -10, "upper_bound": 10},
            {"id": "back", "metabolites": {"a": -2, "b": 1}, "lower_bound": -10, "upper_bound": 0},
            {"id": "out", "metabolites": {"b": -1}, "lower_bound": 0, "upper_bound": 10},
        ],
    }
    path = tmp_path / "model.json"
    path.write_text(json.dumps(model))
    network = read_network(path)
    assert network.reaction_names == ("both", "both_reverse", "back", "out")
    np.testing.assert_array_equal(network.stoichiometry, [[-1, 1, 2, 0], [1, -1, -1, -1]])
    np.testing.assert_array_equal(network.substrate_orders, [[1, 0, 0, 0], [0, 1, 1, 1]])


def test_unmeasured_metabolites_can_be_held_constant(tmp_path, courses, network):
    write_network_table(tmp_path / "network.csv", network)
    lines = ["time,a,b", *(f"{time},{1 + time},2" for time in range(9))]
    (tmp_path / "samples.csv").write_text("\n".join(lines) + "\n")
    paths = tmp_path / "samples.csv", tmp_path / "network.csv"
    with pytest.raises(ValueError, match="metabolite c has no column"):
        read_metabolic_input(*paths)
    found, held = read_metabolic_input(*paths, hold_unmeasured=True)
    assert held.metabolite_names == ("a", "b")
    assert held.reaction_names == ("f", "g", "h")
    assert found.concentrations.shape == (1, 9, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,3\n", "the column time is missing"),
        ("time\n1\n", "no metabolite; give each a column"),
        ("time,a,b,c\n", "there are no samples"),
        ("time,a,b,c\n1,x,2,3\n", "line 2: a is 'x', not a number"),
        ("time,a,b,c\n1,2,3\n", "line 2: not as many fields as in the header"),
        ("time,a,b,d\n1,2,3,4\n", "metabolite d is not in the network"),
        ("time,a,b,c\n,2,3,4\n", "sample 0 has no time"),
    ],
)
def test_a_bad_table_names_the_place(tmp_path, network, text, message):
    write_network_table(tmp_path / "network.csv", network)
    (tmp_path / "samples.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_metabolic_input(tmp_path / "samples.csv", tmp_path / "network.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reaction,metabolite\n", "the column stoichiometry is missing"),
        ("reaction,metabolite,stoichiometry\n", "no reaction"),
        ("reaction,metabolite,stoichiometry\nf,a,-1\nf,a,-1\n", "line 3: a in f appears twice"),
    ],
)
def test_a_bad_network_names_the_place(tmp_path, text, message):
    (tmp_path / "network.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_network(tmp_path / "network.csv")


def test_a_bad_archive_is_told(tmp_path):
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(ValueError, match="not a readable .npz archive"):
        read_metabolic_input(tmp_path / "text.npz")
    np.savez(tmp_path / "half.npz", times=TIMES)
    with pytest.raises(ValueError, match="the array stoichiometry is missing; the archive holds"):
        read_metabolic_input(tmp_path / "half.npz")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_metabolic_input(tmp_path / "absent.npz")


def test_formats_are_told_by_the_name(tmp_path):
    with pytest.raises(ValueError, match="time courses are read from .npz, .csv"):
        read_metabolic_input(tmp_path / "data.txt")
    with pytest.raises(ValueError, match="give the network with --network"):
        read_metabolic_input(tmp_path / "model.xml")
    with pytest.raises(ValueError, match="has no network"):
        read_metabolic_input(tmp_path / "data.csv")
    with pytest.raises(ValueError, match="brings its own network"):
        read_metabolic_input(tmp_path / "data.npz", tmp_path / "network.csv")
