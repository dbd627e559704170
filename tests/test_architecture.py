"""The shape of the code base: small files, small functions, everything public documented."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "escapement_jax"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


ALL_SOURCES = sources("escapement_jax", "tests", "benchmarks")
PACKAGE_SOURCES = sources("escapement_jax")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[FunctionNode]:
    return (node for node in ast.walk(tree) if isinstance(node, FunctionNode))


def public_definitions(tree: ast.Module) -> Iterator[FunctionNode | ast.ClassDef]:
    """Yield public classes, functions and methods; not what is local to a function."""
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, FunctionNode | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            pending += node.body if isinstance(node, ast.ClassDef) else []


def unannotated_arguments(function: FunctionNode) -> list[str]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return [
        argument.arg
        for argument in named + starred
        if argument.annotation is None and argument.arg not in ("self", "cls")
    ]


def decorator_names(function: FunctionNode) -> set[str]:
    return {ast.unparse(decorator).split("(")[0] for decorator in function.decorator_list}


@pytest.mark.parametrize("path", ALL_SOURCES, ids=name_of)
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in functions(ast.parse(text))
        if node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    }
    assert not long


@pytest.mark.parametrize("path", ALL_SOURCES, ids=name_of)
def test_annotations_are_evaluated(path):
    """Postponed annotations would hide array shapes from the runtime checks."""
    imports = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
    ]
    assert all(node.module != "__future__" for node in imports)


@pytest.mark.parametrize("path", PACKAGE_SOURCES, ids=name_of)
def test_everything_public_is_documented(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module has no docstring"
    missing = [
        node.name
        for node in public_definitions(tree)
        if not ast.get_docstring(node) and not _is_overload(node)
    ]
    assert not missing


def _is_overload(node: FunctionNode | ast.ClassDef) -> bool:
    return isinstance(node, FunctionNode) and "overload" in decorator_names(node)


@pytest.mark.parametrize("path", PACKAGE_SOURCES, ids=name_of)
def test_everything_public_is_annotated(path):
    missing = {
        node.name: [*unannotated_arguments(node), *(["return"] if node.returns is None else [])]
        for node in public_definitions(ast.parse(path.read_text()))
        if isinstance(node, FunctionNode)
    }
    assert not {name: arguments for name, arguments in missing.items() if arguments}


@pytest.mark.parametrize("path", PACKAGE_SOURCES, ids=name_of)
def test_jax_is_configured_only_by_the_command(path):
    """A library that sets global switches on import breaks its callers."""
    if path.parent.name == "experiments" or path.parent.name == "command_line":
        return
    assert "config.update" not in path.read_text()


def loaded_modules(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(finished.stdout.split())


def test_help_needs_neither_jax_nor_matplotlib():
    loaded = loaded_modules("import escapement_jax.command_line")
    assert "tyro" in loaded
    assert loaded.isdisjoint({"jax", "equinox", "matplotlib", "numpy", "tskit"})


def test_configuration_needs_the_standard_library_alone():
    loaded = loaded_modules("import escapement_jax.config.toml, escapement_jax.config.genealogy")
    outside = {name.split(".")[0] for name in loaded} - sys.stdlib_module_names
    before = {name.split(".")[0] for name in loaded_modules("pass")}
    assert outside - before == {"escapement_jax"}
