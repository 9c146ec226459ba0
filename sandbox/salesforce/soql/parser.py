"""Parser for SOQL's SELECT statements. Pure.

https://developer.salesforce.com/docs/platform/soql-and-sosl/guide/sforce-api-calls-soql-select.html
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

from sandbox.salesforce.errors import malformed_query

Literal = str | int | float | bool | datetime | date | None
T = TypeVar("T")
MAX_LENGTH = 100_000  # https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet


@dataclass(frozen=True)
class Compare:
    """A comparison, such as `Account.Owner.Email IN (…)`: field path, operator and right-hand side."""

    path: str
    operator: str
    value: "Literal | tuple[Literal, ...] | Query"


@dataclass(frozen=True)
class Not:
    condition: "Condition"


@dataclass(frozen=True)
class AllOf:
    conditions: "tuple[Condition, ...]"


@dataclass(frozen=True)
class AnyOf:
    conditions: "tuple[Condition, ...]"


Condition = Compare | Not | AllOf | AnyOf


@dataclass(frozen=True)
class Order:
    path: str
    descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Query:
    """`fields` is empty for `SELECT COUNT()`."""

    source: str
    fields: "tuple[str | Query, ...]"
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:\\.|[^'\\])*')
      | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
      | (?P<date>\d{4}-\d\d-\d\d)
      | (?P<number>[+-]?\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z][\w.]*)
      | (?P<symbol><=|>=|!=|<>|[=<>(),])
      | (?P<end>$)
    )""",
    re.VERBOSE | re.DOTALL,
)
# https://developer.salesforce.com/docs/platform/soql-and-sosl/guide/sforce-api-calls-soql-select-quotedstringescapes.html
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_LITERAL_NAMES: dict[str, Literal] = {"true": True, "false": False, "null": None}
_COMPARISONS = {"=", "!=", "<>", "<", "<=", ">", ">="}


def parse(text: str) -> Query:
    """Raises SalesforceError MALFORMED_QUERY."""
    if len(text) > MAX_LENGTH:
        raise malformed_query("SOQL statements cannot be longer than 100000 characters.")
    parser = _Parser(_tokens(text))
    query = parser.query()
    parser.expect("end", "")
    return query


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind in {"name", "symbol", "end"} else ""


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while not tokens or tokens[-1].kind != "end":
        match = _TOKEN.match(text, at)
        if match is None:
            raise malformed_query(f"line 1:{at} no viable alternative at character '{text[at : at + 1]}'")
        kind = match.lastgroup or "end"
        tokens.append(_Token(kind, match[kind]))
        at = match.end()
    return tokens


@dataclass
class _Parser:
    tokens: list[_Token]
    at: int = 0

    def peek(self, ahead: int = 0) -> _Token:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def take(self) -> _Token:
        token = self.peek()
        self.at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Take these words and return True, if all of them come next."""
        if any(self.peek(ahead).word != word for ahead, word in enumerate(words)):
            return False
        self.at += len(words)
        return True

    def expect(self, kind: str, word: str = "") -> str:
        token = self.take()
        if token.kind != kind or (word and token.word != word):
            raise malformed_query(f"unexpected token: '{token.text or '<EOF>'}'")
        return token.text

    def query(self) -> Query:
        self.expect("name", "select")
        fields = () if self.accept("count", "(", ")") else self.separated(self.selected)
        self.expect("name", "from")
        return Query(
            source=self.expect("name"),
            fields=fields,
            where=self.condition() if self.accept("where") else None,
            order=self.separated(self.order) if self.accept("order", "by") else (),
            limit=self.count() if self.accept("limit") else None,
            offset=self.count() if self.accept("offset") else 0,
        )

    def count(self) -> int:
        text = self.expect("number")
        if not text.isdigit():
            raise malformed_query(f"unexpected token: '{text}'")
        return int(text)

    def selected(self) -> "str | Query":
        if not self.accept("("):
            return self.expect("name")
        query = self.query()
        self.expect("symbol", ")")
        return query

    def separated(self, parse_item: Callable[[], T]) -> tuple[T, ...]:
        items = [parse_item()]
        while self.accept(","):
            items.append(parse_item())
        return tuple(items)

    def order(self) -> Order:
        path = self.expect("name")
        descending = self.accept("desc") or (self.accept("asc") and False)
        if self.accept("nulls", "last"):
            return Order(path, descending, nulls_last=True)
        self.accept("nulls", "first")
        # https://developer.salesforce.com/docs/platform/soql-and-sosl/guide/sforce-api-calls-soql-select-orderby.html
        return Order(path, descending, nulls_last=False)

    def condition(self) -> Condition:
        """Like Salesforce, this rejects AND beside OR without parentheses."""
        conditions = [self.term()]
        for word, combine in (("and", AllOf), ("or", AnyOf)):
            if self.peek().word == word:
                while self.accept(word):
                    conditions.append(self.term())
                return combine(tuple(conditions))
        return conditions[0]

    def term(self) -> Condition:
        if self.accept("not"):
            return Not(self.term())
        if self.accept("("):
            condition = self.condition()
            self.expect("symbol", ")")
            return condition
        return self.comparison()

    def comparison(self) -> Condition:
        path = self.expect("name")
        if self.accept("like"):
            return Compare(path, "like", self.literal())
        if self.accept("in"):
            return Compare(path, "in", self.right_side())
        if self.accept("not", "in"):
            return Compare(path, "not in", self.right_side())
        operator = self.take().text
        if operator not in _COMPARISONS:
            raise malformed_query(f"unexpected token: '{operator or '<EOF>'}'")
        return Compare(path, "!=" if operator == "<>" else operator, self.literal())

    def right_side(self) -> "tuple[Literal, ...] | Query":
        """A non-empty list of literals, or a semi-join."""
        self.expect("symbol", "(")
        right_side = self.query() if self.peek().word == "select" else self.separated(self.literal)
        self.expect("symbol", ")")
        return right_side

    def literal(self) -> Literal:
        token = self.take()
        match token.kind:
            case "string":
                return _unescape(token.text[1:-1])
            case "number":
                return float(token.text) if "." in token.text else int(token.text)
            case "date":
                return date.fromisoformat(token.text)
            case "datetime":
                return datetime.fromisoformat(token.text).astimezone(UTC)
            case "name" if token.word in _LITERAL_NAMES:
                return _LITERAL_NAMES[token.word]
        raise malformed_query(f"unexpected token: '{token.text or '<EOF>'}'")


def _unescape(quoted: str) -> str:
    r"""Replace the escapes of a string literal; `\_` and `\%` stay as they are, for LIKE."""

    def replace(match: re.Match[str]) -> str:
        char = match[1]
        if char in "_%":
            return match[0]
        if char not in _ESCAPES:
            raise malformed_query(
                f"Illegal string literal: Invalid string literal '{quoted}'. Illegal character "
                f"sequence '\\{char}' in string literal."
            )
        return _ESCAPES[char]

    return re.sub(r"\\(.)", replace, quoted, flags=re.DOTALL)
