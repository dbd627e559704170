"""Expressions as text, in the infix notation that SBML tools and Antimony share."""

from escapement_jax.numerics.expressions import TIME, Call, Expression, Number, Symbol

_BETWEEN = {
    "plus": " + ",
    "times": "*",
    "divide": "/",
    "power": "^",
    "eq": " == ",
    "neq": " != ",
    "lt": " < ",
    "leq": " <= ",
    "gt": " > ",
    "geq": " >= ",
    "and": " && ",
    "or": " || ",
}
_EMPTY = {"plus": "0", "times": "1", "true": "true", "false": "false"}


def infix(expression: Expression) -> str:
    """Write an expression with every operation in brackets, so that no rule of precedence counts.

    Numbers are written with as many digits as it takes to read them back unchanged.
    """
    if isinstance(expression, Number):
        return repr(float(expression.value))
    if isinstance(expression, Symbol):
        return "time" if expression == TIME else identifier(expression.name)
    return _call(expression)


def identifier(name: str) -> str:
    """Return a name as an identifier: what is neither letter nor digit becomes an underscore."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _call(call: Call) -> str:
    parts = [infix(argument) for argument in call.arguments]
    if not parts:
        return _EMPTY[call.operator]
    if call.operator == "minus":
        return f"(-{parts[0]})" if len(parts) == 1 else f"({parts[0]} - {parts[1]})"
    if call.operator == "not":
        return f"!({parts[0]})"
    if call.operator in _BETWEEN:
        return f"({_BETWEEN[call.operator].join(parts)})" if len(parts) > 1 else parts[0]
    return f"{call.operator}({', '.join(parts)})"
