"""Which variables a template cannot do without: those it uses outside `is defined` and `default`."""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes

__all__ = ["required_variables"]

Names = frozenset[str]
_NONE: Names = frozenset()


def required_variables(tree: nodes.Template, variables: Names) -> Names:
    """Those of `variables` that some branch of the template uses without having asked whether they are given.

    A variable in a branch that a given case does not take counts too: another case may take it.
    """
    walk = _Walk(variables)
    walk.body(tree.body, _NONE)
    return frozenset(walk.required)


class _Walk:
    """Goes through the tree in the order of execution, with the names that are certain to have a value."""

    def __init__(self, variables: Names) -> None:
        self._variables = variables
        self.required: set[str] = set()

    def body(self, statements: Iterable[nodes.Node], known: Names) -> Names:
        """Walk statements that follow each other; the names known after them."""
        for statement in statements:
            known = self._statement(statement, known)
        return known

    def _statement(self, node: nodes.Node, known: Names) -> Names:
        match node:
            case nodes.If():
                return self._if(node, known)
            case nodes.For():
                return self._for(node, known)
            case nodes.Assign():
                self._expression(node.node, known)
                return known | _stored(node.target)
            case nodes.AssignBlock() | nodes.FilterBlock():
                self.body(node.body, known)
                return known | _stored(node.target) if isinstance(node, nodes.AssignBlock) else known
            case nodes.Macro():
                self._macro(node, known)
                return known | {node.name}
            case nodes.CallBlock():
                self._expression(node.call, known)
                self._macro(node, known)
                return known
            case nodes.With():
                for value in node.values:
                    self._expression(value, known)
                self.body(node.body, known.union(*map(_stored, node.targets)))
                return known
            case _:
                self._expression(node, known)
                return known

    def _for(self, node: nodes.For, known: Names) -> Names:
        self._expression(node.iter, known)
        inside = known | _stored(node.target) | {"loop"}
        if node.test is not None:
            self._expression(node.test, inside)
        self.body(node.body, inside)
        self.body(node.else_, known)
        return known

    def _if(self, node: nodes.If, known: Names) -> Names:
        self._expression(node.test, known)
        after = [self.body(node.body, known | _given_if(node.test, True))]
        otherwise = known | _given_if(node.test, False)
        for branch in node.elif_:
            self._expression(branch.test, otherwise)
            after.append(self.body(branch.body, otherwise | _given_if(branch.test, True)))
            otherwise |= _given_if(branch.test, False)
        after.append(self.body(node.else_, otherwise))
        return frozenset.intersection(*after)

    def _macro(self, node: nodes.Macro | nodes.CallBlock, known: Names) -> None:
        for default in node.defaults:
            self._expression(default, known)
        arguments = {argument.name for argument in node.args}
        self.body(node.body, known | arguments | {"caller", "varargs", "kwargs"})

    def _expression(self, node: nodes.Node, known: Names) -> None:
        match node:
            case nodes.Name(ctx="load"):
                if node.name in self._variables and node.name not in known:
                    self.required.add(node.name)
            case nodes.Test(name="defined" | "undefined", node=nodes.Name()):
                pass
            case nodes.Filter(name="default" | "d", node=nodes.Name()):
                for argument in (*node.args, *node.kwargs):
                    self._expression(argument, known)
            case nodes.CondExpr():
                self._expression(node.test, known)
                self._expression(node.expr1, known | _given_if(node.test, True))
                if node.expr2 is not None:
                    self._expression(node.expr2, known | _given_if(node.test, False))
            case nodes.And() | nodes.Or():
                self._expression(node.left, known)
                self._expression(node.right, known | _given_if(node.left, isinstance(node, nodes.And)))
            case _:
                for child in node.iter_child_nodes():
                    self._expression(child, known)


def _given_if(test: nodes.Node, outcome: bool) -> Names:
    """The names that must have a value when the test comes out true (or false)."""
    match test:
        case nodes.Test(name="defined", node=nodes.Name(name=name)):
            return frozenset({name}) if outcome else _NONE
        case nodes.Test(name="undefined", node=nodes.Name(name=name)):
            return _NONE if outcome else frozenset({name})
        case nodes.Not():
            return _given_if(test.node, not outcome)
        case nodes.And():
            left, right = _given_if(test.left, outcome), _given_if(test.right, outcome)
            return left | right if outcome else left & right
        case nodes.Or():
            left, right = _given_if(test.left, outcome), _given_if(test.right, outcome)
            return left & right if outcome else left | right
        case _:
            return _NONE


def _stored(target: nodes.Node) -> Names:
    names = {name.name for name in target.find_all(nodes.Name)}
    return frozenset(names | {target.name} if isinstance(target, nodes.Name) else names)
