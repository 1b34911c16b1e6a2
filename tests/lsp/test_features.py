"""Hover, completion, outline, folding, hints, lenses and tokens."""

from __future__ import annotations

from typing import Any

import pytest
from tests.lsp.client import EGLOT, Editor, where

LEAK = "FROM debian:12\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
MOUNTED = "FROM debian:12\nRUN --mount=type=secret,id=tok,required cat /run/secrets/tok > /app/x\n"


def hovered(editor: Editor, text: str, needle: str, plus: int = 1, version: int = 1) -> str:
    """The hover at the first place of `needle`."""
    uri = editor.open(text, "file:///hover/Dockerfile", version)
    before = text[: text.index(needle) + plus]
    result = editor.at("textDocument/hover", uri, before.count("\n"), len(before) - before.rfind("\n") - 1)
    value: str = result["contents"]["value"] if result else ""
    return value


def test_hover_on_a_finding_names_this_files_things(vs_code: Editor) -> None:
    text = hovered(vs_code, LEAK, "NPM_TOKEN")
    assert text.startswith("**secret-in-arg**: ")
    for part in (
        "`NPM_TOKEN`",
        "docker history --no-trunc",
        "1. line 2:",
        "2. line 3:",
        "--secret id=npm_token,env=NPM_TOKEN",
    ):
        assert part in text
    # The rule's document follows, once.
    assert text.count("What to do: ") == 1


def test_hover_has_the_findings_range(vs_code: Editor) -> None:
    uri = vs_code.open(LEAK)
    assert vs_code.at("textDocument/hover", uri, 1, 6)["range"] == where(1, 4, 1, 13)
    assert vs_code.at("textDocument/hover", uri, 0, 2) is None


@pytest.mark.parametrize(
    ("needle", "parts"),
    [
        ("required", ["**`required`** of a `secret` mount", "Fail when"]),
        ("type=secret", ["**`type=secret`**", "Here: secret `tok` as the file `/run/secrets/tok`", "- `env`:"]),
        (
            "tok,req",
            ["**Secret `tok`**", "docker build --secret id=tok,", "line 2: the file `/run/secrets/tok`", "0400"],
        ),
        ("tok >", ["**Secret `tok`**"]),
    ],
)
def test_hover_on_a_mount(needle: str, parts: list[str], vs_code: Editor) -> None:
    text = hovered(vs_code, MOUNTED, needle)
    assert [part for part in parts if part not in text] == []


def test_hover_on_a_variable_of_a_mount(vs_code: Editor) -> None:
    text = hovered(vs_code, "FROM a\nRUN --mount=type=secret,id=tok,env=TOK use $TOK\n", "$TOK", 2)
    assert "`TOK` holds the secret `tok` for this RUN only" in text


def test_hover_on_a_reader_of_a_secret_argument(vs_code: Editor) -> None:
    text = hovered(vs_code, LEAK, "$NPM_TOKEN", 2)
    assert "**ARG `NPM_TOKEN`** holds a secret: its name ends in TOKEN" in text
    assert "Read in line 3." in text


def test_hover_in_plain_text(eglot: Editor) -> None:
    text = hovered(eglot, LEAK, "NPM_TOKEN")
    assert text.startswith("secret-in-arg: ")
    assert not [mark for mark in ("**", "```", "# ") if mark in text]


def labels(editor: Editor, text: str, **more: Any) -> list[str]:
    """The completions at `|`."""
    at = text.index("|")
    uri = editor.open(text.replace("|", "", 1), "file:///completion/Dockerfile")
    before = text[:at]
    items = editor.at("textDocument/completion", uri, before.count("\n"), len(before) - before.rfind("\n") - 1, **more)
    return [item["label"] for item in items]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("|", ["FROM", "RUN", "COPY", "ARG"]),
        ("FROM a\nRU|", ["RUN", "RUN with a secret in a variable"]),
        ("FROM a\nRUN --|", ["--mount=", "--network=", "--security="]),
        ("FROM a\nRUN --mount=|", ["type=secret", "type=ssh", "type=cache", "type=bind", "type=tmpfs"]),
        ("FROM a\nRUN --mount=type=|", ["secret", "ssh", "cache", "bind", "tmpfs"]),
        ("FROM a\nRUN --mount=type=secret,|", ["id=", "env=", "target=", "required", "mode=", "uid=", "gid="]),
        ("FROM a\nRUN --mount=type=cache,sharing=|", ["shared", "private", "locked"]),
        ("FROM a\nRUN --mount=type=secret,id=tok true\nRUN --mount=type=secret,id=|", ["tok"]),
        ("FROM a\nARG NPM_TOKEN\nRUN npm $NPM_TOKEN\nRUN --mount=type=secret,id=|", ["npm_token"]),
        ("FROM a\nRUN --mount=type=secret,id=tok,env=|", ["TOK"]),
        ("FROM a\nRUN --mount=type=secret,id=tok,target=|", ["/run/secrets/tok"]),
        ("FROM a\nRUN --mount=type=secret,id=tok \\\n  --mount=type=secret,id=b cat /run/secrets/|", ["tok", "b"]),
        ("FROM a AS one\nFROM one AS two\nCOPY --from=|", ["one", "two"]),
        ("FROM a AS one\nFROM b\nRUN --mount=type=bind,from=|", ["one"]),
        ("FROM a AS one\nFROM |", ["one"]),
        ("FROM a\nARG NAME\nENV OTHER=1\nRUN echo $|", ["NAME", "OTHER"]),
        ("FROM a\nARG NAME\nRUN echo ${NA|", ["NAME"]),
        ("FROM a\nRUN --mount=type=secret,id=t,env=TOK echo $|", ["TOK"]),
        ("ARG NAME\nFROM a:$|", ["NAME"]),
    ],
)
def test_completion(text: str, expected: list[str], vs_code: Editor) -> None:
    assert [label for label in expected if label not in labels(vs_code, text)] == []


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("ARG NAME\nFROM a\nRUN echo $|", "NAME"),
        ("FROM a\nARG NAME\nFROM b\nRUN echo $|", "NAME"),
        ("FROM a\nARG NAME\nRUN echo '$|", "NAME"),
        ("FROM a\nRUN --mount=type=secret,id=tok,|", "id="),
        ("FROM a\nRUN --mount=type=secret,id=tok,|", "sharing="),
        ("FROM a\nRUN --mount=type=secret,id=tok,|", "type=ssh"),
        ("FROM a AS one\nCOPY --from=|\nFROM b AS two", "two"),
        ("FROM a\nRUN echo hello |", "RUN"),
        ("FROM a\n# RU|", "RUN"),
    ],
)
def test_completion_leaves_out(text: str, absent: str, vs_code: Editor) -> None:
    assert absent not in labels(vs_code, text)


def test_a_completion_replaces_what_was_typed(vs_code: Editor) -> None:
    uri = vs_code.open("FROM a\nRUN --mount=type=sec")
    items = vs_code.at("textDocument/completion", uri, 1, 20)
    item = next(item for item in items if item["label"] == "secret")
    assert item["textEdit"] == {"range": where(1, 17, 1, 20), "newText": "secret"}


def test_snippets_only_where_they_are_understood(vs_code: Editor, eglot: Editor) -> None:
    assert any("secret" in label for label in labels(vs_code, "FROM a\n|"))
    assert all(label.isupper() for label in labels(eglot, "FROM a\n|"))


OUTLINE = """ARG VERSION=hush
FROM a AS build
# one
# two
RUN <<EOF
echo
EOF
RUN echo \\
  more
FROM b
ENV KEY=hush
COPY --from=build /x /y
"""


def test_outline(vs_code: Editor) -> None:
    uri = vs_code.open(OUTLINE)
    symbols = vs_code.request("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    tree = [(each["name"], [child["name"] for child in each.get("children") or []]) for each in symbols]
    assert tree == [
        ("ARG VERSION", []),
        ("build", ["RUN <<EOF", "RUN echo more"]),
        ("b", ["ENV KEY", "COPY /x /y"]),
    ]
    assert symbols[1]["range"] == where(1, 0, 8, 6)
    for symbol in symbols:
        for each in [symbol, *(symbol.get("children") or [])]:
            inner, outer = each["selectionRange"], each["range"]
            assert (outer["start"]["line"], outer["start"]["character"]) <= (
                inner["start"]["line"],
                inner["start"]["character"],
            )
            assert (inner["end"]["line"], inner["end"]["character"]) <= (
                outer["end"]["line"],
                outer["end"]["character"],
            )


def test_outline_for_a_client_without_trees(plain: Editor) -> None:
    uri = plain.open(OUTLINE)
    symbols = plain.request("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    found = [(each["name"], each.get("containerName")) for each in symbols]
    assert ("RUN echo more", "build") in found
    assert all("location" in each for each in symbols)


def test_folding(vs_code: Editor) -> None:
    uri = vs_code.open(OUTLINE)
    folds = vs_code.request("textDocument/foldingRange", {"textDocument": {"uri": uri}})
    assert [(fold["startLine"], fold["endLine"], fold.get("kind")) for fold in folds] == [
        (1, 8, None),
        (2, 3, "comment"),
        (4, 6, None),
        (7, 8, None),
        (9, 11, None),
    ]


def hints(editor: Editor, text: str) -> list[tuple[int, int, str]]:
    uri = editor.open(text)
    found = editor.request("textDocument/inlayHint", {"textDocument": {"uri": uri}, "range": where(0, 0, 99, 0)})
    return [(hint["position"]["line"], hint["position"]["character"], hint["label"]) for hint in found]


def test_hints(vs_code: Editor) -> None:
    line = "RUN --mount=type=secret,id=tok cat /run/secrets/tok > /app/x"
    assert hints(vs_code, f"FROM a\n{line}\n") == [
        (1, 30, "→ /run/secrets/tok"),
        (1, len(line), "in the image"),
    ]
    builder = hints(vs_code, f"FROM a AS b\n{line}\nFROM c\nCOPY --from=b /other /other\n")
    assert builder[1] == (1, len(line), "in the build cache only")
    assert hints(vs_code, "FROM a\nRUN --mount=type=secret,id=tok,target=/x use /x\n") == []


def test_a_lens_has_the_build_command(vs_code: Editor) -> None:
    uri = vs_code.open("ARG V\n\nFROM a:$V\nRUN --mount=type=secret,id=tok,env=TOK use\nRUN --mount=type=ssh git\n")
    lens, other = vs_code.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
    assert other["command"] == {
        "title": "Verify with a canary build",
        "command": "buildhush.verify",
        "arguments": [uri],
    }
    assert lens["range"]["start"]["line"] == 2
    assert lens["command"] == {
        "title": "docker buildx build --secret id=tok,env=TOK --ssh default .",
        "command": "buildhush.copyBuildCommand",
        "arguments": [uri],
    }
    vs_code.change(uri, 2, {"text": "FROM a\n"})
    assert vs_code.request("textDocument/codeLens", {"textDocument": {"uri": uri}}) == []


def test_tokens_mark_what_carries_a_secret(vs_code: Editor) -> None:
    uri = vs_code.open(LEAK)
    full = vs_code.request("textDocument/semanticTokens/full", {"textDocument": {"uri": uri}})
    assert full["data"] == [1, 4, 9, 0, 1, 1, 19, 10, 0, 1]
    part = {"textDocument": {"uri": uri}, "range": where(2, 0, 3, 0)}
    assert vs_code.request("textDocument/semanticTokens/range", part)["data"] == [2, 19, 10, 0, 1]
    vs_code.change(uri, 2, {"range": where(2, 0), "text": "# more\n"})
    delta = {"textDocument": {"uri": uri}, "previousResultId": full["resultId"]}
    changed = vs_code.request("textDocument/semanticTokens/full/delta", delta)
    data = full["data"]
    for edit in changed["edits"]:
        data[edit["start"] : edit["start"] + edit["deleteCount"]] = edit["data"]
    assert data == [1, 4, 9, 0, 1, 2, 19, 10, 0, 1]
    unknown = {"textDocument": {"uri": uri}, "previousResultId": "never"}
    assert vs_code.request("textDocument/semanticTokens/full/delta", unknown)["data"] == data


@pytest.mark.parametrize(
    "method",
    [
        "hover",
        "completion",
        "definition",
        "documentHighlight",
        "prepareRename",
        "documentSymbol",
        "foldingRange",
        "codeLens",
    ],
)
def test_other_documents_get_no_answer(method: str, vs_code: Editor) -> None:
    uri = vs_code.open("a: 1\n", "file:///a/compose.yaml", language="yaml")
    assert vs_code.at(f"textDocument/{method}", uri, 0, 0) is None


def test_every_feature_at_every_position_of_a_half_written_file() -> None:
    text = (
        'FROM a AS \nRUN --mount=type=secret,id=,env= <<E "$\nCOPY --from=\nENV A=${ B\nARG\nLABEL "\n'
        "ONBUILD RUN --mount=\n"
    )
    with Editor(EGLOT) as editor:
        editor.start()
        uri = editor.open(text)
        for number, line in enumerate(text.split("\n")):
            for column in range(len(line) + 2):
                for method in ("hover", "completion", "definition", "prepareRename"):
                    editor.at(f"textDocument/{method}", uri, number, column)
                editor.actions(uri, where(number, column))
        assert editor.end() == 0
