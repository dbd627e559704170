"""Files made to harm: none runs code, reads another file, or fills the memory."""

import gzip
import io
import json
import shutil
import warnings
import zipfile

import h5py
import numpy as np
import pytest

from escapement_jax.config.toml import read_document
from escapement_jax.data import demo_vcf
from escapement_jax.io import limits
from escapement_jax.io.archives import read_arrays
from escapement_jax.io.elm_arrays import read_hdf5_study
from escapement_jax.io.homeostasis.annotated_data import read_annotated_data
from escapement_jax.io.homeostasis.read_input import read_metabolic_input, read_network
from escapement_jax.io.limits import LARGEST_INPUT, LARGEST_VARIABLE, largest_input
from escapement_jax.io.read_genotypes import read_genotypes
from escapement_jax.io.samples import read_sample_names
from escapement_jax.io.sbml import read_sbml
from tests.io.fuzzed_readers import READERS
from tests.io.sound_files import SBML, VCF, annotated_data, constraint_model, petab


class Harm:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def refused(read, path, message):
    with pytest.raises(ValueError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)


def test_pickles_in_archives_are_not_opened(tmp_path):
    np.savez(tmp_path / "a.npz", genotypes=np.array([Harm(tmp_path / "harm")], dtype=object))
    refused(read_arrays, tmp_path / "a.npz", "allow_pickle=False")
    assert not (tmp_path / "harm").exists()


def test_pickles_in_stores_are_not_opened(tmp_path):
    sound = READERS["vcz"].seed()["genomes.vcz.zip"]
    path = tmp_path / "a.vcz.zip"
    with zipfile.ZipFile(io.BytesIO(sound)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "sample_id/.zarray":
                data = json.dumps(json.loads(data) | {"filters": [{"id": "pickle"}]}).encode()
            new.writestr(name, data)
    refused(lambda path: read_genotypes(path, ancestral="ref"), path, "encoded with pickle")


@pytest.mark.parametrize("name", ["../escaped.npy", "/etc/escaped.npy", "a/../../escaped.npy"])
def test_members_that_lead_out_of_an_archive_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(name, b"")
    refused(read_arrays, tmp_path / "a.npz", "leads out of the archive")


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("a.npy", b"")
        archive.writestr("a.npy", b"")
    refused(read_arrays, tmp_path / "a.npz", "'a.npy' is there twice")


def test_bombs_are_refused_unless_they_are_trusted(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "HARMLESS", 2**20)
    np.savez_compressed(tmp_path / "a.npz", zeros=np.zeros(2**22, np.int8))
    refused(read_arrays, tmp_path / "a.npz", "made to fill the memory.*ESCAPEMENT_LARGEST_INPUT=")
    monkeypatch.setenv(LARGEST_VARIABLE, str(2**21))
    refused(read_arrays, tmp_path / "a.npz", "more than the 2,097,152 allowed")
    monkeypatch.setenv(LARGEST_VARIABLE, str(2**23))
    assert read_arrays(tmp_path / "a.npz")["zeros"].size == 2**22


def test_an_array_that_claims_to_be_huge_takes_no_memory(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**14,)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("huge.npy", header.getvalue() + bytes(80))
    refused(read_arrays, tmp_path / "a.npz", "the array 'huge'")


def test_the_limit_is_said_by_the_environment(monkeypatch):
    assert largest_input() == LARGEST_INPUT
    monkeypatch.setenv(LARGEST_VARIABLE, "many")
    with pytest.raises(ValueError, match="ESCAPEMENT_LARGEST_INPUT is 'many'"):
        largest_input()


def test_compressed_text_is_read_up_to_the_limit(tmp_path, monkeypatch):
    monkeypatch.setenv(LARGEST_VARIABLE, "100000")
    (tmp_path / "names.gz").write_bytes(gzip.compress(b"name\n" * 30_000))
    refused(read_sample_names, tmp_path / "names.gz", "more than the 100,000 allowed")
    (tmp_path / "a.vcf.gz").write_bytes(gzip.compress(VCF.encode() + b"#" * 200_000))
    read = lambda path: read_genotypes(path, ancestral="ref")  # noqa: E731
    refused(read, tmp_path / "a.vcf.gz", "more than the 100,000 allowed")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (VCF + "##FORMAT=<ID=GT,Number=1>\n", "line 12 has 1 columns"),
        (VCF.replace("chr1\t55", "<chr1>\t55"), "line 7 is no record"),
        (VCF.replace("chr1\t55", "chr1\t5x"), "line 7 is no record"),
        (VCF.replace("\t0|1\n", "\n", 1), "line 7 has 11 columns where the header has 12"),
        (VCF.replace("\ta\tb", "\ta\ta"), "sample 'a' has no name or is there twice"),
        (VCF.replace("GT\t0|1", "G\0T\t0|1"), "zero byte"),
    ],
)
def test_what_would_crash_or_mislead_htslib_never_reaches_it(tmp_path, text, message):
    (tmp_path / "a.vcf").write_text(text)
    refused(lambda path: read_genotypes(path, ancestral="ref"), tmp_path / "a.vcf", message)


def test_a_compressed_vcf_that_is_cut_short_is_refused_wherever_it_is_cut(tmp_path):
    path = tmp_path / "a.vcf.gz"
    whole = demo_vcf().read_bytes()
    # The last 28 bytes are the empty block that ends a file of bgzip.
    for end in (3000, len(whole) // 2, len(whole) - 28, len(whole) - 1):
        path.write_bytes(whole[:end])
        refused(lambda path: read_genotypes(path, ancestral="ref"), path, "cut short")


def test_xml_that_names_files_is_refused(tmp_path):
    doctype = '<!DOCTYPE sbml [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>\n<sbml'
    (tmp_path / "a.xml").write_text(SBML.replace("<sbml", doctype, 1))
    refused(read_sbml, tmp_path / "a.xml", "line 2 declares a document type")
    deep = "<apply><times/>" * 300 + "<ci>k</ci>" + "</apply>" * 300
    (tmp_path / "a.xml").write_text(SBML.replace("<ci>k</ci>", deep))
    refused(read_sbml, tmp_path / "a.xml", "more than 200 levels")


@pytest.mark.parametrize("name", ["../model.xml", "/etc/passwd"])
def test_petab_names_files_of_its_own_folder_only(tmp_path, name):
    for file, content in petab().items():
        (tmp_path / file).write_bytes(content.replace(b'"model.xml"', f'"{name}"'.encode()))
    refused(read_metabolic_input, tmp_path / "problem.yaml", "lies outside")


def test_yaml_aliases_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a [x, x]\nformat_version: [*a, *a]\nproblems: []\n")
    refused(read_metabolic_input, tmp_path / "a.yaml", "aliases")


def test_hdf5_does_not_reach_into_other_files(tmp_path):
    shutil.copy(h5py.__file__, tmp_path / "other.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["genotypes"] = h5py.ExternalLink("other.h5", "/x")
    refused(read_hdf5_study, tmp_path / "a.h5", "'genotypes' is kept in another file")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("x", (4,), "u1", external=[(str(tmp_path / "other.h5"), 0, 4)])
    refused(read_hdf5_study, tmp_path / "b.h5", "'x' is kept in another file")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("genotypes", (10**9, 10**3), "f8", chunks=(1, 1000))
    refused(read_hdf5_study, tmp_path / "c.h5", "more than the")


def test_a_sample_without_a_category_is_not_given_the_last_one(tmp_path):
    (tmp_path / "a.h5ad").write_bytes(annotated_data())
    with h5py.File(tmp_path / "a.h5ad", "r+") as file:
        file["obs/trajectory/codes"][3] = -1
    refused(read_annotated_data, tmp_path / "a.h5ad", "sample 3 has no category")


def test_text_nested_too_deeply_is_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"a":' * 100_000)
    refused(read_network, tmp_path / "a.json", "nested too deeply")
    (tmp_path / "a.toml").write_text("a = " + "[" * 100_000)
    refused(read_document, tmp_path / "a.toml", "nested too deeply")
    (tmp_path / "b.toml").write_text("#" * 2**21)
    refused(read_document, tmp_path / "b.toml", "larger than a configuration")


def test_nothing_that_is_there_twice_is_dropped(tmp_path):
    twice = constraint_model().replace(b'"id": "R0"', b'"id": "R9", "id": "R0"')
    (tmp_path / "a.json").write_bytes(twice)
    refused(read_network, tmp_path / "a.json", "the key 'id' is there twice")
    (tmp_path / "a.csv").write_text("reaction,metabolite,stoichiometry,stoichiometry\nr,m,1,2\n")
    refused(read_network, tmp_path / "a.csv", "the column 'stoichiometry' is there twice")
