"""The types of promptfoo's assertions, and why some of them cannot be converted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["ASSERTION_TYPES", "UNCONVERTED"]

_CODE = "it is a program; write it as a `python` or `command` evaluator"
_TRACE = "it reads a trace of the agent's steps; `tool_calls` judges the calls of one answer"
_RAG = "it asks a model several questions by promptfoo's own prompts; write a `judge` with your criteria"

UNCONVERTED: Mapping[str, str] = MappingProxyType(
    {
        "javascript": _CODE,
        "python": _CODE,
        "ruby": _CODE,
        "webhook": "it is a service of its own; a `command` evaluator can call one",
        "answer-relevance": _RAG,
        "context-faithfulness": _RAG,
        "context-recall": _RAG,
        "context-relevance": _RAG,
        "conversation-relevance": _RAG,
        "search-rubric": "its judge searches the web",
        "agent-rubric": "its judge is an agent",
        "classifier": "it asks a classification service",
        "moderation": "it asks a moderation service",
        "guardrails": "it reads what a provider's guardrails said",
        "pi": "it asks a scoring service",
        "perplexity": "it needs the log probabilities of the answer",
        "perplexity-score": "it needs the log probabilities of the answer",
        "meteor": "llmctl has no METEOR; `chrf` or `rouge` are near to it",
        "skill-used": _TRACE,
        "trajectory:goal-success": _TRACE,
        "trajectory:tool-args-match": _TRACE,
        "trajectory:step-count": _TRACE,
        "trajectory:tool-sequence": _TRACE,
        "trajectory:tool-used": _TRACE,
        "trace-error-spans": _TRACE,
        "trace-span-count": _TRACE,
        "trace-span-duration": _TRACE,
        "select-best": "it compares the answers of several models; `judge` with `pairwise` compares with a reference",
        "max-score": "it compares the answers of several models",
        "human": "a person gives the verdict",
    }
)
"""Types without an evaluator of ours; the words end a sentence."""

ASSERTION_TYPES = frozenset(
    [
        *(name for name in UNCONVERTED if name not in ("select-best", "max-score", "human")),
        *("bleu", "contains", "contains-all", "contains-any", "contains-html", "contains-json", "contains-sql"),
        *("contains-xml", "cost", "equals", "factuality", "finish-reason", "g-eval", "gleu", "icontains"),
        *("icontains-all", "icontains-any", "is-html", "is-json", "is-refusal", "is-sql", "is-valid-function-call"),
        *("is-valid-openai-function-call", "is-valid-openai-tools-call", "is-xml", "latency", "levenshtein"),
        *("llm-rubric", "model-graded-closedqa", "model-graded-factuality", "regex", "rouge-n", "similar"),
        *("similar:cosine", "similar:dot", "similar:euclidean", "starts-with", "tool-call-f1", "word-count"),
    ]
)
"""What a cell of `__expected` may begin with."""
