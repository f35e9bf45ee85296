"""Which cell of one side is compared with which of the other: by label, by name, and where only one thing is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from llmctl.compare.cells import Cell
from llmctl.errors import UsageError

__all__ = ["CellPair", "PairedCells", "SideCell", "pair_cells"]


@dataclass(frozen=True, slots=True, order=True)
class SideCell:
    """A target of a bank, on one side."""

    bank: str
    name: str
    """The prompt's name."""
    label: str
    """The prompt's label: `triage` or `triage@main`."""
    model: str

    @property
    def cell(self) -> Cell:
        """Without the label."""
        return Cell(self.bank, self.name, self.model)


@dataclass(frozen=True, slots=True)
class CellPair:
    """Two that are compared. They differ in model or prompt where that is what was changed."""

    a: SideCell
    b: SideCell

    @property
    def cell(self) -> Cell:
        """Named as on side B."""
        return self.b.cell


@dataclass(frozen=True, slots=True)
class PairedCells:
    """All cells of both sides."""

    pairs: tuple[CellPair, ...]
    only_a: tuple[Cell, ...]
    only_b: tuple[Cell, ...]


_Key = Callable[[SideCell], Hashable]


def pair_cells(a: Iterable[SideCell], b: Iterable[SideCell]) -> PairedCells:
    """Pair by label where both sides have it, then by the prompt's name.

    What is left after that differs in more than a version: a bank and prompt with one model left on either side were
    run on another model; and where nothing was paired and each side has one prompt, two prompts are compared, by bank
    and model, or by bank where each has one model there.

    Raises:
        UsageError: a side holds two versions of a prompt, and nothing says which of them is meant.
    """
    left_a, left_b = list(dict.fromkeys(a)), list(dict.fromkeys(b))
    order = {cell: number for number, cell in enumerate(left_b)}
    pairs = _take(left_a, left_b, lambda cell: (cell.bank, cell.label, cell.model))
    _refuse_two_versions(left_a, left_b)
    pairs += _take(left_a, left_b, lambda cell: cell.cell)
    pairs += _take_single(left_a, left_b, lambda cell: (cell.bank, cell.label))
    pairs += _take_single(left_a, left_b, lambda cell: (cell.bank, cell.name))
    if not pairs and len({cell.name for cell in left_a}) == 1 == len({cell.name for cell in left_b}):
        pairs += _take(left_a, left_b, lambda cell: (cell.bank, cell.model))
        pairs += _take_single(left_a, left_b, lambda cell: cell.bank)
    pairs.sort(key=lambda pair: order[pair.b])
    return PairedCells(tuple(pairs), _names(left_a), _names(left_b))


def _take(left_a: list[SideCell], left_b: list[SideCell], key: _Key) -> list[CellPair]:
    """Pair and take out what has the same key on both sides."""
    by_key = {key(cell): cell for cell in left_a}
    pairs = [CellPair(by_key[key(cell)], cell) for cell in left_b if key(cell) in by_key]
    _drop(left_a, left_b, pairs)
    return pairs


def _take_single(left_a: list[SideCell], left_b: list[SideCell], key: _Key) -> list[CellPair]:
    """The same, where the key stands once on either side: then the rest of the cell's name is what was changed."""
    ones_a, ones_b = dict(_alone(left_a, key)), dict(_alone(left_b, key))
    pairs = [CellPair(ones_a[found], cell) for found, cell in ones_b.items() if found in ones_a]
    _drop(left_a, left_b, pairs)
    return pairs


def _alone(cells: Sequence[SideCell], key: _Key) -> Iterator[tuple[Hashable, SideCell]]:
    groups: dict[Hashable, list[SideCell]] = defaultdict(list)
    for cell in cells:
        groups[key(cell)].append(cell)
    return ((found, group[0]) for found, group in groups.items() if len(group) == 1)


def _drop(left_a: list[SideCell], left_b: list[SideCell], pairs: Sequence[CellPair]) -> None:
    taken_a, taken_b = {pair.a for pair in pairs}, {pair.b for pair in pairs}
    left_a[:] = [cell for cell in left_a if cell not in taken_a]
    left_b[:] = [cell for cell in left_b if cell not in taken_b]


def _refuse_two_versions(left_a: Sequence[SideCell], left_b: Sequence[SideCell]) -> None:
    cells_a, cells_b = {cell.cell for cell in left_a}, {cell.cell for cell in left_b}
    for letter, cells, others in (("A", left_a, cells_b), ("B", left_b, cells_a)):
        labels: dict[Cell, str] = {}
        for cell in cells:
            other = labels.setdefault(cell.cell, cell.label)
            if other != cell.label and cell.cell in others:
                raise UsageError(
                    f"Side {letter} holds two versions of the prompt {cell.name}: {other} and {cell.label}.",
                    hint=f"Say which one: `--prompt {cell.label}`, or `prompt:{cell.label}` as a side.",
                )


def _names(cells: Iterable[SideCell]) -> tuple[Cell, ...]:
    return tuple(dict.fromkeys(cell.cell for cell in cells))
