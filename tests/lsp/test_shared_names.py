"""A secret's id, a build argument and a stage in all files that mean it: found, shown and renamed from each of them.

Cases are data: files, with every place of the name in «»; a second text of a file, after `=>`, is what a rename makes
of it where more than the name changes. From every marked place the same places are found, and a rename gives the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from tests.lsp.client import NEOVIM, VS_CODE, Editor, Refused

from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Edit, Span, apply

MOUNT = "FROM a\nRUN --mount=type=secret,id=«tok» cat /run/secrets/«tok»\n"
PLAIN_MOUNT = "FROM a\nRUN --mount=type=secret,id=tok cat /run/secrets/tok\n"
ARG = "FROM a\nARG «TOK»\nRUN use $«TOK»\nFROM b\nARG «TOK»=1\nENV X=$«TOK»\n"
STAGE = "FROM a AS «one»\nFROM b\nCOPY --from=«one» /a /b\n"

CASES: dict[str, dict[str, str]] = {
    "a secret of a compose file": {
        "Dockerfile": MOUNT,
        "compose.yaml": (
            'services:\n  web:\n    build:\n      context: .\n      secrets:\n        - «tok»  # "tok"\n'
            "secrets:\n  «tok»:\n    environment: tok\n"
        ),
    },
    "quotes stay": {
        "Dockerfile": MOUNT,
        "compose.yaml": (
            'services:\n  web:\n    build:\n      context: .\n      secrets: ["«tok»"]\n'
            "secrets: {'«tok»': {file: tok}}\n"
        ),
    },
    "a target of its own leaves the compose file's name alone": {
        "Dockerfile": MOUNT,
        "compose.yaml": (
            "services:\n  web:\n    build:\n      context: .\n      secrets:\n"
            "        - source: other\n          target: «tok»\n"
            "secrets:\n  other:\n    environment: X\n"
        ),
    },
    "a running service that uses the secret keeps its name": {
        "Dockerfile": MOUNT,
        "compose.yaml": (
            "services:\n  web:\n    build:\n      context: .\n      secrets:\n        - «tok»\n"
            "    secrets:\n      - tok\nsecrets:\n  «tok»:\n    environment: X\n"
        ),
        "=> compose.yaml": (
            "services:\n  web:\n    build:\n      context: .\n      secrets:\n        - {source: tok, target: «tok»}\n"
            "    secrets:\n      - tok\nsecrets:\n  tok:\n    environment: X\n"
        ),
        "from": "Dockerfile",
    },
    "a secret that is defined in another compose file": {
        "Dockerfile": MOUNT,
        "compose.yaml": "secrets:\n  tok:\n    environment: X\n",
        "compose.override.yaml": (
            "services:\n  web:\n    build:\n      context: .\n      secrets:\n        - source: «tok»\n"
        ),
        "=> compose.override.yaml": (
            "services:\n  web:\n    build:\n      context: .\n      secrets:\n"
            "        - target: «tok»\n          source: tok\n"
        ),
    },
    "an argument that an overriding file inherits": {
        "Dockerfile": "FROM a AS one\nARG «TOK»\n",
        "compose.yaml": "services: {web: {build: {context: ., args: {«TOK»: 1}}}}\n",
        "compose.override.yaml": "services:\n  web:\n    build:\n      target: one\n",
        "sub/compose.yaml": (
            "services: {api: {extends: {file: ../compose.yaml, service: web}, build: {args: {X: 1}}}}\n"
        ),
    },
    "a secret of two files, one laid upon the other": {
        "Dockerfile": MOUNT,
        "compose.yaml": "services: {web: {build: {context: ., secrets: [«tok»]}}}\nsecrets: {«tok»: {file: x}}\n",
        "compose.override.yaml": "services: {web: {build: {args: {X: 1}}}}\n",
    },
    "commands that build what other files describe": {
        "Dockerfile": "FROM a AS one\nRUN --mount=type=secret,id=«tok» x\nARG TOK\n",
        "compose.yaml": (
            "services: {a: {build: {context: ., target: one, secrets: [«tok»]}}}\nsecrets: {«tok»: {file: x}}\n"
        ),
        "build.sh": "docker compose build\ndocker buildx bake a --set a.args.TOK=2\n",
    },
    "a stage of what other files describe": {
        "Dockerfile": "FROM a AS «one»\nFROM «one»\n",
        "compose.yaml": "services: {a: {build: {context: ., target: «one»}}}\n",
        "build.sh": "docker compose build\n",
    },
    "two services of one file and an unrelated one": {
        "a/Dockerfile": MOUNT,
        "b/Dockerfile": PLAIN_MOUNT,
        "compose.yaml": (
            "services:\n"
            "  one: {build: {context: a, secrets: [«tok»]}}\n"
            "  two: {build: {context: a, secrets: [«tok»]}}\n"
            "  three: {build: {context: b, secrets: [{source: tok2, target: tok}]}}\n"
            "secrets:\n  «tok»: {file: x}\n  tok2: {file: y}\n"
        ),
    },
    "a place that two builds share ties their Dockerfiles": {
        "a/Dockerfile": MOUNT,
        "b/Dockerfile": MOUNT,
        "compose.yaml": (
            "x-s: &s [«tok»]\nservices:\n"
            "  one: {build: {context: a, secrets: *s}}\n  two: {build: {context: b, secrets: *s}}\n"
            "secrets:\n  «tok»: {file: x}\n"
        ),
    },
    "bake": {
        "Dockerfile": MOUNT,
        "docker-bake.hcl": (
            'target "_base" {\n  secret = ["type=env,id=«tok»,env=TOK"]\n}\n'
            'target "app" {\n  inherits = ["_base"]\n  context = "."\n}\n'
        ),
    },
    "bake in JSON": {
        "Dockerfile": MOUNT,
        "docker-bake.json": '{"target": {"app": {"context": ".", "secret": ["id=«tok»,src=tok"]}}}\n',
    },
    "a workflow": {
        "Dockerfile": MOUNT,
        ".github/workflows/ci.yml": (
            "jobs:\n  a:\n    steps:\n      - uses: docker/build-push-action@v6\n        with:\n          context: .\n"
            "          secrets: |\n            «tok»=${{ secrets.tok }}\n"
            "      - run: docker build --secret id=«tok»,env=tok .\n"
        ),
    },
    "GitLab, a script and a Makefile": {
        "Dockerfile": MOUNT,
        ".gitlab-ci.yml": "a:\n  script:\n    - docker build --secret id=«tok»,src=tok .\n",
        "build.sh": "docker build \\\n  --secret 'id=«tok»,src=tok' \\\n  .\n",
        "Makefile": "a:\n\tdocker build --secret id=«tok»,src=tok .\n",
    },
    "a caller without the secret, and one of another Dockerfile": {
        "Dockerfile": MOUNT,
        "other.Dockerfile": PLAIN_MOUNT,
        "build.sh": "docker build --secret id=«tok»,src=x .\ndocker build .\n",
        "other.sh": "docker build --secret id=tok,src=x -f other.Dockerfile .\n",
    },
    "a secret that its target names": {
        "Dockerfile": "FROM a\nRUN --mount=type=secret,target=/x/«tok» cat /x/tok\n",
        "=> Dockerfile": "FROM a\nRUN --mount=type=secret,target=/x/tok,id=«tok» cat /x/tok\n",
        "build.sh": "docker build --secret id=«tok»,src=x .\n",
    },
    "an argument": {
        "Dockerfile": ARG,
        "compose.yaml": "services:\n  web:\n    build:\n      context: .\n      args:\n        «TOK»: ${TOK}\n",
        "b.compose.yaml": "services: {web: {build: {context: ., args: ['«TOK»=1']}}}\n",
        "docker-bake.hcl": 'variable "TOK" {}\ntarget "a" {\n  args = {\n    «TOK» = TOK\n  }\n}\n',
        "build.sh": 'docker build --build-arg «TOK»="$TOK" .\ndocker build --build-arg=«TOK»=1 .\n',
        ".github/workflows/ci.yml": (
            "jobs:\n  a:\n    steps:\n      - uses: docker/build-push-action@v6\n        with:\n"
            "          build-args: |\n            OTHER=1\n            «TOK»=${{ vars.TOK }}\n"
        ),
    },
    "an argument that nobody passes ends with its stage": {
        "Dockerfile": "FROM a\nARG «TOK»\nRUN use $«TOK»\nFROM b\nARG TOK=1\n",
        "build.sh": "docker build .\n",
    },
    "a variable that is no argument": {
        "Dockerfile": "FROM a\nENV «TOK»=1\nRUN use $«TOK»\n",
        "build.sh": "docker build --build-arg TOK=1 .\n",
    },
    "a stage": {
        "Dockerfile": STAGE,
        "compose.yaml": "services:\n  web:\n    build:\n      context: .\n      target: «one»\n",
        "docker-bake.hcl": 'target "one" {\n  target = "«one»"\n}\n',
        "build.sh": "docker build --target «one» .\ndocker build --target=«one» .\n",
        ".github/workflows/ci.yml": (
            "jobs:\n  one:\n    steps:\n      - uses: docker/build-push-action@v6\n        with:\n"
            "          target: «one»\n"
        ),
    },
    "a stage that another file says": {
        "Dockerfile": STAGE,
        "a/compose.yaml": "services: {a: {build: {context: .., target: «one»}}}\n",
        "compose.yaml": "services: {b: {extends: {file: a/compose.yaml, service: a}, build: {args: {Y: 1}}}}\n",
    },
    "of two stages of one name a target means the last": {
        "Dockerfile": "FROM a AS one\nFROM one AS «one»\nCOPY --from=«one» a b\n",
        "build.sh": "docker build --target «one» .\n",
    },
    "an id that only its compose file knows": {
        "compose.yaml": (
            "services:\n  web:\n    image: x\n    secrets:\n      - tok\n      - «other»\n"
            "secrets:\n  «other»: {file: x}\n"
        ),
        "refused": "running service",
    },
}

REFUSED = {
    "a value that comes by the name": (
        {"Dockerfile": ARG, "build.sh": "docker build --build-arg «TOK» .\n"},
        "build.sh: `docker build` takes the value of `TOK` from the variable of that name",
    ),
    "a secret that comes by its id": (
        {"Dockerfile": MOUNT, "docker-bake.hcl": 'target "a" {\n  secret = ["type=env,id=«tok»"]\n}\n'},
        "docker-bake.hcl: target `a` takes the value of `tok` from the variable or file of that name",
    ),
    "a default that names the stage": (
        {"Dockerfile": STAGE, "compose.yaml": "services: {a: {build: {context: ., target: '${T:-one}'}}}\n"},
        "compose.yaml: service `a` does not name `one` in so many words",
    ),
    "a Dockerfile in the file itself": (
        {
            "compose.yaml": (
                "services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM a\n"
                "        RUN --mount=type=secret,id=tok x\n      secrets: [«tok»]\nsecrets: {«tok»: {file: x}}\n"
            ),
        },
        "has its Dockerfile in the file itself",
    ),
    "a target of another file": (
        {
            "Dockerfile": STAGE,
            "a/compose.yaml": "services: {a: {build: {context: ., target: one}}}\n",
            "compose.yaml": "services: {b: {extends: {file: a/compose.yaml, service: a}, build: {context: .}}}\n",
        },
        "compose.yaml: service `b` takes its target from another file",
    ),
    "a name that a caller has already": (
        {"Dockerfile": MOUNT, "build.sh": "docker build --secret id=«tok»,src=x --secret id=renamed,src=y .\n"},
        "build.sh: `docker build` passes `renamed` already",
    ),
    "a name that the compose file has already": (
        {
            "Dockerfile": MOUNT,
            "compose.yaml": (
                "services: {a: {build: {context: ., secrets: [«tok»]}}}\n"
                "secrets: {tok: {file: x}, renamed: {file: y}}\n"
            ),
        },
        "defines a secret `renamed` already",
    ),
    "a secret that is kept outside": (
        {
            "Dockerfile": PLAIN_MOUNT,
            "compose.yaml": (
                "services: {a: {build: {context: ., secrets: [tok]}}}\nsecrets: {«tok»: {external: true}}\n"
            ),
        },
        "something else than the builds goes by `tok`",
    ),
}

NOTHING = {
    "a word in a script": {"Dockerfile": PLAIN_MOUNT, "build.sh": "echo «tok»\ndocker build .\n"},
    "an id of a build whose Dockerfile is not there": {"build.sh": "docker build --secret id=«tok»,src=x .\n"},
    "an argument that no ARG takes": {"Dockerfile": "FROM a\n", "build.sh": "docker build --build-arg «TOK»=1 .\n"},
    "a value": {
        "Dockerfile": "FROM a\nARG TOK\n",
        "compose.yaml": "services: {a: {build: {context: ., args: {TOK: «tok»}}}}\n",
    },
    "a file that builds nothing": {"Dockerfile": PLAIN_MOUNT, "values.yaml": "secrets: [«tok»]\n"},
}
NEW = "renamed"
_MARK = re.compile(r"«([^»]*)»")


def unmarked(text: str) -> tuple[str, list[Span]]:
    """A text without its marks, and where they stood."""
    plain, spans, position = "", [], 0
    for match in _MARK.finditer(text):
        plain += text[position : match.start()]
        spans.append(Span(len(plain), len(plain) + len(match[1])))
        plain += match[1]
        position = match.end()
    return plain + text[position:], spans


def folder_name(case: str) -> str:
    return case.replace(" ", "-").replace("'", "").replace(",", "")


def files_of(case: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in case.items() if name not in ("from", "refused") and "=>" not in name}


@pytest.fixture(scope="module", params=[VS_CODE, NEOVIM], ids=["vs_code", "neovim"])
def editor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Editor, Path]]:
    """One server over the folders of all cases."""
    root = tmp_path_factory.mktemp("names")
    cases = [*CASES.items(), *((name, case) for name, (case, _) in REFUSED.items()), *NOTHING.items()]
    folders = []
    for name, case in cases:
        folders.append(root / folder_name(name))
        for file, text in files_of(case).items():
            path = folders[-1] / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(unmarked(text)[0], encoding="utf-8")
    with Editor(request.param) as editor:
        editor.start(workspaceFolders=[{"uri": folder.as_uri(), "name": folder.name} for folder in folders])
        yield editor, root
        assert editor.end() == 0


def opened(editor: Editor, path: Path) -> tuple[str, LineIndex]:
    text = path.read_text(encoding="utf-8")
    is_dockerfile = "ockerfile" in path.name
    return editor.open(text, path.as_uri(), language="dockerfile" if is_dockerfile else "yaml"), LineIndex(text)


def spans_by_file(locations: list[dict[str, Any]], folder: Path) -> set[tuple[str, Span]]:
    found = set()
    for each in locations:
        path = Path(unquote(each["uri"].removeprefix("file://")))
        lines = LineIndex(path.read_text(encoding="utf-8"))
        start, end = (each["range"][key] for key in ("start", "end"))
        span = Span(*(lines.offset(at["line"], at["character"], "utf-16") for at in (start, end)))
        found.add((path.relative_to(folder).as_posix(), span))
    return found


def renamed(edit: dict[str, Any], folder: Path, names: list[str]) -> dict[str, str]:
    by_uri = dict(edit.get("changes") or {})
    for each in edit.get("documentChanges") or []:
        by_uri[each["textDocument"]["uri"]] = each["edits"]
    result = {}
    for name in names:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        lines = LineIndex(text)
        edits = []
        for one in by_uri.pop(path.as_uri(), []):
            places = [one["range"][key] for key in ("start", "end")]
            span = Span(*(lines.offset(at["line"], at["character"], "utf-16") for at in places))
            edits.append(Edit(span, one["newText"]))
        result[name] = apply(text, edits)
    assert by_uri == {}, "a file that does not belong to the case"
    return result


def starts(case: dict[str, str]) -> list[tuple[str, Span]]:
    marked = {name: unmarked(text)[1] for name, text in files_of(case).items()}
    return [(name, span) for name, spans in marked.items() for span in spans if case.get("from", name) == name]


@pytest.mark.parametrize("name", CASES)
def test_all_files(name: str, editor: tuple[Editor, Path]) -> None:
    client, root = editor
    case, folder = CASES[name], root / folder_name(name)
    files = files_of(case)
    places = {(file, span) for file, text in files.items() for span in unmarked(text)[1]}
    after = {file: _MARK.sub(NEW, case.get(f"=> {file}", text)) for file, text in files.items()}
    for file, span in starts(case):
        uri, lines = opened(client, folder / file)
        at = lines.position(span.start + 1, "utf-16")
        found = client.at("textDocument/references", uri, *at, context={"includeDeclaration": True})
        assert spans_by_file(found, folder) == places, (file, span)
        prepared = client.at("textDocument/prepareRename", uri, *at)
        assert prepared["placeholder"] == lines.text[span.start : span.end]
        shown = client.at("textDocument/documentHighlight", uri, *at)
        assert len(shown) <= len({place for place in places if place[0] == file})
        if "refused" in case:
            with pytest.raises(Refused, match=case["refused"]):
                client.at("textDocument/rename", uri, *at, newName=NEW)
        else:
            edit = client.at("textDocument/rename", uri, *at, newName=NEW)
            assert renamed(edit, folder, list(files)) == after, (file, span)
            changed = [each for each in files if after[each] != unmarked(files[each])[0]]
            asked = [each["needsConfirmation"] for each in (edit.get("changeAnnotations") or {}).values()]
            # Only where several files are changed, and only an editor that knows annotations, shows them first.
            assert asked == ([True] * len(changed) if client.profile is VS_CODE and len(changed) > 1 else [])
        client.close(uri)


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_change_the_build_is_refused(name: str, editor: tuple[Editor, Path]) -> None:
    client, root = editor
    case, message = REFUSED[name]
    for file, span in starts(case):
        uri, lines = opened(client, root / folder_name(name) / file)
        with pytest.raises(Refused) as refused:
            client.at("textDocument/rename", uri, *lines.position(span.start, "utf-16"), newName=NEW)
        assert message in refused.value.message
        client.close(uri)


@pytest.mark.parametrize("name", NOTHING)
def test_a_word_that_means_nothing(name: str, editor: tuple[Editor, Path]) -> None:
    client, root = editor
    ((file, span),) = starts(NOTHING[name])
    uri, lines = opened(client, root / folder_name(name) / file)
    at = lines.position(span.start + 1, "utf-16")
    assert client.at("textDocument/references", uri, *at, context={"includeDeclaration": True}) is None
    assert client.at("textDocument/definition", uri, *at) is None
    assert client.at("textDocument/prepareRename", uri, *at) is None
    assert client.at("textDocument/rename", uri, *at, newName=NEW) is None
    client.close(uri)


@pytest.mark.parametrize(
    ("file", "place", "expected"),
    [
        ("Dockerfile", 0, {".gitlab-ci.yml", "build.sh", "Makefile"}),
        ("Dockerfile", 1, {"Dockerfile"}),
        ("build.sh", 0, {"Dockerfile"}),
        ("Makefile", 0, {"Dockerfile"}),
    ],
)
def test_definition(file: str, place: int, expected: set[str], editor: tuple[Editor, Path]) -> None:
    client, root = editor
    name = "GitLab, a script and a Makefile"
    folder = root / folder_name(name)
    uri, lines = opened(client, folder / file)
    span = unmarked(CASES[name][file])[1][place]
    found = client.at("textDocument/definition", uri, *lines.position(span.start, "utf-16"))
    assert {each for each, _ in spans_by_file(found, folder)} == expected
    client.close(uri)


@pytest.mark.parametrize(
    ("case", "file", "needle", "parts"),
    [
        (
            "a secret of a compose file",
            "compose.yaml",
            "- tok",
            ["**Secret `tok`** is mounted in", "line 2: the file"],
        ),
        ("a secret of a compose file", "compose.yaml", "web", ["service `web` builds `Dockerfile`", "passed: `tok`"]),
        ("a secret of a compose file", "Dockerfile", "id=tok", ["Passed here by", "- `compose.yaml`: service `web`"]),
        ("an argument", "build.sh", "arg TOK", ["**Build argument `TOK`** of `Dockerfile`, line 2, 5."]),
        ("a stage", "build.sh", "target one", ["**Stage `one`** of `Dockerfile`, line 1."]),
    ],
)
def test_hover(case: str, file: str, needle: str, parts: list[str], editor: tuple[Editor, Path]) -> None:
    client, root = editor
    uri, lines = opened(client, root / folder_name(case) / file)
    at = lines.text.index(needle) + len(needle) - 1
    text = client.at("textDocument/hover", uri, *lines.position(at, "utf-16"))["contents"]["value"]
    assert [part for part in parts if part not in text] == []
    client.close(uri)


def test_from_a_build_to_its_dockerfile(editor: tuple[Editor, Path]) -> None:
    client, root = editor
    folder = root / folder_name("two services of one file and an unrelated one")
    uri, _ = opened(client, folder / "compose.yaml")
    found = [client.at("textDocument/definition", uri, line, 3) for line in (1, 2, 3)]
    assert [[each["uri"] for each in places] for places in found] == [
        [(folder / name / "Dockerfile").as_uri()] for name in ("a", "a", "b")
    ]
    client.close(uri)
