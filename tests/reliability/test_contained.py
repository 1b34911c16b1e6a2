"""An error inside costs what it was raised for, once: all else goes on, it is told, and no text of a file is in it.

Each row is a place where a layer begins. There an exception is raised on purpose which quotes a file with a credential:
one time, or, where a place is followed by `@` and the end of a path, every time that it is called for that file. That
it was raised is part of each test.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.lsp.client import EGLOT, Editor, Message, Refused
from tests.reliability.canaries import Planted, given_away, plant
from tests.reliability.failing import failing_command

from buildhush.failures import INTERNAL_ERROR_CODE

FILES = {
    "Dockerfile": "FROM node:22\nARG NPM_TOKEN=@npm:argument\nRUN npm ci --token=$NPM_TOKEN\n"
    "RUN --mount=type=secret,id=key cat /run/secrets/key > /key\n",
    "compose.yaml": "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: @npm:passed\n",
}
BESIDE = {
    "docker-bake.hcl": 'target "web" {\n  args = { NPM_TOKEN = "@npm:baked" }\n}\n',
    ".github/workflows/build.yml": "jobs:\n  build:\n    steps:\n"
    "      - run: docker build --build-arg NPM_TOKEN=@npm:run .\n",
    ".gitlab-ci.yml": "build:\n  script:\n    - docker build --build-arg NPM_TOKEN=@npm:job .\n",
    "build.sh": "docker build --build-arg NPM_TOKEN=@npm:typed .\n",
    "Makefile": "build:\n\tdocker build --build-arg NPM_TOKEN=@npm:made .\n",
}
"""One file for each of the other readers."""

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
    "buildhush.dockerfile.parser:parse_mounts",
    "buildhush.flow.literals:find_literals",
    "buildhush.flow.machine:is_public_place",
    "buildhush.lsp.diagnostics:publish",
    "buildhush.lsp.companions:findings_for",
    "buildhush.lsp.companions:Companions.changed",
    "buildhush.lsp.configuration:Configuration.settings",
    "buildhush.lsp.configuration:Configuration.context",
    "buildhush.lsp.configuration:Configuration.look_again",
)

# While what builds the Dockerfiles is looked for, and the diagnostic that says so in the file that it was for.
IN_THE_SCAN = {
    "buildhush.companions.index:_listed@/project/other": None,
    "buildhush.companions.index:Ignores.entering@/project/other": None,
    "buildhush.companions.index:CallerIndex._updated@/project/other/compose.yaml": "other/compose.yaml",
    "buildhush.companions.index:read_file_of_kind@/project/other/compose.yaml": "other/compose.yaml",
    "buildhush.companions.index:CallerIndex._link@/project/other/compose.yaml": "other/compose.yaml",
    "buildhush.companions.compose:read_compose@/project/other/compose.yaml": "other/compose.yaml",
    "buildhush.companions.bake:read_bake@/docker-bake.hcl": "docker-bake.hcl",
    "buildhush.companions.workflows:read_workflow@/build.yml": ".github/workflows/build.yml",
    "buildhush.companions.gitlab:read_gitlab@/.gitlab-ci.yml": ".gitlab-ci.yml",
    "buildhush.companions.scripts:read_script@/build.sh": "build.sh",
    "buildhush.companions.scripts:read_makefile@/Makefile": "Makefile",
}

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
    ("buildhush.lsp.semantic_tokens:delta", "semanticTokens/full/delta", {"previousResultId": "none"}),
    ("buildhush.lsp.semantic_tokens:in_range", "semanticTokens/range", _RANGE),
    ("buildhush.lsp.protocol:BuildhushProtocol._send_result", "hover", _PLACE),
)

# What fails in a part of an answer costs that part.
PULLING: Message = {
    "name": "pulling",
    "capabilities": {
        **EGLOT["capabilities"],
        "workspace": {**EGLOT["capabilities"]["workspace"], "diagnostics": {"refreshSupport": True}},
        "textDocument": {**EGLOT["capabilities"]["textDocument"], "diagnostic": {"dynamicRegistration": False}},
    },
}
_CODE_ACTION = {
    **EGLOT["capabilities"]["textDocument"]["codeAction"],
    "dataSupport": True,
    "resolveSupport": {"properties": ["edit"]},
}
RESOLVING: Message = {
    "name": "resolving",
    "capabilities": {
        **EGLOT["capabilities"],
        "textDocument": {**EGLOT["capabilities"]["textDocument"], "codeAction": _CODE_ACTION},
    },
}

IN_A_PART = (
    "buildhush.engine:_holds",
    "buildhush.lsp.code_actions:suppress_fix",
    "buildhush.lsp.code_actions:offered",
    "buildhush.lsp.code_actions:workspace_edit",
    "buildhush.lsp.code_actions:_diagnostics",
    "buildhush.lsp.companions:findings_for",
    "buildhush.lsp.companions:caller_edits",
)

# In a command, while the first of several files is looked at, or always for one: where it is told, and of which.
IN_CHECK = {
    "buildhush.cli.analysis:settings_for": ("skipped", "Dockerfile"),
    "buildhush.cli.analysis:analyze": ("skipped", "Dockerfile"),
    "buildhush.cli.analysis:context_for": ("skipped", "Dockerfile"),
    "buildhush.cli.analysis:records": ("skipped", "Dockerfile"),
    "buildhush.cli.analysis:LineIndex": ("skipped", "Dockerfile"),
    "buildhush.engine:parse": ("skipped", "Dockerfile"),
    "buildhush.engine:gather": ("skipped", "Dockerfile"),
    "buildhush.engine:load_commands": ("skipped", "Dockerfile"),
    "buildhush.dockerfile.parser:parse_mounts": ("skipped", "Dockerfile"),
    "buildhush.flow.declarations:judge": ("skipped", "Dockerfile"),
    "buildhush.reports:_found": ("problems", "Dockerfile"),
    "buildhush.cli.surroundings:look_around": ("problems", "."),
    "buildhush.cli.companions:Callers._is_wanted": ("problems", ".github/workflows/build.yml"),
    "buildhush.cli.companions:Callers._problems@/project/compose.yaml": ("problems", "compose.yaml"),
    "buildhush.cli.companions:settings_for": ("problems", ".github/workflows/build.yml"),
    "buildhush.cli.companions:all_findings_in": ("problems", ".github/workflows/build.yml"),
    "buildhush.cli.companions:all_findings_in@/project/compose.yaml": ("problems", "compose.yaml"),
    "buildhush.cli.companions:all_findings_for@/project/Dockerfile": ("problems", "Dockerfile"),
    "buildhush.companions.index:CallerIndex.contexts_of@/project/Dockerfile": ("problems", "Dockerfile"),
    "buildhush.companions.index:_listed@/project/other": ("problems", "other"),
    "buildhush.companions.gitignore:Ignores.above": ("skipped", "."),
    "buildhush.companions.gitignore:Ignores.entering@/project/other": ("skipped", "other"),
    "buildhush.companions.index:CallerIndex.update@/project/compose.yaml": ("problems", "compose.yaml"),
    **{
        place.replace("/project/other/compose.yaml", "/project/compose.yaml"): (
            "problems",
            named.replace("other/", ""),
        )
        for place, named in IN_THE_SCAN.items()
        if named is not None
    },
}


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    found = plant({**FILES, **BESIDE})
    project = tmp_path / "project"
    (project / "other").mkdir(parents=True)
    for name, text in found.files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    (project / "other" / "Dockerfile").write_text(OTHER)
    (project / "other" / "compose.yaml").write_text("services:\n  other:\n    build: .\n")
    return found


class Session:
    """A session with a server in which one place will fail, with `early` from the beginning."""

    def __init__(
        self, place: str, folder: Path, planted: Planted, profile: Message = EGLOT, *, early: bool = False
    ) -> None:
        self.folder = folder / "project"
        self.armed = folder / "armed"
        self.planted = planted
        if early:
            self.arm()
        self.editor = Editor(profile, failing_command(place, self.armed, "lsp"))
        self.editor.may_fail = True
        self.pulls = "diagnostic" in profile["capabilities"]["textDocument"]
        self.editor.start(rootUri=self.folder.as_uri())
        self.uri = self.editor.open(planted.text, (self.folder / "Dockerfile").as_uri())
        self.other = self.editor.open(OTHER, (self.folder / "other" / "Dockerfile").as_uri())
        # Once the files that build them are known, and what they say of the Dockerfile stands in it, answers change
        # with the text alone. Any of the diagnostics may come first.
        names = set() if self.pulls else {*FILES, *BESIDE} - {"Dockerfile"}
        self.editor.wait(
            lambda: all(map(self.shown_in, names)) and (early or self._heard_of_callers()), "the callers' diagnostics"
        )

    def shown_in(self, name: str) -> list[str]:
        """The codes of what was published last for a file of the project, or is pulled for it now."""
        uri = (self.folder / name).as_uri()
        if self.pulls:
            return codes(self.editor.diagnostics(uri))
        published = [each for each in self.editor.heard("textDocument/publishDiagnostics") if each["uri"] == uri]
        return codes(published[-1]["diagnostics"]) if published else []

    def _heard_of_callers(self) -> bool:
        """No caller passes the secret `key`."""
        return "secret-mount-ineffective" in self.shown_in("Dockerfile")

    def arm(self) -> None:
        self.armed.write_text("".join(self.planted.files.values()))

    def wait_until_it_failed(self) -> None:
        editor = self.editor
        editor.wait(lambda: bool(editor.heard("window/showMessage")), "a message to the user")
        assert self.reached

    @property
    def reached(self) -> bool:
        return self.armed.with_name("reached").exists()

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
    session = Session(place, tmp_path, planted)
    with session.editor as editor:
        expected, others = codes(editor.diagnostics(session.uri)), codes(editor.diagnostics(session.other))
        assert expected
        session.arm()
        editor.change(session.uri, 2, {"text": planted.text.replace("npm ci", "npm  ci").replace("cat ", "cat  ")})
        editor.change(session.other, 2, {"text": OTHER + "# more\n"})
        session.wait_until_it_failed()
        assert codes(editor.diagnostics(session.other, 2)) == others
        editor.change(session.uri, 3, {"text": planted.text})
        assert codes(editor.diagnostics(session.uri, 3)) == expected
        session.check_what_was_told()


def test_a_log_that_fails_costs_the_record(planted: Planted, tmp_path: Path) -> None:
    session = Session("buildhush.lsp.log:SafeFormatter.format", tmp_path, planted)
    with session.editor as editor:
        expected = codes(editor.diagnostics(session.uri))
        session.arm()
        editor.notify("textDocument/didChange", {"nonsense": planted.text})
        editor.change(session.uri, 2, {"text": planted.text + "# more\n"})
        assert codes(editor.diagnostics(session.uri, 2)) == expected
        assert session.reached
        session.check_that_nothing_was_given_away()
        assert b"Logging error" not in editor.errors


@pytest.mark.parametrize(
    ("place", "method", "more"), OF_A_REQUEST, ids=lambda each: each if isinstance(each, str) else ""
)
def test_the_next_request_is_answered(
    place: str, method: str, more: dict[str, Any], planted: Planted, tmp_path: Path
) -> None:
    session = Session(place, tmp_path, planted)
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
    session = Session(place, tmp_path, planted)
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


@pytest.mark.parametrize("place", IN_THE_SCAN)
def test_the_look_for_callers_goes_on(place: str, planted: Planted, tmp_path: Path) -> None:
    failing = IN_THE_SCAN[place]
    session = Session(place, tmp_path, planted, early=True)
    with session.editor as editor:
        session.wait_until_it_failed()
        if failing is not None:
            editor.wait(lambda: session.shown_in(failing) == [INTERNAL_ERROR_CODE], "a diagnostic in the file")
        editor.change(session.uri, 2, {"text": planted.text + "# more\n"})
        shown = codes(editor.diagnostics(session.uri, 2))
        assert "secret-in-arg" in shown
        assert "secret-mount-ineffective" not in shown, "what was not read may pass the secret"
        session.check_what_was_told()


def test_a_configuration_that_is_not_read_leaves_the_one_before(planted: Planted, tmp_path: Path) -> None:
    configuration = tmp_path / "project" / ".buildhush.toml"
    configuration.write_text('ignore = ["secret-in-arg"]\n')
    session = Session("buildhush.lsp.configuration:load_config", tmp_path, planted)
    with session.editor as editor:
        expected = session.shown_in("Dockerfile")
        assert expected
        assert "secret-in-arg" not in expected
        configuration.write_text("")
        session.arm()
        for version, codes_then in ((2, expected), (3, sorted([*expected, "secret-in-arg"]))):
            changed = {"uri": configuration.as_uri(), "type": 2}
            editor.notify("workspace/didChangeWatchedFiles", {"changes": [changed]})
            editor.change(session.uri, version, {"text": planted.text})
            assert codes(editor.diagnostics(session.uri, version)) == codes_then
        assert session.reached
        session.check_what_was_told()


@pytest.mark.parametrize(
    "place", ["buildhush.lsp.configuration:Configuration.settings@", "buildhush.lsp.diagnostics:_all_items@"]
)
def test_what_was_shown_of_another_text_does_not_stand(place: str, planted: Planted, tmp_path: Path) -> None:
    session = Session(place, tmp_path, planted)
    with session.editor as editor:
        session.arm()
        for version in (2, 3):
            editor.change(session.uri, version, {"text": f"# {version}\n{planted.text}"})
            assert codes(editor.diagnostics(session.uri, version)) == [INTERNAL_ERROR_CODE]
        assert session.reached
        session.check_that_nothing_was_given_away()
        assert len(editor.heard("window/showMessage")) == 1


def test_diagnostics_that_are_pulled_say_so(planted: Planted, tmp_path: Path) -> None:
    session = Session("buildhush.lsp.diagnostics:_items", tmp_path, planted, PULLING)
    with session.editor:
        expected = session.shown_in("Dockerfile")
        session.arm()
        assert session.shown_in("Dockerfile") == [INTERNAL_ERROR_CODE]
        session.wait_until_it_failed()
        assert session.shown_in("Dockerfile") == expected
        session.check_what_was_told()


def test_an_action_that_is_not_resolved_is_resolved_the_next_time(planted: Planted, tmp_path: Path) -> None:
    session = Session("buildhush.lsp.code_actions:resolve", tmp_path, planted, RESOLVING)
    with session.editor as editor:
        action = next(each for each in editor.actions(session.uri, _RANGE["range"]) if "edit" not in each)
        expected = editor.request("codeAction/resolve", action)
        session.arm()
        with pytest.raises(Refused, match="failed inside the server"):
            editor.request("codeAction/resolve", action)
        session.wait_until_it_failed()
        assert editor.request("codeAction/resolve", action) == expected
        session.check_what_was_told()


@pytest.mark.parametrize(
    ("place", "command", "given"),
    [
        ("buildhush.lsp.commands:execute", "showDocument", "secret-in-arg"),
        ("buildhush.lsp.commands:command_for", "copyBuildCommand", None),
        ("buildhush.lsp.commands:change_for", "applyFix", {"kind": "rule", "rule": "secret-in-arg"}),
        ("buildhush.lsp.commands:fix_all.safe_fixes", "fixAll", None),
        ("buildhush.lsp.verification:verify", "verify", None),
    ],
)
def test_the_next_command_is_done(place: str, command: str, given: Any, planted: Planted, tmp_path: Path) -> None:
    session = Session(place, tmp_path, planted)
    with session.editor as editor:
        of_document = {"uri": session.uri, **given} if isinstance(given, dict) else session.uri
        argument = given if isinstance(given, str) else of_document
        request = "workspace/executeCommand", {"command": f"buildhush.{command}", "arguments": [argument]}
        session.arm()
        with pytest.raises(Refused, match="failed inside the server"):
            editor.request(*request)
        session.wait_until_it_failed()
        if command != "verify":  # That would build.
            editor.request(*request)
        session.check_that_nothing_was_given_away()
        assert [each["type"] for each in editor.heard("window/logMessage")] == [1]


def buildhush(place: str, folder: Path, planted: Planted, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    armed = folder / "armed"
    armed.write_text("".join(planted.files.values()))
    command = failing_command(place, armed, *arguments)
    done = subprocess.run(command, cwd=folder / "project", capture_output=True, check=False)
    assert armed.with_name("reached").exists(), "the place was not reached"
    assert given_away(done.stdout + done.stderr, planted.canaries) == []
    assert b"Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("place", IN_CHECK)
def test_check_names_the_file_and_goes_on_with_the_others(place: str, planted: Planted, tmp_path: Path) -> None:
    done = buildhush(place, tmp_path, planted, "check", "--format", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    told, name = IN_CHECK[place]
    failed = {"skipped": found["files"]["skipped"], "problems": found["problems"]}
    assert {each["file"] for each in failed[told] if each["code"] == INTERNAL_ERROR_CODE} == {name}
    # A folder that could not be searched for Dockerfiles has files that build them.
    lost = {
        ".": {"Dockerfile", "other/Dockerfile"} if told == "skipped" else {"compose.yaml"},
        "other": {"other/Dockerfile"},
    }
    expected = {"Dockerfile", "other/Dockerfile", "compose.yaml"} - lost.get(name, {name})
    if told == "problems":
        expected.add("Dockerfile")
    assert {each["file"] for each in found["findings"]} >= expected


def test_findings_in_a_file_that_was_not_checked_are_not_counted_as_of_the_checked_ones(
    planted: Planted, tmp_path: Path
) -> None:
    done = buildhush("buildhush.cli.analysis:analyze@", tmp_path, planted, "check", "Dockerfile")
    assert done.returncode == 1
    # The Dockerfile, because of its callers, and six that build it.
    assert b" in 7 files" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", ["human", "json", "sarif", "github", "gitlab"])
def test_a_file_that_was_not_read_is_told_in_every_format(name: str, tmp_path: Path) -> None:
    """And the run does not end with 0, which would say that it is sound."""
    planted = plant({"compose.yaml": FILES["compose.yaml"]})
    project = tmp_path / "project"
    project.mkdir()
    (project / "Dockerfile").write_text("FROM node:22\nRUN true\n")
    (project / "compose.yaml").write_text(planted.files["compose.yaml"])
    place = "buildhush.companions.compose:read_compose@/compose.yaml"
    done = buildhush(place, tmp_path, planted, "check", "--format", name, "--output", "results")
    assert done.returncode == 2
    told = (project / "results").read_bytes() if name != "gitlab" else done.stderr  # It has no place for it.
    assert b"compose.yaml" in told
    assert b"internal error (" in told
    if name in ("json", "sarif"):
        arguments = [sys.executable, "-m", "buildhush", "merge", "results", "--format", name]
        assert subprocess.run(arguments, cwd=project, capture_output=True, check=False).returncode == 2


@pytest.mark.parametrize("name", ["human", "json", "sarif", "github", "gitlab"])
@pytest.mark.parametrize("renderer", ["", ".{name}"])
def test_a_format_that_fails_ends_with_status_2(name: str, renderer: str, planted: Planted, tmp_path: Path) -> None:
    place = f"buildhush.cli.formats{renderer.format(name=name)}:render"
    done = buildhush(place, tmp_path, planted, "check", "--format", name)
    assert done.returncode == 2
    assert b"internal error, please report it" in done.stderr


@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("buildhush.cli.merge:merged", "merge results"),
        ("buildhush.rules.documents:render", "explain secret-in-arg"),
        ("buildhush.cli.rules:run", "rules"),
        ("buildhush.verify.plan:make_plan", "verify --plan ."),
        ("buildhush.cli.surroundings:look_around", "verify --plan ."),
        ("buildhush.cli.targets:search", "check"),
        ("buildhush.cli.fix:look_around", "fix"),
    ],
)
def test_a_command_that_fails_says_so(place: str, command: str, planted: Planted, tmp_path: Path) -> None:
    project = tmp_path / "project"
    checked = [sys.executable, "-m", "buildhush", "check", "--format", "json", "--output", "results", "other"]
    subprocess.run(checked, cwd=project, capture_output=True, check=False)
    done = buildhush(place, tmp_path, planted, *command.split())
    assert done.returncode == 2
    assert b"internal error, please report it" in done.stderr
    assert (project / "other" / "Dockerfile").read_text() == OTHER


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ("buildhush.cli.repairs:analyze", "Dockerfile"),
        ("buildhush.cli.repairs:configuration_for", "Dockerfile"),
        ("buildhush.cli.companions:all_findings_in@/project/compose.yaml", "compose.yaml"),
        ("buildhush.cli.companions:all_findings_for@/project/Dockerfile", "Dockerfile"),
        ("buildhush.companions.index:CallerIndex.contexts_of@/project/Dockerfile", "Dockerfile"),
        ("buildhush.companions.index:_listed@/project/other", "other"),
        ("buildhush.companions.compose:read_compose@/project/compose.yaml", "compose.yaml"),
        ("buildhush.cli.fix:records", "Dockerfile"),
        ("buildhush.cli.repairs:Repairs.by_hand", "Dockerfile"),
        ("buildhush.cli.companions:Callers.look", "files that build Dockerfiles"),
        ("buildhush.cli.companions:Callers.findings", "files that build Dockerfiles"),
    ],
)
def test_fix_repairs_the_other_files(place: str, named: str, planted: Planted, tmp_path: Path) -> None:
    done = buildhush(place, tmp_path, planted, "fix")
    assert done.returncode == 1, done.stderr
    assert "--mount=type=secret,id=npm_token" in (tmp_path / "project/other/Dockerfile").read_text()
    assert f"not fixed: {named}: internal error (".encode() in done.stderr
    assert b"other/Dockerfile: applied: " in done.stderr
    assert b"--secret id=npm_token" in done.stderr, "what builds must pass now"


@pytest.mark.parametrize("place", ["buildhush.cli.companions:fixes_of", "buildhush.engine:_holds"])
def test_fix_goes_on_without_a_fix_that_fails(place: str, planted: Planted, tmp_path: Path) -> None:
    done = buildhush(place, tmp_path, planted, "fix")
    assert done.returncode == 1, done.stderr
    assert "--mount=type=secret,id=npm_token" in (tmp_path / "project/other/Dockerfile").read_text()
    assert b"failed" in done.stderr or b"could not be" in done.stderr


@pytest.mark.parametrize(
    ("place", "options"),
    [
        ("buildhush.cli.fix:_passed", ""),
        ("buildhush.cli.fix:_Run._told", ""),
        ("buildhush.cli.fix:_Run._report", ""),
        ("buildhush.cli.fix:to_json", "--format json"),
    ],
)
def test_fix_says_what_was_written_when_its_report_fails(
    place: str, options: str, planted: Planted, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    done = buildhush(place, tmp_path, planted, "fix", *options.split())
    assert done.returncode == 2
    written = {path for path, data in before.items() if path.read_bytes() != data}
    assert {path.name for path in written} >= {"Dockerfile", "compose.yaml"}
    said = {
        line.removeprefix("buildhush: written: ") for line in done.stderr.decode().splitlines() if ": written: " in line
    }
    assert {project / path for path in said} == written


@pytest.mark.parametrize("options", ["", "--format json"])
def test_fix_writes_nothing_when_it_shows_what_it_would_do(options: str, planted: Planted, tmp_path: Path) -> None:
    done = buildhush("buildhush.cli.fix:_Run._report", tmp_path, planted, "fix", "--diff", *options.split())
    assert done.returncode == 2
    assert b"written: " not in done.stderr
