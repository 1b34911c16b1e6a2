"""An error inside costs what it was raised for, once: all else goes on, it is told, and no text of a file is in it.

Each row is a place where a layer begins. There an exception is raised on purpose, one time, which quotes a file with a
credential; that it was raised is part of each test.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.lsp.client import EGLOT, Editor, Refused
from tests.reliability.canaries import Planted, given_away, plant

from buildhush.cli.records import NOT_READ

FAILING = str(Path(__file__).with_name("failing.py"))
EXCEPTIONS = ("RuntimeError", "RecursionError", "MemoryError")
FILES = {
    "Dockerfile": "FROM node:22\nARG NPM_TOKEN=@npm:argument\nRUN npm ci --token=$NPM_TOKEN\n"
    "RUN --mount=type=secret,id=key cat /run/secrets/key > /key\n",
    "compose.yaml": "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: @npm:passed\n",
}
OTHER = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"

# While a Dockerfile is edited.
WHILE_EDITED = (
    "buildhush.engine:reparse_with_counts",
    "buildhush.engine:gather",
    "buildhush.engine:silence",
    "buildhush.engine:reports_of",
    "buildhush.reports:_found",
    "buildhush.flow.runs:reader.read",
    "buildhush.flow.interpreter:Interpreter.run",
    "buildhush.lsp.diagnostics:publish",
    "buildhush.lsp.companions:findings_for",
)

# While a request is answered: the place, the method, and what more it is sent.
_PLACE = {"position": {"line": 1, "character": 6}}
_RANGE = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 4, "character": 0}}}
_ACTIONS = {**_RANGE, "context": {"diagnostics": []}}
OF_A_REQUEST: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("buildhush.lsp.hover:hover", "hover", _PLACE),
    ("buildhush.lsp.completion:completion", "completion", _PLACE),
    ("buildhush.lsp.code_actions:code_actions", "codeAction", _ACTIONS),
    ("buildhush.lsp.navigation:definition", "definition", _PLACE),
    ("buildhush.lsp.navigation:references", "references", {**_PLACE, "context": {"includeDeclaration": True}}),
    ("buildhush.lsp.navigation:highlight", "documentHighlight", _PLACE),
    ("buildhush.lsp.navigation:prepare_rename", "prepareRename", _PLACE),
    ("buildhush.lsp.navigation:rename", "rename", {**_PLACE, "newName": "other"}),
    ("buildhush.lsp.symbols:document_symbols", "documentSymbol", {}),
    ("buildhush.lsp.symbols:folding_ranges", "foldingRange", {}),
    ("buildhush.lsp.hints:inlay_hints", "inlayHint", _RANGE),
    ("buildhush.lsp.lenses:code_lenses", "codeLens", {}),
    ("buildhush.lsp.semantic_tokens:full", "semanticTokens/full", {}),
    ("buildhush.lsp.semantic_tokens:in_range", "semanticTokens/range", _RANGE),
    ("buildhush.lsp.protocol:BuildhushProtocol._send_result", "hover", _PLACE),
)

# What fails in a part of an answer costs that part.
IN_A_PART = (
    "buildhush.engine:_holds",
    "buildhush.lsp.companions:findings_for",
    "buildhush.lsp.companions:caller_edits",
)

# In a command, while the first of three files is looked at; the files that the others' findings stand in.
IN_CHECK = {
    "buildhush.cli.analysis:settings_for": "skipped",
    "buildhush.cli.analysis:analyze": "skipped",
    "buildhush.cli.analysis:context_for": "skipped",
    "buildhush.cli.analysis:records": "skipped",
    "buildhush.cli.analysis:LineIndex": "skipped",
    "buildhush.engine:parse": "skipped",
    "buildhush.engine:gather": "skipped",
    "buildhush.reports:_found": "problems",
    "buildhush.companions.compose:read_compose": "problems",
    "buildhush.cli.companions:all_findings_in": "problems",
    "buildhush.cli.companions:all_findings_for": "problems",
}


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    found = plant(FILES)
    project = tmp_path / "project"
    (project / "other").mkdir(parents=True)
    for name, text in found.files.items():
        (project / name).write_text(text)
    (project / "other" / "Dockerfile").write_text(OTHER)
    (project / "other" / "compose.yaml").write_text("services:\n  other:\n    build: .\n")
    return found


def exception_for(place: str) -> str:
    return EXCEPTIONS[sum(place.encode()) % len(EXCEPTIONS)]


class Session:
    """A session with a server in which one place will fail."""

    def __init__(self, place: str, folder: Path, planted: Planted, profile: dict[str, Any]) -> None:
        self.armed = folder / "armed"
        self.planted = planted
        self.editor = Editor(profile, [sys.executable, FAILING, place, exception_for(place), str(self.armed), "lsp"])
        self.editor.may_fail = True
        self.editor.start(rootUri=(folder / "project").as_uri())
        self.uri = self.editor.open(planted.text, (folder / "project" / "Dockerfile").as_uri())
        self.other = self.editor.open(OTHER, (folder / "project" / "other" / "Dockerfile").as_uri())
        # Once the files that build them are known, and what they say of the Dockerfile stands in it, answers change
        # with the text alone. Either of the two diagnostics may come first.
        beside = (folder / "project" / "compose.yaml").as_uri()
        self.editor.wait(lambda: self._published(beside) and self._heard_of_callers(), "the callers' diagnostics")

    def _published(self, uri: str) -> list[dict[str, Any]]:
        """What was published last for a file, in a list of its own."""
        return [each for each in self.editor.heard("textDocument/publishDiagnostics") if each["uri"] == uri][-1:]

    def _heard_of_callers(self) -> bool:
        """No caller passes the secret `key`."""
        return any("secret-mount-ineffective" in codes(each["diagnostics"]) for each in self._published(self.uri))

    def arm(self) -> None:
        self.armed.write_text("".join(self.planted.files.values()))

    def wait_until_it_failed(self) -> None:
        editor = self.editor
        editor.wait(lambda: bool(editor.heard("window/showMessage")), "a message to the user")
        assert not self.armed.exists(), "the place was not reached"

    def check_what_was_told(self) -> None:
        """The user once, the client's log once, and nothing of the text anywhere."""
        self.check_that_nothing_was_given_away()
        editor = self.editor
        assert len(editor.heard("window/showMessage")) == 1
        assert [each["type"] for each in editor.heard("window/logMessage")] == [1]

    def check_that_nothing_was_given_away(self) -> None:
        """Ends the session and searches all of it."""
        editor = self.editor
        assert editor.end() == 0
        assert given_away(json.dumps(editor.messages).encode(), self.planted.canaries) == []
        assert given_away(bytes(editor.errors), self.planted.canaries) == []


def codes(found: list[dict[str, Any]]) -> list[str]:
    return sorted(each["code"] for each in found)


@pytest.mark.parametrize("place", WHILE_EDITED)
def test_the_next_version_is_right(place: str, planted: Planted, tmp_path: Path) -> None:
    session = Session(place, tmp_path, planted, EGLOT)
    with session.editor as editor:
        expected, others = codes(editor.diagnostics(session.uri)), codes(editor.diagnostics(session.other))
        assert expected
        session.arm()
        editor.change(session.uri, 2, {"text": planted.text.replace("npm ci", "npm  ci")})
        editor.change(session.other, 2, {"text": OTHER + "# more\n"})
        session.wait_until_it_failed()
        assert codes(editor.diagnostics(session.other, 2)) == others
        editor.change(session.uri, 3, {"text": planted.text})
        assert codes(editor.diagnostics(session.uri, 3)) == expected
        session.check_what_was_told()


def test_a_log_that_fails_costs_the_record(planted: Planted, tmp_path: Path) -> None:
    session = Session("buildhush.lsp.log:SafeFormatter.format", tmp_path, planted, EGLOT)
    with session.editor as editor:
        expected = codes(editor.diagnostics(session.uri))
        session.arm()
        editor.notify("textDocument/didChange", {"nonsense": planted.text})
        editor.change(session.uri, 2, {"text": planted.text + "# more\n"})
        assert codes(editor.diagnostics(session.uri, 2)) == expected
        assert not session.armed.exists(), "the place was not reached"
        session.check_that_nothing_was_given_away()
        assert b"Logging error" not in editor.errors


@pytest.mark.parametrize(
    ("place", "method", "more"), OF_A_REQUEST, ids=lambda each: each if isinstance(each, str) else ""
)
def test_the_next_request_is_answered(
    place: str, method: str, more: dict[str, Any], planted: Planted, tmp_path: Path
) -> None:
    session = Session(place, tmp_path, planted, EGLOT)
    with session.editor as editor:
        request = f"textDocument/{method}", {"textDocument": {"uri": session.uri}, **more}
        expected = editor.request(*request)
        session.arm()
        with pytest.raises(Refused, match="failed inside the server"):
            editor.request(*request)
        session.wait_until_it_failed()
        # The id of a result is another one each time.
        again, expected = (
            {**each, "resultId": ""} if isinstance(each, dict) else each
            for each in (editor.request(*request), expected)
        )
        assert again == expected
        session.check_what_was_told()


@pytest.mark.parametrize("place", IN_A_PART)
def test_a_part_that_fails_leaves_the_other_parts_of_an_answer(place: str, planted: Planted, tmp_path: Path) -> None:
    session = Session(place, tmp_path, planted, EGLOT)
    with session.editor as editor:
        editor.diagnostics(session.uri)
        whole = _RANGE["range"]
        expected = editor.actions(session.uri, whole)
        resolved = [editor.request("codeAction/resolve", each) for each in expected if "edit" not in each]
        editor.change(session.uri, 2, {"text": planted.text + "# more\n"})
        editor.diagnostics(session.uri, 2)
        session.arm()
        found = editor.actions(session.uri, whole)
        again = [editor.request("codeAction/resolve", each) for each in found if "edit" not in each]
        session.wait_until_it_failed()
        assert len(found) >= len(expected) - 3
        assert found
        assert len(again) >= len(resolved) - 3
        session.check_what_was_told()


def buildhush(place: str, folder: Path, planted: Planted, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    armed = folder / "armed"
    armed.write_text("".join(planted.files.values()))
    command = [sys.executable, FAILING, place, exception_for(place), str(armed), *arguments]
    done = subprocess.run(command, cwd=folder / "project", capture_output=True, check=False)
    assert not armed.exists(), "the place was not reached"
    assert given_away(done.stdout + done.stderr, planted.canaries) == []
    assert b"Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("place", IN_CHECK)
def test_check_names_the_file_and_goes_on_with_the_others(place: str, planted: Planted, tmp_path: Path) -> None:
    done = buildhush(place, tmp_path, planted, "check", "--format", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert "other/Dockerfile" in {each["file"] for each in found["findings"]}
    if IN_CHECK[place] == "skipped":
        assert [each["file"] for each in found["files"]["skipped"]] == ["Dockerfile"]
        assert "internal error" in found["files"]["skipped"][0]["reason"]
    else:
        assert {each["file"] for each in found["findings"]} >= {"Dockerfile"}
        told = [each for each in found["problems"] if each["code"] in ("internal-error", NOT_READ)]
        assert [each["file"] for each in told] in (["Dockerfile"], ["compose.yaml"])


@pytest.mark.parametrize("name", ["human", "json", "sarif", "github", "gitlab"])
def test_a_format_that_fails_ends_with_status_2(name: str, planted: Planted, tmp_path: Path) -> None:
    done = buildhush("buildhush.cli.formats:render", tmp_path, planted, "check", "--format", name)
    assert done.returncode == 2
    assert b"internal error, please report it" in done.stderr


@pytest.mark.parametrize(
    "place",
    [
        "buildhush.cli.repairs:analyze",
        "buildhush.cli.repairs:configuration_for",
        "buildhush.cli.companions:all_findings_in",
        "buildhush.cli.companions:fixes_of",
        "buildhush.engine:_holds",
        "buildhush.companions.compose:read_compose",
    ],
)
def test_fix_repairs_the_other_files(place: str, planted: Planted, tmp_path: Path) -> None:
    done = buildhush(place, tmp_path, planted, "fix")
    assert done.returncode == 1, done.stderr
    assert "--mount=type=secret,id=npm_token" in (tmp_path / "project/other/Dockerfile").read_text()
    assert b"internal error" in done.stderr or b"failed" in done.stderr or b"could not be" in done.stderr
