from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmctl.providers.http.request import Origin, request_head


@pytest.mark.parametrize(
    ("url", "origin", "target", "host"),
    [
        ("http://h", Origin("h", 80), "/", "h"),
        ("https://h", Origin("h", 443, tls=True), "/", "h"),
        ("http://h:8080/v1", Origin("h", 8080), "/v1", "h:8080"),
        ("http://h:443/", Origin("h", 443), "/", "h:443"),
        ("https://H.Example:443/V1", Origin("h.example", 443, tls=True), "/V1", "h.example"),
        ("http://[::1]:8/x", Origin("::1", 8), "/x", "[::1]:8"),
        ("http://my_service/x", Origin("my_service", 80), "/x", "my_service"),
        (
            "http://bücher.example/ü?ä=ö",
            Origin("xn--bcher-kva.example", 80),
            "/%C3%BC?%C3%A4=%C3%B6",
            "xn--bcher-kva.example",
        ),
        ("http://h?x=1", Origin("h", 80), "/?x=1", "h"),
        ("http://h/a/../b//c?d=e f&g=%2F#top", Origin("h", 80), "/a/../b//c?d=e%20f&g=%2F", "h"),
        ("http://h/a\r\nX: y", Origin("h", 80), "/a%0D%0AX:%20y", "h"),
    ],
)
def test_addresses(url: str, origin: Origin, target: str, host: str) -> None:
    head = request_head("GET", url, {})
    assert head.origin == origin
    assert head.with_body(None) == f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h/v1",
        "ftp://h/",
        "http://",
        "http:///v1",
        "http://h:port/",
        "http://h:99999/",
        "http://user:password@h/",
        "http://user@h/",
        "http://a b/",
        "http://a\r\nX: y/",
        "http://[::1/",
        "http://h\0/",
        "http://..ü/",
        "http://h/\ud800",
        "HTTP://h/",
    ],
)
def test_no_addresses(url: str) -> None:
    with pytest.raises(ValueError, match="is not an address that can be called"):
        request_head("POST", url, {})


@pytest.mark.parametrize("value", ["a\r\nInjected: b", "a\nb", "a\rb", "a\0b", "a\x1b[2J", "\x7f", "a\ud800"])
def test_a_header_cannot_bring_in_another_one(value: str) -> None:
    with pytest.raises(ValueError, match="the header X-Case would hold a line end") as caught:
        request_head("POST", "http://h/", {"X-Case": value})
    assert value not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ü", "Host", "content-length", "Transfer-Encoding"])
def test_names_that_no_header_can_have_here(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be set"):
        request_head("POST", "http://h/", {name: "x"})


def test_headers_stand_as_they_are_given() -> None:
    head = request_head("POST", "http://h/", {"X-a": "grün\t1", "Connection": "Close"})
    assert head.with_body(b"ab") == (
        "POST / HTTP/1.1\r\nHost: h\r\nX-a: grün\t1\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nab".encode()
    )
    assert not head.keep_alive and request_head("POST", "http://h/", {}).keep_alive
    assert head.with_body(b"").endswith(b"Content-Length: 0\r\n\r\n")


@given(target=st.text(), value=st.text())
def test_nothing_breaks_out_of_its_line(target: str, value: str) -> None:
    try:
        head = request_head("POST", f"http://h/{target}", {"X": value})
    except ValueError:
        return
    line, host, header, *rest = head.with_body(None).split(b"\r\n")
    assert len(line.split(b" ")) == 3 and line.endswith(b" HTTP/1.1")
    assert (host, header, rest) == (b"Host: h", f"X: {value}".encode(), [b"", b""])
