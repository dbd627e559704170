import pytest

from escapement_jax.io.resumable_directory import resumable_directory

SETTINGS = "[calibrate]\nreplicates = 2\nhaplotypes = 8\n"


def enter(path, settings=SETTINGS, *, force=False):
    with resumable_directory(path, settings, growing="replicates", force=force):
        assert path.is_dir()


def test_a_rerun_finds_what_was_finished(tmp_path):
    output = tmp_path / "deep" / "run"
    enter(output)
    (output / "finished").write_text("work")
    enter(output, SETTINGS.replace("replicates = 2", "replicates = 5"))
    assert (output / "finished").read_text() == "work"
    assert "replicates = 5" in (output / "config.toml").read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SETTINGS.replace("8", "6"), r"made with other settings \(not with haplotypes = 6\)"),
        ("[calibrate]\nreplicates = 2\n", r"made with other settings \(with haplotypes = 8\)"),
    ],
)
def test_other_settings_are_refused_and_forced(tmp_path, settings, message):
    enter(tmp_path / "run")
    (tmp_path / "run" / "finished").write_text("work")
    with pytest.raises(FileExistsError, match=message):
        enter(tmp_path / "run", settings)
    assert (tmp_path / "run" / "finished").exists()
    enter(tmp_path / "run", settings, force=True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.toml"]


def test_the_files_of_others_are_never_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for force in (False, True):
        with pytest.raises(FileExistsError, match="no run has written"):
            enter(tmp_path, force=force)
    with pytest.raises(FileExistsError, match="is a file"):
        enter(tmp_path / "thesis.tex", force=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_two_runs_at_once_are_refused(tmp_path):
    with resumable_directory(tmp_path / "run", SETTINGS, growing="replicates", force=False):
        for force in (False, True):
            with pytest.raises(FileExistsError, match="another run is working in .*unfinished"):
                enter(tmp_path / "run", force=force)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
