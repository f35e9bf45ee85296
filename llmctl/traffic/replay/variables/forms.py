"""A template as what it can make: its own text and printed variables, once for each way through its branches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from jinja2 import nodes

from llmctl.canonical import written
from llmctl.project.templates import compile_template
from llmctl.project.templates.rewrite import describe
from llmctl.project.templates.sandbox import Sandbox

__all__ = ["Asked", "Condition", "Form", "NotInvertible", "Path", "Piece", "Slot", "forms_of"]

MAX_FORMS = 64
"""Ways through the branches of one template."""
MAX_PIECES = 2_000
MAX_DEPTH = 10
"""Of `and`, `or` and `not` in one test: each level doubles the ways at most."""
_KEPT_TEMPLATES = 1024

Path = tuple[str, ...]
"""A variable's name, and the keys below it: `user.name` is `("user", "name")`."""


class NotInvertible(Exception):
    """The template does more than print variables between texts; ends a sentence that begins with the prompt."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place where a variable is printed."""

    path: Path


Piece = str | Slot
"""Text of the template itself, or a variable."""


class Asked(Enum):
    """What an `if` asks of a variable."""

    TRUE = "true"
    """Whether it is neither empty nor false."""
    DEFINED = "defined"
    EQUAL = "equal"
    """Whether it is a certain text."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for one way through the branches."""

    path: Path
    asked: Asked
    holds: bool
    text: str = ""
    """What it is compared with."""

    def contradicts(self, other: Condition) -> bool:
        """Whether the two are each other's opposite."""
        same = (self.path, self.asked, self.text) == (other.path, other.asked, other.text)
        return same and self.holds != other.holds


@dataclass(frozen=True, slots=True)
class Form:
    """One text that the template can make."""

    pieces: tuple[Piece, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def then(self, other: Form) -> Form | None:
        """The two after each other; None where they cannot both be."""
        if any(mine.contradicts(its) for mine in self.conditions for its in other.conditions):
            return None
        news = tuple(its for its in other.conditions if its not in self.conditions)
        return Form(self.pieces + other.pieces, self.conditions + news)


@lru_cache(maxsize=_KEPT_TEMPLATES)
def forms_of(text: str) -> tuple[Form, ...]:
    """The forms of a template, at least one.

    Raises:
        NotInvertible: it does what cannot be undone, or has too many ways through it.
        TemplateError: it is no template.
    """
    compile_template(text)  # says what is wrong with it, and refuses what is too deep
    return tuple(_body(_SANDBOX.parse(text).body))


_SANDBOX = Sandbox()


def _body(statements: Iterable[nodes.Node]) -> list[Form]:
    forms = [Form()]
    for statement in statements:
        forms = _product(forms, list(_statement(statement)))
    return forms


def _product(before: Sequence[Form], after: Sequence[Form]) -> list[Form]:
    found = [both for one in before for other in after if (both := one.then(other)) is not None]
    if len(found) > MAX_FORMS:
        raise NotInvertible(f"has more than {MAX_FORMS} ways through its branches")
    if any(len(form.pieces) > MAX_PIECES for form in found):
        raise NotInvertible(f"has more than {MAX_PIECES:,} parts")
    return found


def _statement(node: nodes.Node) -> Iterator[Form]:
    match node:
        case nodes.Output():
            yield Form(tuple(piece for part in node.nodes for piece in _printed(part)))
        case nodes.If():
            yield from _branches(node)
        case _:
            raise NotInvertible(f"has a `{{% {_tag(node)} %}}`")


_TAGS: dict[type[nodes.Node], str] = {nodes.Assign: "set", nodes.AssignBlock: "set", nodes.CallBlock: "call"}
_TAGS[nodes.FilterBlock] = "filter"


def _tag(node: nodes.Node) -> str:
    return _TAGS.get(type(node), type(node).__name__.lower())


def _printed(node: nodes.Node) -> Iterator[Piece]:
    match node:
        case nodes.TemplateData():
            yield node.data
        case nodes.Const() if node.value is not None:
            yield written(node.value)
        case nodes.Concat():
            for part in node.nodes:
                yield from _printed(part)
        case nodes.Filter():
            raise NotInvertible(f"changes a value by the filter `{node.name}` before it prints it")
        case _:
            path = _path(node)
            if path is None:
                raise NotInvertible("prints an expression")
            yield Slot(path)


def _path(node: nodes.Node | None) -> Path | None:
    """The variable that an expression names; None: it is more than that."""
    match node:
        case nodes.Name():
            return (node.name,)
        case nodes.Getattr():
            base, key = _path(node.node), node.attr
        case nodes.Getitem(arg=nodes.Const(value=str(key))):
            base = _path(node.node)
        case _:
            return None
    return (*base, key) if base else None


def _branches(node: nodes.If) -> Iterator[Form]:
    """Each branch after what its test and the failed tests before it say."""
    before = [Form()]
    for test, body in ((node.test, node.body), *((branch.test, branch.body) for branch in node.elif_)):
        yield from _product(_product(before, _ways(test, True)), _body(body))
        before = _product(before, _ways(test, False))
    yield from _product(before, _body(node.else_))


def _ways(test: nodes.Node, outcome: bool, depth: int = 0) -> list[Form]:
    """The conditions under which a test comes out so: one of the forms holds, which exclude each other."""
    if depth > MAX_DEPTH:
        raise NotInvertible("decides a branch by too many questions at once")
    deeper = depth + 1
    match test:
        case nodes.Not():
            return _ways(test.node, not outcome, deeper)
        case nodes.And() | nodes.Or():
            # `and` comes out true, and `or` false, only where both sides do; else the first side may decide alone.
            both = isinstance(test, nodes.And) == outcome
            if both:
                return _product(_ways(test.left, outcome, deeper), _ways(test.right, outcome, deeper))
            alone = _ways(test.left, outcome, deeper)
            return [*alone, *_product(_ways(test.left, not outcome, deeper), _ways(test.right, outcome, deeper))]
        case nodes.Test(name="defined" | "undefined") if (path := _path(test.node)) is not None:
            return [_asked(path, Asked.DEFINED, outcome == (test.name == "defined"))]
        case nodes.Compare(ops=[nodes.Operand(op="eq" | "ne" as op, expr=nodes.Const(value=str(text)))]) if (
            path := _path(test.expr)
        ) is not None:
            return [_asked(path, Asked.EQUAL, outcome == (op == "eq"), text)]
        case _:
            path = _path(test)
            if path is None:
                raise NotInvertible(f"decides a branch by more than a variable's own value ({describe(test)})")
            return [_asked(path, Asked.TRUE, outcome)]


def _asked(path: Path, asked: Asked, holds: bool, text: str = "") -> Form:
    return Form((), (Condition(path, asked, holds, text),))
