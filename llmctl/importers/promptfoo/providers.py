"""promptfoo's providers as models of `llmctl.toml`; an HTTP provider becomes the target of a prompt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from llmctl.errors import ProjectError, UsageError
from llmctl.importers.conversion import Notes
from llmctl.importers.drafts import ModelDraft
from llmctl.importers.naming import Names, slug
from llmctl.importers.promptfoo.config import At, Reader, children, code_file, names_file
from llmctl.importers.promptfoo.expressions import pointer_of
from llmctl.importers.promptfoo.provider_names import PARAMETERS, model_of
from llmctl.project.models import ModelConfig
from llmctl.providers.routes import resolve

__all__ = ["HttpEndpoint", "Provider", "Providers"]

_KEYS = frozenset({"id", "label", "config", "prompts", "transform", "delay", "env"})
_OF_PROMPT = ("tools", "tool_choice", "response_format")
_BASES = ("apiBaseUrl", "apiBase", "baseUrl", "base_url", "api_base")
_RENAMED = {"maxTokens": "max_tokens", "topP": "top_p", "topK": "top_k", "stop_sequences": "stop"}
_RENAMED |= {"maxOutputTokens": "max_tokens", "num_predict": "max_tokens", "max_output_tokens": "max_tokens"}
_RENAMED |= {"max_new_tokens": "max_tokens", "max_gen_len": "max_tokens", "stopSequences": "stop"}
_OPTIONS = {
    ("bedrock", "region"): "aws_region_name",
    ("vertex_ai", "region"): "vertex_location",
    ("vertex_ai", "projectId"): "vertex_project",
    ("azure", "apiVersion"): "api_version",
}
"""Settings that are options of the route, by the prefix of the model string."""
_REASONING = re.compile(r"(?:^|/)(?:o\d|gpt-[5-9])")
_HTTP_KEYS = frozenset({"url", "method", "headers", "body", "transformResponse", "responseParser"})
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_SECRET_HEADER = re.compile(r"authorization|api[-_]?key|token|secret|cookie", re.IGNORECASE)
_ENVIRONMENT = re.compile(r"^(?P<prefix>[^{]*)\{\{\s*env\.(?P<name>[A-Za-z_]\w*)\s*\}\}$")


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """An application behind HTTP; its body still holds `{{prompt}}`."""

    url: str
    method: str
    headers: Mapping[str, object]
    body: object
    output: str | None


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider, and what of it belongs to the prompts that it is sent."""

    id: str
    label: str | None
    model: ModelDraft | None = None
    http: HttpEndpoint | None = None
    for_prompt: Mapping[str, object] = field(default_factory=dict)
    """`tools`, `tool_choice`, `response_format`."""
    prompts: tuple[str, ...] | None = None
    """Labels of the prompts that it gets; None: all."""

    def is_called(self, name: str) -> bool:
        """Whether a test's `provider` or `providers` means this one."""
        return name in (self.id, self.label) or self.id.startswith(f"{name}:")


class Providers:
    """Converts providers, each model once."""

    def __init__(self, reader: Reader, known: Mapping[str, ModelConfig]) -> None:
        self.reader = reader
        self.notes: Notes = reader.notes
        self._known = known
        self._names = Names(frozenset(known))
        self._made: dict[str, ModelDraft] = {}
        self.new_models: list[ModelDraft] = []
        """Those that `llmctl.toml` does not hold yet."""

    def list(self) -> list[Provider]:
        """All providers of the config that could be converted."""
        key = "targets" if "targets" in self.reader.data else "providers"
        return [
            one
            for item, at in self._items(self.reader.data.get(key), self.reader.at / key)
            if (one := self.one(item, at))
        ]

    def one(self, item: object, at: At) -> Provider | None:
        """One provider in any of its spellings; None with a note."""
        if isinstance(item, str):
            return self._provider(item, {}, at)
        if not isinstance(item, dict):
            self.notes.left_out("providers", "A provider is a text or a mapping.", at.place)
            return None
        if isinstance(item.get("id"), str):
            return self._provider(item["id"], item, at)
        if len(item) == 1:
            name, options = next(iter(item.items()))
            return self._provider(name, options if isinstance(options, dict) else {}, at)
        self.notes.left_out("providers", "The provider has no `id`.", at.place)
        return None

    def _items(self, value: object, at: At) -> Iterator[tuple[object, At]]:
        for index, item in enumerate(children(value) if value is not None else ()):
            here = at / index if isinstance(value, list) else at
            if names_file(item) and not code_file(str(item)):
                yield from self._from_file(str(item), here)
            else:
                yield item, here

    def _from_file(self, named: str, at: At) -> Iterator[tuple[object, At]]:
        try:
            document = self.reader.document(named, at)
        except ProjectError as error:
            self.notes.left_out(named, error.problems[0].message, at.place)
            return
        for index, item in enumerate(children(document.data)):
            yield item, At(document) / index if isinstance(document.data, list) else At(document)

    def _provider(self, provider_id: str, options: Mapping[str, object], at: At) -> Provider | None:
        for key in options:
            if key not in _KEYS:
                self.notes.left_out(f"provider key {key}", "llmctl has nothing for it.", (at / key).place)
        config = options.get("config")
        config = config if isinstance(config, dict) else {}
        self._odd_keys(options, at)
        label = options.get("label")
        label = label if isinstance(label, str) else None
        prompts = options.get("prompts")
        allowed = tuple(one for one in children(prompts) if isinstance(one, str)) if prompts else None
        if provider_id in ("http", "https") or provider_id.startswith(("http://", "https://")):
            http = self._http(provider_id, config, at)
            return None if http is None else Provider(provider_id, label, http=http, prompts=allowed)
        model = self._model(provider_id, label, config, at)
        if model is None:
            return None
        return Provider(provider_id, label, model, None, self._for_prompt(config, at), allowed)

    def _odd_keys(self, options: Mapping[str, object], at: At) -> None:
        if options.get("transform"):
            why = "A provider's `transform` is a program; `extract` beside an evaluator takes a part of the output."
            self.notes.left_out("provider transform", why, (at / "transform").place)
        if options.get("delay"):
            why = "Write `requests_per_minute` below the model in llmctl.toml."
            self.notes.left_out("provider delay", why, (at / "delay").place)
        if options.get("env"):
            self.notes.left_out("provider env", "Keys come from the environment.", (at / "env").place)

    def _model(self, provider_id: str, label: str | None, config: Mapping[str, object], at: At) -> ModelDraft | None:
        if provider_id == "echo":
            data: dict[str, object] = {"model": "fake/echo"}
            return self._named(provider_id, label or "echo", data, at)
        if names_file(provider_id) or code_file(provider_id):
            why = "It is a program; a prompt with `target: {python: file.py:function}` or `command` can call one."
            self.notes.left_out(provider_id, why, at.place)
            return None
        found = model_of(provider_id)
        if isinstance(found, str):
            self.notes.left_out(provider_id, f"No model was made of it: {found}.", at.place)
            return None
        name, family = found
        data = {"model": name, **self._settings(config, at)}
        data.setdefault("api_base", family.api_base)
        options = {
            option: str(config[key])
            for (prefix, key), option in _OPTIONS.items()
            if prefix == family.prefix and config.get(key) is not None and not _holds_template(config[key])
        }
        params = self._params({key: value for key, value in config.items() if (family.prefix, key) not in _OPTIONS}, at)
        if family.sends and not _REASONING.search(name):
            missing = {
                key: value for key, value in family.sends.items() if key not in params and not _limits(key, params)
            }
            if missing and not config.get("omitDefaults"):
                said = ", ".join(f"{key} = {value}" for key, value in missing.items())
                why = f"promptfoo sends {said} where a config says nothing; it is written out."
                self.notes.converted(f"defaults of {provider_id.partition(':')[0]}", why)
                params = {**missing, **params}
        data["params"], data["options"] = params or None, options or None
        problem = _route_problem(data)
        if problem:
            self.notes.left_out(provider_id, f"No model was made of it: {problem}", at.place)
            return None
        return self._named(provider_id, label or name.rpartition("/")[2], data, at)

    def _named(self, provider_id: str, wanted: str, data: Mapping[str, object], at: At) -> ModelDraft:
        data = {key: value for key, value in data.items() if value is not None}
        identity = json.dumps(data, sort_keys=True, default=str)
        if identity in self._made:
            return self._made[identity]
        for name, known in self._known.items():
            if _same(known, data):
                draft = ModelDraft(name, data)
                self.notes.converted(provider_id, f"model `{name}`, as llmctl.toml has it", at.place)
                break
        else:
            draft = ModelDraft(self._names.new(slug(wanted, "model")), data)
            self.new_models.append(draft)
            self.notes.converted(provider_id, f"model `{draft.name}` ({data['model']})", at.place)
        self._made[identity] = draft
        return draft

    def _settings(self, config: Mapping[str, object], at: At) -> dict[str, object]:
        """Where the model is and which variable holds its key; a key itself is never copied."""
        settings: dict[str, object] = {}
        for key in _BASES:
            if isinstance(config.get(key), str):
                settings["api_base"] = config[key]
        host = config.get("apiHost")
        if isinstance(host, str):
            settings["api_base"] = host if host.startswith(("http://", "https://")) else f"https://{host}"
        base = settings.get("api_base")
        if base is not None and not str(base).startswith(("http://", "https://")):
            self.notes.left_out("apiBaseUrl", "It is no URL as it stands; set `api_base` by hand.", at.place)
            settings["api_base"] = None
        variable = config.get("apiKeyEnvar")
        if isinstance(variable, str) and re.fullmatch(r"[A-Za-z_]\w*", variable):
            settings["api_key_env"] = variable
        if config.get("apiKey"):
            found = re.fullmatch(r"\{\{\s*env\.([A-Za-z_]\w*)\s*\}\}", str(config["apiKey"]))
            if found:
                settings.setdefault("api_key_env", found[1])
            else:
                why = "A key is not copied into a file; name the variable that holds it as `api_key_env`."
                self.notes.left_out("apiKey", why, (at / "config" / "apiKey").place)
        return settings

    def _params(self, config: Mapping[str, object], at: At) -> dict[str, object]:
        params: dict[str, object] = {}
        known = {*_BASES, *_OF_PROMPT, "apiHost", "apiKeyEnvar", "apiKey", "omitDefaults"}
        for key, value in config.items():
            name = _RENAMED.get(key, key)
            if value is None or key in known:
                continue
            if key in ("passthrough", "inferenceConfig", "generationConfig") and isinstance(value, dict):
                params |= self._params(value, at)
            elif key == "reasoning" and isinstance(value, dict) and set(value) == {"effort"}:
                params["reasoning_effort"] = value["effort"]
            elif name in PARAMETERS and not _holds_template(value):
                params[name] = value
            else:
                why = "It is not copied; where the provider knows it, write it under `params` or `options`."
                self.notes.left_out(f"provider setting {key}", why, (at / "config" / key).place)
        return params

    def _for_prompt(self, config: Mapping[str, object], at: At) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for key in _OF_PROMPT:
            if config.get(key) is None:
                continue
            value = self._loaded(config[key], at / "config" / key)
            if value is not None:
                found[key] = value
        return found

    def _loaded(self, value: object, at: At) -> object:
        """A value with the files in it read."""
        if isinstance(value, str) and names_file(value):
            if code_file(value):
                self.notes.left_out(value, "It is a program, which an import does not run.", at.place)
                return None
            try:
                return self.reader.document(value, at).data
            except ProjectError as error:
                self.notes.left_out(value, error.problems[0].message, at.place)
                return None
        if isinstance(value, list):
            return [item for one in value if (item := self._loaded(one, at)) is not None]
        if isinstance(value, dict):
            return {key: self._loaded(item, at / key) for key, item in value.items()}
        return value

    def _http(self, provider_id: str, config: Mapping[str, object], at: At) -> HttpEndpoint | None:
        url = config.get("url") or provider_id
        method = str(config.get("method") or ("POST" if config.get("body") is not None else "GET")).upper()
        if (
            not isinstance(url, str)
            or not urlsplit(url).hostname
            or "{{" in url.split("/")[2]
            or method not in _METHODS
        ):
            self.notes.left_out(provider_id, "Its address or its method is not one that llmctl calls.", at.place)
            return None
        for key in config:
            if key not in _HTTP_KEYS:
                self.notes.left_out(f"http setting {key}", "llmctl has nothing for it.", (at / "config" / key).place)
        output = self._output(config.get("transformResponse") or config.get("responseParser"), at)
        headers = dict(self._headers(config.get("headers"), at))
        body = config.get("body")
        body = _json_or_text(body) if isinstance(body, str) else body
        self.notes.converted(provider_id, "a prompt with `target: {http: ...}`", at.place)
        return HttpEndpoint(url, method, headers, body if method not in ("GET", "DELETE") else None, output)

    def _output(self, transform: object, at: At) -> str | None:
        if transform is None:
            return None
        pointer = pointer_of(str(transform), roots=("json", "response"))
        if pointer is None:
            why = "It is a program; say where the answer stands as `output: /path` in the prompt's target."
            self.notes.left_out("transformResponse", why, (at / "config" / "transformResponse").place)
        return pointer or None

    def _headers(self, headers: object, at: At) -> Iterator[tuple[str, object]]:
        for name, value in (headers if isinstance(headers, dict) else {}).items():
            text = str(value)
            variable = _ENVIRONMENT.match(text)
            if name.lower() in ("host", "content-length", "connection", "transfer-encoding"):
                continue
            if variable:
                yield name, {"env": variable["name"], **({"prefix": variable["prefix"]} if variable["prefix"] else {})}
            elif _SECRET_HEADER.search(name) or "env." in text:
                why = "A secret is not copied into a file; write {env: NAME} as the header's value."
                self.notes.left_out(f"header {name}", why, (at / "config" / "headers" / name).place)
            else:
                yield name, text


def _holds_template(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


def _limits(key: str, params: Mapping[str, object]) -> bool:
    return key == "max_tokens" and "max_completion_tokens" in params


def _route_problem(data: Mapping[str, object]) -> str | None:
    """Why llmctl cannot ask a model; None where it can."""
    known = {key: value for key, value in data.items() if value is not None}
    try:
        resolve(ModelConfig(name="imported", **known))  # type: ignore[arg-type]
    except UsageError as error:
        return error.message
    return None


def _same(known: ModelConfig, data: Mapping[str, object]) -> bool:
    return (
        known.model == data["model"]
        and dict(known.params) == (data.get("params") or {})
        and known.api_base == data.get("api_base")
        and known.api_key_env == data.get("api_key_env")
        and dict(known.options) == (data.get("options") or {})
    )


def _json_or_text(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
