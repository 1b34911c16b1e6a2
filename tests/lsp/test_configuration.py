"""Settings of the editor, the configuration file, and what changes on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.lsp.client import EGLOT, PLAIN, VS_CODE, Editor, uri_of

LEAK = "FROM debian:12\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"


def codes(editor: Editor, uri: str, version: int = 1) -> list[str]:
    return [item["code"] for item in editor.diagnostics(uri, version)]


def test_settings_are_asked_for() -> None:
    with Editor(
        VS_CODE, settings={"ignore": ["secret-in-arg"], "serverPath": "/x", "trace": {"server": "off"}}
    ) as editor:
        editor.start()
        uri = editor.open(LEAK)
        editor.wait(lambda: "workspace/configuration" in editor.methods(), "the question")
        assert editor.heard("workspace/configuration")[0] == {"items": [{"section": "buildhush"}]}
        assert codes(editor, uri) == []
        editor.settings = {"ignore": []}
        editor.notify("workspace/didChangeConfiguration", {"settings": None})
        editor.wait(lambda: len(editor.heard("workspace/configuration")) == 2, "the question")
        assert codes(editor, uri) == ["secret-in-arg"]
        editor.wait(lambda: "workspace/diagnostic/refresh" in editor.methods(), "word that results changed")


def test_what_the_client_can_register_is_registered() -> None:
    with Editor(VS_CODE) as editor:
        editor.start()
        editor.wait(lambda: "client/registerCapability" in editor.methods(), "registrations")
        (params,) = editor.heard("client/registerCapability")
        assert [each["method"] for each in params["registrations"]] == [
            "workspace/didChangeConfiguration",
            "workspace/didChangeWatchedFiles",
        ]
    with Editor(PLAIN) as editor:
        editor.start()
        editor.diagnostics(editor.open(LEAK))
        assert editor.methods() == ["textDocument/publishDiagnostics"]


def test_settings_that_are_pushed() -> None:
    with Editor(PLAIN) as editor:
        editor.start()
        uri = editor.open(LEAK)
        assert codes(editor, uri) == ["secret-in-arg"]
        count = len(editor.messages)
        editor.notify("workspace/didChangeConfiguration", {"settings": {"buildhush": {"publicNames": ["NPM_*"]}}})
        editor.wait(lambda: len(editor.messages) > count, "new diagnostics")
        assert codes(editor, uri) == []


@pytest.mark.parametrize("select", [[], None, ["secret-in-arg"]])
def test_an_empty_list_of_rules_means_all_of_them(select: list[str] | None) -> None:
    with Editor(PLAIN) as editor:
        editor.start(initializationOptions={"select": select})
        assert codes(editor, editor.open(LEAK)) == ["secret-in-arg"]


@pytest.mark.parametrize("wrapped", [True, False])
def test_settings_given_at_start(wrapped: bool) -> None:
    options: dict[str, Any] = {"severity": {"secret-in-arg": "hint"}}
    with Editor(EGLOT) as editor:
        editor.start(initializationOptions={"buildhush": options} if wrapped else options)
        (item,) = editor.diagnostics(editor.open(LEAK))
        assert item["severity"] == 4


def test_a_setting_that_is_wrong_is_shown_once_and_the_old_ones_stay() -> None:
    with Editor(PLAIN) as editor:
        editor.start(initializationOptions={"ignore": ["secret-in-arg"]})
        for _ in range(2):
            editor.notify("workspace/didChangeConfiguration", {"settings": {"buildhush": {"ignore": 3}}})
        assert codes(editor, editor.open(LEAK)) == []
        (shown,) = editor.heard("window/showMessage")
        assert "ignore" in shown["message"]


def test_the_configuration_file(tmp_path: Path) -> None:
    file = tmp_path / ".buildhush.toml"
    file.write_text('ignore = ["secret-in-arg"]\n')
    folder = tmp_path / "service"
    folder.mkdir()
    with Editor(EGLOT) as editor:
        editor.start()
        uri = editor.open(LEAK, uri_of(folder / "Dockerfile"))
        assert codes(editor, uri) == []
        file.write_text('ignore = ["secret-in-arg"\n')
        changed = {"changes": [{"uri": uri_of(file), "type": 2}]}
        editor.notify("workspace/didChangeWatchedFiles", changed)
        (problem,) = editor.diagnostics(uri_of(file), None)  # type: ignore[arg-type]
        assert problem["code"] == "configuration"
        # The last good one stays in force, and the message comes once.
        editor.change(uri, 2, {"text": LEAK})
        assert codes(editor, uri, 2) == []
        assert len(editor.heard("window/showMessage")) == 1
        file.write_text("")
        editor.messages.clear()
        editor.notify("workspace/didChangeWatchedFiles", changed)
        assert codes(editor, uri, 2) == ["secret-in-arg"]
        assert editor.diagnostics(uri_of(file), None) == []  # type: ignore[arg-type]
        file.unlink()
        editor.messages.clear()
        editor.notify("workspace/didChangeWatchedFiles", changed)
        assert codes(editor, uri, 2) == ["secret-in-arg"]
        (said,) = editor.heard("window/showMessage")
        assert said["message"] == f"{file} is gone: the defaults hold again"


def test_a_broken_configuration_file_that_goes_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / ".buildhush.toml"
    file.write_text('ignore = ["secret-in-arg"\n')
    changed = {"changes": [{"uri": uri_of(file), "type": 3}]}
    with Editor(EGLOT) as editor:
        editor.start()
        uri = editor.open(LEAK, uri_of(tmp_path / "Dockerfile"))
        assert codes(editor, uri) == ["secret-in-arg"]
        assert editor.diagnostics(uri_of(file), None)  # type: ignore[arg-type]
        file.unlink()
        editor.messages.clear()
        editor.notify("workspace/didChangeWatchedFiles", changed)
        assert editor.diagnostics(uri_of(file), None) == []  # type: ignore[arg-type]
        assert codes(editor, uri) == ["secret-in-arg"]
        # What is wrong again is said again.
        file.write_text('ignore = ["secret-in-arg"\n')
        editor.messages.clear()
        editor.notify("workspace/didChangeWatchedFiles", changed)
        assert codes(editor, uri) == ["secret-in-arg"]
        assert len(editor.heard("window/showMessage")) == 1


def test_each_folder_of_a_window_has_its_own_configuration(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    (folders[1] / ".buildhush.toml").write_text('[severity]\nsecret-in-arg = "hint"\n')
    named = [{"uri": uri_of(folder), "name": folder.name} for folder in folders]
    # The answer of this editor, whatever is asked for: the window, then each folder.
    with Editor(VS_CODE, settings=[{}, {"ignore": ["secret-in-arg"]}, {}]) as editor:
        editor.start(workspaceFolders=named[:2])
        editor.wait(lambda: "workspace/configuration" in editor.methods(), "the question")
        asked = editor.heard("workspace/configuration")[0]["items"]
        assert [each.get("scopeUri") for each in asked] == [None, named[0]["uri"], named[1]["uri"]]
        uris = [editor.open(LEAK, uri_of(folder / "Dockerfile")) for folder in folders]
        found = [[item["severity"] for item in editor.diagnostics(uri)] for uri in uris]
        assert found == [[], [4], [1]]
        editor.settings = [{}, {}, {"ignore": ["secret-in-arg"]}]
        event = {"added": [named[2]], "removed": [named[0]]}
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        editor.wait(lambda: len(editor.heard("workspace/configuration")) == 2, "the question")
        found = [[item["severity"] for item in editor.diagnostics(uri)] for uri in uris]
        assert found == [[1], [4], []]


def test_editor_settings_are_laid_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".buildhush.toml").write_text('[severity]\nsecret-in-arg = "hint"\n')
    with Editor(EGLOT) as editor:
        editor.start(initializationOptions={"severity": {"secret-in-arg": "information"}})
        (item,) = editor.diagnostics(editor.open(LEAK, uri_of(tmp_path / "Dockerfile")))
        assert item["severity"] == 3


def test_a_new_ignore_file_counts_when_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "id_rsa").write_text("x")
    with Editor(EGLOT) as editor:
        editor.start()
        uri = editor.open("FROM debian:12\nCOPY . /app\n", uri_of(tmp_path / "Dockerfile"))
        assert codes(editor, uri) == ["context-copies-secret"]
        ignore = tmp_path / ".dockerignore"
        ignore.write_text("id_rsa\n")
        editor.messages.clear()
        editor.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": uri_of(ignore), "type": 1}]})
        assert codes(editor, uri) == []


def test_an_ignore_file_counts_while_it_is_typed(tmp_path: Path) -> None:
    (tmp_path / "id_rsa").write_text("x")
    with Editor(EGLOT) as editor:
        editor.start()
        uri = editor.open("FROM debian:12\nCOPY . /app\n", uri_of(tmp_path / "Dockerfile"))
        assert codes(editor, uri) == ["context-copies-secret"]
        for step, expected in (
            (lambda ignore: editor.open("id_rsa\n", ignore, language="ignore"), []),
            (lambda ignore: editor.change(ignore, 2, {"text": "other\n"}), ["context-copies-secret"]),
            (lambda ignore: editor.change(ignore, 3, {"text": "id_rsa\n"}), []),
            (editor.close, ["context-copies-secret"]),
        ):
            editor.messages.clear()
            step(uri_of(tmp_path / ".dockerignore"))
            assert codes(editor, uri) == expected


def test_a_saved_configuration_counts_without_word_of_the_disk(tmp_path: Path) -> None:
    with Editor(PLAIN) as editor:
        editor.start()
        uri = editor.open(LEAK, uri_of(tmp_path / "Dockerfile"))
        assert codes(editor, uri) == ["secret-in-arg"]
        file = tmp_path / ".buildhush.toml"
        file.write_text('ignore = ["secret-in-arg"]\n')
        editor.messages.clear()
        editor.notify("textDocument/didSave", {"textDocument": {"uri": uri_of(file)}})
        assert codes(editor, uri) == []


def test_folders_come_and_go() -> None:
    with Editor(EGLOT) as editor:
        editor.start(workspaceFolders=[{"uri": "file:///one", "name": "one"}])
        event = {"added": [{"uri": "file:///two", "name": "two"}], "removed": [{"uri": "file:///one", "name": "one"}]}
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": 3})
        assert codes(editor, editor.open(LEAK)) == ["secret-in-arg"]
        assert editor.end() == 0
