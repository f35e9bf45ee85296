"""Writes a project to measure: tickets of 200 to 400 characters, two deterministic evaluators, one model."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server import QUEUES, answer_text

__all__ = [
    "DETERMINISTIC",
    "SEMANTIC",
    "SYSTEM",
    "Evaluators",
    "ProjectSpec",
    "Ticket",
    "expected_passes",
    "tickets",
    "user_message",
    "write_project",
]

SYSTEM = """You route support tickets of Acme to one queue:
billing: cards, charges, refunds, invoices
shipping: parcels, delays, addresses, customs
other: everything else
Answer with one sentence that ends with the queue."""

_SENTENCES = (
    "My card was charged twice for the same order and I would like the second payment back.",
    "The parcel has been on its way for eleven days and the tracking page has not changed since Monday.",
    "I cannot find the invoice for March anywhere in my account, and our accountant asks for it.",
    "Your form refuses my new address although the post office has delivered here for years.",
    "The colour in the picture is nothing like the one that came out of the box.",
    "Could somebody please call me back, I have written three times and nobody has answered.",
    "Customs wants a document that I have never heard of, what am I supposed to send them?",
    "I changed my mind within an hour, but the order was already marked as shipped.",
    "The discount from the newsletter vanished at the last step of the checkout.",
    "Half of the screws are missing, so the shelf stands in the hall as a heap of boards.",
)


@dataclass(frozen=True, slots=True)
class Ticket:
    """One case."""

    number: int
    text: str

    @property
    def expected(self) -> str:
        """The right queue."""
        return QUEUES[self.number % 3]


@dataclass(frozen=True, slots=True)
class Evaluators:
    """What scores the cases: a name for the table, and the bank's YAML."""

    name: str
    yaml: str


DETERMINISTIC = Evaluators(
    "contains, regex",
    "  - contains\n  - regex: 'queue: (billing|shipping|other)$'\n",
)
SEMANTIC = Evaluators("semantic", "  - semantic: {threshold: 0.2}\n")


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    """What a project is made of."""

    cases: int
    model: str
    api_base: str | None = None
    transport: str | None = None
    evaluators: Evaluators = DETERMINISTIC


def tickets(count: int) -> Iterator[Ticket]:
    """The same tickets every time."""
    chance = random.Random(20260101)
    for number in range(count):
        text = f"Ticket no. {number}: "
        goal = chance.randint(200, 400) - len(_SENTENCES[0])
        while len(text) < goal:
            text += chance.choice(_SENTENCES) + " "
        yield Ticket(number, text.strip())


def expected_passes(count: int) -> int:
    """How many of the first tickets the server answers rightly."""
    return sum(answer_text(number).endswith(QUEUES[number % 3]) for number in range(count))


def user_message(ticket: Ticket) -> str:
    """What the prompt's template makes of a ticket."""
    return f"Customer of Acme wrote:\n{ticket.text}"


def write_project(root: Path, spec: ProjectSpec) -> None:
    """Write `llmctl.toml`, a prompt, a bank, and its cases as JSONL; nothing is stored yet."""
    (root / "prompts").mkdir(parents=True)
    (root / "testbanks").mkdir()
    (root / "llmctl.toml").write_text(_config(spec), encoding="utf-8")
    (root / "prompts" / "triage.yaml").write_text(_prompt(), encoding="utf-8")
    (root / "testbanks" / "triage.yaml").write_text(_bank(spec), encoding="utf-8")
    with (root / "testbanks" / "tickets.jsonl").open("w", encoding="utf-8") as file:
        for ticket in tickets(spec.cases):
            row = {"id": f"t{ticket.number}", "ticket": ticket.text, "expected": ticket.expected}
            file.write(f"{json.dumps(row)}\n")


def _config(spec: ProjectSpec) -> str:
    lines = ["[models.bench]", f'model = "{spec.model}"']
    if spec.api_base:
        lines.append(f'api_base = "{spec.api_base}"')
    if spec.transport:
        lines.append(f'transport = "{spec.transport}"')
    if not spec.model.startswith("local/"):
        lines.append("price = {input = 0.15, output = 0.60}")
    return "\n".join([*lines, "[gate]", "max_missing = 0.0", ""])


def _prompt() -> str:
    system = "\n".join(f"      {line}" for line in SYSTEM.replace("Acme", "{{ brand }}").splitlines())
    return (
        "model: bench\n"
        "params: {temperature: 0, max_tokens: 24}\n"
        "messages:\n"
        f"  - role: system\n    content: |-\n{system}\n"
        "  - role: user\n    content: |-\n      Customer of {{ brand }} wrote:\n      {{ ticket }}\n"
    )


def _bank(spec: ProjectSpec) -> str:
    return (
        "prompts: [triage]\n"
        "defaults: {vars: {brand: Acme}}\n"
        f"evaluators:\n{spec.evaluators.yaml}"
        "include:\n"
        "  - file: tickets.jsonl\n"
        "    columns: {id: id, vars.ticket: ticket, expected: expected}\n"
    )
