"""The `# syntax=` line: whether the frontend takes `env=` on a secret mount (Dockerfile 1.10), and the line's edit."""

from __future__ import annotations

import re
from enum import Enum

from buildhush.dockerfile.nodes import Dockerfile
from buildhush.text.spans import Edit, insertion

SYNTAX_LINE = "# syntax=docker/dockerfile:1"
_IMAGE = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?::(?P<tag>[\w.-]+))?(?:@.*)?$")
_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?")


class Frontend(Enum):
    """What the file says about the frontend that reads it."""

    UNSTATED = "unstated"  # The engine's built-in one: unknown, and old with an old engine.
    CURRENT = "current"  # 1.10 or later, or a tag that moves with the newest release.
    OLD = "old"  # Pinned to a release that has secret mounts, but no `env=` for them.
    WITHOUT_MOUNTS = "without mounts"  # 1.0 and 1.1: RUN has no `--mount`.
    FOREIGN = "foreign"  # Another image: nothing is known of it.


def frontend(tree: Dockerfile) -> Frontend:
    """Which frontend the file asks for."""
    directive = tree.directive("syntax")
    if directive is None:
        return Frontend.UNSTATED
    image = _IMAGE.match(directive.value.strip())
    if image is None:
        return Frontend.FOREIGN
    tag = image.group("tag")
    if tag is None:
        # A digest alone says nothing about the version.
        return Frontend.OLD if "@" in directive.value else Frontend.CURRENT
    version = _VERSION.match(tag)
    if version is None:
        return Frontend.OLD if tag == "experimental" else Frontend.CURRENT
    if version.group(2) is None or (int(version.group(1)), int(version.group(2))) >= (1, 10):
        return Frontend.CURRENT
    mounts = int(version.group(2)) >= 2 or tag.endswith(("experimental", "labs"))
    return Frontend.OLD if mounts else Frontend.WITHOUT_MOUNTS


def syntax_edits(tree: Dockerfile) -> tuple[Edit, ...]:
    """Ask for the newest 1.x frontend when the file asks for none: a first line, behind a BOM and a `#!` line."""
    if tree.directive("syntax") is not None:
        return ()
    start = 1 if tree.text.startswith("\ufeff") else 0
    shebang = re.compile(r"#!.*?(?:\r\n|\n|\r|$)").match(tree.text, start)
    return (insertion(shebang.end() if shebang else start, SYNTAX_LINE + tree.newline),)
