"""Which files a search takes, and that no byte is lost between reading and writing."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from buildhush.cli.files import (
    UnreadableError,
    decoded,
    looks_like_dockerfile,
    read_source,
    search,
    write_atomically,
)
from buildhush.cli.records import SkippedRecord


@pytest.mark.parametrize(
    "name",
    ["Dockerfile", "dockerfile", "Dockerfile.dev", "Dockerfile-ish.dockerfile", "web.Dockerfile", "api.dockerfile",
     "Containerfile", "Containerfile.ci", "x.containerfile", "Dockerfile.j2"],
)  # fmt: skip
def test_names_of_dockerfiles(name: str) -> None:
    assert looks_like_dockerfile(name)


@pytest.mark.parametrize(
    "name",
    ["Dockerfile.dockerignore", ".dockerignore", "Dockerfile~", ".Dockerfile.swp", "Dockerfile.orig", "Dockerfiles",
     "my-Dockerfile", "dockerfile_parser.py", "Dockerfile.md", "docker-compose.yml", "ADockerfile", ".dockerfile"],
)  # fmt: skip
def test_other_names(name: str) -> None:
    assert not looks_like_dockerfile(name)


def found(folder: Path) -> tuple[list[str], list[SkippedRecord]]:
    skipped: list[SkippedRecord] = []
    return [os.path.relpath(path, folder) for path in search(str(folder), lambda _: False, skipped)], skipped


def write(folder: Path, *names: str, text: str = "FROM a\n") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_ignored_files_are_not_searched(tmp_path: Path) -> None:
    write(
        tmp_path,
        "Dockerfile",
        "build/Dockerfile",
        "a/Dockerfile",
        "a/keep/Dockerfile",
        "a/skip/Dockerfile",
        "b/x.dockerfile",
    )
    (tmp_path / ".git" / "info").mkdir(parents=True)
    write(tmp_path, ".git/Dockerfile")
    (tmp_path / ".git" / "info" / "exclude").write_text("b/\n")
    (tmp_path / ".gitignore").write_text("/build/\na/*/\n!a/keep/\n")
    assert found(tmp_path)[0] == ["Dockerfile", "a/Dockerfile", "a/keep/Dockerfile"]


def test_the_innermost_ignore_file_decides(tmp_path: Path) -> None:
    write(tmp_path, "a/Dockerfile", "a/Dockerfile.dev", "Dockerfile.dev")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("Dockerfile.dev\n")
    (tmp_path / "a" / ".gitignore").write_text("!Dockerfile.dev\nDockerfile\n")
    assert found(tmp_path)[0] == ["a/Dockerfile.dev"]


def test_ignore_files_above_the_searched_folder_hold(tmp_path: Path) -> None:
    write(tmp_path, "a/b/Dockerfile", "a/b/Dockerfile.gen")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.gen\n")
    assert found(tmp_path / "a" / "b")[0] == ["Dockerfile"]


@pytest.mark.parametrize("separator", ["\u2028", "\x0c", "\x85"])
def test_only_a_line_feed_ends_a_pattern(tmp_path: Path, separator: str) -> None:
    write(tmp_path, "Dockerfile", "Dockerfile.gen")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text(f"a{separator}Dockerfile\n*.gen\r\n", encoding="utf-8", newline="")
    assert found(tmp_path)[0] == ["Dockerfile"]


def test_cyclic_links_end_the_search_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, "a/Dockerfile")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "Dockerfile").symlink_to(tmp_path / "Dockerfile")
    assert found(tmp_path)[0] == ["a/Dockerfile"]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "outside/Dockerfile", "in/real/Dockerfile")
    (tmp_path / "in" / "Dockerfile").symlink_to(tmp_path / "outside" / "Dockerfile")
    (tmp_path / "in" / "Dockerfile.dev").symlink_to(tmp_path / "in" / "real" / "Dockerfile")
    files, skipped = found(tmp_path / "in")
    assert files == ["Dockerfile.dev", "real/Dockerfile"]
    assert [each.reason for each in skipped] == ["is a symbolic link out of the folder"]


@pytest.mark.parametrize(
    "data",
    [
        b"FROM a\r\nENV X=1\r\n",
        b"\xef\xbb\xbfFROM a\n",
        b"FROM a\n# caf\xe9 \xff\xfe\nRUN b\n",
        "\ufeffFROM a\n# é\n".encode("utf-16-le"),
        "\ufeffFROM a\n# é\n".encode("utf-16-be"),
        b"",
    ],
    ids=["crlf", "utf-8 mark", "latin-1", "utf-16-le", "utf-16-be", "empty"],
)
def test_reading_and_writing_keeps_every_byte(data: bytes) -> None:
    source = decoded(data)
    assert source.encoded(source.text) == data


@pytest.mark.parametrize(
    ("data", "reason"), [(b"\x7fELF\0\0\0", "is a binary file"), (b"\xff\xfe\x00", "is marked as UTF-16 but is not")]
)
def test_data_that_is_no_text(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        decoded(data)


def test_a_folder_and_a_missing_file_are_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="is a folder"):
        read_source(tmp_path)
    with pytest.raises(UnreadableError, match="no such file or directory"):
        read_source(tmp_path / "x")


def test_a_pipe_has_no_size_and_is_read_to_its_end(tmp_path: Path) -> None:
    pipe, text = tmp_path / "pipe", "FROM debian:12\n" * 20_000
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(text,))
    writer.start()
    assert read_source(pipe).text == text
    writer.join()


def test_writing_keeps_the_mode_and_the_link(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("old")
    real.chmod(0o640)
    (tmp_path / "link").symlink_to(real)
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(UnreadableError, match="no space left on device"):
        write_atomically(file, b"new")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["Dockerfile"]


def test_a_new_file_gets_the_usual_mode(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_atomically(tmp_path / "new", b"x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o644
