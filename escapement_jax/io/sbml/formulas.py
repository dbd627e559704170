"""From libSBML's syntax trees to expressions."""

import functools
import math
from typing import Any, TypeAlias

from escapement_jax.numerics.expressions import TIME, Call, Expression, Number, Symbol, substitute

AVOGADRO = 6.02214179e23
"""The value that SBML Level 3 states for its symbol `avogadro`."""

_CALLS = {
    "PLUS": "plus",
    "MINUS": "minus",
    "TIMES": "times",
    "DIVIDE": "divide",
    "POWER": "power",
    "FUNCTION_POWER": "power",
    "FUNCTION_ROOT": "root",
    "FUNCTION_LN": "ln",
    "FUNCTION_LOG": "log",
    "FUNCTION_CEILING": "ceiling",
    "FUNCTION_PIECEWISE": "piecewise",
    **{
        f"FUNCTION_{name.upper()}": name
        for name in (
            *("abs", "exp", "floor", "factorial", "max", "min", "rem", "quotient"),
            *("sin", "cos", "tan", "sec", "csc", "cot", "sinh", "cosh", "tanh"),
            *("arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh"),
        )
    },
    **{f"RELATIONAL_{name.upper()}": name for name in ("eq", "neq", "lt", "leq", "gt", "geq")},
    **{f"LOGICAL_{name.upper()}": name for name in ("and", "or", "xor", "not", "implies")},
}
_CONSTANTS = {
    "CONSTANT_E": Number(math.e),
    "CONSTANT_PI": Number(math.pi),
    "CONSTANT_TRUE": Call("true", ()),
    "CONSTANT_FALSE": Call("false", ()),
    "NAME_AVOGADRO": Number(AVOGADRO),
    "NAME_TIME": TIME,
}


Functions: TypeAlias = dict[str, tuple[tuple[str, ...], Expression]]
"""Parameter names and body of user functions."""


class UnsupportedFormula(ValueError):
    """A formula uses what expressions cannot say."""


def expression_of(node: Any, functions: Functions) -> Expression:
    """Turn a syntax tree of libSBML into an expression; calls of user functions are filled in.

    Args:
        node: a `libsbml.ASTNode`.
        functions: parameter names and body of every function that the formula may call.

    Raises:
        UnsupportedFormula: an operator, such as delay, that expressions do not have.
    """
    kind = _kind_names()[node.getType()]
    if kind in ("INTEGER", "REAL", "REAL_E", "RATIONAL"):
        return Number(float(node.getValue()))
    if kind == "NAME":
        return Symbol(node.getName())
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    arguments = tuple(
        expression_of(node.getChild(place), functions) for place in range(node.getNumChildren())
    )
    if kind == "FUNCTION":
        return _filled_in(node.getName(), arguments, functions)
    if kind not in _CALLS:
        raise UnsupportedFormula(f"the operator {_spelled(node, kind)}")
    return Call(_CALLS[kind], arguments)


def function_definitions(model: Any) -> Functions:
    """Return parameter names and body of every function definition of a model.

    Raises:
        UnsupportedFormula: a body uses what expressions cannot say.
    """
    functions: Functions = {}
    for definition in model.getListOfFunctionDefinitions():
        names = tuple(
            definition.getArgument(place).getName() for place in range(definition.getNumArguments())
        )
        # SBML has a function use only those defined before it.
        functions[definition.getId()] = (names, expression_of(definition.getBody(), functions))
    return functions


def _filled_in(
    name: str,
    arguments: tuple[Expression, ...],
    functions: Functions,
) -> Expression:
    if name not in functions:
        raise UnsupportedFormula(f"the function {name}, which the model does not define")
    parameters, body = functions[name]
    return substitute(body, dict(zip(parameters, arguments, strict=True)))


@functools.cache
def _kind_names() -> dict[int, str]:
    import libsbml

    prefix = "AST_"
    return {
        getattr(libsbml, name): name[len(prefix) :]
        for name in dir(libsbml)
        if name.startswith(prefix) and isinstance(getattr(libsbml, name), int)
    }


def _spelled(node: Any, kind: str) -> str:
    return {"FUNCTION_DELAY": "delay", "FUNCTION_RATE_OF": "rateOf"}.get(
        kind, node.getName() or kind.lower()
    )
