"""What is shown, for which version, and in which form for which editor."""

from __future__ import annotations

import json

import pytest
from tests.lsp.client import EGLOT, NEOVIM, VS_CODE, Editor, where

LEAK = "FROM debian:12\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
CLEAN = "FROM debian:12\nRUN true\n"


def test_every_part_of_a_diagnostic(vs_code: Editor) -> None:
    uri = vs_code.open(LEAK, version=7)
    (item,) = vs_code.diagnostics(uri)
    fingerprint = item["data"].pop("fingerprint")
    message = item.pop("message")
    assert item == {
        "range": where(1, 4, 1, 13),
        "severity": 1,
        "code": "secret-in-arg",
        "source": "buildhush",
        "codeDescription": {"href": "https://docs.docker.com/build/building/secrets/"},
        "data": {"rule": "secret-in-arg", "version": 7},
        "relatedInformation": item["relatedInformation"],
    }
    assert [step["location"]["range"]["start"]["line"] for step in item["relatedInformation"]] == [1, 2]
    assert all(step["location"]["uri"] == uri for step in item["relatedInformation"])
    assert "`NPM_TOKEN`" in message
    assert not message.endswith(".")
    assert len(fingerprint) == 16


def test_a_client_that_knows_less_gets_less(eglot: Editor) -> None:
    uri = eglot.open(LEAK, version=3)
    (item,) = eglot.diagnostics(uri, 3)
    assert not {"relatedInformation", "codeDescription", "tags"} & item.keys()
    assert "NPM_TOKEN" in item["message"]


def test_the_fingerprint_outlives_an_edit_above(eglot: Editor) -> None:
    uri = eglot.open(LEAK)
    (before,) = eglot.diagnostics(uri)
    eglot.change(uri, 2, {"range": where(0, 0), "text": "# one more line\n"})
    (after,) = eglot.diagnostics(uri, 2)
    assert after["range"]["start"]["line"] == before["range"]["start"]["line"] + 1
    assert after["data"]["fingerprint"] == before["data"]["fingerprint"]
    assert after["data"]["version"] == 2


def test_what_is_unnecessary_is_tagged(vs_code: Editor) -> None:
    uri = vs_code.open("FROM debian:12\nRUN --mount=type=secret,id=a true\n")
    (item,) = vs_code.diagnostics(uri)
    assert item["code"] == "unused-secret-mount"
    assert item["severity"] == 4
    assert item["tags"] == [1]


def test_pulling_again_says_unchanged(vs_code: Editor) -> None:
    uri = vs_code.open(LEAK)
    report = vs_code.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    assert report["kind"] == "full"
    again = {"textDocument": {"uri": uri}, "previousResultId": report["resultId"]}
    assert vs_code.request("textDocument/diagnostic", again) == {"kind": "unchanged", "resultId": report["resultId"]}
    vs_code.change(uri, 2, {"text": CLEAN})
    report = vs_code.request("textDocument/diagnostic", again)
    assert (report["kind"], report["items"]) == ("full", [])


def test_only_the_last_of_a_burst_is_answered(eglot: Editor) -> None:
    uri = eglot.open(CLEAN, "file:///burst/Dockerfile")
    eglot.diagnostics(uri)
    messages = b"".join(
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        for body in (
            json.dumps(
                {
                    "jsonrpc": "2.0",
                    "method": "textDocument/didChange",
                    "params": {
                        "textDocument": {"uri": uri, "version": version},
                        "contentChanges": [{"range": where(1, 8), "text": "x"}],
                    },
                }
            ).encode()
            for version in range(2, 42)
        )
    )
    eglot.write(messages)
    eglot.diagnostics(uri, 41)
    published = [each for each in eglot.heard("textDocument/publishDiagnostics") if each["uri"] == uri]
    assert published[-1]["version"] == 41
    assert len(published) < 20


def test_versions_only_rise(eglot: Editor) -> None:
    versions = [
        each["version"]
        for each in eglot.heard("textDocument/publishDiagnostics")
        if each["uri"].startswith("file:///burst")
    ]
    assert versions == sorted(versions)


def test_closing_clears_and_pending_work_is_dropped(eglot: Editor) -> None:
    uri = eglot.open(LEAK, "file:///closing/Dockerfile")
    eglot.change(uri, 2, {"text": LEAK})
    eglot.close(uri)
    eglot.wait(
        lambda: any(
            each["uri"] == uri and not each["diagnostics"] for each in eglot.heard("textDocument/publishDiagnostics")
        ),
        "an empty list",
    )
    eglot.change(uri, 3, {"text": LEAK})
    assert eglot.at("textDocument/hover", uri, 1, 5) is None
    assert [each for each in eglot.heard("textDocument/publishDiagnostics") if each["uri"] == uri][-1][
        "diagnostics"
    ] == []


def test_several_documents_and_an_untitled_one(eglot: Editor) -> None:
    first = eglot.open(LEAK, "untitled:Untitled-1")
    second = eglot.open(CLEAN, "file:///b/Dockerfile")
    third = eglot.open(LEAK, "file:///c/compose.yaml", language="yaml")
    assert len(eglot.diagnostics(first)) == 1
    assert eglot.diagnostics(second) == []
    eglot.change(second, 2, {"text": LEAK})
    assert len(eglot.diagnostics(second, 2)) == 1
    assert all(each["uri"] != third for each in eglot.heard("textDocument/publishDiagnostics"))


@pytest.mark.parametrize(("profile", "start"), [(VS_CODE, 9), (NEOVIM, 11), (EGLOT, 8)])
def test_columns_are_in_the_agreed_unit(profile: dict[str, object], start: int) -> None:
    # One emoji: four bytes, two UTF-16 units, one character. U+2028 and form feed are no line ends.
    text = "FROM debian:12\n# \u2028 \x0c no line ends\nARG A=😀 NPM_TOKEN\nRUN echo \u2028 $NPM_TOKEN\n"
    with Editor(profile) as editor:
        editor.start()
        uri = editor.open(text)
        item = next(each for each in editor.diagnostics(uri) if each["code"] == "secret-in-arg")
        assert item["range"] == where(2, start, 2, start + len("NPM_TOKEN"))


def test_an_edit_behind_a_line_separator_lands_on_the_right_line(eglot: Editor) -> None:
    uri = eglot.open("FROM debian:12\n# \u2028\u2028\x0c\x1c\nRUN true\n", "file:///sep/Dockerfile")
    eglot.change(uri, 2, {"range": where(2, 0, 2, 8), "text": "ARG NPM_TOKEN\nRUN npm ci $NPM_TOKEN"})
    (item,) = eglot.diagnostics(uri, 2)
    assert item["range"] == where(2, 4, 2, 13)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FROM a\n" + "\0" * 40, "not-text"),
        ("FROM a\n" + "RUN true # " + "x" * 70 + "\n" * 1, None),
        ("RUN echo x \\\n" * 2, None),
        ("FROM a\nRUN <<A <<B\n" + "<<C\n" * 50, None),
        ("FROM a\nRUN " + "$(" * 5000, None),
        ("FROM a\nRUN true && \\\n" + "  echo x && \\\n" * 10_000, None),
        ("FROM a\n" + "RUN echo hello\n" * 340_000, "too-large"),
    ],
)
def test_bad_input_is_answered(text: str, code: str | None, eglot: Editor) -> None:
    uri = eglot.open(text, "file:///bad/Dockerfile")
    items = eglot.diagnostics(uri)
    if code is not None:
        assert [item["code"] for item in items] == [code]
    for method in ("documentSymbol", "foldingRange", "codeLens"):
        eglot.request(f"textDocument/{method}", {"textDocument": {"uri": uri}})
    eglot.at("textDocument/hover", uri, 1, 5)
    eglot.at("textDocument/completion", uri, 1, 5)
    eglot.at("textDocument/definition", uri, 10**6, 10**6)
    eglot.close(uri)
    eglot.messages.clear()
