"""Definition, references, highlight and rename: which places mean the same name."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.lsp.client import EGLOT, VS_CODE, Editor, Refused, applied, edits_of

from buildhush.dockerfile.parser import parse
from buildhush.lsp.names import Names

CASES = {
    "a stage": (
        "FROM a AS «build»\nFROM [build] AS x\nCOPY --from=[build] /a /b\nRUN --mount=type=bind,from=[build] x\n# build"
    ),
    "a stage in other case": "FROM a AS «Build»\nCOPY --from=[build] /a /b\n",
    "a name that is used before the stage is an image": "FROM build AS x\nFROM a AS «build»\nCOPY --from=[build] a b\n",
    "the later of two stages of one name": "FROM a AS s\nFROM s AS «s»\nCOPY --from=[s] a b\n",
    "an argument": "FROM a\nARG «TOK»=1\nRUN echo $[TOK] \"${[TOK]:-x}\" '$TOK' \\$TOK # $TOK\nLABEL x=$[TOK]\n",
    "an argument ends with its stage": "FROM a\nARG «TOK»\nRUN echo $[TOK]\nFROM b\nRUN echo $TOK\n",
    "a stage inherits": "FROM a AS b\nARG «TOK»\nFROM b\nRUN echo $[TOK]\n",
    "a global argument and its redeclaration": "ARG «V»=1\nFROM a:$[V]\nARG «V»\nRUN echo $[V]\n",
    "a redeclaration with a value is its own": "ARG V=1\nFROM a:$V\nARG «V»=2\nRUN echo $[V]\n",
    "a global argument is not seen in a stage": "ARG «V»=1\nFROM a:${[V]}\nRUN echo $V\n",
    "an environment variable": "FROM a\nENV «KEY»=1 OTHER=$[KEY]\nRUN echo $[KEY]\nCMD echo $[KEY]\nWORKDIR /$[KEY]\n",
    "the old form of ENV": "FROM a\nENV «KEY» some value\nRUN echo $[KEY]\n",
    "an assignment in the script": "FROM a\nENV «P»=1\nRUN export [P]=$[P]:x && for [P] in a; do read [P]; done\n",
    "a heredoc": (
        "FROM a\nENV «KEY»=1\nRUN <<EOF\necho $[KEY] '$KEY'\nEOF\nCOPY <<F /x\n$[KEY]\nF\nCOPY <<'F' /x\n$KEY\nF\n"
    ),
    "a continuation": "FROM a\nARG «TOK»\nRUN echo \\\n  # a comment with $TOK\n  $[TOK]\n",
    "exec form does not expand": 'FROM a\nENV «KEY»=1\nRUN ["echo", "$KEY"]\n',
    "a secret": (
        "FROM a\nRUN --mount=type=secret,id=«tok» cat /run/secrets/[tok]\n"
        "RUN --mount=type=secret,id=«tok»,target=/x cat /run/secrets/tok\nRUN cat /run/secrets/tok\n"
    ),
    "a secret named by its target": "FROM a\nRUN --mount=type=secret,target=/x/«tok» cat /x/tok\n",
    "a variable of a mount": "FROM a\nRUN --mount=type=secret,id=x,env=«TOK» use $[TOK]\nRUN echo $TOK\n",
    "crlf": "FROM a\r\nARG «TOK»\r\nRUN echo $[TOK]\r\n",
}


@pytest.mark.parametrize("marked", CASES.values(), ids=CASES.keys())
def test_all_places_of_a_name(marked: str) -> None:
    text, places = read(marked)
    names = Names(parse(text), {})
    start = places[0][0]
    found = names.at(start)
    assert found is not None
    assert [(place.span.start, place.span.end, place.defines) for place in found[0].occurrences] == places
    # From every place the same name is found, with the caret at either end.
    for place in places:
        for offset in place[:2]:
            again = names.at(offset)
            assert again is not None
            assert again[0] == found[0]


def read(marked: str) -> tuple[str, list[tuple[int, int, bool]]]:
    """A text without its marks: «defines», [uses] around word characters."""
    places = []
    text = ""
    position = 0
    for match in re.finditer(r"«(\w+)»|\[(\w+)\](?!\w)", marked):
        text += marked[position : match.start()]
        word = match[1] or match[2]
        places.append((len(text), len(text) + len(word), match[1] is not None))
        text += word
        position = match.end()
    return text + marked[position:], places


def test_the_cache_is_taken_over_by_identity() -> None:
    from buildhush.dockerfile.incremental import reparse
    from buildhush.lsp.names import Cache
    from buildhush.text.spans import insertion

    text, _ = read(CASES["an argument"])
    cache: Cache = {}
    tree = parse(text)
    Names(tree, cache)
    before = {key: mentions for key, (_, mentions) in cache.items()}
    Names(reparse(tree, insertion(text.index("LABEL"), "RUN new\n")), cache)
    assert sum(before.get(key) is mentions for key, (_, mentions) in cache.items()) == len(tree.instructions)


STAGES = "FROM a AS build\nFROM b\nCOPY --from=build /a /b\n"


@pytest.fixture(scope="module", params=[VS_CODE, EGLOT], ids=["vs_code", "eglot"])
def editor(request: pytest.FixtureRequest) -> Any:
    with Editor(request.param) as editor:
        editor.start()
        yield editor


def test_definition_and_references(editor: Editor) -> None:
    uri = editor.open(STAGES)
    (definition,) = editor.at("textDocument/definition", uri, 2, 14)
    assert definition["uri"] == uri
    assert definition["range"]["start"] == {"line": 0, "character": 10}
    for include, lines in ((True, [0, 2]), (False, [2])):
        found = editor.at("textDocument/references", uri, 0, 12, context={"includeDeclaration": include})
        assert [each["range"]["start"]["line"] for each in found] == lines
    assert editor.at("textDocument/definition", uri, 1, 1) is None


def test_highlight(editor: Editor) -> None:
    uri = editor.open(STAGES)
    found = editor.at("textDocument/documentHighlight", uri, 2, 14)
    assert [(each["range"]["start"]["line"], each["kind"]) for each in found] == [(0, 3), (2, 2)]


def test_rename(editor: Editor) -> None:
    uri = editor.open(STAGES)
    prepared = editor.at("textDocument/prepareRename", uri, 2, 14)
    assert prepared["placeholder"] == "build"
    assert prepared["range"]["start"] == {"line": 2, "character": 12}
    edit = editor.at("textDocument/rename", uri, 2, 14, newName="builder")
    assert applied(STAGES, edits_of(edit, uri)) == STAGES.replace("build", "builder")
    assert editor.at("textDocument/prepareRename", uri, 2, 2) is None
    assert editor.at("textDocument/rename", uri, 2, 2, newName="x") is None


@pytest.mark.parametrize(
    ("text", "line", "column", "new"),
    [
        (STAGES, 0, 12, "a b"),
        (STAGES, 0, 12, "9"),
        ("FROM a AS b\nFROM b AS c\n", 0, 10, "C"),
        ("FROM a\nARG A\nARG B\n", 1, 4, "A-B"),
        ("FROM a\nARG A\nARG B\n", 1, 4, "B"),
        ("FROM a\nRUN --mount=type=secret,id=x y\n", 1, 27, "a,b"),
    ],
)
def test_a_name_that_can_not_be_is_refused(text: str, line: int, column: int, new: str, editor: Editor) -> None:
    uri = editor.open(text)
    with pytest.raises(Refused) as refused:
        editor.at("textDocument/rename", uri, line, column, newName=new)
    assert refused.value.code == -32803
    assert new in refused.value.message
