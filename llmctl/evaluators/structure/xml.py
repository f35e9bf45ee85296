"""The output is well-formed XML, and has the elements that it must have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from llmctl.evaluators.base import Context, Evaluator, Score
from llmctl.evaluators.structure.found_json import MAX_FOUND
from llmctl.evaluators.structure.names_argument import Names
from llmctl.evaluators.structure.xml_reading import ElementPath, Elements, xml_spans
from llmctl.evaluators.wording import listed, quote

__all__ = ["Xml"]


@dataclass(frozen=True, slots=True)
class Xml(Evaluator):
    """The output is well-formed XML, without a DTD of its own, and has the elements that are asked for."""

    name: ClassVar = "xml"
    value_field: ClassVar = "elements"
    reads: ClassVar = ()

    elements: Names = ()
    """Paths from the outermost element on; each must be there."""
    find: bool = False
    """Look inside fences and prose too: all well-formed elements that stand there count together."""
    paths: tuple[ElementPath, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        paths = []
        for text in self.elements:
            try:
                paths.append(ElementPath.of(text))
            except ValueError as error:
                raise ValueError(f"cannot use {quote(text, 80)} of `elements`: it {error}") from None
        object.__setattr__(self, "paths", tuple(paths))

    def score(self, context: Context) -> Score:
        """Read the output and look for the elements."""
        elements = Elements(self.paths)
        problem = self._found(elements, context.output) if self.find else self._read(elements, context.output)
        if problem:
            return Score(0.0, False, f"{problem}.")
        verb = "holds" if self.find else "is"
        missing = elements.missing
        if missing:
            shown = quote(context.output.strip(), 80)
            return Score(0.0, False, f"The output {verb} well-formed XML, but without {listed(missing)}: {shown}.")
        return Score(1.0, True, f"The output {verb} well-formed XML{self._with()}.")

    def _with(self) -> str:
        return f" with {listed(self.elements)}" if self.elements else ""

    def _read(self, elements: Elements, output: str) -> str | None:
        problem = elements.read(output.strip())
        if problem is None:
            return None
        fenced = "; `find: true` looks inside a fence" if output.lstrip().startswith("```") else ""
        return f"The output is not well-formed XML: {problem}{fenced}: {quote(output.strip(), 80)}"

    def _found(self, elements: Elements, output: str) -> str | None:
        """Read what stands in the output until nothing is missing."""
        sound, problem = 0, "there is no element that ends"
        for count, span in enumerate(xml_spans(output)):
            if count == MAX_FOUND:
                return f"The output holds more than {MAX_FOUND:,} pieces of XML, and no more are looked through"
            broken = elements.read(output[span.start : span.end])
            problem = broken or problem
            sound += broken is None
            if sound and not elements.missing:
                return None
        return None if sound else f"The output holds no well-formed XML: {problem}: {quote(output.strip(), 80)}"
