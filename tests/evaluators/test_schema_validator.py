"""The validator fetches and opens nothing, even for a schema that slipped past the check."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from referencing.exceptions import Unresolvable

from llmctl.evaluators.structure.schema_validator import make_validator, violations


def test_no_request_is_made() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        validator = make_validator({"$ref": f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"})
        with pytest.raises(Unresolvable):
            violations(validator, 1, 1)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_no_file_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"const": "secret"}', encoding="utf-8")
    with pytest.raises(Unresolvable) as caught:
        violations(make_validator({"$ref": file.as_uri()}), 1, 1)
    assert "secret" not in str(caught.value)
