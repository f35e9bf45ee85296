"""What cases are run on: prompts by providers, cut into the rectangles that a bank can say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from llmctl.canonical import canonical_json
from llmctl.importers.conversion import Notes
from llmctl.importers.drafts import ModelDraft, PromptDraft
from llmctl.importers.naming import Names, slug
from llmctl.importers.promptfoo.config import At
from llmctl.importers.promptfoo.expansion import Expanded
from llmctl.importers.promptfoo.prompt_files import PromptBody, prompt_body, request_settings, target_body
from llmctl.importers.promptfoo.prompts import SourcePrompt
from llmctl.importers.promptfoo.providers import Provider, Providers

__all__ = ["Run", "Targets"]

_UNNAMED = ModelDraft("unnamed", {"model": "openai/name-of-a-model"})
_NO_MODEL = "No provider became a model; name one under [models.unnamed] in llmctl.toml."
_NO_PROMPT = "No prompt could be converted; write it into the prompt file that stands in for it."


@dataclass(frozen=True, slots=True)
class Run:
    """The prompts and models of one bank."""

    prompts: tuple[str, ...]
    models: tuple[str, ...]
    variables: frozenset[str]
    """What the prompts' templates use."""


@dataclass(slots=True)
class Targets:
    """Makes prompt files as cases ask for them."""

    base: str
    """What the import is called: the name of its only prompt, or the folder of several."""
    prompts: Sequence[SourcePrompt]
    providers: list[Provider]
    converter: Providers
    notes: Notes
    drafts: dict[bytes, PromptDraft] = field(default_factory=dict)
    _names: Names = field(default_factory=Names)
    _bodies: dict[tuple[int, str, str], PromptBody | None] = field(default_factory=dict)
    _own: dict[bytes, Provider | None] = field(default_factory=dict)

    @property
    def has_tools(self) -> bool:
        """Whether any prompt offers tools."""
        return any("tools" in one.for_prompt for one in self.providers) or any(
            "tools" in one.config for one in self.prompts
        )

    def runs(self, test: Expanded) -> tuple[Run, ...]:
        """What a test is run on; several where its prompts differ from model to model."""
        by_prompts: dict[tuple[str, ...], list[str]] = {}
        targets: list[str] = []
        variables: dict[str, frozenset[str]] = {}
        for provider in self._providers_of(test):
            made = list(self._prompts_for(provider, test))
            variables |= {draft.name: body.variables for draft, body in made}
            names = tuple(draft.name for draft, _ in made)
            if provider.http is not None:
                targets += names
            elif names and provider.model is not None:
                by_prompts.setdefault(names, []).append(provider.model.name)
        if not by_prompts and not targets:
            return (self._stand_in(test),)
        runs = list(by_prompts.items()) or [((), [])]
        return tuple(
            Run(
                (*prompts, *(targets if index == 0 else ())),
                tuple(dict.fromkeys(models)),
                frozenset().union(*(variables[name] for name in (*prompts, *(targets if index == 0 else ())))),
            )
            for index, (prompts, models) in enumerate(runs)
        )

    def _providers_of(self, test: Expanded) -> list[Provider]:
        if test.provider is not None:
            own = self._own_provider(test.provider, test.at / "provider")
            return [own] if own else []
        if test.providers is None:
            return self.providers
        return [one for one in self.providers if any(one.is_called(name) for name in test.providers)]

    def _own_provider(self, value: object, at: At) -> Provider | None:
        if isinstance(value, str):
            known = next((one for one in self.providers if one.is_called(value)), None)
            if known is not None:
                return known
        key = canonical_json(value)
        if key not in self._own:
            self._own[key] = self.converter.one(value, at)
        return self._own[key]

    def _prompts_for(self, provider: Provider, test: Expanded) -> Iterator[tuple[PromptDraft, PromptBody]]:
        for index, prompt in enumerate(self.prompts):
            allowed = (provider.prompts, test.prompts)
            if all(names is None or any(prompt.is_called(name) for name in names) for names in allowed):
                made = self._prompt_file(index, prompt, provider, test.options)
                if made is None:
                    continue
                if made[1].shows(test.vars):
                    yield made
                else:
                    why = "A provider reads images by their https address, or as a file part of a prompt."
                    self.notes.left_out("image of a case", why, test.at.place)

    def _prompt_file(
        self, index: int, prompt: SourcePrompt, provider: Provider, options: Mapping[str, object]
    ) -> tuple[PromptDraft, PromptBody] | None:
        prefix, suffix = str(options.get("prefix") or ""), str(options.get("suffix") or "")
        key = (index, prefix, suffix)
        if key not in self._bodies:
            self._bodies[key] = prompt_body(prompt, self.notes, prefix, suffix)
        body = self._bodies[key]
        if body is None:
            return None
        if provider.http is not None:
            found = None if body.text is None else target_body(provider.http, body.text)
            if found is None:
                why = "A chat, or a template that is not ours, cannot be put into the body of a request."
                self.notes.left_out(f"prompt for {provider.id}", why, prompt.at.place)
                return None
            return self._draft([*key, provider.id], prompt, found.data), found
        identity = [*key, provider.for_prompt]
        known = self.drafts.get(canonical_json(identity))
        if known is not None:
            return known, body
        settings = request_settings(provider.for_prompt, prompt, self.notes)
        model = {"model": provider.model.name} if provider.model else {}
        params = {"params": settings.pop("params")} if "params" in settings else {}
        return self._draft(identity, prompt, {**model, **params, **body.data, **settings}), body

    def _draft(self, identity: object, prompt: SourcePrompt, data: Mapping[str, object]) -> PromptDraft:
        key = canonical_json(identity)
        if key not in self.drafts:
            name = self.base
            if len(self.prompts) > 1:
                name = f"{self.base}/{slug(prompt.short or prompt.label, 'prompt')}"
            self.drafts[key] = PromptDraft(self._names.new(name), data)
            self.notes.converted("prompt", "a prompt file", prompt.at.place)
        return self.drafts[key]

    def _stand_in(self, test: Expanded) -> Run:
        """A prompt and a model to be filled in by hand, so that the cases have something to be run on."""
        model = next((one.model for one in self.providers if one.model), None)
        if model is None:
            model = _UNNAMED
            if _UNNAMED not in self.converter.new_models:
                self.converter.new_models.append(_UNNAMED)
                self.notes.left_out("providers", _NO_MODEL, (test.at).place)
        stand_in = Provider("stand-in", None, model)
        made = list(self._prompts_for(stand_in, test))
        if made:
            variables = frozenset[str]().union(*(body.variables for _, body in made))
            return Run(tuple(draft.name for draft, _ in made), (model.name,), variables)
        self.notes.left_out("prompts", _NO_PROMPT)
        key = canonical_json("stand-in")
        if key not in self.drafts:
            data = {"model": model.name, "template": "Write the prompt here.\n"}
            self.drafts[key] = PromptDraft(self._names.new(self.base), data)
        return Run((self.drafts[key].name,), (model.name,), frozenset())
