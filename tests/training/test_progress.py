from escapement_jax.training.progress import progress_bar


def test_a_shown_bar_names_the_work_and_counts(capsys):
    with progress_bar(3, "threading", enabled=True, unit="haplotype") as bar:
        for _ in range(3):
            bar.update(1)
    shown = capsys.readouterr().err
    assert "threading" in shown
    assert "3/3" in shown


def test_a_hidden_bar_is_silent(capsys):
    with progress_bar(3, "threading", enabled=False) as bar:
        bar.update(3)
    assert capsys.readouterr().err == ""
