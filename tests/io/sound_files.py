"""Sound files of every kind, to be broken."""

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from escapement_jax.config.toml import to_toml
from escapement_jax.io.curiosity.histories import write_history

Files = dict[str, bytes]

VCF = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=1000>
##INFO=<ID=AA,Number=1,Type=String,Description="Ancestral allele">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc
chr1\t10\t.\tA\tC\t.\tPASS\tAA=A\tGT\t0|1\t1|1\t0|0
chr1\t55\trs5\tG\tT\t.\tPASS\tAA=T\tGT\t0|0\t.|1\t0|1
chr1\t120\t.\tC\tT\t.\tPASS\tAA=C\tGT\t0|1\t0|0\t1|0
chr1\t300\t.\tC\tG,T\t.\tPASS\tAA=C\tGT\t0|1\t2|0\t1|0
chr1\t470\t.\tA\tG\t.\tPASS\tAA=A\tGT\t1|1\t0|0\t0|0
chr1\t910\t.\tT\tA\t.\tPASS\tAA=.\tGT\t0|1\t0|0\t0|0
"""

SBML = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">
<model id="small"><listOfCompartments>
<compartment id="cell" spatialDimensions="3" size="1" constant="true"/></listOfCompartments>
<listOfSpecies>
<species id="a" compartment="cell" initialConcentration="2" hasOnlySubstanceUnits="false"
 boundaryCondition="false" constant="false"/>
<species id="b" compartment="cell" initialConcentration="1" hasOnlySubstanceUnits="false"
 boundaryCondition="false" constant="false"/></listOfSpecies>
<listOfParameters><parameter id="k" value="0.5" constant="true"/></listOfParameters>
<listOfReactions><reaction id="r" reversible="false" fast="false"><listOfReactants>
<speciesReference species="a" stoichiometry="1" constant="true"/></listOfReactants>
<listOfProducts><speciesReference species="b" stoichiometry="1" constant="true"/></listOfProducts>
<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>k</ci><ci>a</ci>
</apply></math></kineticLaw></reaction></listOfReactions></model></sbml>
"""

GENERATOR = np.random.default_rng(5)
COUNTS = GENERATOR.integers(0, 3, (12, 4))
TRAITS = GENERATOR.normal(size=(12, 2))
PEOPLE = [f"p{i}" for i in range(12)]
TIMES = np.arange(10.0)
CONCENTRATIONS = GENERATOR.uniform(1, 5, (2, 10, 3))
STOICHIOMETRY = np.array([[-1.0, 0.0], [1.0, -1.0], [0.0, 1.0]])


def table(header: list[str], rows: list[list[Any]], separator: str = ",") -> bytes:
    lines = [separator.join(map(str, row)) for row in [header, *rows]]
    return ("\n".join(lines) + "\n").encode()


def arrays(**members: Any) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, **members)
    return packed.getvalue()


def genealogy() -> Any:
    import msprime

    ancestry = msprime.sim_ancestry(3, sequence_length=2000, random_seed=1, population_size=1000)
    return msprime.sim_mutations(ancestry, rate=1e-5, random_seed=2)


def trees() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        genealogy().dump(f"{folder}/a.trees")
        return Path(folder, "a.trees").read_bytes()


def compressed_trees() -> bytes:
    import tempfile

    import tszip

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tszip.compress(genealogy(), f"{folder}/a.tsz")
        return Path(folder, "a.tsz").read_bytes()


def zarr_store() -> bytes:
    import tempfile

    import zarr

    calls = np.array([[[0, 1], [1, 1]], [[0, 0], [-1, 1]], [[0, 1], [0, 0]]], dtype=np.int8)
    contents = {
        "call_genotype": calls,
        "call_genotype_phased": np.ones((3, 2), dtype=bool),
        "contig_id": np.array(["chr1"]),
        "contig_length": np.array([1000]),
        "sample_id": np.array(["a", "b"]),
        "variant_AA": np.array(["A", "T", "C"]),
        "variant_allele": np.array([["A", "C"], ["G", "T"], ["C", "T"]]),
        "variant_contig": np.zeros(3, dtype=np.int8),
        "variant_position": np.array([11, 21, 31], dtype=np.int32),
    }
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = zarr.open_group(folder, mode="w", zarr_format=2)
        for name, data in contents.items():
            group.create_array(name, data=data, chunks=data.shape)
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(folder))
    return packed.getvalue()


def plink() -> Files:
    import tempfile

    from bed_reader import to_bed

    properties = {"iid": PEOPLE, "sid": [f"rs{i}" for i in range(4)], "fid": PEOPLE}
    with tempfile.TemporaryDirectory() as folder:
        to_bed(f"{folder}/plink.bed", COUNTS.astype(np.float32), properties=properties)
        files = {one: Path(folder, f"plink.{one}").read_bytes() for one in ("bed", "bim", "fam")}
    return {f"plink.{one}": content for one, content in files.items()} | {"traits.csv": traits()}


def traits() -> bytes:
    return table(
        ["who", "t1", "t2"], [[who, *row] for who, row in zip(PEOPLE, TRAITS, strict=True)]
    )


def counts() -> bytes:
    header = ["who", "l0", "l1", "l2", "l3"]
    return table(header, [[who, *row] for who, row in zip(PEOPLE, COUNTS, strict=True)])


def hdf5_study() -> bytes:
    import h5py

    packed = io.BytesIO()
    with h5py.File(packed, "w") as file:
        file["genotypes"], file["phenotypes"] = COUNTS, TRAITS
        file["locus_names"] = np.array(["l0", "l1", "l2", "l3"], dtype=h5py.string_dtype())
    return packed.getvalue()


def annotated_data() -> bytes:
    import h5py

    packed = io.BytesIO()
    with h5py.File(packed, "w") as file:
        file["X"] = CONCENTRATIONS.reshape(20, 3)
        file["obs/time"] = np.tile(TIMES, 2)
        file["obs/trajectory/categories"] = np.array(["x", "y"], dtype=h5py.string_dtype())
        file["obs/trajectory/codes"] = np.repeat([0, 1], 10).astype(np.int8)
        file["var/_index"] = np.array(["m0", "m1", "m2"], dtype=h5py.string_dtype())
    return packed.getvalue()


def samples() -> bytes:
    rows = [
        [time, which, *CONCENTRATIONS[which, frame]]
        for which in range(2)
        for frame, time in enumerate(TIMES)
    ]
    return table(["time", "trajectory", "m0", "m1", "m2"], rows)


def network_table() -> bytes:
    rows = [["r0", "m0", -1], ["r0", "m1", 1], ["r1", "m1", -1], ["r1", "m2", 1]]
    return table(["reaction", "metabolite", "stoichiometry"], rows)


def time_courses() -> bytes:
    return arrays(
        times=TIMES,
        concentrations=CONCENTRATIONS,
        stoichiometry=STOICHIOMETRY,
        substrate_orders=np.maximum(-STOICHIOMETRY, 0),
        metabolite_names=np.array(["m0", "m1", "m2"]),
        reaction_names=np.array(["r0", "r1"]),
    )


def constraint_model() -> bytes:
    reactions = [
        {"id": "R0", "metabolites": {"a": -1.0, "b": 1.0}, "lower_bound": 0, "upper_bound": 1000},
        {"id": "R1", "metabolites": {"b": -2.0, "c": 1.0}, "lower_bound": -1000, "upper_bound": 10},
    ]
    return json.dumps(
        {"id": "m", "metabolites": [{"id": one} for one in "abc"], "reactions": reactions}
    ).encode()


def truth() -> bytes:
    return json.dumps(
        {
            "types": [{"type": 0, "slope": -0.1, "baseline": 4.0}],
            "metabolite_types": {"m0": 0, "m1": 0, "m2": 0},
            "log10_rates": {"r0": -1.0, "r1": -1.5},
            "law": "MassAction",
            "law_parameters": [],
        }
    ).encode()


def petab() -> Files:
    problem = {
        "format_version": 1,
        "problems": [
            {
                "sbml_files": ["model.xml"],
                "measurement_files": ["measured.tsv"],
                "observable_files": ["observables.tsv"],
                "condition_files": ["conditions.tsv"],
            }
        ],
    }
    measured = [
        [f"o_{one}", condition, 1 + time, time]
        for condition in ("c0", "c1")
        for one in "ab"
        for time in range(9)
    ]
    header = ["observableId", "simulationConditionId", "measurement", "time"]
    return {
        "problem.yaml": json.dumps(problem, indent=1).encode(),
        "model.xml": SBML.encode(),
        "measured.tsv": table(header, measured, "\t"),
        "observables.tsv": table(
            ["observableId", "observableFormula", "noiseFormula"],
            [["o_a", "a", "1"], ["o_b", "b", "1"]],
            "\t",
        ),
        "conditions.tsv": table(["conditionId", "a"], [["c0", 1], ["c1", 2]], "\t"),
    }


def history() -> bytes:
    import tempfile

    from tests.reference.made_up_history import made_up_history

    with tempfile.TemporaryDirectory() as folder:
        write_history(Path(folder), made_up_history())
        return Path(folder, "history.npz").read_bytes()


def settings() -> bytes:
    from escapement_jax.command_line.tables import CONFIGURATIONS

    return "\n".join(to_toml(one()) for one in CONFIGURATIONS.values()).encode()


def run_directory() -> Files:
    log = {"time": "2026-01-01T00:00:00", "level": "info", "event": "start", "message": "begun"}
    return {
        "config.toml": b"[infer]\nseed = 3\n",
        "summary.json": json.dumps({"elbo": -3.5, "warnings": ["few"], "s": {"a": [1]}}).encode(),
        "demography.csv": b"time_generations,population_size\n0,1000\n50,2000\n",
        "log.jsonl": (json.dumps(log | {"fields": {"versions": {"jax": "1"}}}) + "\n").encode() * 3,
    }
