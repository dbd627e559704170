"""Lists of sample names."""

import gzip

import pytest

from escapement_jax.io.samples import read_sample_names, select_samples


def test_one_name_a_line(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("# chosen\nb\n\na  population\n")
    assert read_sample_names(path) == ("b", "a")


def test_compressed_list(tmp_path):
    path = tmp_path / "names.txt"
    path.write_bytes(gzip.compress(b"a\nb\n"))
    assert read_sample_names(path) == ("a", "b")


def test_empty_list_is_refused(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("# nobody\n")
    with pytest.raises(ValueError, match=r"names.txt: the list of samples is empty"):
        read_sample_names(path)
    with pytest.raises(ValueError, match="the list of samples is empty"):
        select_samples(["a"], [], "x.vcf")


def test_absent_and_unreadable_lists_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"names.txt: no such file"):
        read_sample_names(tmp_path / "names.txt")
    path = tmp_path / "names.txt"
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ValueError, match="cannot be read as text"):
        read_sample_names(path)
    path.write_bytes(gzip.compress(b"a\nb\n" * 100)[:20])
    with pytest.raises(ValueError, match="cannot be read as text"):
        read_sample_names(path)


def test_the_order_of_the_file_is_kept():
    assert select_samples(["a", "b", "c"], ["c", "a", "c"], "x.vcf").tolist() == [0, 2]
    assert select_samples(["a", "b"], None, "x.vcf").tolist() == [0, 1]


def test_unknown_samples_are_listed():
    with pytest.raises(ValueError, match=r"x.vcf: 2 of 3 chosen samples are not .*: y, z;"):
        select_samples(["a", "b"], ["y", "a", "z"], "x.vcf")
    with pytest.raises(ValueError, match="holds no samples"):
        select_samples([], None, "x.vcf")
