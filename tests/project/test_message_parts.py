from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from llmctl.project import message_files
from llmctl.project.message_files import Attachment, MessageFileError, MessageFiles
from llmctl.project.models import FilePart, ImagePart, Message, Prompt, TextPart
from llmctl.project.templates import TemplateError, prompt_variables, render_messages, template_problems
from tests.project.files import Files

PROMPT = """\
messages:
  - role: user
    content:
      - text: |-
          What is in
          {{ name }}?
      - image: {file: "images/{{ name }}"}
      - image: {url: "https://pictures.example/{{ name }}"}
      - file: {file: docs/terms.pdf}
"""
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


def data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def test_every_part_arrives(files: Files) -> None:
    (message,) = files.prompt(PROMPT).messages
    assert isinstance(message, Message)
    text, image, picture, document = tuple(message.content)
    assert isinstance(text, TextPart)
    assert (text.text, str(text.place)) == ("What is in\n{{ name }}?", "prompts/p.yaml:5:1")
    assert isinstance(image, ImagePart)
    assert (image.file, image.url) == ("images/{{ name }}", None)
    assert isinstance(picture, ImagePart)
    assert (picture.file, picture.url) == (None, "https://pictures.example/{{ name }}")
    assert isinstance(document, FilePart)
    assert document.file == "docs/terms.pdf"


def test_a_text_may_lie_in_a_file(files: Files) -> None:
    files.write("prompts/question.txt", "Why {{ x }}?\n")
    (message,) = files.prompt("messages: [{role: user, content: [{text: {file: question.txt}}]}]").messages
    assert isinstance(message, Message)
    (part,) = tuple(message.content)
    assert isinstance(part, TextPart)
    assert (part.text, str(part.place)) == ("Why {{ x }}?\n", "prompts/question.txt:1:1")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "1:34: `content` is empty."),
        ("[{}]", "1:35: A part of a message has one of `text`, `image`, `file`, not none of them."),
        ("[{text: a, image: {url: b}}]", "1:35: A part of a message has one of `text`, `image`, `file`, not 2 of"),
        ("[{image: {}}]", "1:43: An image has one of `file`, `url`, not none of them."),
        ("[{image: {file: a, url: b}}]", "1:43: An image has one of `file`, `url`, not 2 of them."),
        ("[{image: a.png}]", "1:43: `image` must be a mapping, not the text `a.png`."),
        ("[{imgae: {file: a}}]", "1:36: There is no key `imgae`."),
        ("[{file: {file: a, path: b}}]", "1:52: There is no key `path` in `file`."),
        ("[hello]", "1:35: Item 1 of `content` must be a mapping, not the text `hello`."),
    ],
)
def test_one_sentence_for_one_mistake(files: Files, content: str, said: str) -> None:
    assert files.try_prompt(f"messages: [{{role: user, content: {content}}}]") is None
    assert files.said()[0].startswith(f"prompts/p.yaml:{said}")


def test_a_misspelt_part_is_recognised(files: Files) -> None:
    files.try_prompt("messages: [{role: user, content: [{imgae: {file: a}}]}]")
    assert files.problems[0].hint == "Did you mean `image`?"


def test_a_mistake_in_a_part_stands_on_its_line(files: Files) -> None:
    prompt = files.prompt(PROMPT.replace("{{ name }}?", "{{ name ?"))
    (problem,) = template_problems(prompt)
    assert (str(problem.place), problem.excerpt) == ("prompts/p.yaml:6", "{{ name ?")
    assert prompt_variables(files.prompt(PROMPT)) == {"name"}


def test_the_digest_covers_the_parts(files: Files) -> None:
    changes = [
        PROMPT,
        PROMPT.replace("images/", "pictures/"),
        PROMPT.replace("terms.pdf", "other.pdf"),
        PROMPT.replace("What is", "Who is"),
        PROMPT.replace("https:", "http:"),
        PROMPT.replace("image: {file", "file: {file"),
    ]
    assert len({files.prompt(text).digest for text in changes}) == len(changes)


def test_parts_are_sent_as_openai_takes_them(files: Files) -> None:
    files.write("images/a.txt", PNG)
    files.write("docs/terms.pdf", b"%PDF-1.7 ...")
    (message,) = render_messages(files.prompt(PROMPT), {"name": "a.txt"}, MessageFiles(files.root))
    assert message == {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is in\na.txt?"},
            {"type": "image_url", "image_url": {"url": data_url("image/png", PNG)}},
            {"type": "image_url", "image_url": {"url": "https://pictures.example/a.txt"}},
            {
                "type": "file",
                "file": {"filename": "terms.pdf", "file_data": data_url("application/pdf", b"%PDF-1.7 ...")},
            },
        ],
    }


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0jfif", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"GIF87a...", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8", "image/webp"),
    ],
)
def test_an_image_is_known_by_its_bytes(tmp_path: Path, data: bytes, kind: str) -> None:
    (tmp_path / "a.bmp").write_bytes(data)
    assert MessageFiles(tmp_path).image("a.bmp") == Attachment("a.bmp", data_url(kind, data))
    assert MessageFiles(tmp_path).file("a.bmp").data_url == data_url(kind, data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [("grün".encode(), "text/plain"), (b"\xff\xfe", "application/octet-stream"), (b"a\0b", "application/octet-stream")],
)
def test_other_files(tmp_path: Path, data: bytes, kind: str) -> None:
    (tmp_path / "a").write_bytes(data)
    assert MessageFiles(tmp_path).file("a").data_url == data_url(kind, data)
    with pytest.raises(MessageFileError, match="a is no PNG, JPEG, GIF or WebP image"):
        MessageFiles(tmp_path).image("a")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "a file's path is empty"),
        ("missing.png", "there is no file missing.png"),
        ("a.png/b", "there is no file a.png/b"),
        ("folder", "folder is not a regular file"),
        ("pipe", "pipe is not a regular file"),
        ("empty.png", "empty.png is empty"),
        ("large.png", "large.png is larger than 0 MB"),
        ("../outside.png", "../outside.png lies outside the project"),
        ("folder/../../outside.png", "folder/../../outside.png lies outside the project"),
        ("link.png", "link.png lies outside the project"),
        ("linked/outside.png", "linked/outside.png lies outside the project"),
        ("loop.png", "loop.png cannot be followed to a file"),
        ("{root}/a.png", "is no path below the one that holds llmctl.toml"),
        ("a\\b.png", "is no path below the one that holds llmctl.toml"),
        ("a\0.png", "is no path below the one that holds llmctl.toml"),
        ("a\n.png", "is no path below the one that holds llmctl.toml"),
        (".env", ".env is hidden (a name begins with a dot), and hidden files are not sent"),
        ("folder/.git/a", "folder/.git/a is hidden"),
        ("innocent.txt", "innocent.txt is hidden"),
        ("x" * 5000, "cannot be read: File name too long"),
    ],
)
def test_what_is_not_sent(tmp_path: Path, path: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_files, "MAX_MESSAGE_FILE_BYTES", 1000)
    root = tmp_path / "project"
    (root / "folder" / ".git").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(PNG)
    for name, data in {"a.png": PNG, "empty.png": b"", "large.png": PNG * 100, ".env": b"KEY=1"}.items():
        (root / name).write_bytes(data)
    (root / "folder" / ".git" / "a").write_text("x")
    (root / "link.png").symlink_to(tmp_path / "outside.png")
    (root / "linked").symlink_to(tmp_path)
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "innocent.txt").symlink_to(root / ".env")
    os.mkfifo(root / "pipe")
    with pytest.raises(MessageFileError) as caught:
        MessageFiles(root).file(path.replace("{root}", str(root)))
    assert said in str(caught.value)


def test_a_link_inside_the_project_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert MessageFiles(tmp_path).image("b.png").name == "b.png"


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    files = MessageFiles(tmp_path)
    first = files.image("a.png")
    assert files.image("a.png") is first
    path.write_bytes(PNG + b"more")
    assert files.image("a.png").data_url == data_url("image/png", PNG + b"more")


def test_what_was_read_before_does_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_files, "_KEPT_CHARS", 3000)
    files = MessageFiles(tmp_path)
    for number in range(10):
        (tmp_path / f"{number}.png").write_bytes(PNG + b"x" * 600)
        files.image(f"{number}.png")
    assert len(files._kept) == 3
    assert files._chars == sum(len(kept.attachment.data_url) for kept in files._kept.values())


@pytest.mark.parametrize(
    ("part", "variables", "said"),
    [
        (ImagePart(file="{{ x }}"), {"x": "../a.png"}, "../a.png lies outside the project"),
        (ImagePart(file="{{ x }}"), {}, "the variable `x` is not given"),
        (FilePart("{{ x }}"), {"x": "missing"}, "there is no file missing"),
        (ImagePart(url="{{ x }}"), {"x": "file:///etc/passwd"}, "the address of an image must begin with https://"),
        (ImagePart(url="{{ x }}"), {"x": " data:image/png"}, "the address of an image must begin with https://"),
    ],
)
def test_a_case_whose_file_cannot_be_sent(
    tmp_path: Path, part: ImagePart | FilePart, variables: dict[str, object], said: str
) -> None:
    prompt = Prompt("p", Path("prompts/p.yaml"), (Message("system", "x"), Message("user", (part,))))
    with pytest.raises(TemplateError) as caught:
        render_messages(prompt, variables, MessageFiles(tmp_path))
    assert caught.value.message.startswith(said)
    assert caught.value.message_index == 1
