import json
import logging

import pytest

from escapement_jax.training.progress import progress_bar
from escapement_jax.training.run_log import (
    LOG_FILE,
    note,
    note_warnings,
    run_log,
    terminal_log,
)


def lines(folder):
    return [json.loads(line) for line in (folder / LOG_FILE).read_text("utf-8").splitlines()]


def test_a_run_tells_where_it_comes_from_what_it_did_and_how_it_ended(tmp_path):
    with terminal_log("escapement infer in.vcf", verbose=False), run_log(tmp_path):
        note("read", "read in.vcf", sites=3)
        note_warnings(["too few sites"])
        logging.getLogger("escapement_jax.training.checkpoints").info("kept %d", 7)
    start, read, warning, kept, finish = lines(tmp_path)
    assert start["fields"]["command"] == "escapement infer in.vcf"
    assert {"escapement-jax", "jax", "python"} <= set(start["fields"]["versions"])
    assert (read["level"], read["event"], read["fields"]) == ("info", "read", {"sites": 3})
    assert (warning["level"], warning["message"]) == ("warning", "too few sites")
    assert (kept["event"], kept["message"]) == ("checkpoints", "kept 7")
    assert finish["event"] == "finish"
    assert finish["fields"]["seconds"] >= 0
    assert start["time"].endswith("+00:00")
    assert start["time"] <= finish["time"]


def test_a_resumed_run_goes_on_in_the_same_log_and_a_failure_is_told(tmp_path):
    with run_log(tmp_path):
        pass
    with pytest.raises(ValueError, match="no sites"), run_log(tmp_path):
        raise ValueError("no sites")
    note("late", "nobody listens any more")
    assert [line["event"] for line in lines(tmp_path)] == ["start", "finish", "start", "failed"]
    assert lines(tmp_path)[-1]["fields"] == {"error": "no sites"}


@pytest.mark.parametrize("verbose", [False, True])
def test_the_terminal_shows_steps_on_request_and_warnings_once(capsys, verbose):
    with terminal_log("escapement", verbose=verbose):
        note("read", "read in.vcf", sites=3)
        note_warnings(["the result tells this itself"])
        logging.getLogger("escapement_jax.training").warning("a checkpoint is damaged")
    told = capsys.readouterr().err
    assert ("read in.vcf  sites=3\n" in told) == verbose
    assert "warning: a checkpoint is damaged\n" in told
    assert "itself" not in told
    assert logging.getLogger("escapement_jax").handlers == []


def test_a_line_does_not_break_a_progress_bar(capsys):
    with terminal_log("escapement", verbose=True), progress_bar(2, "working", enabled=True) as bar:
        bar.update(1)
        note("step", "half way")
        bar.update(1)
    shown = capsys.readouterr().err
    assert "half way\n" in shown
    assert "2/2" in shown.rpartition("\r")[2]


def test_what_other_libraries_do_to_the_root_logger_shows_nothing_twice(caplog):
    """The handler of the test hangs on the root logger, as that of Orbax does."""
    with terminal_log("escapement", verbose=False):
        note("read", "read in.vcf")
    assert not caplog.records
    logging.getLogger("escapement_jax").warning("heard again")
    assert [record.message for record in caplog.records] == ["heard again"]
