from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapement_jax.config.base import Configuration
from escapement_jax.config.toml import from_mapping, read_document, read_toml, table_names, to_toml


@dataclass(frozen=True)
class Everything(Configuration):
    """One field of every kind."""

    table_name: ClassVar[str] = "some.table"

    rate: float = 1e-8
    maybe: float | None = None
    count: int = 3
    flag: bool = False
    name: str = "x"
    folder: Path | None = None
    ages: tuple[float, ...] = ()
    method: Literal["fast", "exact"] = "fast"

    def check_complete(self) -> None:
        pass


finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
everything = st.builds(
    Everything,
    rate=finite,
    maybe=st.none() | finite,
    count=st.integers(-(2**62), 2**62),
    flag=st.booleans(),
    name=texts,
    folder=st.none() | texts.map(Path),
    ages=st.lists(finite, max_size=4).map(tuple),
    method=st.sampled_from(["fast", "exact"]),
)


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


@given(config=everything)
def test_what_is_written_is_read_back(tmp_path_factory, config):
    path = write(tmp_path_factory.mktemp("toml"), to_toml(config))
    assert read_toml(path, Everything) == config


def test_none_is_left_out():
    assert "maybe" not in to_toml(Everything())
    assert from_mapping({}, Everything) == Everything()


def test_a_whole_number_is_a_float_where_one_is_wanted():
    assert type(from_mapping({"rate": 2}, Everything).rate) is float


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"rte": 1.0}, r"unknown key some\.table\.rte; did you mean rate\?"),
        ({"zzz": 1.0}, r"unknown key some\.table\.zzz; known are rate, maybe"),
        ({"rate": "1e-8"}, r"some\.table\.rate must be a number, but is '1e-8'"),
        ({"rate": True}, r"some\.table\.rate must be a number, but is True"),
        ({"rate": float("nan")}, r"some\.table\.rate is nan; write a finite number"),
        ({"maybe": "no"}, r"some\.table\.maybe must be a number"),
        ({"count": 1.5}, r"some\.table\.count must be a whole number, but is 1\.5"),
        ({"count": True}, r"some\.table\.count must be a whole number"),
        ({"flag": 1}, r"some\.table\.flag must be true or false"),
        ({"name": 1}, r"some\.table\.name must be a string"),
        ({"folder": 1}, r"some\.table\.folder must be a string"),
        ({"ages": 1.0}, r"some\.table\.ages must be an array"),
        ({"ages": [1.0, "b"]}, r"some\.table\.ages\[1\] must be a number, but is 'b'"),
        ({"method": "slow"}, r"some\.table\.method is 'slow'; choose one of 'fast', 'exact'"),
        ({"table_name": "other"}, r"unknown key some\.table\.table_name"),
    ],
)
def test_a_wrong_entry_is_named_by_its_path(mapping, message):
    with pytest.raises(ValueError, match=message):
        from_mapping(mapping, Everything)


def test_tables_are_named_in_order():
    document = {"infer": {"a": 1}, "simulate": {"genealogy": {}, "elm": {"b": 2}}, "stray": 3}
    assert table_names(document) == ["infer", "simulate.genealogy", "simulate.elm"]
    mixed = {"simulate": {"seed": 1, "genealogy": {"seed": 2}}}
    assert table_names(mixed) == ["simulate", "simulate.genealogy"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[infer]\nseed = 1\n", r"the table \[some\.table\] is missing; the file has \[infer\]"),
        ("rate = 1.0\n", r"the table \[some\.table\] is missing; the file has no table"),
        ("rate = = 1\n", "not a TOML file"),
        ("[some.table]\nrate = 'x'\n", r"settings\.toml: some\.table\.rate must be a number"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_toml(write(tmp_path, text), Everything)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"absent\.toml: there is no such configuration file"):
        read_document(tmp_path / "absent.toml")


def test_a_value_without_a_toml_form_is_refused():
    with pytest.raises(TypeError, match="cannot write a complex"):
        to_toml(Everything(ages=(1j,)))
