"""The files that build a Dockerfile, in an editor: found in the workspace, diagnosed, and carried along by fixes."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from tests.lsp.client import EGLOT, NEOVIM, VS_CODE, Editor, where

from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Edit, Span, apply

DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
COMPOSE = """services:
  web:   # é
    build:
      context: .
      args:
        NPM_TOKEN: ${NPM_TOKEN}
"""
SCRIPT = "docker build --build-arg NPM_TOKEN -t a .\n"
MOUNTS = "FROM a\nRUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci\n"


def workspace(folder: Path, **files: str) -> dict[str, Any]:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return {"workspaceFolders": [{"uri": folder.as_uri(), "name": "w"}], "rootUri": folder.as_uri()}


def changed(edit: dict[str, Any], folder: Path, encoding: str) -> dict[str, str]:
    """The files after a workspace edit, by name."""
    by_uri = dict(edit.get("changes") or {})
    for each in edit.get("documentChanges") or []:
        if "textDocument" in each:
            by_uri[each["textDocument"]["uri"]] = each["edits"]
    result = {}
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        lines = LineIndex(text)
        edits = [
            Edit(
                Span(
                    lines.offset(one["range"]["start"]["line"], one["range"]["start"]["character"], encoding),
                    lines.offset(one["range"]["end"]["line"], one["range"]["end"]["character"], encoding),
                ),
                one["newText"],
            )
            for one in by_uri.pop(path.as_uri(), [])
        ]
        result[path.name] = apply(text, edits)
    assert by_uri == {}
    return result


@pytest.mark.parametrize("profile", [VS_CODE, NEOVIM, EGLOT], ids=lambda profile: str(profile["name"]))
def test_a_fix_of_the_dockerfile_carries_its_callers_along(profile: dict[str, Any], tmp_path: Path) -> None:
    parameters = workspace(tmp_path, Dockerfile=DOCKERFILE, compose_yaml=COMPOSE, build_sh=SCRIPT)
    with Editor(profile) as editor:
        result = editor.start(**parameters)
        uri = (tmp_path / "Dockerfile").as_uri()
        editor.open(DOCKERFILE, uri)
        params = {"textDocument": {"uri": uri}, "range": where(1, 5, 1, 5), "context": {"diagnostics": []}}
        actions = editor.request("textDocument/codeAction", params)
        action = next(each for each in actions if each["title"].startswith("Mount `NPM_TOKEN`"))
        edit = action["edit"] if profile is EGLOT else editor.request("codeAction/resolve", action)["edit"]
        after = changed(edit, tmp_path, result["capabilities"]["positionEncoding"])
        assert after["build.sh"] == "docker build --secret id=npm_token,env=NPM_TOKEN -t a .\n"
        assert after["compose.yaml"] == (
            "services:\n  web:   # é\n    build:\n      context: .\n      secrets:\n        - npm_token\n"
            "\nsecrets:\n  npm_token:\n    environment: NPM_TOKEN\n"
        )
        assert "id=npm_token,env=NPM_TOKEN npm ci" in after["Dockerfile"]
        if profile is VS_CODE:
            annotations = edit["changeAnnotations"]
            used = {one["annotationId"] for each in edit["documentChanges"] for one in each["edits"]}
            assert used == set(annotations)
            assert all(each["needsConfirmation"] for each in annotations.values())
            assert len(annotations) == 3, "each caller has one of its own"
        else:
            # Plain edits for an editor that can't show which of them to confirm.
            assert "annotationId" not in str(edit)
            assert "changeAnnotations" not in edit
        assert editor.end() == 0


def test_a_compose_file_gets_diagnostics_hover_and_the_whole_fix(tmp_path: Path) -> None:
    parameters = workspace(tmp_path, Dockerfile=DOCKERFILE, compose_yaml=COMPOSE)
    with Editor(VS_CODE) as editor:
        editor.start(**parameters)
        uri = (tmp_path / "compose.yaml").as_uri()
        editor.open(COMPOSE, uri, language="yaml")
        (diagnostic,) = editor.diagnostics(uri)
        assert diagnostic["code"] == "secret-in-build-arg"
        assert diagnostic["range"] == where(5, 8, 5, 17)
        assert diagnostic["relatedInformation"][0]["location"]["uri"].endswith("/Dockerfile")
        assert "looks like a secret" in editor.at("textDocument/hover", uri, 5, 10)["contents"]["value"]
        assert "Dockerfile" in editor.at("textDocument/hover", uri, 1, 3)["contents"]["value"]
        params = {"textDocument": {"uri": uri}, "range": where(5, 9, 5, 9), "context": {"diagnostics": []}}
        action, ignoring = editor.request("textDocument/codeAction", params)
        assert action["isPreferred"]
        assert ignoring["title"] == "Ignore secret-in-build-arg here with a comment"
        assert "changeAnnotations" not in ignoring["edit"]
        commented = changed(ignoring["edit"], tmp_path, "utf-16")["compose.yaml"]
        assert "        # buildhush: ignore=secret-in-build-arg -- say why this is no leak\n        NPM" in commented
        after = changed(action["edit"], tmp_path, "utf-16")
        assert "secrets:\n        - npm_token" in after["compose.yaml"]
        assert "--mount=type=secret" in after["Dockerfile"]
        assert editor.end() == 0


def test_what_is_typed_counts_and_not_the_disk(tmp_path: Path) -> None:
    parameters = workspace(tmp_path, Dockerfile=DOCKERFILE, compose_yaml=COMPOSE)
    with Editor(VS_CODE) as editor:
        editor.start(**parameters)
        uri = (tmp_path / "compose.yaml").as_uri()
        editor.open(COMPOSE, uri, language="yaml")
        assert len(editor.diagnostics(uri)) == 1
        editor.change(uri, 2, {"range": where(5, 8, 5, 31), "text": "NODE_ENV: production"})
        assert editor.diagnostics(uri, 2) == []
        editor.change(uri, 3, {"text": "services: [\n"})
        assert editor.diagnostics(uri, 3) == []
        assert editor.end() == 0


def test_a_pushing_server_shows_files_that_are_not_open_and_mounts_that_nothing_serves(tmp_path: Path) -> None:
    parameters = workspace(tmp_path, Dockerfile=MOUNTS, compose_yaml=COMPOSE)
    profile = {**NEOVIM, "capabilities": {**NEOVIM["capabilities"], "textDocument": {"publishDiagnostics": {}}}}
    with Editor(profile) as editor:
        editor.start(**parameters)
        uri = (tmp_path / "compose.yaml").as_uri()
        editor.wait(lambda: any(each["uri"] == uri for each in editor.heard("textDocument/publishDiagnostics")), uri)
        dockerfile = (tmp_path / "Dockerfile").as_uri()
        editor.open(MOUNTS, dockerfile)

        def codes() -> list[str]:
            heard = [each for each in editor.heard("textDocument/publishDiagnostics") if each["uri"] == dockerfile]
            return [each["code"] for each in heard[-1]["diagnostics"]] if heard else []

        editor.wait(lambda: "secret-mount-ineffective" in codes(), "the mount that nothing serves")
        assert editor.end() == 0


def test_a_secret_is_renamed_in_all_files(tmp_path: Path) -> None:
    script = "docker build --secret id=npm_token,env=NPM_TOKEN .\n"
    compose = (
        "services:\n  web:\n    build:\n      context: .\n      secrets:\n        - npm_token\n"
        "secrets:\n  npm_token:\n    environment: NPM_TOKEN\n"
    )
    parameters = workspace(tmp_path, Dockerfile=MOUNTS, compose_yaml=compose, build_sh=script)
    with Editor(NEOVIM) as editor:
        result = editor.start(**parameters)
        uri = (tmp_path / "Dockerfile").as_uri()
        editor.open(MOUNTS, uri)
        places = editor.at("textDocument/references", uri, 1, 30, context={"includeDeclaration": True})
        assert sorted(each["uri"].rsplit("/", 1)[-1] for each in places) == [
            "Dockerfile",
            "build.sh",
            "compose.yaml",
            "compose.yaml",
        ]
        edit = editor.at("textDocument/rename", uri, 1, 30, newName="token")
        after = changed(edit, tmp_path, result["capabilities"]["positionEncoding"])
        assert after["build.sh"] == script.replace("npm_token", "token")
        assert after["compose.yaml"] == compose.replace("npm_token", "token")
        assert editor.end() == 0


def test_files_that_vanish_and_loops_cost_nothing(tmp_path: Path) -> None:
    parameters = workspace(tmp_path, Dockerfile=DOCKERFILE, compose_yaml="services: {a: [}\n")
    (tmp_path / "loop").symlink_to(tmp_path)
    with Editor(VS_CODE) as editor:
        editor.start(**parameters)
        uri = (tmp_path / "Dockerfile").as_uri()
        editor.open(DOCKERFILE, uri)
        assert [each["code"] for each in editor.diagnostics(uri)] == ["secret-in-arg"]
        (tmp_path / "compose.yaml").unlink()
        change = {"uri": (tmp_path / "compose.yaml").as_uri(), "type": 3}
        editor.notify("workspace/didChangeWatchedFiles", {"changes": [change]})
        assert [each["code"] for each in editor.diagnostics(uri)] == ["secret-in-arg"]
        assert editor.end() == 0


BROKEN = "services:\n  web:\n    build:\n      context: .\n      args: [\n"


def test_a_name_that_leads_nowhere_is_said_where_it_stands(tmp_path: Path) -> None:
    text = "services:\n  web:\n    extends: nobody\n    build: .\n"
    parameters = workspace(tmp_path, Dockerfile=DOCKERFILE)
    (tmp_path / "compose.yaml").write_text(text)
    with Editor(VS_CODE) as editor:
        editor.start(**parameters)
        uri = (tmp_path / "compose.yaml").as_uri()
        editor.open(text, uri, language="yaml")
        (item,) = [each for each in editor.diagnostics(uri) if each["code"] == "not-found"]
        assert item["range"]["start"] == {"line": 2, "character": 13}
        assert "no service `nobody`" in item["message"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("compose.yaml", BROKEN),
        ("docker-bake.hcl", 'target "a" {\n  args = {\n'),
        (".gitlab-ci.yml", "a:\n  script: [\n    docker build .\n"),
    ],
)
def test_what_could_not_be_read_is_said_once_in_its_file(name: str, text: str, tmp_path: Path) -> None:
    parameters = workspace(tmp_path, Dockerfile=DOCKERFILE)
    (tmp_path / name).write_text(text)
    with Editor(VS_CODE) as editor:
        editor.start(**parameters)
        uri = (tmp_path / name).as_uri()
        editor.open(text, uri, language="yaml")
        (item,) = [each for each in editor.diagnostics(uri) if each["code"] == "syntax"]
        assert item["severity"] == 3
        assert item["range"]["start"]["line"] == item["range"]["end"]["line"]
        dockerfile = (tmp_path / "Dockerfile").as_uri()
        editor.open(DOCKERFILE, dockerfile)
        assert [each["code"] for each in editor.diagnostics(dockerfile)] == ["secret-in-arg"]
        assert editor.end() == 0


BUILDING_NOTHING = {
    "values.yaml": "yaml",
    "compose.yaml": "dockercompose",
    ".github/workflows/lint.yml": "github-actions-workflow",
    ".gitlab-ci.yml": "yaml",
    "main.tf": "hcl",
    "package.json": "json",
    "run.sh": "shellscript",
    "Makefile": "makefile",
}


@pytest.mark.parametrize("profile", [VS_CODE, NEOVIM], ids=lambda profile: str(profile["name"]))
def test_a_file_that_builds_nothing_gets_nothing(profile: dict[str, Any], tmp_path: Path) -> None:
    text = "a: [\n\tb: {{ c }}\necho TOKEN=abc |\n"
    for name in BUILDING_NOTHING:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with Editor(profile) as editor:
        editor.start(**workspace(tmp_path, Dockerfile=DOCKERFILE))
        for name, language in BUILDING_NOTHING.items():
            for uri in ((tmp_path / name).as_uri(), f"untitled:{name}"):
                editor.open(text, uri, language=language)
                if profile is VS_CODE:
                    assert editor.diagnostics(uri) == []
                for method in ("hover", "completion", "definition", "documentHighlight", "prepareRename"):
                    assert editor.at(f"textDocument/{method}", uri, 0, 1) is None, (name, method)
                assert not editor.actions(uri, where(0, 0, 2, 0))
                for method in ("documentSymbol", "foldingRange", "codeLens", "semanticTokens/full"):
                    answer = editor.request(f"textDocument/{method}", {"textDocument": {"uri": uri}})
                    assert answer is None, (name, method)
                editor.change(uri, 2, {"text": text + "\n"})
                editor.close(uri)
        assert editor.heard("textDocument/publishDiagnostics") == []
        assert editor.end() == 0


def test_a_folder_of_the_window_that_goes_takes_its_diagnostics_along(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        workspace(folder, Dockerfile=DOCKERFILE, compose_yaml=COMPOSE)
    shown: dict[str, list[Any]] = {}
    with Editor(EGLOT) as editor:
        named = [{"uri": folder.as_uri(), "name": folder.name} for folder in folders]
        editor.start(workspaceFolders=named)
        uris = [(folder / "compose.yaml").as_uri() for folder in folders]

        def counts() -> list[int]:
            for each in editor.heard("textDocument/publishDiagnostics"):
                shown[each["uri"]] = each["diagnostics"]
            return [len(shown.get(uri, [])) for uri in uris]

        editor.wait(lambda: counts() == [1, 1], "both")
        editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [named[0]]}})
        editor.wait(lambda: counts() == [0, 1], "the one that is left")
        (tmp_path / "two").rename(tmp_path / "three")
        moved = {"oldUri": named[1]["uri"], "newUri": (tmp_path / "three").as_uri()}
        editor.notify("workspace/didRenameFiles", {"files": [moved]})
        editor.wait(lambda: counts() == [0, 0], "none")
        assert editor.end() == 0


def test_an_edit_of_the_dockerfile_counts_in_an_open_caller(tmp_path: Path) -> None:
    parameters = workspace(tmp_path, Dockerfile=DOCKERFILE, compose_yaml=COMPOSE)
    with Editor(VS_CODE) as editor:
        editor.start(**parameters)
        compose, dockerfile = (tmp_path / "compose.yaml").as_uri(), (tmp_path / "Dockerfile").as_uri()
        editor.open(COMPOSE, compose, language="dockercompose")
        editor.open(DOCKERFILE, dockerfile)
        (before,) = editor.diagnostics(compose)
        count = editor.methods().count("workspace/diagnostic/refresh")
        editor.change(dockerfile, 2, {"text": DOCKERFILE.replace("ARG NPM_TOKEN\n", "")})
        wanted = "word that the caller is to be looked at again"
        editor.wait(lambda: editor.methods().count("workspace/diagnostic/refresh") > count, wanted)
        (after,) = editor.diagnostics(compose)
        assert "no ARG of Dockerfile takes it" in after["message"]
        assert after["message"] != before["message"]
        assert editor.end() == 0


WATCHED_NAMES = [
    *("compose.yml", "a/docker-compose.prod.yaml", "web-compose.yml", "docker-bake.hcl", "bake.json", "a/x.bake.hcl"),
    *(".github/workflows/ci.yml", "a/action.yaml", ".gitlab-ci.yml", ".gitlab-ci.build.yaml", "x.gitlab-ci.yml"),
    *(".gitlab/ci/a/build.yml", "a/b.sh", "x.bash", "Makefile", "GNUmakefile", "Makefile.docker", "rules.mk"),
]


def test_what_is_read_is_watched() -> None:
    from buildhush.companions.readers import WATCHED, kind_of
    from buildhush.lsp.documents import Document

    dockerfiles = ["Dockerfile", "a/Containerfile", "web.Dockerfile", "Dockerfile.web", "a/web.dockerfile"]
    assert all(Document(f"file:///{each}", "", None, "").is_dockerfile for each in dockerfiles)
    assert [each for each in WATCHED_NAMES if kind_of(f"/w/{each}") is None] == []
    unwatched = [
        each for each in (*WATCHED_NAMES, *dockerfiles) if not any(is_like(glob, f"w/{each}") for glob in WATCHED)
    ]
    assert unwatched == []


def is_like(glob: str, path: str) -> bool:
    """A glob pattern as the protocol has it: `*` in one folder, `**` over any, `{a,b}` one of them."""
    pattern = re.escape(glob).replace(r"\{", "(?:").replace(r"\}", ")").replace(",", "|")
    pattern = pattern.replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(pattern, path) is not None


@pytest.mark.parametrize("profile", [VS_CODE, NEOVIM], ids=lambda profile: str(profile["name"]))
def test_the_context_is_the_one_that_a_caller_names(profile: dict[str, Any], tmp_path: Path) -> None:
    parameters = workspace(tmp_path, build_sh="docker build -f docker/Dockerfile .\n", _env="x", _dockerignore="dist\n")
    (tmp_path / "docker").mkdir()
    text = "FROM node:22\nCOPY . /app\n"
    (tmp_path / "docker/Dockerfile").write_text(text)
    with Editor(profile) as editor:
        editor.start(**parameters)
        uri = editor.open(text, (tmp_path / "docker/Dockerfile").as_uri())
        (item,) = _until(editor, uri, 1)
        assert "`.env` of the build context `..`" in item["message"]
        action = next(each for each in editor.actions(uri, item["range"], [item]) if each.get("isPreferred"))
        edit = action.get("edit") or editor.request("codeAction/resolve", action)["edit"]
        assert (tmp_path / ".dockerignore").as_uri() in str(edit)
        # The caller names another folder by now.
        script = (tmp_path / "build.sh").as_uri()
        editor.open("docker build -f docker/Dockerfile docker\n", script, language="shellscript")
        assert _until(editor, uri, 0) == []
        assert editor.end() == 0


def test_the_build_command_has_the_contexts_that_a_caller_names(tmp_path: Path) -> None:
    script = "docker build -f docker/Dockerfile --build-context shared=lib --secret id=npm_token,env=NPM_TOKEN .\n"
    parameters = workspace(tmp_path, build_sh=script)
    (tmp_path / "docker").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "docker/Dockerfile").write_text(MOUNTS)
    expected = "docker buildx build --secret id=npm_token,env=NPM_TOKEN --build-context shared=../lib -f Dockerfile .."
    with Editor(VS_CODE) as editor:
        editor.start(**parameters)
        uri = editor.open(MOUNTS, (tmp_path / "docker/Dockerfile").as_uri())

        def title() -> str:
            return str(editor.request("textDocument/codeLens", {"textDocument": {"uri": uri}})[0]["command"]["title"])

        deadline = time.monotonic() + 30
        while title() != expected and time.monotonic() < deadline:
            time.sleep(0.05)
        assert title() == expected
        command = {"command": "buildhush.copyBuildCommand", "arguments": [uri]}
        assert editor.request("workspace/executeCommand", command) == expected
        assert editor.end() == 0


def _until(editor: Editor, uri: str, count: int) -> list[dict[str, Any]]:
    """The diagnostics of a document once there are so many: files around it are read between messages."""
    for _ in range(200):
        found = editor.diagnostics(uri)
        if len(found) == count:
            break
        time.sleep(0.05)
    return found
