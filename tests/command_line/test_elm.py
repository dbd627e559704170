import sys
import types
from pathlib import Path

import pytest

from escapement_jax.command_line import main
from escapement_jax.command_line.tables import read_all_tables
from escapement_jax.config.elm import DecomposeConfig
from escapement_jax.config.elm_simulation import SimulateElmConfig
from escapement_jax.config.execution import DEFAULT_EXECUTION

CONFIGS = Path(__file__).parents[2] / "configs" / "elm"


@pytest.fixture
def calls(monkeypatch):
    """Stand in for the experiments, and collect what they are asked to do."""
    made = []
    for module, function in (
        ("decompose", "run_decompose"),
        ("simulate_elm", "run_simulate_elm"),
    ):
        fake = types.ModuleType(module)
        setattr(fake, function, lambda *words, **options: made.append((words, options)))
        monkeypatch.setitem(sys.modules, f"escapement_jax.experiments.{module}", fake)
    return made


def test_decompose_passes_everything_on(calls):
    words = [
        "decompose",
        "in.npz",
        "--output",
        "out",
        "--replicates",
        "25",
        "--heritability",
        "0.5",
    ]
    assert main([*words, "-p", "-f", "--phenotypes", "traits.csv"]) == 0
    settings = DecomposeConfig(replicates=25, heritability=0.5, phenotypes=Path("traits.csv"))
    told = {"progress": True, "force": True, "execution": DEFAULT_EXECUTION}
    assert calls == [((Path("in.npz"), Path("out"), settings), told)]


def test_simulate_passes_everything_on(calls):
    words = ["simulate", "elm", "--output", "out", "--additive-share", "0.5", "0.1"]
    assert main([*words, "--linkage", "coalescent"]) == 0
    settings = SimulateElmConfig(additive_share=(0.5, 0.1), linkage="coalescent")
    assert calls == [((Path("out"), settings), {"force": False})]


def test_the_command_line_overrides_the_file(calls):
    words = ["decompose", "in.npz", "--output", "out", "--config", str(CONFIGS / "source.toml")]
    assert main([*words, "--stop-on", "test"]) == 0
    [((_, _, settings), _)] = calls
    assert (settings.method, settings.stop_on, settings.width) == ("source", "test", 1024)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.name)
def test_shipped_configurations_are_complete(path):
    for config in read_all_tables(path):
        config.check_complete()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--heritability", "2"], "heritability is 2.0"),
        (["--fresh-noise"], "fresh_noise needs a heritability"),
        (["--anchors", "magic"], "anchors has 'magic'"),
    ],
)
def test_settings_out_of_range_are_refused(calls, capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        main(["decompose", "in.npz", "--output", "out", *words])
    assert stop.value.code == 2
    shown = capsys.readouterr()
    assert message in " ".join((shown.out + shown.err).split())
    assert not calls
