"""From a prompt and a model to the request, and to the key under which its answer is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from llmctl.canonical import digest
from llmctl.errors import Problem, ProjectError
from llmctl.project import templates
from llmctl.project.message_files import MessageFiles
from llmctl.project.models import ModelConfig, OutputFormat, Prompt
from llmctl.providers.recorded_request import recorded_request
from llmctl.providers.records import ChatRequest
from llmctl.providers.routes import RESERVED, Route
from llmctl.providers.sendable import sendable

__all__ = ["build_request", "call_key", "frame_for", "request_for", "request_in"]


# llama.cpp would go on from what it has read of an earlier prompt. Near ties then depend on the order of the calls:
# measured, 11 of 41 longer answers had other words at temperature 0.
_LOCAL_OPTIONS = {"cache_prompt": False}


def request_for(
    prompt: Prompt, model: ModelConfig, variables: Mapping[str, object], files: MessageFiles
) -> ChatRequest:
    """What is sent for one case, whatever the prompt is: messages to a model, or a payload to an application.

    Args:
        prompt: the prompt.
        model: who is asked; for an application `app_model(prompt)`.
        variables: the case's.
        files: where images and files of messages are read from.

    Raises:
        TemplateError: a template fails on the case's variables, or names a file that cannot be sent.
        ProjectError: the prompt and the model do not go together, whatever the case.
    """
    return request_in(lambda: frame_for(prompt, model), prompt, variables, files, model.drop)


def frame_for(prompt: Prompt, model: ModelConfig) -> ChatRequest:
    """The request without what differs from case to case.

    Raises:
        ProjectError: the prompt and the model do not go together.
    """
    return ChatRequest(model.model, ()) if prompt.target is not None else build_request(prompt, model, ())


def request_in(
    frame: Callable[[], ChatRequest],
    prompt: Prompt,
    variables: Mapping[str, object],
    files: MessageFiles,
    drop: Sequence[str] = (),
) -> ChatRequest:
    """What is sent for one case, in the frame that all of its target's requests have.

    `drop`: the parameters that the model does not take; the frame is without them already.

    Raises:
        TemplateError: a template fails on the case's variables, or names a file that cannot be sent.
        ProjectError: the prompt and the model do not go together; said after what is wrong with the case.
    """
    if prompt.target is not None:
        payload = sendable(templates.render_target(prompt.target, variables))
        return replace(frame(), payload=payload)
    if prompt.recorded:
        return recorded_request(frame(), variables, drop)
    messages = sendable(list(templates.render_messages(prompt, variables, files)))
    return replace(frame(), messages=tuple(messages))


def build_request(prompt: Prompt, model: ModelConfig, messages: Sequence[Mapping[str, object]]) -> ChatRequest:
    """The request for one case: the prompt's parameters, then the model's over them, then what the model drops.

    Over a logged request go the model's, then those of the prompt: they are what the user asks to change.

    Raises:
        ProjectError: a parameter that would change where the call goes, or ask for several answers at once; an image
            for a model that takes none.
    """
    both = {**model.params, **prompt.params} if prompt.recorded else {**prompt.params, **model.params}
    params = {name: value for name, value in both.items() if name not in model.drop}
    _check(prompt, params)
    if model.model.startswith("local/") and prompt.attaches:
        message = f'The prompt "{prompt.label}" holds an image or a file, and the local model takes text only.'
        raise ProjectError([Problem(message, prompt.place, "Choose another model for it.")])
    return ChatRequest(
        model=model.model,
        messages=tuple(sendable(message) for message in messages),
        params=sendable(params),
        tools=tuple(sendable(tool) for tool in prompt.tools),
        tool_choice=sendable(prompt.tool_choice),
        response_format=_response_format(prompt),
        options=sendable({**_LOCAL_OPTIONS, **model.options} if model.model.startswith("local/") else model.options),
    )


def call_key(route: Route, request: ChatRequest, repeat: int) -> str:
    """SHA-256 over everything that can change the answer, and the number of the draw."""
    # Keys of calls to models stay what they were before there were applications.
    payload = () if request.payload is None else (request.payload,)
    return digest(
        route.provider,
        route.wire_model,
        route.identity,
        route.url,
        request.messages,
        request.tools,
        request.tool_choice,
        request.params,
        request.response_format,
        request.options,
        repeat,
        *payload,
    )


def _check(prompt: Prompt, params: Mapping[str, object]) -> None:
    reserved = sorted(RESERVED & set(params))
    if reserved:
        message = f'"{reserved[0]}" cannot be a parameter of the prompt "{prompt.label}".'
        raise ProjectError([Problem(message, prompt.place, "What a model is and where it runs stands in llmctl.toml.")])
    if params.get("n", 1) != 1:
        message = f'The prompt "{prompt.label}" asks for several answers in one call (n: {params["n"]}).'
        raise ProjectError([Problem(message, prompt.place, "Use --repeat: each answer is then kept as its own draw.")])


def _response_format(prompt: Prompt) -> Mapping[str, object] | None:
    if prompt.output is not OutputFormat.JSON:
        return None
    if prompt.schema is None:
        return {"type": "json_object"}
    schema = {"name": "output", "strict": True, "schema": sendable(prompt.schema)}
    return {"type": "json_schema", "json_schema": schema}
