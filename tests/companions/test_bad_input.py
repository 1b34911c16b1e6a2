"""Files that are broken, huge, in circles or gone: every reader answers, and the rest is still found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.companions.workspace import Workspace

from buildhush.companions.index import CallerIndex
from buildhush.companions.readers import kind_of, read_caller_file

NAMES = ("compose.yaml", "docker-bake.hcl", "docker-bake.json", ".github/workflows/a.yml", ".gitlab-ci.yml", "a.sh")
NAMES += ("Makefile",)

PIECES = (
    "services:\n",
    "  web:\n",
    "    build:\n",
    "      args:\n",
    "        - NPM_TOKEN=x\n",
    "&a ",
    "*a\n",
    "<<: *a\n",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "|\n",
    'target "a" {\n',
    "args = {\n",
    "jobs:\n  a:\n    steps:\n",
    "      - run: docker build .\n",
    "docker build --build-arg ",
    "NPM_TOKEN=$X ",
    "\\\n",
    "\t",
    "\u00e9\U0001f512",
    "$(",
    "`",
    "<<E\n",
    "${{ secrets.X }}",
    "#",
    "\r\n",
    "\0",
    "script:\n  - ",
    "extends: web\n",
    'inherits = ["a"]\n',
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_any_text_is_read_and_every_span_lies_in_it(name: str, text: str) -> None:
    file = read_caller_file(f"/w/{name}", text, lambda path: None, "/w")
    assert file is not None
    for caller in file.callers:
        for span in (caller.span, *(each.span for each in (*caller.build_args, *caller.secrets))):
            assert 0 <= span.start <= span.end <= len(text)
        for argument in caller.build_args:
            assert text[argument.name_span.start : argument.name_span.end].strip("\"'\\\r\n ")[:1] == argument.name[:1]


def test_positions_count_code_points() -> None:
    text = "services:\n  wéb: {build: {context: ., args: {É: '🔒', NPM_TOKEN: x}}}\n"
    file = read_caller_file("/w/compose.yaml", text, lambda path: None)
    assert file is not None
    spans = [each.name_span for each in file.callers[0].build_args]
    assert [text[span.start : span.end] for span in spans] == ["É", "NPM_TOKEN"]


SEPARATED = {
    "Makefile": "a:\n\tdocker build --label a=b{}c --build-arg NPM_TOKEN .\n",
    ".gitlab-ci.yml": (
        "a:\n  script:\n    - |\n      cat <<E\n      b{}c\n      E\n      docker build --build-arg NPM_TOKEN .\n"
    ),
    "docker-bake.hcl": (
        'target "a" {{\n  args = {{ NPM_TOKEN = "" }}\n  dockerfile-inline = <<-E\n    # b{}c\n    FROM a\n  E\n}}\n'
    ),
}


@pytest.mark.parametrize("separator", ["\u2028", "\x0c", "\x85"])
@pytest.mark.parametrize("name", SEPARATED)
def test_what_is_no_line_end_to_the_reader_ends_no_line(name: str, separator: str) -> None:
    def read(between: str) -> list[tuple[str, list[str]]]:
        file = read_caller_file(f"/w/{name}", SEPARATED[name].format(between), lambda path: None, "/w")
        assert file is not None
        return [
            (each.inline.text.replace(between, "+") if each.inline else "", [arg.name for arg in each.build_args])
            for each in file.callers
        ]

    assert read(separator) == read("+")
    assert [names for _, names in read(separator)] == [["NPM_TOKEN"]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("compose.yaml", "services:\n  a: {extends: b, build: {args: [NPM_TOKEN]}}\n  b: {extends: a}\n"),
        ("compose.yaml", "a: &a\n  b: *a\nservices:\n  a:\n    build:\n      args: {NPM_TOKEN: x, <<: *a}\n"),
        ("docker-bake.hcl", 'target "a" {\n  inherits = ["b"]\n  args = { NPM_TOKEN = "" }\n}\n'
                            'target "b" {\n  inherits = ["a"]\n  context = "b"\n}\n'),
    ],
)  # fmt: skip
def test_circles_end(name: str, text: str, tmp_path: Path) -> None:
    file = read_caller_file(str(tmp_path / name), text, lambda path: None)
    assert file is not None
    assert "NPM_TOKEN" in [each.name for caller in file.callers for each in caller.build_args]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "compose.yaml",
            "services:\n  a: {extends: b}\n  b: {extends: a}\n",
            ["`a` extends itself"],
        ),
        ("compose.yaml", "services:\n  a: {extends: nobody}\n  c: {build: .}\n", ["no service `nobody`"]),
        ("compose.yaml", "services:\n  a:\n    extends: {file: gone.yml, service: b}\n", ["no file gone.yml"]),
        ("compose.yaml", "services:\n  a:\n    extends: {file: $X/gone.yml, service: b}\n", []),
        ("compose.yaml", "services:\n  a: {extends: b}\n  b: {build: .}\n", []),
        ("docker-bake.hcl", 'target "a" {\n  inherits = ["b"]\n}\ntarget "b" {\n  inherits = ["b"]\n}\n', ["`b`"]),
        ("docker-bake.hcl", 'target "a" {\n  inherits = ["of-another-file"]\n}\n', []),
    ],
)
def test_a_name_that_leads_nowhere_is_said_once(name: str, text: str, said: list[str]) -> None:
    file = read_caller_file(f"/w/{name}", text, lambda path: None)
    assert file is not None
    assert len(file.loose_ends) == len(said)
    for loose, part in zip(file.loose_ends, said, strict=True):
        assert part in loose.message
        assert 0 <= loose.span.start < loose.span.end <= len(text)


def test_what_a_broken_file_still_says_is_heard() -> None:
    text = "services:\n  web:\n    build:\n      context: .\n      args:\n        - NPM_TOKEN\n  other: [\n"
    file = read_caller_file("/w/compose.yaml", text, lambda path: None)
    assert file is not None
    assert file.problems
    assert [each.name for caller in file.callers for each in caller.build_args] == ["NPM_TOKEN"]


def test_aliases_that_multiply_are_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    file = read_caller_file("/w/compose.yaml", "\n".join([*lines, "services: {a: {build: .}}", ""]), lambda path: None)
    assert file is not None


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    workspace = Workspace(
        tmp_path, {"compose.yaml": "services:\n" + "  a: {build: .}\n" * 80_000, "Dockerfile": "FROM a\n"}
    )
    assert workspace.index.file(str(tmp_path / "compose.yaml")) is None
    assert workspace.findings("Dockerfile") == ()


def test_a_file_that_vanishes_is_forgotten(tmp_path: Path) -> None:
    dockerfile = "FROM a\nRUN --mount=type=secret,id=t b\n"
    workspace = Workspace(tmp_path, {"compose.yaml": "services: {a: {build: .}}\n", "Dockerfile": dockerfile})
    assert len(workspace.findings("Dockerfile")) == 1
    (tmp_path / "compose.yaml").unlink()
    workspace.index.update(str(tmp_path / "compose.yaml"))
    assert workspace.findings("Dockerfile") == ()


def test_links_are_not_followed_and_folders_of_others_not_entered(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "loop").symlink_to(tmp_path)
    for folder in ("real", "node_modules/x"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "build.sh").write_text("docker build .\n")
    (tmp_path / "real" / "gone.sh").symlink_to(tmp_path / "nothing")
    index = CallerIndex((str(tmp_path),))
    index.scan_now()
    assert [file.path for file in index.files] == [str(tmp_path / "real" / "build.sh")]


def test_folders_that_git_ignores_are_not_entered_and_ignored_files_are_read(tmp_path: Path) -> None:
    files = {
        ".gitignore": "/out/\n*.override.yml\n!kept/\n",
        "out/compose.yaml": "services: {a: {build: .}}\n",
        "app/.gitignore": "generated\n",
        "app/generated/build.sh": "docker build .\n",
        "app/out/build.sh": "docker build .\n",
        "compose.override.yml": "services: {a: {build: .}}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / ".git").mkdir()
    index = CallerIndex((str(tmp_path),))
    index.scan_now()
    found = [str(Path(file.path).relative_to(tmp_path)) for file in index.files]
    assert found == ["app/out/build.sh", "compose.override.yml"]


def test_a_file_in_two_halves_of_a_character_is_read(tmp_path: Path) -> None:
    (tmp_path / "build.sh").write_bytes(b"# \xff\ndocker build --build-arg NPM_TOKEN .\n")
    (tmp_path / "compose.yaml").write_bytes(b"# \xff\nservices: {a: {build: {args: [NPM_TOKEN]}}}\n")
    index = CallerIndex((str(tmp_path),))
    index.scan_now()
    for file in index.files:
        span = file.callers[0].build_args[0].name_span
        assert file.text[span.start : span.end] == "NPM_TOKEN"


def test_an_env_file_is_not_opened() -> None:
    assert kind_of("/w/.env") is None
    assert kind_of("/w/production.env") is None


def test_a_scan_goes_in_small_steps(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.sh").write_text("docker build .\n")
    steps = list(CallerIndex((str(tmp_path),)).scan())
    assert [step.files for step in steps[:40]] == list(range(1, 41))
    assert steps[-1].complete


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("compose.yml", "compose"),
        ("docker-compose.prod.yaml", "compose"),
        ("compose.override.yaml", "compose"),
        ("docker-bake.override.hcl", "bake"),
        ("r/.github/workflows/x.yaml", "workflow"),
        ("r/.github/actions/build/action.yml", "workflow"),
        (".gitlab-ci.yml", "gitlab"),
        ("GNUmakefile", "makefile"),
        ("docker.mk", "makefile"),
        ("ci/build.bash", "script"),
        (".env.production", None),
        ("values.yaml", None),
        ("Dockerfile", None),
        ("composer.json", None),
    ],
)
def test_files_are_known_by_their_names(path: str, kind: str | None) -> None:
    assert kind_of(f"/w/{path}") == kind
