"""Comparing a column with a list of values that is one parameter, in the dialects of both databases."""

from __future__ import annotations

from typing import Any, Self

from sqlalchemy import ARRAY, ColumnElement, any_, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import Boolean


class OneOf(FunctionElement[bool]):
    """A column and a parameter, see `one_of`."""

    inherit_cache = True
    type = Boolean()

    def self_group(self, against: OperatorType | None = None) -> Self:  # noqa: ARG002 - its documented API
        """Stand in a condition as it is. SQLAlchemy would compare it with 1 on SQLite, which then uses no index."""
        return self


def one_of(column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
    """
    Whether the column has one of the values in the list that `parameter` names.

    SQLAlchemy's own `in_` writes a statement with a parameter for each value. PostgreSQL plans such a statement each
    time, because it never saw it before, and psycopg parses it each time.
    """
    return OneOf(column, bindparam(parameter, expanding=True))


@compiles(OneOf)
def _with_each_value(element: OneOf, compiler: SQLCompiler, **arguments: Any) -> str:
    column, values = element.clauses
    return compiler.process(column.in_(values), **arguments)


@compiles(OneOf, "postgresql")
def _with_an_array(element: OneOf, compiler: SQLCompiler, **arguments: Any) -> str:
    column, values = element.clauses
    array = bindparam(values.key, type_=ARRAY(column.type))
    return compiler.process(column == any_(array), **arguments)
