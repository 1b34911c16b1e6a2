"""Reads case files: Markdown in which a heading starts a case.

    ## h · A temporary file that stays
    Prose that says why the case is there.
    - secret mysecret
    - secret envfile: TOKEN={canary}\\n
    - arg TOKEN
    - file sec.txt
    - file .dockerignore: sec.txt\\n
    - target final
    ```dockerfile
    FROM oracle-base
    RUN ...
    ```

The word before the middle dot is the case's id. `- secret ID`, `- arg NAME` and `- file PATH` (in the build context)
give a canary each; after a colon stands the content, with `{canary}` for the canary and `\\n` for a line end (a file
without `{canary}` is an ordinary file). Secrets that a mount names need no line. `@LIT@` in the Dockerfile is a canary
written into it, called `literal:literal`. The base images are `oracle-base` and `oracle-tools`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.buildkit.engine import images

from buildhush.verify.canaries import Canary, make_canary
from buildhush.verify.engine import BuildRequest, Engine
from buildhush.verify.observe import ObservedBuild, observe_build
from buildhush.verify.outline import read_outline

CASES = Path(__file__).parent / "cases"

_HEADING = re.compile(r"## (\S+) · (.+)$")
_INPUT = re.compile(r"- (secret|arg|file|target) ([^\s:]+)(?:: (.*))?$")
_FENCE = re.compile(r"(`{3,})(\w+)\s*$")


@dataclass(frozen=True, slots=True)
class CaseInput:
    """kind is `secret`, `arg` or `file`; `template` is the content with `{canary}` in it, None for the bare canary."""

    kind: str
    name: str
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    identifier: str
    title: str
    dockerfile: str
    inputs: tuple[CaseInput, ...] = ()
    target: str | None = None
    source: str = ""

    def all_inputs(self) -> tuple[CaseInput, ...]:
        """The inputs as declared, and a plain secret for every other id that a mount names."""
        declared = {item.name for item in self.inputs if item.kind == "secret"}
        mounted = (name for name in read_outline(self.dockerfile).secret_ids() if name not in declared)
        return (*self.inputs, *(CaseInput("secret", name) for name in mounted))


def read_cases(folder: Path = CASES) -> Iterator[Case]:
    """Every case of every file, in the order of names and lines."""
    for path in sorted(folder.glob("*.md")):
        yield from cases_of(path.read_text(encoding="utf-8"), path.name)


def cases_of(text: str, source: str = "") -> Iterator[Case]:
    heading: tuple[str, str] | None = None
    inputs: list[CaseInput] = []
    target: str | None = None
    lines = iter(text.splitlines())
    for line in lines:
        if match := _HEADING.match(line):
            heading, inputs, target = (match[1], match[2]), [], None
        elif line.startswith("## "):
            raise ValueError(f"{source}: a heading without an id: {line}")
        elif match := _INPUT.match(line):
            if match[1] == "target":
                target = match[2]
            else:
                inputs.append(CaseInput(match[1], match[2], None if match[3] is None else _unescaped(match[3])))
        elif (match := _FENCE.match(line)) and match[2] == "dockerfile":
            body = _block(lines, match[1])
            if heading is None:
                raise ValueError(f"{source}: a Dockerfile before the first heading")
            yield Case(*heading, dockerfile=body, inputs=tuple(inputs), target=target, source=source)


def _block(lines: Iterator[str], fence: str) -> str:
    body: list[str] = []
    for line in lines:
        if line == fence:
            return "\n".join([*body, ""])
        body.append(line)
    raise ValueError("a block that is not closed")


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\t", "\t")


@dataclass(frozen=True, slots=True)
class PreparedCase:
    """A case with fresh canaries, its context written to a folder."""

    request: BuildRequest
    canaries: tuple[Canary, ...]
    context_files: dict[str, Canary]


def prepare(case: Case, context: Path, values: Mapping[tuple[str, str], str] | None = None) -> PreparedCase:
    """Makes the canaries and writes the build context. `values`: of earlier canaries to use again, by kind and name."""
    values = values or {}
    secrets: dict[str, str] = {}
    arguments: dict[str, str] = {}
    context_files: dict[str, Canary] = {}
    canaries: list[Canary] = []
    for item in case.all_inputs():
        if item.kind == "file":
            path = context / item.name
            path.parent.mkdir(parents=True, exist_ok=True)
            if item.template is not None and "{canary}" not in item.template:
                path.write_text(item.template)
                continue
            canary = make_canary("context", item.name, item.template, values.get(("context", item.name)))
            path.write_text(canary.content)
            context_files[item.name] = canary
        else:
            canary = make_canary(item.kind, item.name, item.template, values.get((item.kind, item.name)))
            (secrets if item.kind == "secret" else arguments)[item.name] = canary.content
        canaries.append(canary)
    dockerfile = case.dockerfile
    if "@LIT@" in dockerfile:
        literal = make_canary("literal", "literal", None, values.get(("literal", "literal")))
        dockerfile = dockerfile.replace("@LIT@", literal.value)
        canaries.append(literal)
    request = BuildRequest(
        dockerfile,
        context,
        secrets=secrets,
        build_args=arguments,
        target=case.target,
        named_contexts=images(),
        network=False,
    )
    return PreparedCase(request, tuple(canaries), context_files)


def observe_case(engine: Engine, case: Case) -> ObservedBuild:
    """Builds the case with fresh canaries and says where they were seen."""
    with tempfile.TemporaryDirectory(prefix="buildhush-context-") as context:
        prepared = prepare(case, Path(context))
        return observe_build(engine, prepared.request, prepared.canaries, prepared.context_files)
