"""Calls every provider that does not speak OpenAI's protocol, through the `litellm` package.

Its retries, callbacks and start-up downloads are switched off, no variable of the environment sends it elsewhere, and
the answer is read from the recorded bytes wherever they are OpenAI's protocol.
"""

from __future__ import annotations

import asyncio
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from llmctl.canonical import plain
from llmctl.outcome import Outcome
from llmctl.providers.endpoints import ENDPOINT_VARIABLE, ENDPOINTS
from llmctl.providers.litellm_answers import read_exception, read_model_response, read_recorded
from llmctl.providers.openai_chat import malformed
from llmctl.providers.wire import Answer, Asked, Tape

if TYPE_CHECKING:
    import httpx

    from llmctl.providers.litellm_recording import Recording

__all__ = ["LitellmTransport"]

_OWN_CLIENT = frozenset(
    {"openai", "azure", "cerebras", "deepinfra", "llamafile", "lm_studio", "nvidia_nim", "perplexity"}
)
"""Providers for which litellm uses OpenAI's SDK, whose HTTP client is set for the whole module."""
_HANDLED = frozenset({"anthropic", "bedrock", "cohere", "cohere_chat", "gemini", "vertex_ai", *ENDPOINTS}) - _OWN_CLIENT
"""Providers for which litellm takes an HTTP handler with each call."""
_END_OF_STREAM = {"anthropic": b'"message_stop"', "gemini": b'"finishReason"', "vertex_ai": b'"finishReason"'}
_STREAMED = frozenset({"azure", *_END_OF_STREAM, *ENDPOINTS})
"""Where the end of a stream can be told from a stream that broke off. Others are asked for the whole answer."""
_PASSES_ADDRESSES_ON = frozenset({"azure", *ENDPOINTS}) - {"ollama", "ollama_chat"}
"""Providers that get the address of an image or file as it stands. For others litellm may fetch it, from anywhere."""
_WOULD_FETCH = "Not sent: litellm would fetch the image or file from its address; give it as a file of the project."


class LitellmTransport:
    """The `litellm` module, imported when it is first needed, with clients that record."""

    def __init__(self, slots: int, environ: Mapping[str, str], *, timeout_s: float) -> None:
        self.slots = slots
        self._environ = environ
        self._timeout_s = timeout_s
        self._litellm: Any = None
        self._handler: Any = None
        self._client: httpx.AsyncClient | None = None
        self._changed: dict[str, str | None] = {}
        """Variables of the process as they were."""

    async def start(self) -> None:
        """Import `litellm` (4 s, in a thread) and give it clients that record."""
        if self._litellm is not None:
            return
        self._set_variables()
        # Its translations warn about their own types (pydantic, `ReadOnly`); nobody who reads that can act on it.
        warnings.filterwarnings("ignore", module=r"(?:litellm|openai|pydantic)(?:\.|$)")
        # A deadline may come while it still makes its coroutine, in a thread.
        warnings.filterwarnings("ignore", message=r"coroutine '\S*acompletion' was never awaited")
        module = await asyncio.to_thread(_imported)
        self._client, self._handler = _recording_clients()
        module.aclient_session = self._client
        module.disable_aiohttp_trust_env = True  # the proxies that the environment names
        self._litellm = module

    async def send(self, asked: Asked, tape: Tape) -> Answer:
        """One call of `litellm.acompletion`."""
        from llmctl.providers.litellm_recording import CURRENT, AnswerTaken, Recording

        if self._litellm is None:
            raise RuntimeError("the transport was not started")
        if asked.route.provider not in _PASSES_ADDRESSES_ON and _holds_address(asked.request.messages):
            return Answer(Outcome.BAD_REQUEST, error=_WOULD_FETCH, sent=False)
        recording = Recording(tape)
        token = CURRENT.set(recording)
        try:
            answer = await self._answer(self._litellm, asked, recording)
        except AnswerTaken:
            answer = read_recorded(recording) or malformed("The answer holds nothing")
        # litellm raises its own classes, those of every SDK below it, and plain ones from its translations.
        except Exception as error:
            answer = read_recorded(recording) or read_exception(error, recording)
        finally:
            CURRENT.reset(token)
        if answer.outcome is Outcome.MALFORMED:
            tape.trim()
        if asked.streamed and answer.output and not tape.shown:
            tape.pass_on(answer.output)
        return answer

    async def close(self) -> None:
        """Close the clients, forget those that litellm keeps, and put the environment back."""
        if self._litellm is not None and self._client is not None:
            self._litellm.aclient_session = None
            await self._handler.close()
            await self._client.aclose()
            from litellm.llms.custom_httpx.async_client_cleanup import close_litellm_async_clients

            close_clients: Any = close_litellm_async_clients
            await close_clients()
            self._litellm.in_memory_llm_clients_cache.flush_cache()
            self._litellm = None
        for name, value in self._changed.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._changed = {}

    async def _answer(self, module: Any, asked: Asked, recording: Recording) -> Answer:
        streamed = asked.streamed and asked.route.provider in _STREAMED
        response = await module.acompletion(**self._arguments(asked, recording.tape, streamed))
        if not streamed:
            return read_recorded(recording) or read_model_response(response, recording)
        chunks = []
        async for chunk in response:
            chunks.append(chunk)
            _show(chunk, recording)
        ended = _END_OF_STREAM.get(asked.route.provider, b"") in recording.tape.body
        return read_model_response(module.stream_chunk_builder(chunks), recording, ended=ended)

    def _arguments(self, asked: Asked, tape: Tape, streamed: bool) -> dict[str, Any]:
        route, request = asked.route, asked.request
        arguments: dict[str, Any] = {
            **plain(request.params),
            **plain(request.options),
            "model": route.model,
            # litellm changes what it is given.
            "messages": orjson.loads(orjson.dumps(request.messages)),
            "stream": streamed,
            "timeout": self._timeout_s + 5,  # the gateway's deadline comes first
            "max_retries": 0,
            "num_retries": 0,
            "drop_params": False,
            "no-log": True,
            "logger_fn": _Notes(tape),
            # With tools litellm would import its MCP gateway, whose dependencies it does not install.
            "_skip_mcp_handler": True,
        }
        if request.tools:
            arguments["tools"] = orjson.loads(orjson.dumps(request.tools))
        if request.tool_choice is not None:
            arguments["tool_choice"] = request.tool_choice
        if request.response_format is not None:
            arguments["response_format"] = request.response_format
        if streamed and route.stream_options:
            arguments["stream_options"] = {"include_usage": True}
        if route.url:
            arguments["api_base"] = route.url.removesuffix("/chat/completions")
        # Without a key litellm would look for one in its own way; a server of one's own machine gets none.
        key = asked.api_key or ("none" if route.provider in ENDPOINTS else None)
        if key is not None:
            arguments["api_key"] = key
        if route.provider in _HANDLED:
            arguments["client"] = self._handler
        return arguments

    def _set_variables(self) -> None:
        """Make the process's environment the gateway's own, without the variables that move an endpoint."""
        wanted: dict[str, str | None] = {name: value for name, value in self._environ.items() if name not in os.environ}
        wanted |= {name: None for name in {*os.environ, *self._environ} if ENDPOINT_VARIABLE.search(name)}
        # Prices of the installed version instead of a download; no `.env` that nobody asked for.
        wanted |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
        for name, value in wanted.items():
            self._changed.setdefault(name, os.environ.get(name))
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class _Notes:
    """Takes request and answer from litellm's own log where its HTTP client is not ours (AWS's SDK, for one)."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __call__(self, details: Mapping[str, Any]) -> None:
        sent = (details.get("additional_args") or {}).get("complete_input_dict")
        if sent and not self._tape.request_body:
            self._tape.request_body = sent.encode() if isinstance(sent, str) else orjson.dumps(sent, default=str)
        answer = details.get("original_response")
        if isinstance(answer, str) and self._tape.status is None and not self._tape.body:
            self._tape.add(answer.encode("utf-8", "replace"))


def _recording_clients() -> tuple[httpx.AsyncClient, Any]:
    """The HTTP client for OpenAI's SDK and the handler for litellm's own code; a redirect would carry the key away."""
    import httpx
    from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

    from llmctl.providers.litellm_recording import RecordingTransport
    from llmctl.providers.litellm_session import open_session

    transport = RecordingTransport(LiteLLMAiohttpTransport(client=open_session))
    client = httpx.AsyncClient(transport=transport, timeout=None, follow_redirects=False)
    return client, AsyncHTTPHandler(transport=transport, follow_redirects=False)


def _imported() -> Any:
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = False
    litellm.num_retries = None
    litellm.callbacks = []
    return litellm


def _holds_address(messages: Sequence[Mapping[str, object]]) -> bool:
    """Whether a part other than text is to be fetched from somewhere."""
    contents = (message.get("content") for message in messages)
    parts = (part for content in contents if isinstance(content, list | tuple) for part in content)
    return any(_is_address(part) for part in parts if isinstance(part, Mapping) and part.get("type") != "text")


def _is_address(value: object) -> bool:
    match value:
        case str():
            return "://" in value[:40]
        case Mapping():
            return any(map(_is_address, value.values()))
        case _:
            return False


def _show(chunk: Any, recording: Recording) -> None:
    choices = getattr(chunk, "choices", None)
    text = getattr(choices[0].delta, "content", None) if choices else None
    if isinstance(text, str) and text:
        recording.tape.show(text, recording.times.last_at if recording.times else None)
