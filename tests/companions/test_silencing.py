"""Comments in the files that build Dockerfiles: what they silence, and that the written one does."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.companions.workspace import Workspace

from buildhush.companions.findings import all_findings_for, all_findings_in
from buildhush.companions.silencing import comment_edit
from buildhush.config import Settings
from buildhush.text.spans import apply

DOCKERFILE = "FROM node:22\nARG NPM_TOKEN\nRUN npm ci --token=$NPM_TOKEN\n"
COMMENT = "# buildhush: ignore=secret-in-build-arg -- read-only\n"
COMPOSE = "services:\n  web:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n"
ACTION = """\
jobs:
  a:
    steps:
      - name: build
        uses: docker/build-push-action@v6
        with:
          context: .
          build-args: |
            NPM_TOKEN=${{ secrets.NPM_TOKEN }}
"""
COMMAND = "docker build \\\n  --build-arg NPM_TOKEN=$NPM_TOKEN \\\n  .\n"
BAKE = 'target "web" {\n  context = "."\n  args = {\n    NPM_TOKEN = NPM_TOKEN\n  }\n}\n'
FORMS = {
    "compose.yaml": COMPOSE,
    ".github/workflows/ci.yml": ACTION,
    "build.sh": "set -e\n" + COMMAND,
    "Makefile": "image:\n\tdocker build --build-arg NPM_TOKEN=$$NPM_TOKEN .\n",
    ".gitlab-ci.yml": "a:\n  script:\n    - docker build --build-arg NPM_TOKEN=$NPM_TOKEN .\n",
    "docker-bake.hcl": BAKE,
}
WRITTEN = {
    "on its own line": ("compose.yaml", COMPOSE.replace("{NPM_TOKEN}\n", "{NPM_TOKEN} " + COMMENT)),
    "on the line above": ("compose.yaml", COMPOSE.replace("        NPM", "        " + COMMENT + "        NPM")),
    "two comments above": (
        "compose.yaml",
        COMPOSE.replace("        NPM", f"        {COMMENT}        # so\n        NPM"),
    ),
    "above the service": ("compose.yaml", COMPOSE.replace("  web", "  " + COMMENT + "  web")),
    "for the file": ("compose.yaml", COMMENT.replace("ignore=", "ignore-file=") + COMPOSE),
    "with other rules": (
        "compose.yaml",
        COMMENT.replace("=", "=unused-secret-mount, ").replace("=u", "-file=u") + COMPOSE,
    ),
    "above a step": (".github/workflows/ci.yml", ACTION.replace("      - name", "      " + COMMENT + "      - name")),
    "above a command": ("build.sh", "set -e\n" + COMMENT + COMMAND),
    "as HCL has it": ("docker-bake.hcl", BAKE.replace("    NPM", "    " + COMMENT.replace("#", "//") + "    NPM")),
}
NOT_MEANT = {
    "another rule": COMPOSE.replace(
        "        NPM", "        " + COMMENT.replace("in-build-arg", "in-arg") + "        NPM"
    ),
    "the line below": COMPOSE + "        " + COMMENT,
    "a blank line between": COMPOSE.replace("        NPM", "        " + COMMENT + "\n        NPM"),
    "another service": COMPOSE + "  " + COMMENT + "  other:\n    image: x\n",
}


def reasons(folder: Path, name: str, text: str, settings: Settings | None = None) -> list[str | None]:
    workspace = Workspace(folder, {"Dockerfile": DOCKERFILE, name: text})
    found = all_findings_in(workspace.index, str(folder / name), workspace.analysis, settings)
    return [each.silenced for each in found]


@pytest.mark.parametrize("case", WRITTEN)
def test_a_comment_silences(case: str, tmp_path: Path) -> None:
    assert reasons(tmp_path, *WRITTEN[case]) == ["read-only"]


@pytest.mark.parametrize("case", NOT_MEANT)
def test_it_silences_nothing_else(case: str, tmp_path: Path) -> None:
    assert reasons(tmp_path, "compose.yaml", NOT_MEANT[case]) == [None]


def test_a_reason_may_be_required(tmp_path: Path) -> None:
    bare = COMPOSE.replace("        NPM", "        # buildhush: ignore=secret-in-build-arg\n        NPM")
    assert reasons(tmp_path / "a", "compose.yaml", bare) == [""]
    assert reasons(tmp_path / "b", "compose.yaml", bare, Settings(require_reason=True)) == [None]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_written_comment_silences_and_changes_no_build(name: str, newline: str, tmp_path: Path) -> None:
    if newline == "\r\n" and name in ("build.sh", "Makefile"):
        newline = "\n"  # A shell does not take the other.
    text = FORMS[name].replace("\n", newline)
    workspace = Workspace(tmp_path, {"Dockerfile": DOCKERFILE, name: text})
    before = workspace.index.file(str(tmp_path / name))
    (finding,) = workspace.findings(name)
    edit = comment_edit(text, finding.rule, finding.span, finding.caller, "read-only")
    assert edit is not None
    workspace.write(name, apply(text, (edit,)))
    assert workspace.findings(name) == ()
    after = workspace.index.file(str(tmp_path / name))
    assert before is not None
    assert after is not None
    assert [each.key for each in after.callers] == [each.key for each in before.callers]
    assert [each.build_args[0].name for each in after.callers] == ["NPM_TOKEN"]
    assert after.problems == ()


def test_a_second_rule_goes_into_the_same_comment() -> None:
    text = COMPOSE.replace("        NPM", "        # buildhush: ignore=unused-secret-mount -- x\n        NPM")
    from buildhush.companions.readers import read_caller_file

    file = read_caller_file("/w/compose.yaml", text, lambda path: None)
    assert file is not None
    (caller,) = file.callers
    edit = comment_edit(text, "secret-in-build-arg", caller.build_args[0].name_span, caller, "y")
    assert edit is not None
    assert "# buildhush: ignore=unused-secret-mount,secret-in-build-arg -- x\n" in apply(text, (edit,))


def test_a_mount_that_no_caller_serves_is_silenced_in_the_dockerfile(tmp_path: Path) -> None:
    comment = "# buildhush: ignore=secret-mount-ineffective -- passed by hand\n"
    dockerfile = f"FROM node:22\n{comment}RUN --mount=type=secret,id=npm_token npm ci\n"
    workspace = Workspace(tmp_path, {"Dockerfile": dockerfile, "compose.yaml": "services:\n  web:\n    build: .\n"})
    path = str(tmp_path / "Dockerfile")
    analysis = workspace.analysis(path)
    assert analysis is not None
    assert [each.silenced for each in all_findings_for(workspace.index, path, analysis)] == ["passed by hand"]
    assert analysis.problems == (), "the comment is not called unused"
