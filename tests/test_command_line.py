import importlib.metadata
import sys
import types
from pathlib import Path

import pytest

from escapement_jax import command_line
from escapement_jax.command_line import main
from escapement_jax.command_line.genealogy import Infer, SimulateGenealogy
from escapement_jax.command_line.homeostasis import Recover
from escapement_jax.command_line.parse import VERBS, parse
from escapement_jax.config.execution import DEFAULT_EXECUTION
from escapement_jax.config.genealogy import InferConfig
from escapement_jax.config.gradient_baseline import GradientConfig
from escapement_jax.config.toml import from_mapping, read_document

RATES = ["--mutation-rate", "1.25e-8", "--recombination-rate", "1e-8"]
INFER = ["infer", "in.vcf", "--output", "out"]


@pytest.fixture
def calls(monkeypatch):
    """Stand in for the experiments, and collect what they are asked to do."""
    made = []
    for module, function in (
        ("infer", "run_infer"),
        ("simulate_genealogy", "run_simulate_genealogy"),
        ("calibrate", "run_calibrate"),
        ("simulate_homeostasis", "run_simulate_homeostasis"),
    ):
        fake = types.ModuleType(module)
        setattr(fake, function, lambda *words, **options: made.append((words, options)))
        monkeypatch.setitem(sys.modules, f"escapement_jax.experiments.{module}", fake)
    return made


def write(folder: Path, text: str) -> str:
    path = folder / "settings.toml"
    path.write_text(text)
    return str(path)


def test_the_overview_lists_every_verb(capsys):
    assert main([]) == main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_help(capsys, name):
    with pytest.raises(SystemExit) as stop:
        main([*name.split(), "--help"])
    assert stop.value.code == 0
    assert f"usage: escapement {name}" in capsys.readouterr().out


def test_help_documents_every_setting(capsys):
    with pytest.raises(SystemExit):
        main(["infer", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--mutation-rate" in shown
    assert "Mutations per base pair per generation." in shown
    assert "--progress" in shown
    assert "--no-progress" not in shown


def test_the_version_is_the_installed_one(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"escapement {importlib.metadata.version('escapement-jax')}\n"


def test_infer_passes_everything_on(calls):
    assert main([*INFER, *RATES, "--draws", "4", "-p", "-f", "--seed", "7"]) == 0
    settings = InferConfig(mutation_rate=1.25e-8, recombination_rate=1e-8, draws=4, seed=7)
    told = {"progress": True, "force": True, "execution": DEFAULT_EXECUTION}
    assert calls == [((Path("in.vcf"), Path("out"), settings), told)]


def test_simulate_passes_everything_on(calls):
    assert main(["simulate", "genealogy", "--output", "out", "--haplotypes", "6"]) == 0
    [((output, settings), options)] = calls
    assert (output, settings.haplotypes, options) == (Path("out"), 6, {"force": False})


def test_calibrate_takes_what_is_true_and_what_is_told(calls, tmp_path):
    path = write(tmp_path, "[calibrate]\nhaplotypes = 12\n[infer]\nsweeps = 2\ndraws = 9\n")
    words = ["--config", path, "--replicates", "3", "--infer.draws", "5"]
    assert main(["calibrate", "--output", "out", *words]) == 0
    [((output, settings, told), options)] = calls
    assert output == Path("out")
    assert (settings.haplotypes, settings.replicates) == (12, 3)
    assert (told.sweeps, told.draws) == (2, 5)
    assert options == {"progress": False, "force": False}


def test_simulate_homeostasis_passes_everything_on(calls):
    words = ["simulate", "homeostasis", "--output", "out", "--strengths", "0.1", "0.2", "0.3"]
    assert main([*words, "--baselines", "1", "2", "3"]) == 0
    [((output, settings), options)] = calls
    assert (output, settings.strengths, options) == (Path("out"), (0.1, 0.2, 0.3), {"force": False})


def test_recover_takes_both_its_tables(tmp_path):
    path = write(tmp_path, "[recover]\nmost_types = 3\n[gradient]\nrounds = 7\n")
    verb = parse(["recover", "x.npz", "--output", "out", "--config", path, "--held-out", "2"])
    assert isinstance(verb, Recover)
    assert (verb.settings.most_types, verb.gradient.rounds, verb.held_out) == (3, 7, 2)
    one = write(tmp_path, "[recover]\nmost_types = 3\n")
    verb = parse(["recover", "x.npz", "--output", "out", "--config", one, "--explore"])
    assert isinstance(verb, Recover)
    assert (verb.gradient, verb.explore) == (GradientConfig(), True)


def test_options_override_the_file(tmp_path):
    path = write(tmp_path, "[infer]\ndraws = 5\nepochs = 3\nmutation_rate = 1e-8\n")
    for config in (["--config", path], [f"--config={path}"]):
        verb = parse([*INFER, *config, "--draws", "9"])
        assert isinstance(verb, Infer)
        assert verb.settings == InferConfig(draws=9, epochs=3, mutation_rate=1e-8)
        assert str(verb.config) == path


def test_one_file_serves_two_verbs(tmp_path):
    path = write(tmp_path, "[infer]\nseed = 5\n[simulate.genealogy]\nseed = 6\n")
    infer = parse([*INFER, "--config", path])
    simulate = parse(["simulate", "genealogy", "--output", "x", "--config", path])
    assert isinstance(infer, Infer)
    assert isinstance(simulate, SimulateGenealogy)
    assert (infer.settings.seed, simulate.settings.seed) == (5, 6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inferr"], "there is no verb 'inferr'; did you mean infer?"),
        (["simulate"], "escapement simulate needs one of: genealogy, elm, homeostasis"),
        (["config", "chek", "x"], "escapement config needs one of: show, check"),
        (INFER, "the mutation rate is unknown; give mutation_rate or mutation_map"),
        ([*INFER, "--config", "absent.toml"], "absent.toml: there is no such configuration file"),
        (["config", "check", "absent.toml"], "absent.toml: there is no such configuration file"),
    ],
)
def test_an_error_is_one_line(capsys, words, message):
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"escapement: error: {message}")
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*INFER, "--drawz", "3"], "--drawz"),
        ([*INFER, "--draws", "many"], "--draws"),
        ([*INFER, "--draws", "0"], "draws is 0; it must be 1 or more"),
        ([*INFER, "--node-times", "exact"], "--node-times"),
        (["infer", "in.vcf"], "--output"),
    ],
)
def test_a_bad_option_is_named(capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    "error", [ValueError, FileExistsError, FileNotFoundError, ImportError, PermissionError]
)
def test_a_failed_run_shows_its_traceback_on_request(capsys, monkeypatch, calls, error):
    def fail(*_, **__):
        raise error("record chr1:7\nis wrong")

    monkeypatch.setattr(sys.modules["escapement_jax.experiments.infer"], "run_infer", fail)
    assert main([*INFER, *RATES]) == 2
    assert capsys.readouterr().err == "escapement: error: record chr1:7 is wrong\n"
    assert main([*INFER, *RATES, "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_defect_of_ours_is_not_hidden(monkeypatch, calls):
    def fail(*_, **__):
        raise AssertionError("an invariant does not hold")

    monkeypatch.setattr(sys.modules["escapement_jax.experiments.infer"], "run_infer", fail)
    with pytest.raises(AssertionError, match="an invariant does not hold"):
        main([*INFER, *RATES])


@pytest.mark.parametrize("text", ["draws = 3\n[infer]\n", "[infr]\ndraws = 3\n[infer]\n"])
def test_nothing_in_the_file_is_ignored(capsys, tmp_path, text):
    assert main([*INFER, *RATES, "--config", write(tmp_path, text)]) == 2
    assert "unknown" in capsys.readouterr().err


def test_an_interrupt_is_told_in_one_line(capsys, monkeypatch, calls):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["escapement_jax.experiments.infer"], "run_infer", interrupt)
    assert main([*INFER, *RATES]) == 130
    assert capsys.readouterr().err == "escapement: interrupted; nothing was written\n"


def test_config_show_fills_in_the_defaults(capsys, tmp_path):
    path = write(tmp_path, "[infer]\nmutation_rate = 1e-8\n")
    assert main(["config", "show", path]) == 0
    shown = read_document(Path(write(tmp_path, capsys.readouterr().out)))
    assert shown["infer"]["draws"] == InferConfig().draws
    assert from_mapping(shown["infer"], InferConfig) == InferConfig(mutation_rate=1e-8)


def test_config_check_says_what_is_good(capsys):
    path = Path(command_line.__file__).parents[2] / "configs" / "genealogy" / "simulated.toml"
    assert main(["config", "check", str(path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in shown] == [
        "[simulate.genealogy] is complete and valid",
        "[infer] is complete and valid",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table; write one of [infer], [simulate.genealogy], [calibrate]"),
        ("draws = 3\n", "unknown key draws"),
        ("[infr]\ndraws = 3\n", "unknown table infr; did you mean infer?"),
        ("[infer]\ndraw = 3\n", "unknown key infer.draw; did you mean draws?"),
        ("[infer]\ndraws = 0\n", "draws is 0; it must be 1 or more"),
        ("[infer]\ndraws = 3\n", "[infer]: the mutation rate is unknown"),
    ],
)
def test_config_check_says_what_is_wrong(capsys, tmp_path, text, message):
    path = write(tmp_path, text)
    assert main(["config", "check", path]) == 2
    assert capsys.readouterr().err.startswith(f"escapement: error: {path}: {message}")
