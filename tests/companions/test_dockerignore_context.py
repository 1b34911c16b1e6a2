"""The listing of a build context: what is in it, what is not looked at, and when it is read again."""

from __future__ import annotations

import builtins
import io
import os
from pathlib import Path
from typing import Any

import pytest

from buildhush.companions import context as module
from buildhush.companions.context import read_context
from buildhush.engine import Context


def make(root: Path, *files: str, ignore: str | None = None) -> None:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    if ignore is not None:
        (root / ".dockerignore").write_text(ignore, encoding="utf-8")


FILES = (
    ".env",
    ".env.example",
    "app/main.py",
    "app/.npmrc",
    "certs/tls.key",
    "certs/ca.pem",
    "secrets/db",
    "id_rsa.pub",
)


def test_secret_looking_files_are_listed(tmp_path: Path) -> None:
    make(tmp_path, *FILES)
    context = read_context(str(tmp_path))
    assert context.secret_files == (".env", "app/.npmrc", "certs/tls.key", "secrets/db")
    assert context.complete
    assert context.ignore_path is None


def test_it_is_what_the_engine_asks_for(tmp_path: Path) -> None:
    context: Context = read_context(str(tmp_path))
    assert context.secret_files_below(".") == ()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (".", (".env", "app/.npmrc", "certs/tls.key", "secrets/db")),
        ("app/", ("app/.npmrc",)),
        ("certs/*.key", ("certs/tls.key",)),
        ("*.md", ()),
        ("src", ()),
    ],
)
def test_what_a_copy_takes_along(tmp_path: Path, source: str, found: tuple[str, ...]) -> None:
    make(tmp_path, *FILES)
    assert read_context(str(tmp_path)).secret_files_below(source) == found


def test_ignored_files_are_not_listed(tmp_path: Path) -> None:
    make(tmp_path, *FILES, ignore="**/.env*\nsecrets\ncerts\n!certs/tls.key\n")
    context = read_context(str(tmp_path))
    assert context.secret_files == ("app/.npmrc", "certs/tls.key")
    assert context.ignore_path == str(tmp_path / ".dockerignore")
    assert not context.survives("secrets/db")
    assert context.survives("certs/tls.key")


def test_the_dockerfiles_own_ignore_file_replaces_the_other(tmp_path: Path) -> None:
    make(tmp_path, ".env", "build/Dockerfile", ignore=".env\n")
    (tmp_path / "build/Dockerfile.dockerignore").write_text("*.md\n", encoding="utf-8")
    context = read_context(str(tmp_path), str(tmp_path / "build/Dockerfile"))
    assert context.secret_files == (".env",)
    assert context.ignore_path == str(tmp_path / "build/Dockerfile.dockerignore")


def test_an_editors_text_counts_before_the_disks(tmp_path: Path) -> None:
    make(tmp_path, ".env", ignore="")
    assert read_context(str(tmp_path), ignore_text=".env\n").secret_files == ()


def test_other_peoples_code_is_not_walked(tmp_path: Path) -> None:
    make(tmp_path, "node_modules/x/server.key", ".git/token", "tests/fixtures/id_rsa", "ok/id_rsa")
    assert read_context(str(tmp_path)).secret_files == ("ok/id_rsa",)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_links_are_neither_followed_nor_listed(tmp_path: Path) -> None:
    make(tmp_path / "outside", "id_rsa")
    make(tmp_path / "root", "a.txt")
    (tmp_path / "root/link").symlink_to(tmp_path / "outside")
    (tmp_path / "root/.env").symlink_to(tmp_path / "outside/id_rsa")
    (tmp_path / "root/loop").symlink_to(tmp_path / "root")
    assert read_context(str(tmp_path / "root")).secret_files == ()


def test_the_walk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, *(f"d/{number}.txt" for number in range(30)), "deep/" * 14 + ".env")
    assert not read_context(str(tmp_path)).complete
    monkeypatch.setattr(module, "MAX_ENTRIES", 10)
    assert not read_context(str(tmp_path)).complete


def test_no_file_but_the_ignore_file_is_opened(tmp_path: Path) -> None:
    make(tmp_path, ".env", "secrets/db", ignore="x\n")
    for name in (".env", "secrets/db"):
        (tmp_path / name).chmod(0)
    opened: list[str] = []
    original = io.open

    def spy(path: str | Path, *arguments: Any, **options: Any) -> Any:
        opened.append(Path(path).name)
        return original(path, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", spy)
        patch.setattr(builtins, "open", spy)
        assert read_context(str(tmp_path)).secret_files == (".env", "secrets/db")
    assert opened == [".dockerignore"]


def test_settings_that_git_keeps_are_no_secret(tmp_path: Path) -> None:
    make(tmp_path, ".env", "app/.npmrc", "docker/Dockerfile")
    outside_of_git = read_context(str(tmp_path))
    assert outside_of_git.secret_files == (".env", "app/.npmrc")
    (tmp_path / ".git").mkdir()
    kept = read_context(str(tmp_path))
    assert kept.secret_files == (".env",)
    assert kept.exists("app/.npmrc")
    (tmp_path / ".gitignore").write_text(".npmrc\n")
    assert kept.refreshed().secret_files == (".env", "app/.npmrc")
    (tmp_path / "app" / ".gitignore").write_text("!.npmrc\n")
    assert read_context(str(tmp_path)).secret_files == (".env",)


def test_it_is_read_again_only_when_something_changed(tmp_path: Path) -> None:
    make(tmp_path, ".env", "a/b.txt", ignore="")
    context = read_context(str(tmp_path))
    assert context.refreshed() is context
    make(tmp_path, "a/id_rsa")
    os.utime(tmp_path / "a", ns=(1, 1))
    newer = context.refreshed()
    assert newer.secret_files == (".env", "a/id_rsa")
    (tmp_path / ".dockerignore").write_text(".env\n", encoding="utf-8")
    os.utime(tmp_path / ".dockerignore", ns=(1, 1))
    assert newer.refreshed().secret_files == ("a/id_rsa",)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        (".env", True),
        ("/.env", True),
        ("./a/b.txt", True),
        ("a", True),
        ("missing", None),
        ("gone.txt", False),
        ("*.env", None),
        ("$X/.env", None),
        ("../x", None),
    ],
)
def test_whether_the_context_has_a_file(tmp_path: Path, path: str, there: bool | None) -> None:
    make(tmp_path, ".env", "a/b.txt", "gone.txt", ignore="gone.txt\n")
    assert read_context(str(tmp_path)).exists(path) is there


def test_a_missing_folder_is_an_empty_context(tmp_path: Path) -> None:
    context = read_context(str(tmp_path / "nowhere"))
    assert context.secret_files == ()
    assert context.complete
