"""Small projects for the tests of privacy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["BANK", "PROMPT", "SEMANTIC", "write", "write_applications"]

PROMPT = """\
model: {model}
params: {{max_tokens: 8}}
messages:
  - {{role: user, content: "Ticket: {{{{ ticket }}}}"}}
"""
BANK = """\
prompts: [route]
evaluators:
  - contains: parcel
cases:
  - {id: lost, vars: {ticket: Where is my parcel?}}
  - {id: late, vars: {ticket: My parcel is late}}
"""

SEMANTIC = """\
prompts: [route]
evaluators:
  - semantic: {threshold: 0.1}
cases:
  - {id: lost, vars: {ticket: Where is my parcel?}, expected: "Ticket: Where is my parcel?"}
"""


def write(root: Path, config: str, *, model: str, bank: str = BANK, files: Mapping[str, str] | None = None) -> Path:
    """A project with one prompt and one bank; `config` is llmctl.toml."""
    texts = {"llmctl.toml": config, "prompts/route.yaml": PROMPT.format(model=model), "testbanks/route.yaml": bank}
    for name, text in {**texts, **(files or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


APPLICATIONS = {
    "prompts/asked.yaml": """\
target:
  http:
    url: {url}/ask
    headers: {{Authorization: {{env: MY_DOOR, prefix: "Bearer "}}}}
    body: {{question: "{{{{ ticket }}}}"}}
  output: /text
""",
    "prompts/run.yaml": "target: {{command: [python3, app/run.py]}}\n",
    "prompts/called.yaml": "target: {{python: app/called.py:answer}}\n",
}
RUN = """\
import os, pathlib, sys
pathlib.Path("was-run").touch()
print("answer", os.environ["MY_DOOR"], flush=True)
sys.exit("stderr " + os.environ["MY_DOOR"] if "late" in sys.stdin.read() else 0)
"""
CALLED = """\
import os, pathlib

def answer(vars):
    pathlib.Path("was-called").touch()
    print("printed", os.environ["MY_DOOR"])
    if "late" in vars["ticket"]:
        raise ValueError(os.environ["MY_DOOR"])
    return {"output": "answer", "tool_calls": [{"name": os.environ["MY_DOOR"]}]}
"""


def write_applications(root: Path, url: str) -> Path:
    """A project whose targets are applications; each gives away what the variable MY_DOOR holds."""
    bank = BANK.replace("[route]", "[asked, run, called]").replace("contains: parcel", "length: {min: 1}")
    files = {name: text.format(url=url) for name, text in APPLICATIONS.items()}
    files |= {"app/run.py": RUN, "app/called.py": CALLED}
    config = '[project]\nallow_code = true\n[models.silent]\nmodel = "fake/echo"\n'
    return write(root, config, model="silent", bank=bank, files=files)
