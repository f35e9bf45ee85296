"""The project in git: real repositories, real git, files read at a revision without a checkout."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path, PurePosixPath
from threading import Thread

import pytest

from llmctl.errors import Place, Problem, ProjectError, UsageError
from llmctl.project import git, git_objects
from llmctl.project.git import GitState, GitTree, git_state
from llmctl.project.git_objects import run_git
from llmctl.project.loader import load_config, read_bank
from llmctl.project.sources import WorkingTree

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}
PROMPT = PurePosixPath("prompts/triage.yaml")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project two directories below the top of a repository, with one commit on `main`."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # Nothing above the test's own directory is a repository for it.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    project = tmp_path / "repo" / "apps" / "büro"
    _write(project, "prompts/triage.yaml", b"template: old\r\n")
    _write(project, "prompts/deep/er/other.yaml", b"template: other\n")
    _write(project, "prompts/.hidden.yaml", b"x\n")
    _write(project, "prompts/.dir/x.yaml", b"x\n")
    _write(project, "testbanks/a.csv", b"id\n1\n")
    _git(tmp_path / "repo", "init", "-q", "-b", "main")
    _commit(project, "first")
    return project


def _write(project: Path, name: str, content: bytes) -> None:
    file = project / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _commit(project: Path, message: str) -> str:
    _git(project, "add", "--all", ":/")
    _git(project, "commit", "-q", "--allow-empty", "-m", message)
    return _git(project, "rev-parse", "HEAD")


def _refusal(tree: GitTree, path: str, asked_at: Place | None = None) -> str:
    with pytest.raises(ProjectError) as caught:
        tree.read(PurePosixPath(path), asked_at=asked_at)
    assert [problem.place for problem in caught.value.problems] == [asked_at]
    return caught.value.problems[0].message


def test_state_of_a_clean_checkout(project: Path) -> None:
    assert git_state(project) == GitState(_git(project, "rev-parse", "HEAD"), "main", dirty=False)


def test_state_outside_a_repository(tmp_path: Path, project: Path) -> None:
    assert git_state(tmp_path) is None
    assert git_state(tmp_path / "nowhere") is None


def test_state_without_git(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(project) is None
    with pytest.raises(UsageError, match="git is not installed, so main cannot be read"):
        GitTree(project, "main")


def test_a_tracked_change_anywhere_is_dirty(project: Path) -> None:
    (project.parent.parent / "top.txt").write_text("x")
    _commit(project, "top")
    (project.parent.parent / "top.txt").write_text("y")
    state = git_state(project, folders=["prompts"])
    assert state is not None
    assert state.dirty is True


def test_an_untracked_file_is_dirty_only_in_the_folders_that_count(project: Path) -> None:
    _write(project, "notes.txt", b"x")
    _write(project, ".gitignore", b"*.log\n")
    _commit(project, "ignore")
    _write(project, "prompts/x.log", b"x")
    _write(project, "scratch/x.yaml", b"x")
    for folders, dirty in ((["prompts", "testbanks", "missing"], False), (["prompts", "scratch"], True), ([], False)):
        state = git_state(project, folders=folders)
        assert state is not None
        assert state.dirty is dirty
    whole = git_state(project)
    assert whole is not None
    assert whole.dirty is True
    outside = git_state(project, folders=["../../.."])
    assert outside is not None
    assert outside.dirty is None


def test_a_detached_head_has_no_branch(project: Path) -> None:
    _git(project, "checkout", "-q", "--detach")
    assert git_state(project) == GitState(_git(project, "rev-parse", "HEAD"), None, dirty=False)


def test_a_repository_without_a_commit(tmp_path: Path, project: Path) -> None:
    _git(tmp_path, "init", "-q", "-b", "trunk", "empty")
    assert git_state(tmp_path / "empty") == GitState(None, "trunk", dirty=False)


def test_state_starts_two_processes_at_most(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, ...]] = []
    run = run_git

    def counted(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        started.append(arguments)
        return run(root, *arguments)

    monkeypatch.setattr(git, "run_git", counted)
    git_state(project)
    assert len(started) == 2


def test_a_hook_of_another_repository_does_not_mislead(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = _git(project, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    state = git_state(project)
    assert state is not None
    assert (state.commit, state.dirty) == (head, False)


def test_git_runs_no_program_that_the_repository_names(project: Path, tmp_path: Path) -> None:
    _git(project, "config", "core.fsmonitor", f"touch {tmp_path}/ran; false")
    git_state(project)
    assert not (tmp_path / "ran").exists()


def test_files_are_read_as_they_were(project: Path) -> None:
    first = _git(project, "rev-parse", "HEAD")
    _write(project, "prompts/triage.yaml", b"template: new\n")
    _git(project, "tag", "v1")
    second = _commit(project, "second")
    _write(project, "prompts/triage.yaml", b"template: edited\n")
    for rev, commit, content in (
        ("main", second, b"template: new\n"),
        ("main~1", first, b"template: old\r\n"),
        ("v1", first, b"template: old\r\n"),
        (first[:8], first, b"template: old\r\n"),
    ):
        with GitTree(project, rev) as tree:
            assert (tree.rev, tree.commit, tree.root) == (rev, commit, project.resolve())
            assert tree.read(PROMPT) == content
            assert tree.read(PurePosixPath("testbanks/../prompts/triage.yaml")) == content
    assert (project / PROMPT).read_bytes() == b"template: edited\n"


def test_an_annotated_tag_is_its_commit(project: Path) -> None:
    _git(project, "tag", "-a", "-m", "x", "v2")
    with GitTree(project, "v2") as tree:
        assert tree.commit == _git(project, "rev-parse", "HEAD")


def test_a_list_is_what_the_working_tree_lists(project: Path) -> None:
    here = WorkingTree(project)
    with GitTree(project, "main") as tree:
        for folder, suffix in (("prompts", ".yaml"), (".", ".yaml"), (".", ".csv"), ("testbanks", ".yaml")):
            path = PurePosixPath(folder)
            assert tree.list(path, suffix) == here.list(path, suffix)
        assert tree.list(PurePosixPath("prompts"), ".yaml") == [PurePosixPath("prompts/deep/er/other.yaml"), PROMPT]
        for nothing in ("missing", "testbanks/a.csv", "../..", "/etc"):
            assert tree.list(PurePosixPath(nothing), ".yaml") == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("prompts/x.yaml", "There is no file prompts/x.yaml at main."),
        ("no/such/x.yaml", "There is no file no/such/x.yaml at main."),
        ("prompts/triage.yaml/x", "There is no file prompts/triage.yaml/x at main."),
        ("prompts/deep", "prompts/deep is not a regular file at main."),
        (".", ". is not a regular file at main."),
        ("../secret.yaml", "../secret.yaml lies outside the project."),
        ("prompts/../../../x", "prompts/../../../x lies outside the project."),
        ("/etc/passwd", "/etc/passwd lies outside the project."),
        ("a\nb", "There is no file a\nb at main."),
    ],
)
def test_a_file_that_cannot_be_read_is_placed(project: Path, path: str, message: str) -> None:
    with GitTree(project, "main") as tree:
        assert _refusal(tree, path, Place(Path("testbanks/a.yaml"), 3, 5)) == message
        assert tree.read(PROMPT) == b"template: old\r\n"


def test_links_submodules_and_lfs_pointers_are_refused(project: Path, tmp_path: Path) -> None:
    (project / "prompts/link.yaml").symlink_to("triage.yaml")
    (project / "linked").symlink_to("prompts")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    _write(project, "prompts/big.yaml", pointer)
    head = _commit(project, "links")
    _git(project, "update-index", "--add", "--cacheinfo", f"160000,{head},apps/büro/sub")
    _git(project, "commit", "-q", "-m", "submodule")
    with GitTree(project, "main") as tree:
        assert _refusal(tree, "prompts/link.yaml") == "prompts/link.yaml is a symbolic link at main."
        assert _refusal(tree, "linked/triage.yaml") == "linked/triage.yaml is a symbolic link at main (linked)."
        assert _refusal(tree, "sub/x.yaml") == "sub/x.yaml is a submodule at main (sub)."
        assert "Git LFS" in _refusal(tree, "prompts/big.yaml")
        assert PurePosixPath("prompts/link.yaml") in tree.list(PurePosixPath("prompts"), ".yaml")


def test_a_file_that_is_too_large_is_refused_and_skipped(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(project, "large.csv", b"x" * 3_000_000)
    _commit(project, "large")
    monkeypatch.setattr(git, "MAX_FILE_BYTES", 2 * 2**20)
    with GitTree(project, "main") as tree:
        assert _refusal(tree, "large.csv") == "large.csv is larger than 2 MB."
        assert tree.read(PROMPT) == b"template: old\r\n"


@pytest.mark.parametrize(
    ("rev", "message", "hint"),
    [
        ("mian", "There is no git revision mian.", 'Did you mean "main"?'),
        ("feature", "There is no git revision feature.", 'Did you mean "origin/feature"?'),
        ("zzzzzzzz", "There is no git revision zzzzzzzz.", "`git branch --all` and `git tag` list what there is."),
        ("main:prompts", "There is no git revision main:prompts.", None),
        ("main..main", "There is no git revision main..main.", None),
        ("--all", "'--all' is no git revision.", None),
        ("", "'' is no git revision.", None),
        ("ma\0in", "'ma\\x00in' is no git revision.", None),
    ],
)
def test_an_unknown_revision(project: Path, rev: str, message: str, hint: str | None) -> None:
    _git(project, "update-ref", "refs/remotes/origin/feature", "HEAD")
    with pytest.raises(UsageError) as caught:
        GitTree(project, rev)
    assert caught.value.message == message
    assert caught.value.hint
    assert hint in (None, caught.value.hint)


def test_a_revision_outside_a_repository(tmp_path: Path, project: Path) -> None:
    with pytest.raises(UsageError, match="is in no git repository, so main cannot be read"):
        GitTree(tmp_path, "main")


def test_a_shallow_clone_says_so(project: Path, tmp_path: Path) -> None:
    old = _git(project, "rev-parse", "HEAD")
    _commit(project, "second")
    _git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tmp_path}/repo", "shallow")
    with pytest.raises(UsageError) as caught:
        GitTree(tmp_path / "shallow", old)
    assert "fetch-depth: 0" in (caught.value.hint or "")


def test_a_project_at_the_top_and_one_that_was_not_there_yet(project: Path, tmp_path: Path) -> None:
    with GitTree(tmp_path / "repo", "main") as tree:
        assert tree.read(PurePosixPath("apps/büro") / PROMPT) == b"template: old\r\n"
    _write(project.parent / "new", "prompts/a.yaml", b"x")
    with GitTree(project.parent / "new", "main") as tree:
        assert tree.list(PurePosixPath("prompts"), ".yaml") == []
        assert _refusal(tree, "prompts/a.yaml") == "There is no file prompts/a.yaml at main."


def test_a_repository_with_sha256(tmp_path: Path, project: Path) -> None:
    _git(tmp_path, "init", "-q", "--object-format=sha256", "-b", "main", "long")
    _write(tmp_path / "long", "prompts/a.yaml", b"x\n")
    commit = _commit(tmp_path / "long", "first")
    with GitTree(tmp_path / "long", "main") as tree:
        assert len(commit) == 64
        assert tree.read(PurePosixPath("prompts/a.yaml")) == b"x\n"


def test_a_missing_object_is_a_sentence(project: Path, tmp_path: Path) -> None:
    blob = _git(project, "rev-parse", f"main:apps/büro/{PROMPT}")
    (tmp_path / "repo" / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with GitTree(project, "main") as tree, pytest.raises(UsageError, match=f"git cannot read the object {blob}"):
        tree.read(PROMPT)


def test_reading_after_close_is_a_sentence(project: Path) -> None:
    tree = GitTree(project, "main")
    tree.close()
    tree.close()
    with pytest.raises(UsageError, match="already closed"):
        tree.read(PROMPT)


def test_threads_share_one_process(project: Path) -> None:
    for number in range(20):
        _write(project, f"prompts/p{number}.yaml", f"{number}".encode() * 5_000)
    _commit(project, "many")
    wrong: list[int] = []
    with GitTree(project, "main") as tree:

        def read_all() -> None:
            for number in range(20):
                if tree.read(PurePosixPath(f"prompts/p{number}.yaml")) != f"{number}".encode() * 5_000:
                    wrong.append(number)

        threads = [Thread(target=read_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_file_is_opened_in_pieces_while_others_are_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "_IN_MEMORY_BYTES", 10)
    monkeypatch.setattr(git_objects, "_CHUNK_BYTES", 1_000)
    content = os.urandom(123_456)
    _write(project, "testbanks/large.bin", content)
    _commit(project, "large")
    with GitTree(project, "HEAD") as tree, tree.open(PurePosixPath("testbanks/large.bin")) as stream:
        start = stream.read(500)
        assert tree.read(PurePosixPath("testbanks/large.bin")) == content
        assert start + stream.read() == content
        stream.seek(100)
        assert stream.read(5) == content[100:105]


def test_a_copy_that_fails_is_not_taken_for_the_next_answer(project: Path) -> None:
    looks_like_an_answer = f"{'a' * 40} blob 4\nfake\n".encode()
    _write(project, "testbanks/large.bin", b"x" * git_objects._CHUNK_BYTES + looks_like_an_answer)
    _commit(project, "large")
    with GitTree(project, "HEAD") as tree:
        path = PurePosixPath("testbanks/large.bin")
        with pytest.raises(OSError, match="full"):
            tree._objects.copy_blob(tree._file(path, None).id, _FullDisk(), 10_000_000)
        with pytest.raises(UsageError, match="git"):
            tree.read(path)


class _FullDisk(io.BytesIO):
    def write(self, data: object, /) -> int:
        raise OSError("the disk is full")


def test_a_bank_of_a_revision_is_read_as_it_was(project: Path) -> None:
    _write(project, "llmctl.toml", b"")
    _write(project, "testbanks/old.yaml", b"evaluators: [exact]\ninclude: [{file: old.csv}, {file: old.jsonl}]\n")
    _write(project, "testbanks/old.csv", b"id,doc\na,1\n")
    _write(project, "testbanks/old.jsonl", b'{"id": "b", "vars": {"doc": {"file": "doc.txt"}}}\n')
    _write(project, "testbanks/doc.txt", b"then")
    commit = _commit(project, "a bank")
    for name in ("old.csv", "old.jsonl", "doc.txt"):
        _write(project, f"testbanks/{name}", b"now")
    config = load_config(project / "llmctl.toml", {})
    problems: list[Problem] = []
    with GitTree(project, commit) as tree:
        bank = read_bank(config, tree, "old", frozenset({"exact"}), problems)
        assert bank is not None, problems
        assert [(case.id, case.vars) for case in bank.read_cases(problems)] == [
            ("a", {"doc": "1"}),
            ("b", {"doc": "then"}),
        ]
    assert problems == []
