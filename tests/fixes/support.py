"""Trees and RUNs for the tests of the edit builders."""

from __future__ import annotations

from buildhush.dockerfile.nodes import Dockerfile, Onbuild, Run
from buildhush.dockerfile.parser import parse


def tree_of(text: str) -> Dockerfile:
    """The tree of the text, with a FROM in front unless directives must stay on top."""
    return parse(with_from(text))


def with_from(text: str) -> str:
    """The text as `tree_of` parses it."""
    return text if text.startswith("#") else ("FROM x\r\n" if "\r\n" in text else "FROM x\n") + text


def last_run(tree: Dockerfile) -> Run:
    """The last RUN, also one inside an ONBUILD."""
    for node in reversed(tree.instructions):
        if isinstance(node, Run):
            return node
        if isinstance(node, Onbuild) and isinstance(node.trigger, Run):
            return node.trigger
    raise AssertionError("no RUN")
