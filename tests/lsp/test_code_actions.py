"""Quick fixes, fix-alls and ignoring comments, as each editor gets them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.lsp.client import EGLOT, NEOVIM, PLAIN, VS_CODE, Editor, Refused, applied, edits_of, uri_of, where

LEAK = "FROM debian:12\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
TEMPORARY = (
    "FROM debian:12\n"
    "RUN --mount=type=secret,id=a cat /run/secrets/a > /tmp/a && use /tmp/a\n"
    "RUN --mount=type=secret,id=b cat /run/secrets/b > /tmp/b && use /tmp/b\n"
)
FIXED = TEMPORARY.replace("use /tmp/a", "use /tmp/a && rm -f /tmp/a").replace(
    "use /tmp/b", "use /tmp/b && rm -f /tmp/b"
)


def titled(actions: list[dict[str, Any]], start: str) -> dict[str, Any]:
    return next(action for action in actions if action["title"].startswith(start))


def test_a_safe_fix_is_preferred_and_resolved_later(vs_code: Editor) -> None:
    uri = vs_code.open(TEMPORARY)
    first, _ = vs_code.diagnostics(uri)
    actions = vs_code.actions(uri, first["range"], [first])
    preferred = [action for action in actions if action.get("isPreferred")]
    assert [action["title"] for action in preferred] == ["Remove `/tmp/a` at the end of this RUN"]
    assert preferred[0]["kind"] == "quickfix"
    assert preferred[0]["diagnostics"] == [first]
    assert all("edit" not in action for action in actions)
    edit = vs_code.request("codeAction/resolve", preferred[0])["edit"]
    assert edit["documentChanges"][0]["textDocument"] == {"uri": uri, "version": 1}
    assert applied(TEMPORARY, edits_of(edit, uri)) == FIXED.replace(" && rm -f /tmp/b", "")
    assert "changeAnnotations" not in edit


def test_the_edit_comes_at_once_for_a_client_that_can_not_resolve(eglot: Editor) -> None:
    uri = eglot.open(TEMPORARY)
    first, _ = eglot.diagnostics(uri)
    action = titled(eglot.actions(uri, where(1, 40)), "Remove `/tmp/a` at the end")
    assert applied(TEMPORARY, edits_of(action["edit"], uri)) == FIXED.replace(" && rm -f /tmp/b", "")
    assert action["diagnostics"] == [first]


def test_a_fix_that_needs_a_flag_says_so_and_of_one_file_nothing_more_is_asked(vs_code: Editor) -> None:
    uri = vs_code.open(LEAK)
    (item,) = vs_code.diagnostics(uri)
    action = titled(vs_code.actions(uri, item["range"], [item]), "Mount `NPM_TOKEN`")
    assert "--secret id=npm_token,env=NPM_TOKEN" in action["title"]
    edit = vs_code.request("codeAction/resolve", action)["edit"]
    assert "changeAnnotations" not in edit
    edits = edits_of(edit, uri)
    assert not any("annotationId" in each for each in edits)
    assert "--mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci" in applied(LEAK, edits)
    assert "ARG" not in applied(LEAK, edits)


def test_a_client_without_document_changes_gets_plain_ones(neovim: Editor) -> None:
    uri = neovim.open(LEAK)
    (item,) = neovim.diagnostics(uri)
    action = titled(neovim.actions(uri, item["range"], [item]), "Mount `NPM_TOKEN`")
    edit = neovim.request("codeAction/resolve", action)["edit"]
    assert set(edit) == {"changes"}
    assert "env=NPM_TOKEN npm ci" in applied(LEAK, edits_of(edit, uri))


def test_a_client_that_knows_commands_only() -> None:
    profile = {**PLAIN, "capabilities": {"workspace": {"applyEdit": True}}}
    with Editor(profile) as editor:
        editor.start()
        uri = editor.open(TEMPORARY)
        editor.diagnostics(uri)
        action = titled(editor.actions(uri, where(1, 40)), "Remove `/tmp/a` at the end")
        assert action["command"] == "buildhush.applyFix"
        editor.request("workspace/executeCommand", {"command": action["command"], "arguments": action["arguments"]})
        editor.wait(lambda: bool(editor.heard("workspace/applyEdit")), "an edit")
        edit = editor.heard("workspace/applyEdit")[0]["edit"]
        assert applied(TEMPORARY, edits_of(edit, uri)) == FIXED.replace(" && rm -f /tmp/b", "")


def test_fix_all_of_a_rule(vs_code: Editor) -> None:
    uri = vs_code.open(TEMPORARY)
    action = titled(vs_code.actions(uri, where(1, 40)), "Fix all 2 findings of temp-file-not-removed")
    edit = vs_code.request("codeAction/resolve", action)["edit"]
    assert applied(TEMPORARY, edits_of(edit, uri)) == FIXED


def test_fix_all_takes_safe_fixes_only(vs_code: Editor) -> None:
    text = TEMPORARY + "ARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
    uri = vs_code.open(text)
    for only in ("source.fixAll.buildhush", "source.fixAll", "source"):
        (action,) = vs_code.actions(uri, where(0, 0), only=[only])
        assert action["kind"] == "source.fixAll.buildhush"
        edit = vs_code.request("codeAction/resolve", action)["edit"]
        assert applied(text, edits_of(edit, uri)) == FIXED + text.removeprefix(TEMPORARY)


@pytest.mark.parametrize(
    ("only", "kinds"),
    [
        (None, {"quickfix"}),
        (["quickfix"], {"quickfix"}),
        ([""], {"quickfix", "source.fixAll.buildhush"}),
        (["refactor"], set()),
        (["quick"], set()),
        (["source.organizeImports"], set()),
        (["source.fixAll.other"], set()),
    ],
)
def test_the_filter_of_kinds(only: list[str] | None, kinds: set[str], vs_code: Editor) -> None:
    uri = vs_code.open(TEMPORARY)
    context: dict[str, Any] = {} if only is None else {"only": only}
    assert {action["kind"] for action in vs_code.actions(uri, where(1, 40), **context)} == kinds


def test_nothing_is_offered_elsewhere(vs_code: Editor) -> None:
    uri = vs_code.open(TEMPORARY)
    assert vs_code.actions(uri, where(0, 0)) == []
    assert vs_code.actions("file:///not/open", where(0, 0)) is None


def test_ignoring_with_a_comment(vs_code: Editor) -> None:
    uri = vs_code.open(TEMPORARY)
    action = titled(vs_code.actions(uri, where(1, 40)), "Ignore temp-file-not-removed")
    assert "isPreferred" not in action
    text = applied(TEMPORARY, edits_of(vs_code.request("codeAction/resolve", action)["edit"], uri))
    assert text.splitlines()[1].startswith("# buildhush: ignore=temp-file-not-removed -- ")
    vs_code.change(uri, 2, {"text": text})
    assert [item["range"]["start"]["line"] for item in vs_code.diagnostics(uri)] == [3]


def test_an_action_of_an_older_text_is_computed_anew(vs_code: Editor) -> None:
    uri = vs_code.open(TEMPORARY)
    first, _ = vs_code.diagnostics(uri)
    vs_code.change(uri, 2, {"range": where(0, 0), "text": "# above\n"})
    action = titled(vs_code.actions(uri, where(2, 40), [first]), "Remove `/tmp/a` at the end")
    vs_code.change(uri, 3, {"range": where(0, 0), "text": "# and above\n"})
    edit = vs_code.request("codeAction/resolve", action)["edit"]
    assert edit["documentChanges"][0]["textDocument"]["version"] == 3
    (each,) = edits_of(edit, uri)
    assert each["range"]["start"]["line"] == 3
    vs_code.change(uri, 4, {"text": "FROM debian:12\n"})
    with pytest.raises(Refused) as refused:
        vs_code.request("codeAction/resolve", action)
    assert refused.value.code == -32801


COPIED = "FROM debian:12\nCOPY . /app\n"


def test_a_line_for_the_ignore_file_creates_it(vs_code: Editor, tmp_path: Path) -> None:
    (tmp_path / "id_rsa").write_text("x")
    uri = vs_code.open(COPIED, uri_of(tmp_path / "Dockerfile"))
    (item,) = vs_code.diagnostics(uri)
    assert item["code"] == "context-copies-secret"
    action = next(action for action in vs_code.actions(uri, item["range"], [item]) if action.get("isPreferred"))
    edit = vs_code.request("codeAction/resolve", action)["edit"]
    ignore = uri_of(tmp_path / ".dockerignore")
    kinds = [(each.get("kind"), each.get("uri") or each["textDocument"]["uri"]) for each in edit["documentChanges"]]
    assert kinds == [("create", ignore), (None, ignore)]
    assert edit["documentChanges"][0]["options"] == {"ignoreIfExists": True}
    assert "id_rsa" in applied("", edits_of(edit, ignore))


def test_a_line_is_appended_to_an_ignore_file(eglot: Editor, tmp_path: Path) -> None:
    (tmp_path / "id_rsa").write_text("x")
    (tmp_path / ".dockerignore").write_text("node_modules")
    uri = eglot.open(COPIED, uri_of(tmp_path / "Dockerfile"))
    (item,) = eglot.diagnostics(uri)
    action = next(action for action in eglot.actions(uri, item["range"], [item]) if action.get("isPreferred"))
    ignore = uri_of(tmp_path / ".dockerignore")
    assert applied("node_modules", edits_of(action["edit"], ignore)).startswith("node_modules\n")
    # The text that the editor holds counts, not the one on disk.
    eglot.open("dist\n", ignore, version=5, language="ignore")
    action = next(action for action in eglot.actions(uri, item["range"], [item]) if action.get("isPreferred"))
    change = action["edit"]["documentChanges"][-1]
    assert change["textDocument"]["version"] == 5
    assert applied("dist\n", change["edits"]).startswith("dist\n")
    eglot.close(ignore)


@pytest.mark.parametrize("profile", [VS_CODE, NEOVIM, EGLOT], ids=lambda profile: profile["name"])
def test_every_fix_of_every_finding_can_be_applied(profile: dict[str, Any]) -> None:
    text = (
        LEAK
        + TEMPORARY.split("\n", 1)[1]
        + "ENV API_KEY=ghp_0123456789abcdefghijklmnopqrstuvwxyz\nCOPY id_rsa /root/.ssh/\n"
    )
    with Editor(profile) as editor:
        editor.start()
        uri = editor.open(text)
        items = editor.diagnostics(uri)
        assert len(items) >= 4
        for item in items:
            for action in editor.actions(uri, item["range"], [item]):
                resolved = action if "edit" in action else editor.request("codeAction/resolve", action)
                assert applied(text, edits_of(resolved["edit"], uri)) != text


def test_commands(eglot: Editor) -> None:
    uri = eglot.open(TEMPORARY)

    def execute(command: str, *arguments: Any) -> Any:
        return eglot.request("workspace/executeCommand", {"command": command, "arguments": list(arguments)})

    command = execute("buildhush.copyBuildCommand", uri)
    assert command == "docker buildx build --secret id=a,env=A --secret id=b,env=B ."
    assert eglot.heard("window/showMessage")[-1] == {"type": 3, "message": command}
    assert execute("buildhush.showDocument", "secret-in-arg").startswith("# secret-in-arg")
    execute("buildhush.fixAll", uri)
    eglot.wait(lambda: bool(eglot.heard("workspace/applyEdit")), "an edit")
    assert applied(TEMPORARY, edits_of(eglot.heard("workspace/applyEdit")[-1]["edit"], uri)) == FIXED
    for wrong in (["buildhush.fixAll"], ["buildhush.copyBuildCommand", 3], ["buildhush.showDocument", "none"]):
        with pytest.raises(Refused) as refused:
            execute(*wrong)
        assert refused.value.code == -32602


def test_the_canary_build_says_why_it_can_not_run(tmp_path: Path) -> None:
    # Without a PATH there is no builder; the reply comes from beside the server's thread, and the server goes on.
    file = tmp_path / "Dockerfile"
    environment = {**os.environ, "PATH": str(tmp_path), "BUILDKIT_HOST": "", "DOCKER_HOST": "unix:///nowhere.sock"}
    with Editor(VS_CODE, environment=environment) as editor:
        editor.start()
        uri = editor.open(TEMPORARY, uri_of(file))
        command = {"command": "buildhush.verify", "arguments": [uri]}
        with pytest.raises(Refused, match="save the file first"):
            editor.request("workspace/executeCommand", command)
        file.write_text(TEMPORARY)
        with pytest.raises(Refused) as refused:
            editor.request("workspace/executeCommand", command)
        assert refused.value.code == -32803
        assert "inside the server" not in refused.value.message
        assert "window/workDoneProgress/create" in editor.methods()
        assert editor.end() == 0
