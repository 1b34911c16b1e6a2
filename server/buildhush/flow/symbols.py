"""Symbolic text: known characters mixed with symbols for what is not known, and paths made of it."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from functools import lru_cache

# A symbol is written between two control characters that no Dockerfile word can hold after parsing.
_OPEN = "\x01"
_CLOSE = "\x02"
# Inside a symbol a slash is kept under another name, so that path functions do not cut through it.
_SLASH = "\x03"
_SYMBOL = re.compile("\x01([^\x01\x02]*)\x02")
_TEMPORARY = ("/tmp", "/var/tmp")


# Longer texts are not followed: a script that doubles a variable sixty times would need more memory than there is.
MAX_TEXT = 16_384


def bounded(text: str, name: str) -> str:
    """The text, or the symbol called `name` when it is too long to be followed."""
    return text if len(text) <= MAX_TEXT else symbol(name)


def symbol(name: str) -> str:
    """The text that stands for the unknown thing called `name`."""
    return f"{_OPEN}{name.replace(_OPEN, '').replace(_CLOSE, '').replace('/', _SLASH)}{_CLOSE}"


def is_known(text: str) -> bool:
    """Whether the text has no unknown part."""
    return _OPEN not in text


def temporary_symbol(number: int) -> str:
    """The path of the n-th file or folder that `mktemp` made in a script."""
    return f"/tmp/{symbol(f'mktemp {number}')}"


def is_made_by_mktemp(path: str) -> bool:
    """Whether the path is, or lies below, one that mktemp made."""
    return f"{_OPEN}mktemp " in path


def is_temporary(path: str) -> bool:
    """Whether the path lies where temporary files are kept: /tmp, /var/tmp, $TMPDIR, or one from mktemp."""
    if is_made_by_mktemp(path) or path.startswith(symbol("$TMPDIR")):
        return True
    return any(is_below(path, folder) for folder in _TEMPORARY)


def pieces(text: str) -> list[str]:
    """The text cut into known pieces and single symbols."""
    return [piece for piece in re.split("(\x01[^\x01\x02]*\x02)", text) if piece]


def display(text: str) -> str:
    """The text for people: symbols as they were written (`$DIR/x`)."""
    return _SYMBOL.sub(lambda match: match.group(1), text).replace(_SLASH, "/")


# First characters of a path that does not simply stand in the current folder (the empty path is in it, too).
_ROOTED_ELSEWHERE = f"~.{_OPEN}"


def resolve(path: str, folder: str, home: str) -> str:
    """An absolute, normalised path; one that begins with a symbol is left where it is, for nobody knows its root."""
    if "/." not in path and "//" not in path and path[-1:] != "/":
        # The usual forms, and normal already: every word that a command is given passes here.
        first = path[:1]
        if first == "/":
            return path
        if first not in _ROOTED_ELSEWHERE and (front := in_front_of_names(folder)):
            return front + path
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    elif path.startswith("~root/") or path == "~root":
        path = "/root" + path[5:]
    if path.startswith(_OPEN):
        # "$DIR/x" may be absolute or relative, but it is the same file each time it is named in one place.
        return posixpath.normpath(path)
    if not path.startswith("/"):
        path = posixpath.join(folder or "/", path)
    return "/" + posixpath.normpath(path).lstrip("/")


def in_front_of_names(folder: str) -> str:
    """What `resolve` puts in front of a name without a slash that begins with no `~` and no dot; "" if it does more."""
    if folder[:1] != "/" or "/." in folder:
        return ""
    return f"{folder}/" if folder != "/" else "/"


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it; both absolute."""
    if path == folder:
        return True
    return path.startswith(folder if folder.endswith("/") else folder + "/")


def matches(path: str, pattern: str) -> bool:
    """Whether a glob of the shell matches the path; `*` does not cross a `/`, a leading dot must be written."""
    path_parts, pattern_parts = path.split("/"), pattern.split("/")
    if len(path_parts) != len(pattern_parts):
        return False
    return all(
        fnmatch.fnmatchcase(part, glob) and not (part.startswith(".") and not glob.startswith("."))
        for part, glob in zip(path_parts, pattern_parts, strict=True)
    )


def covered_by(path: str, pattern: str) -> bool:
    """Whether the glob names the path itself or a folder above it."""
    if not path.startswith(literal_head(pattern)):
        return False
    count = pattern.count("/") + 1
    head = "/".join(path.split("/")[:count])
    return matches(head, pattern)


@lru_cache(maxsize=256)
def literal_head(glob: str) -> str:
    """What every path that the glob covers begins with."""
    return glob[: min((index for index in map(glob.find, "*?[") if index >= 0), default=len(glob))]
