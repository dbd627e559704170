"""SBML and PEtab: what is written can be read, and means the same."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from escapement_jax.homeostasis.rate_laws import PowerLaw, Saturating
from escapement_jax.io.homeostasis.fitted_model import model_to_sbml, write_model_arrays
from escapement_jax.io.homeostasis.petab import read_petab
from escapement_jax.io.homeostasis.sbml_network import read_sbml_network
from escapement_jax.io.sbml.read import parse_sbml
from tests.reference.known_recovery import small_simulation


@pytest.mark.parametrize(
    "law", [None, PowerLaw(jnp.array(0.7)), Saturating(jnp.array(1.0))], ids=["c", "power", "sat"]
)
def test_the_sbml_of_a_model_has_its_derivative(law):
    model = small_simulation().truth.model
    if law is not None:
        model = dataclasses.replace(model, law=law)
    state = np.linspace(1.0, 4.0, model.network.num_metabolites)
    text = model_to_sbml(model, state)
    assert text is not None
    network = parse_sbml(text)
    constants = network.default_constants()
    np.testing.assert_allclose(jax.jit(network.initial_state)(constants), state)
    derivative = jax.jit(network.derivative())(jnp.zeros(()), jnp.asarray(state), constants)
    np.testing.assert_allclose(derivative, model(jnp.asarray(state)), rtol=1e-9, atol=1e-12)


def test_the_arrays_of_a_model_are_named(tmp_path):
    model = small_simulation().truth.model
    write_model_arrays(tmp_path / "model.npz", model)
    with np.load(tmp_path / "model.npz") as arrays:
        np.testing.assert_array_equal(arrays["rates"], model.rates)
        np.testing.assert_array_equal(arrays["stoichiometry"], model.network.stoichiometry)
        assert str(arrays["law"]) == "MassAction"


SBML = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model id="m">
<listOfCompartments><compartment id="cell" size="2" constant="true" spatialDimensions="3"/>
</listOfCompartments><listOfSpecies>{species}</listOfSpecies>
<listOfParameters><parameter id="k" value="1" constant="true"/></listOfParameters>
<listOfReactions>
<reaction id="forth" reversible="false" fast="false">
<listOfReactants><speciesReference species="a" stoichiometry="2" constant="true"/></listOfReactants>
<listOfProducts><speciesReference species="b" stoichiometry="1" constant="true"/></listOfProducts>
<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
<apply><times/><ci>cell</ci><ci>k</ci><ci>a</ci><ci>e</ci></apply></math></kineticLaw></reaction>
<reaction id="both" reversible="true" fast="false">
<listOfReactants><speciesReference species="b" stoichiometry="1" constant="true"/></listOfReactants>
<listOfProducts><speciesReference species="e" stoichiometry="1" constant="true"/></listOfProducts>
<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">
<apply><times/><ci>k</ci><apply><minus/><ci>b</ci><ci>e</ci></apply></apply></math></kineticLaw>
</reaction></listOfReactions></model></sbml>
"""
SPECIES = (
    '<species id="{}" compartment="cell" initialConcentration="1" hasOnlySubstanceUnits="false" '
    'boundaryCondition="false" constant="false"/>'
)


@pytest.fixture
def sbml(tmp_path):
    path = tmp_path / "model.xml"
    path.write_text(SBML.format(species="".join(map(SPECIES.format, "abe"))))
    return path


def test_sbml_says_what_reactions_need(sbml):
    network = read_sbml_network(sbml)
    assert network.metabolite_names == ("a", "b", "e")
    assert network.reaction_names == ("forth", "both", "both_reverse")
    np.testing.assert_array_equal(network.stoichiometry, [[-2, 0, 0], [1, -1, 1], [0, 1, -1]])
    # The first reaction is catalysed by e, of which it consumes none.
    np.testing.assert_array_equal(network.substrate_orders, [[2, 0, 0], [0, 1, 0], [1, 0, 1]])


@pytest.fixture
def problem(tmp_path, sbml):
    (tmp_path / "observables.tsv").write_text(
        "observableId\tobservableFormula\tnoiseFormula\noa\ta\t1\nob\tb\t1\noe\te\t1\n"
    )
    (tmp_path / "conditions.tsv").write_text("conditionId\ta\nlow\t1\nhigh\t5\n")
    rows = [
        f"{observable}\t{condition}\t{value + time}\t{time}"
        for time in range(9)
        for condition, value in (("low", 1), ("high", 5))
        for observable in ("oa", "ob", "oe")
    ]
    header = "observableId\tsimulationConditionId\tmeasurement\ttime"
    (tmp_path / "measurements.tsv").write_text("\n".join([header, *rows]) + "\n")
    path = tmp_path / "problem.yaml"
    path.write_text(
        "format_version: 1\nproblems:\n- sbml_files: [model.xml]\n"
        "  measurement_files: [measurements.tsv]\n  observable_files: [observables.tsv]\n"
        "  condition_files: [conditions.tsv]\n"
    )
    return path


def test_petab_conditions_are_trajectories(problem):
    courses, network = read_petab(problem)
    assert network.metabolite_names == ("a", "b", "e")
    np.testing.assert_array_equal(courses.concentrations[1, :, 2], 5 + np.arange(9.0))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("observables.tsv", "oa\ta\t", "oa\ta + b\t", "only single species"),
        ("conditions.tsv", "conditionId\ta", "conditionId\tk", "k differs between conditions"),
        ("measurements.tsv", "oa\tlow", "ox\tlow", "not among the observables: ox"),
        ("problem.yaml", "format_version: 1", "format_version: 2", "PEtab version 2"),
        ("problem.yaml", "problems", "problem", "not a PEtab problem"),
    ],
)
def test_petab_that_cannot_be_used_says_why(problem, file, old, new, message):
    path = problem.parent / file
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        read_petab(problem)
