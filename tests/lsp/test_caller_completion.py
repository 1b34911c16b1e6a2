"""Completion in the files that build a Dockerfile, and of what they pass in the Dockerfile.

Cases are data: a file with the caret at `‸`, and what is offered there, in order; `⟦…⟧` around the caret is what an
offer replaces. One server has the folders of all cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lsp.client import VS_CODE, Editor, applied

DOCKERFILE = (
    "FROM a AS base\nARG VERSION\nARG NPM_TOKEN\nRUN npm $NPM_TOKEN\n"
    "RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN --mount=type=secret,id=pip x\nFROM base AS final\n"
)
BUILD = "services:\n  web:\n    build:\n      context: .\n"
STEP = "jobs:\n  a:\n    steps:\n      - uses: docker/build-push-action@v6\n        with:\n"
IDS = ["npm_token", "pip"]
FORMS = ["id=npm_token,env=NPM_TOKEN", "id=pip,env=PIP"]

CASES: dict[str, tuple[str, str, list[str]]] = {
    "compose secret": ("compose.yaml", f"{BUILD}      secrets:\n        - ⟦‸⟧\n", IDS),
    "compose secret that is half written": ("compose.yaml", f"{BUILD}      secrets:\n        - ⟦np‸m⟧\n", IDS),
    "compose secrets in brackets": ("compose.yaml", f"{BUILD}      secrets: [pip, ⟦‸⟧]\n", IDS[:1]),
    "compose target of a secret": (
        "compose.yaml",
        f"{BUILD}      secrets:\n        - source: x\n          target: ⟦‸⟧\n",
        IDS,
    ),
    "compose source of a secret": (
        "compose.yaml",
        f"{BUILD}      secrets:\n        - source: ⟦‸⟧\n          target: pip\nsecrets:\n  x: {{file: y}}\n",
        ["x"],
    ),
    "compose source where nothing is defined": (
        "compose.yaml",
        f"{BUILD}      secrets:\n        - source: ⟦‸⟧\n",
        IDS,
    ),
    "compose definition": ("compose.yaml", f"{BUILD}      secrets: [pip]\nsecrets:\n  ⟦‸⟧\n", ["pip", "npm_token"]),
    "compose argument": ("compose.yaml", f"{BUILD}      args:\n        ⟦‸⟧\n", ["VERSION", "NPM_TOKEN"]),
    "compose argument of a list": ("compose.yaml", f"{BUILD}      args:\n        - ⟦VER‸⟧\n", ["VERSION", "NPM_TOKEN"]),
    "compose argument beside another": (
        "compose.yaml",
        f"{BUILD}      args:\n        VERSION: 1\n        ⟦‸⟧\n",
        ["NPM_TOKEN"],
    ),
    "compose target": ("compose.yaml", f"{BUILD}      target: ⟦‸⟧\n", ["base", "final"]),
    "bake secret": ("docker-bake.hcl", 'target "a" {\n  secret = ["type=env,id=⟦‸⟧"]\n}\n', IDS),
    "bake secret that is empty": ("docker-bake.hcl", 'target "a" {\n  secret = ["⟦‸⟧"]\n}\n', FORMS),
    "bake argument": ("docker-bake.hcl", 'target "a" {\n  args = {\n    ⟦‸⟧\n  }\n}\n', ["VERSION", "NPM_TOKEN"]),
    "bake target": ("docker-bake.hcl", 'target "a" {\n  target = "⟦‸⟧"\n}\n', ["base", "final"]),
    "bake in JSON": ("docker-bake.json", '{"target": {"a": {"args": {"⟦‸⟧": ""}}}}\n', ["VERSION", "NPM_TOKEN"]),
    "workflow argument": (
        ".github/workflows/a.yml",
        f"{STEP}          build-args: |\n            ⟦‸⟧\n",
        ["VERSION", "NPM_TOKEN"],
    ),
    "workflow secret": (".github/workflows/a.yml", f"{STEP}          secrets: |\n            ⟦‸⟧\n", IDS),
    "workflow target": (".github/workflows/a.yml", f"{STEP}          target: ⟦‸⟧\n", ["base", "final"]),
    "workflow command": (
        ".github/workflows/a.yml",
        "jobs:\n  a:\n    steps:\n      - run: docker build --target ⟦‸⟧ .\n",
        ["base", "final"],
    ),
    "GitLab": (".gitlab-ci.yml", "a:\n  script:\n    - docker build --build-arg ⟦‸⟧ .\n", ["VERSION", "NPM_TOKEN"]),
    "script secret": ("build.sh", "docker build --secret id=⟦n‸⟧,env=X .\n", IDS),
    "script secret that is not begun": ("build.sh", "docker build \\\n  --secret ⟦‸⟧\n", FORMS),
    "script argument": ("build.sh", "docker build --build-arg ⟦‸⟧\n", ["VERSION", "NPM_TOKEN"]),
    "script argument with a value": ("build.sh", "docker build --build-arg=⟦V‸⟧=1 .\n", ["VERSION", "NPM_TOKEN"]),
    "script target": ("build.sh", "docker build --target=⟦‸⟧ .\n", ["base", "final"]),
    "Makefile": ("Makefile", "a:\n\tdocker build --target ⟦‸⟧ .\n", ["base", "final"]),
    "id that callers pass": ("Dockerfile", "FROM a\nRUN --mount=type=secret,id=⟦‸⟧\n", ["shared", "other"]),
}
CALLERS = {"id that callers pass": "docker build --secret id=shared,src=x --secret id=other,src=y .\n"}

NOTHING = {
    "elsewhere in a script": ("build.sh", "docker build . && echo ‸\n"),
    "a comment": ("build.sh", "# docker build --secret id=‸ .\n"),
    "a value of an argument": ("compose.yaml", f"{BUILD}      args:\n        VERSION: ‸\n"),
    "a service": ("compose.yaml", f"{BUILD}  ‸\n"),
    "an image": ("compose.yaml", "services:\n  web:\n    image: ‸\n"),
    "a running service's secret": ("compose.yaml", f"{BUILD}    secrets:\n      - ‸\n"),
    "another step": (
        ".github/workflows/a.yml",
        "jobs:\n  a:\n    steps:\n      - uses: a/b@v1\n        with:\n          target: ‸\n",
    ),
    "a build of no known Dockerfile": ("build.sh", "docker build --target=‸ elsewhere\n"),
    "a file that builds nothing": ("values.yaml", "secrets:\n  - ‸\n"),
    "a blank in a Dockerfile": ("Dockerfile", "FROM ‸\n"),
}


def split(text: str) -> tuple[str, int]:
    """A text without its marks, and the caret."""
    bare = text.replace("⟦", "").replace("⟧", "")
    return bare.replace("‸", "", 1), bare.index("‸")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Editor, Path]]:
    root = tmp_path_factory.mktemp("completion")
    folders = []
    for name, (file, text, *_) in {**CASES, **NOTHING}.items():
        folder = root / name.replace(" ", "-").replace("'", "")
        path = folder / file
        path.parent.mkdir(parents=True)
        (folder / "Dockerfile").write_text(DOCKERFILE)
        path.write_text(split(text)[0], encoding="utf-8")
        if name in CALLERS:
            (folder / "build.sh").write_text(CALLERS[name])
        folders.append(folder)
    with Editor(VS_CODE) as editor:
        editor.start(workspaceFolders=[{"uri": folder.as_uri(), "name": folder.name} for folder in folders])
        yield editor, root
        assert editor.end() == 0


def asked(server: tuple[Editor, Path], name: str, file: str, marked: str, **more: object) -> tuple[str, list[dict]]:  # type: ignore[type-arg]
    editor, root = server
    text, at = split(marked)
    uri = (root / name.replace(" ", "-").replace("'", "") / file).as_uri()
    editor.open(text, uri, language="dockerfile" if file == "Dockerfile" else "yaml")
    line, column = text.count("\n", 0, at), at - (text.rfind("\n", 0, at) + 1)
    items = editor.at("textDocument/completion", uri, line, column, **more)
    editor.close(uri)
    return text, items or []


@pytest.mark.parametrize("name", CASES)
def test_offered(name: str, server: tuple[Editor, Path]) -> None:
    file, marked, expected = CASES[name]
    text, items = asked(server, name, file, marked)
    assert [item["label"] for item in items][: len(expected)] == expected
    if file != "Dockerfile":
        assert len(items) == len(expected)
    # What is replaced is the name that stands there, with its rest behind the caret.
    head, tail = marked.split("⟦")[0], marked.split("⟧")[1]
    after = applied(text, [items[0]["textEdit"]])
    assert after.startswith(head + expected[0])
    assert after.endswith(tail)
    assert len(after) <= len(head + expected[0] + tail) + len(" = ")


@pytest.mark.parametrize("name", NOTHING)
def test_not_offered(name: str, server: tuple[Editor, Path]) -> None:
    file, marked = NOTHING[name]
    _, items = asked(server, name, file, marked, context={"triggerKind": 2, "triggerCharacter": " "})
    assert items == []
    if file != "Dockerfile":
        assert asked(server, name, file, marked)[1] == []
