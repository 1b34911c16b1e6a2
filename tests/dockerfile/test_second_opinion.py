"""On files without heredocs, dockerfile-parse and we see the same instructions."""

from __future__ import annotations

import io

import pytest
from dockerfile_parse import DockerfileParser

from buildhush.dockerfile.parser import parse

FILES = {
    "plain": "FROM a AS b\nRUN x && y\nCOPY --from=b c d\nENV A=b C=d\n",
    "continued": "# c\nFROM a\nRUN x \\\n    && y \\\n    && z\nLABEL a=b \\\n      c=d\n",
    "with comments inside": 'FROM a\nRUN x \\\n# why\n  y\nCMD ["a", "b"]\n',
    "directives": "# syntax=docker/dockerfile:1\n\nFROM a\n\n# c\nUSER b\n",
}


@pytest.mark.parametrize("name", FILES)
def test_same_instructions(name: str) -> None:
    text = FILES[name]
    tree = parse(text)
    other = DockerfileParser(fileobj=io.BytesIO(text.encode()))
    theirs = [
        (each["instruction"], " ".join(each["value"].split()), each["startline"])
        for each in other.structure
        if each["instruction"] != "COMMENT"
    ]
    mine = []
    for node in tree.instructions:
        flags = " ".join(node.text[flag.span.start : flag.span.end] for flag in node.flags)
        value = " ".join(f"{flags} {node.arguments.text}".split())
        mine.append((node.keyword, value, text.count("\n", 0, tree.start_of(node))))
    assert mine == theirs
