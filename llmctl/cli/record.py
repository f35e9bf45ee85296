"""`llmctl record`: a pass-through in front of a provider that writes every call down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    import asyncio
    from contextlib import AbstractAsyncContextManager

    from rich.console import Console

    from llmctl.cli.session import Session
    from llmctl.traffic.recorder.child_writer import ChildWriter
    from llmctl.traffic.recorder.upstream import Upstream

__all__ = ["record"]

_LOCAL = "local/"
_SWITCH_S = 0.0002
"""How long another thread may keep the interpreter from the one that passes on; 5 ms by default."""


def record(
    ctx: typer.Context,
    upstream: Annotated[
        str, typer.Option("--upstream", "-u", metavar="URL", help="Where calls go on to; or local/NAME, a local model.")
    ],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="To listen on; 0: any free one.")] = 8080,
    host: Annotated[
        str, typer.Option("--host", help="To listen on. Anything but loopback lets others on the network in.")
    ] = "127.0.0.1",
    prompt_header: Annotated[
        str,
        typer.Option(
            "--prompt-header", metavar="NAME", help="Header of a request that names its prompt: NAME or NAME@VERSION."
        ),
    ] = "X-Llmctl-Prompt",
    grace: Annotated[
        float, typer.Option("--grace", metavar="SECONDS", min=0, help="How long answers may still take after Ctrl-C.")
    ] = 10.0,
) -> None:
    """Record calls: pass them on to a provider, unchanged, and write them down.

    Point a client's base URL at this address, with its usual key: any path is passed on, streams as they come. Keys
    are passed on and never written. Ctrl-C ends it in order; `llmctl traffic list` then shows what was recorded. Ends 4
    when a call could not be kept.
    """
    import asyncio
    import sys

    session: Session = ctx.obj
    _check(prompt_header)
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        asyncio.run(_record(session, upstream, (host, port), prompt_header.lower().encode(), grace))
    finally:
        sys.setswitchinterval(before)


def _check(prompt_header: str) -> None:
    if not prompt_header or not all(
        letter.isascii() and (letter.isalnum() or letter in "-_") for letter in prompt_header
    ):
        raise UsageError(f'"{prompt_header}" cannot be the name of a header.', hint="For example: X-Prompt")


async def _record(session: Session, address: str, at: tuple[str, int], prompt_header: bytes, grace_s: float) -> None:
    import asyncio

    from llmctl.cli.screen import stderr
    from llmctl.safe_text import safe_text
    from llmctl.traffic.journal import TrafficHead
    from llmctl.traffic.recorder.child_writer import ChildWriter
    from llmctl.traffic.recorder.server import Recorder, address_of
    from llmctl.traffic.recorder.setting import Setting

    store, console = session.config.store, stderr()
    keys = tuple(key.value for key in session.redactor.keys)

    def tell(sentence: str) -> None:
        console.print(f"Warning: {safe_text(sentence)}", style="yellow", soft_wrap=True)

    async with _opened(address) as upstream:
        setting = Setting(store, TrafficHead("record", (upstream.shown,)), keys, prompt_header, upstream.provider)
        writer = ChildWriter(setting, tell)
        try:
            recorder = Recorder(upstream, writer)
            port = await recorder.start(*at)
            stopped, again = _signals()  # before anybody is told that it runs, and may end it
            _say_start(console, address_of(at[0], port), upstream.shown, loopback=_is_loopback(at[0]))
            await stopped.wait()
            await recorder.stop(grace_s, again)
        finally:
            await asyncio.to_thread(writer.close)
    _finish(session, writer)


def _opened(address: str) -> AbstractAsyncContextManager[Upstream]:
    """What calls go on to."""
    from contextlib import nullcontext

    from llmctl.traffic.recorder.local import local_model
    from llmctl.traffic.recorder.upstream import upstream_of

    if address.startswith(_LOCAL):
        return local_model(address.removeprefix(_LOCAL))
    return nullcontext(upstream_of(address))


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first Ctrl-C or SIGTERM, and by the second one."""
    import asyncio
    import contextlib
    import signal

    stopped, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def received() -> None:
        (again if stopped.is_set() else stopped).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt ends the loop instead
            loop.add_signal_handler(number, received)
    return stopped, again


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _say_start(console: Console, address: str, upstream: str, *, loopback: bool) -> None:
    console.print(f"Recording {address} -> {upstream}. Ctrl-C ends it.", soft_wrap=True)
    if not loopback:
        console.print(
            "Warning: anybody who reaches this address can use it, and is recorded.", style="yellow", soft_wrap=True
        )


def _finish(session: Session, writer: ChildWriter) -> None:
    """What was done, and into the index with it."""
    from llmctl.cli.screen import stderr
    from llmctl.runs.store_reader import StoreReader
    from llmctl.safe_text import safe_text

    console = stderr()
    where = f" as {writer.import_id}" if writer.import_id else ""
    console.print(f"recorded {writer.recorded} {'call' if writer.recorded == 1 else 'calls'}{where}", soft_wrap=True)
    if writer.passed:
        said = ", ".join(f"{safe_text(what)} x {count}" for what, count in writer.passed.most_common(10))
        console.print(f"passed on, not calls of a model: {said}", soft_wrap=True)
    if writer.lost:
        said = ", ".join(f"{safe_text(why)} x {count}" for why, count in writer.lost.most_common())
        console.print(f"passed on, and not kept: {said}", style="yellow", soft_wrap=True)
    if writer.recorded and (later := StoreReader(session.config.store).refresh().later) is not None:
        console.print(f"The index does not hold them yet: {safe_text(later)}", soft_wrap=True)
    if writer.lost:
        raise typer.Exit(ExitCode.UNFINISHED)
