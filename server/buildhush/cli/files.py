"""Finding Dockerfiles as people name them, and reading and writing them without losing a byte."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct

from buildhush.cli.records import SkippedRecord
from buildhush.companions.gitignore import Ignores
from buildhush.companions.regular import read_regular
from buildhush.failures import INTERNAL_ERROR_CODE, contained

STANDARD_INPUT = "-"
MAXIMUM_SIZE = 32 * 1024 * 1024
"""Larger files are not even read; the engine has its own, lower, bound and says so."""

_NAME = re.compile(r"(?:dockerfile|containerfile)(?:\..+)?|.+\.(?:dockerfile|containerfile)", re.IGNORECASE)
_NOT_A_DOCKERFILE = re.compile(r".*(?:\.dockerignore|~|\.sw[a-p]|\.orig|\.rej|\.md|\.py|\.go)", re.IGNORECASE)
_NEVER_SEARCHED = frozenset({".git", ".hg", ".svn", ".jj"})


class UnreadableError(Exception):
    """A file that can't be read or written; the text says why, in words."""


class SourceText(Struct, frozen=True):
    """A file as read. `encoding` and `mark` (the byte order mark) give the same bytes back when it is written."""

    text: str
    encoding: str
    mark: bytes

    def encoded(self, text: str) -> bytes:
        """The bytes of a text in this file's encoding."""
        return self.mark + text.encode(self.encoding, "surrogateescape" if self.encoding == "utf-8" else "strict")

    def with_text(self, text: str) -> SourceText:
        """The same file with another text."""
        return SourceText(text, self.encoding, self.mark)


def looks_like_dockerfile(name: str) -> bool:
    """Whether a search takes a file of that name."""
    return _NAME.fullmatch(name) is not None and _NOT_A_DOCKERFILE.fullmatch(name) is None


def read_source(path: Path | str) -> SourceText:
    """Reads a file. Raises UnreadableError."""
    try:
        with open(path, "rb") as stream:
            status = os.fstat(stream.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size > MAXIMUM_SIZE:
                raise UnreadableError(f"larger than {MAXIMUM_SIZE // (1024 * 1024)} MiB")
            # As much as the file has, since memory for the most that it may have is made ready before it is read.
            data = stream.read(status.st_size + 1)
            if len(data) != status.st_size:
                data += stream.read(MAXIMUM_SIZE + 1 - len(data))
            return decoded(data)
    except IsADirectoryError:
        raise UnreadableError("is a folder") from None
    except OSError as error:
        raise UnreadableError(_in_words(error)) from None
    except ValueError as error:
        raise UnreadableError(str(error)) from None


def decoded(data: bytes) -> SourceText:
    """Text of a file's bytes: UTF-8, with undecodable bytes kept as surrogates, or UTF-16 when it is marked so.

    A UTF-8 byte order mark stays in the text, where the Dockerfile reader knows it. Raises UnreadableError.
    """
    if len(data) > MAXIMUM_SIZE:
        raise UnreadableError(f"larger than {MAXIMUM_SIZE // (1024 * 1024)} MiB")
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            try:
                return SourceText(data[len(mark) :].decode(encoding), encoding, mark)
            except UnicodeDecodeError:
                raise UnreadableError("is marked as UTF-16 but is not") from None
    if b"\0" in data[:8192]:
        raise UnreadableError("is a binary file")
    return SourceText(data.decode("utf-8", "surrogateescape"), "utf-8", b"")


def read_text_or_none(path: Path) -> str | None:
    """The text of a configuration file, None when it is not there or can't be read; for `load_config`."""
    data = read_regular(path, MAXIMUM_SIZE)
    return None if data is None else data.decode("utf-8", "replace")


def write_atomically(path: Path | str, data: bytes) -> None:
    """Replaces a file's content in one step: whoever reads it, and after a crash, sees the old or the new file, whole.

    A symbolic link stays one, its target is replaced. Mode and owner are kept. Raises UnreadableError.
    """
    try:
        write_together({str(path): data})
    except UnwrittenError as error:
        raise UnreadableError(error.reason) from None


class UnwrittenError(UnreadableError):
    """One of several files could not be written, so none was. `file`: which; `reason`: why, in words."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


def write_together(files: Mapping[str, bytes]) -> None:
    """Writes several files, or none of them; each in one step, as `write_atomically` does, in the order given.

    All new content is on the disk before the first file is replaced, so a full disk is noticed before. When a later
    file can't be replaced all the same, the earlier ones are put back. Raises UnwrittenError.
    """
    prepared: list[tuple[str, str, str]] = []
    kept: list[tuple[str, str | None]] = []
    replaced = 0
    path = ""
    try:
        for path, data in files.items():
            target = os.path.realpath(path)
            prepared.append((path, target, _new_file(target, data)))
        for number, (name, target, temporary) in enumerate(prepared):
            path = name
            is_last = number + 1 == len(prepared)
            kept.append((target, None if is_last else _kept(target, temporary)))
            os.replace(temporary, target)
            replaced += 1
    except BaseException as error:
        reason = _in_words(error) if isinstance(error, OSError) else str(error)
        lost = [target for target, old in reversed(kept[:replaced]) if not _put_back(target, old)]
        for _, _, temporary in prepared:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, (OSError, UnreadableError)):
            also = f"; {', '.join(lost)} could not be put back" if lost else ""
            raise UnwrittenError(path, reason + also) from None
        raise
    finally:
        for _, old in kept:
            if old is not None:
                with contextlib.suppress(OSError):
                    os.unlink(old)


def _new_file(target: str, data: bytes) -> str:
    """Writes what a file will hold beside it, with the file's mode and owner. Raises OSError and UnreadableError."""
    import tempfile  # Only writing needs it, and it brings a lot along.

    status = os.stat(target) if os.path.exists(target) else None
    if status is not None and not os.access(target, os.W_OK):
        raise UnreadableError("is read-only")
    handle, temporary = tempfile.mkstemp(prefix=".buildhush-", dir=os.path.dirname(target))
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if status is not None:
            os.chmod(temporary, stat.S_IMODE(status.st_mode))
            _keep_owner(temporary, status)
        else:
            os.chmod(temporary, 0o666 & ~_umask())
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return temporary


def _kept(target: str, temporary: str) -> str | None:
    """A second name for a file as it is, to put it back; None when there is none yet. Raises OSError."""
    if not os.path.exists(target):
        return None
    old = temporary + ".old"
    try:
        os.link(target, old)
    except OSError:
        import shutil  # Some file systems have no links.

        shutil.copy2(target, old)
    return old


def _put_back(target: str, old: str | None) -> bool:
    try:
        if old is None:
            os.unlink(target)
        else:
            os.replace(old, target)
    except OSError:
        return False
    return True


def search(folder: str, excludes: Callable[[Path], bool], skipped: list[SkippedRecord]) -> Iterator[str]:
    """Dockerfiles below a folder, sorted, named as the folder was named. Ignored files are left out.

    Folders behind symbolic links are not entered (so a cycle can't trap the search); a link to a file is followed
    when the file lies in the folder. Anything that can't be read is added to `skipped`.
    """
    root = os.path.realpath(folder)
    with _costing(folder, skipped):
        yield from _search(folder, root, Ignores.above(root), excludes, skipped)


def _search(
    shown: str, root: str, ignores: Ignores, excludes: Callable[[Path], bool], skipped: list[SkippedRecord]
) -> Iterator[str]:
    pending = [(shown, os.path.realpath(shown), ignores)]
    found: list[str] = []
    while pending:
        shown, real, above = pending.pop()
        with _costing(shown, skipped):
            try:
                entries = sorted(os.scandir(shown), key=lambda entry: entry.name)
            except OSError as error:
                skipped.append(SkippedRecord(shown, _in_words(error)))
                continue
            here = above.entering(real, entries)
            for entry in entries:
                path = os.path.join(real, entry.name)
                name = entry.name if shown == "." else os.path.join(shown, entry.name)
                try:
                    if entry.is_dir(follow_symlinks=False):
                        wanted = entry.name not in _NEVER_SEARCHED and not here.ignores(path, folder=True)
                        if wanted and not excludes(Path(path)):
                            pending.append((name, path, here))
                        continue
                    if not looks_like_dockerfile(entry.name) or not entry.is_file():
                        continue
                except OSError as error:
                    skipped.append(SkippedRecord(name, _in_words(error)))
                    continue
                if here.ignores(path, folder=False) or excludes(Path(path)):
                    continue
                if entry.is_symlink() and not within(os.path.realpath(path), root):
                    skipped.append(SkippedRecord(name, "is a symbolic link out of the folder"))
                    continue
                found.append(name)
    yield from sorted(found)


def _costing(shown: str, skipped: list[SkippedRecord]) -> AbstractContextManager[None]:
    """What fails inside costs this folder, of which `skipped` says so."""
    return contained(lambda reason: skipped.append(SkippedRecord(shown, reason, INTERNAL_ERROR_CODE)))


def within(path: str, root: str) -> bool:
    """Whether an absolute path is a folder or lies below it."""
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def _in_words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _keep_owner(path: str, status: os.stat_result) -> None:
    if hasattr(os, "chown") and (status.st_uid != os.geteuid() or status.st_gid != os.getegid()):
        with contextlib.suppress(OSError):
            os.chown(path, status.st_uid, status.st_gid)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
