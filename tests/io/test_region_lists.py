"""Lists of regions: every base once, and every mistake told with its line."""

from pathlib import Path

import pytest

from escapement_jax.io.region_lists import read_region_list

GENOMES = Path("genomes.vcf.gz")


def written(folder, text):
    path = folder / "regions.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_regions_with_and_without_files(tmp_path):
    text = "# a genome\n\nchr1:1-2000\nchr1:2001-3000 \nchr2:1-500\tmore/chr2.vcf\nchr3\n"
    first, second, third, fourth = read_region_list(written(tmp_path, text), GENOMES)
    assert str(first.region) == "chr1:1-2000"
    assert [one.input for one in (first, second, fourth)] == [GENOMES] * 3
    assert third.input == tmp_path / "more" / "chr2.vcf"
    folders = [one.folder for one in (first, second, third, fourth)]
    assert folders == ["chr1_1-2000", "chr1_2001-3000", "chr2_1-500", "chr3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no region"),
        ("# nothing\n", "there is no region"),
        ("chr1:1-2000\nchr1:2000-3000\n", "line 2: region chr1:2000-3000 overlaps chr1:1-2000"),
        ("chr1:1-2000\nchr1:1-2000\n", "line 2: .* overlaps"),
        ("chr1\nchr1:1-2000\n", "line 2: .* overlaps chr1"),
        ("chr1:1-2000\nchr1:9-3\n", "line 2: "),
        (b"\xff\xfe\x00", "utf-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=rf"regions\.txt.*{message}"):
        read_region_list(path, GENOMES)


def test_an_absent_list_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.txt"):
        read_region_list(tmp_path / "absent.txt", GENOMES)
