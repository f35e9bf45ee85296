"""Rewrites a parsed template so that loops, joins, comparisons and output are charged to a budget."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from llmctl.project.templates.budget import TemplateError

__all__ = ["HIDDEN", "check_nodes", "describe", "meter"]

# A space in the name: no template can write it.
PRINTED = "llmctl printed"
COUNTED = "llmctl counted"
SPENT = "llmctl spent"
JOINED = "llmctl joined"
WEIGHED = "llmctl weighed"
SLICED = "llmctl sliced"
HIDDEN = frozenset({PRINTED, COUNTED, SPENT, JOINED, WEIGHED, SLICED})

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.For,
    nodes.If,
    nodes.Macro,
    nodes.CallBlock,
    nodes.FilterBlock,
    nodes.With,
    nodes.Assign,
    nodes.AssignBlock,
    nodes.NSRef,
    nodes.Name,
    nodes.Const,
    nodes.Tuple,
    nodes.List,
    nodes.Dict,
    nodes.Pair,
    nodes.Keyword,
    nodes.CondExpr,
    nodes.Filter,
    nodes.Test,
    nodes.Call,
    nodes.Getitem,
    nodes.Getattr,
    nodes.Slice,
    nodes.Concat,
    nodes.Compare,
    nodes.Operand,
    nodes.BinExpr,
    nodes.UnaryExpr,
)
_TAGS: dict[type[nodes.Node], str] = {
    nodes.Block: "block",
    nodes.Extends: "extends",
    nodes.FromImport: "from",
    nodes.Import: "import",
    nodes.Include: "include",
    nodes.Scope: "autoescape",
}


def check_nodes(tree: nodes.Template, filters: Collection[str], tests: Collection[str]) -> None:
    """Refuse tags, filters and tests that prompts do not have, wherever they stand.

    Jinja2 itself names an unknown filter inside an `if` only when it is reached.
    """
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            tag = _TAGS.get(type(node), type(node).__name__.lower())
            raise TemplateError(f"`{{% {tag} %}}` is not available in prompts", node.lineno)
        if isinstance(node, nodes.Const) and node.value in (float("inf"), float("-inf")):
            raise TemplateError("a number in the template is too large", node.lineno)
        if isinstance(node, nodes.Filter):
            _check_name("filter", node, filters)
        elif isinstance(node, nodes.Test):
            _check_name("test", node, tests)


def _check_name(kind: str, node: nodes.Filter | nodes.Test, names: Collection[str]) -> None:
    if node.name not in names or node.name in HIDDEN:
        near = difflib.get_close_matches(node.name, set(names) - HIDDEN, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        raise TemplateError(f"there is no {kind} `{node.name}` in prompts{hint}", node.lineno)


def meter(tree: nodes.Template) -> None:
    """Put the charging filters into the tree."""
    environment = tree.environment
    _Meter().visit(tree)
    if environment is not None:
        tree.set_environment(environment)


def describe(node: nodes.Node) -> str:
    """The expression as its author wrote it, as far as it is a plain path; else `the value`."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr() if (base := describe(node.node)) != _SOME:
            return f"{base}.{node.attr}"
        case nodes.Getitem(arg=nodes.Const(value=key)) if (base := describe(node.node)) != _SOME:
            return f"{base}[{key!r}]"
        case _:
            return _SOME


_SOME = "the value"


class _Meter(NodeTransformer):
    """Methods are named after Jinja2's nodes; each returns what stands in the node's place."""

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        children: list[nodes.Expr] = []
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                children.append(child)
            else:
                name = nodes.Const(describe(child), lineno=child.lineno)
                children.append(_charged(PRINTED, self.visit(child), name))
        node.nodes = children
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:
        cost = _literal_length(node)
        self.generic_visit(node)
        node.iter = _charged(COUNTED, cast(nodes.Expr, node.iter))
        node.body.insert(0, _spend(cost, node.lineno))
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        cost = _literal_length(node)
        self.generic_visit(node)
        node.body.insert(0, _spend(cost, node.lineno))
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        cost = _literal_length(node)
        self.generic_visit(node)
        node.body.insert(0, _spend(cost, node.lineno))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _charged(JOINED, nodes.Tuple(node.nodes, "load", lineno=node.lineno))

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _charged(WEIGHED, node.expr)
        for operand in node.ops:
            operand.expr = _charged(WEIGHED, operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        parts = (node.arg.start, node.arg.stop, node.arg.step)
        return _charged(SLICED, node.node, *(part or nodes.Const(None, lineno=node.lineno) for part in parts))


def _charged(name: str, node: nodes.Expr, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)


def _spend(cost: int, line: int) -> nodes.ExprStmt:
    """The literal text in a body is not printed through a filter, so it is charged when the body begins."""
    return nodes.ExprStmt(_charged(SPENT, nodes.Const(cost, lineno=line)), lineno=line)


def _literal_length(node: nodes.Node) -> int:
    return sum(len(data.data) for data in node.find_all(nodes.TemplateData))
