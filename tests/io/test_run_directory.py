from pathlib import Path

import pytest

from escapement_jax.io.run_directory import new_run_directory, write_text_atomically
from escapement_jax.training.run_log import LOG_FILE


def contents(folder: Path) -> dict[str, str]:
    """Return every file below a folder but the log, hidden ones too, with its text."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != LOG_FILE)
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def make_run(path: Path, text: str) -> None:
    path.mkdir()
    (path / "config.toml").write_text(text)


def test_the_folder_appears_at_the_end(tmp_path):
    path = tmp_path / "deep" / "run"
    with new_run_directory(path, force=False) as folder:
        (folder / "draws").mkdir()
        (folder / "draws" / "a.txt").write_text("a")
        assert not path.exists()
    assert contents(tmp_path) == {"deep/run/draws/a.txt": "a"}


def test_an_empty_folder_is_used(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    with new_run_directory(path, force=False) as folder:
        (folder / "a.txt").write_text("a")
    assert contents(tmp_path) == {"run/a.txt": "a"}


def fail_while_writing(path: Path, force: bool) -> None:
    with new_run_directory(path, force=force) as folder:
        (folder / "half.txt").write_text("half")
        raise RuntimeError("the run failed")


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="the run failed"):
        fail_while_writing(tmp_path / "run", force=False)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_old_run(tmp_path):
    make_run(tmp_path / "run", "old")
    with pytest.raises(RuntimeError, match="the run failed"):
        fail_while_writing(tmp_path / "run", force=True)
    assert contents(tmp_path) == {"run/config.toml": "old"}


def test_force_replaces_the_old_run_at_the_end(tmp_path):
    path = tmp_path / "run"
    make_run(path, "old")
    (path / "stale.txt").write_text("stale")
    with new_run_directory(path, force=True) as folder:
        (folder / "config.toml").write_text("new")
        assert (path / "config.toml").read_text() == "old"
    assert contents(tmp_path) == {"run/config.toml": "new"}


def enter(path: Path, force: bool) -> None:
    with new_run_directory(path, force=force):
        pytest.fail("the work has started")


def test_without_force_an_old_run_is_refused_before_any_work(tmp_path):
    make_run(tmp_path / "run", "old")
    with pytest.raises(FileExistsError, match="use --force to replace it"):
        enter(tmp_path / "run", force=False)
    assert contents(tmp_path) == {"run/config.toml": "old"}


def test_force_does_not_delete_what_no_run_has_written(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError, match=r"no config\.toml, so no run has written it"):
        enter(tmp_path, force=True)
    assert contents(tmp_path) == {"thesis.txt": "precious"}


@pytest.mark.parametrize("force", [False, True])
def test_a_file_is_never_replaced(tmp_path, force):
    path = tmp_path / "run"
    path.write_text("a file")
    with pytest.raises(FileExistsError, match="is a file"):
        enter(path, force=force)


def test_a_folder_filled_meanwhile_is_not_lost(tmp_path):
    path = tmp_path / "run"
    with (
        pytest.raises(FileExistsError, match="not empty"),
        new_run_directory(path, force=False),
    ):
        make_run(path, "another run")
    assert contents(tmp_path) == {"run/config.toml": "another run"}


def test_text_is_replaced_whole(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text("a much longer old text")
    write_text_atomically(path, "Nₑ\n")
    assert path.read_bytes() == "Nₑ\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_a_text_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_text_atomically(path, "\ud800")
    assert contents(tmp_path) == {"summary.json": "old"}
