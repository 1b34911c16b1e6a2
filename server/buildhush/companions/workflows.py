"""GitHub workflows and composite actions: docker/build-push-action steps, and `run:` steps that build.

Facts: docker/build-push-action (action.yml, README): `build-args`, `secrets`, `secret-files` and `secret-envs` are
lists, one entry a line (secret-envs and secret-files also with commas). `context` is by default the repository, `file`
by default `Dockerfile` in the context; both are relative to the workspace. A quoted entry may have several lines.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from buildhush.companions.callers import (
    BuildPlace,
    Caller,
    CallerFile,
    CallerKind,
    NamedFolder,
    PassedArgument,
    PassedSecretUse,
    ReadText,
    Setting,
    ValueKind,
    named_folder,
)
from buildhush.companions.commands import ScriptPlace, build_callers
from buildhush.companions.delegates import of_bake, read_override
from buildhush.companions.options import mode_of, provenance_of
from buildhush.companions.values import Mapping, Scalar, Sequence
from buildhush.companions.yaml_reader import read_yaml
from buildhush.text.spans import Span

_ACTION_NAME = re.compile(r"action\.ya?ml", re.IGNORECASE)
_BUILD_ACTION = re.compile(r"(?:docker/build-push-action|depot/build-push-action|useblacksmith/build-push-action)@.*")
_BAKE_ACTION = re.compile(r"(?:docker/bake-action|depot/bake-action)@.*")
_SHELLS = re.compile(r"(?:ba|z|k)?sh\b|bash\b")
_LINE = re.compile(r"[^\n]+")
_ITEM = re.compile(r"[^\n,]+")


def is_workflow(path: str) -> bool:
    """Whether a file of that path is a workflow or a composite action."""
    parts = path.replace("\\", "/").split("/")
    if len(parts) >= 3 and parts[-3:-1] == [".github", "workflows"]:
        return parts[-1].lower().endswith((".yml", ".yaml"))
    return _ACTION_NAME.fullmatch(parts[-1]) is not None


def repository_of(path: str) -> str:
    """The folder that holds `.github`, which is where steps run; the file's own folder when there is none."""
    head, found, _ = path.replace("\\", "/").rpartition("/.github/")
    return head if found else os.path.dirname(path)


def read_workflow(path: str, text: str, read_text: ReadText, root: str | None = None) -> CallerFile:
    """The builds of a workflow or composite action. Never raises."""
    parsed = read_yaml(text)
    tree = parsed.root
    if tree is None:
        return CallerFile(path, text, problems=parsed.problems)
    folder = repository_of(path)
    if "/.github/" not in path.replace("\\", "/") and root is not None:
        folder = root
    callers: list[Caller] = []
    for job, defaults, steps in _step_lists(tree):
        for index, step in enumerate(steps.items):
            if isinstance(step, Mapping):
                callers += _step(path, folder, (job, str(index)), step, defaults, read_text)
    return CallerFile(path, text, tuple(callers), problems=parsed.problems, tree=parsed)


def _step_lists(tree: Mapping) -> Iterator[tuple[str, tuple[Mapping, ...], Sequence]]:
    """(job, mappings with `defaults` and `env` from outside, its steps)."""
    for pair in tree.mapping("jobs").pairs:
        if isinstance(pair.value, Mapping):
            steps = pair.value.get("steps")
            if isinstance(steps, Sequence):
                yield pair.key.text, (pair.value, tree), steps
    runs = tree.get("runs")
    if isinstance(runs, Mapping):
        steps = runs.get("steps")
        if isinstance(steps, Sequence):
            yield "", (runs, tree), steps


def _step(
    path: str, root: str, key: tuple[str, ...], step: Mapping, around: tuple[Mapping, ...], read_text: ReadText
) -> Iterator[Caller]:
    uses = step.text("uses")
    if uses is not None and _BUILD_ACTION.fullmatch(uses):
        yield _action(path, root, key, step)
        return
    if uses is not None and _BAKE_ACTION.fullmatch(uses):
        yield _bake_action(path, root, key, step, read_text)
        return
    run = step.get("run")
    if not isinstance(run, Scalar):
        return
    shell = step.text("shell")
    if shell is not None and not _SHELLS.match(shell):
        return
    folder = step.text("working-directory")
    for each in around:
        folder = folder or each.mapping("defaults").mapping("run").text("working-directory")
    if folder is not None and "${{" in folder:
        folders: tuple[str, ...] = (root,)
    else:
        folders = (os.path.normpath(os.path.join(root, folder or ".")),)
    name = step.text("name")
    shown = f"step `{name}`" if name and "${{" not in name else "`run` step"
    place = ScriptPlace(path, CallerKind.WORKFLOW_RUN, ("run", *key), folders, folders[0], read_text, shown)
    yield from build_callers(run.content, place)


def _action(path: str, root: str, key: tuple[str, ...], step: Mapping) -> Caller:
    inputs = step.mapping("with")
    name = step.text("name")
    shown = f"step `{name}`" if name and "${{" not in name else "docker/build-push-action step"
    uses, target = step.pair("uses"), inputs.get("target")
    secrets = [
        *_secrets(inputs, "secrets", shown),
        *_secrets(inputs, "secret-envs", shown),
        *_secrets(inputs, "secret-files", shown),
    ]
    return Caller(
        path,
        CallerKind.WORKFLOW_ACTION,
        ("action", *key),
        shown,
        uses.value.span if uses is not None else step.span,
        _places(root, inputs),
        _known(inputs.text("target")),
        tuple(_arguments(inputs, shown)),
        tuple(secrets),
        tuple(line for line in (inputs.text("ssh") or "").split("\n") if line.strip()),
        _cache_mode(inputs),
        _provenance(inputs),
        any(isinstance(inputs.get(each), Scalar) and _opaque(inputs, each) for each in ("secrets", "build-args")),
        (step, inputs),
        target_span=target.span if isinstance(target, Scalar) else None,
        contexts=tuple(_contexts(root, inputs)),
    )


def _bake_action(path: str, root: str, key: tuple[str, ...], step: Mapping, read_text: ReadText) -> Caller:
    inputs = step.mapping("with")
    name = step.text("name")
    shown = f"step `{name}`" if name and "${{" not in name else "docker/bake-action step"
    uses = step.pair("uses")
    arguments: list[PassedArgument] = []
    wanted: list[str] = []
    opaque = False
    value = inputs.get("set")
    for match in _LINE.finditer(value.text) if isinstance(value, Scalar) else ():
        line = match.group().strip()
        override = read_override(line)
        if override is None or override.key != "args":
            opaque = opaque or override is None or override.key == "secrets"
            continue
        assert isinstance(value, Scalar)
        start = match.start() + match.group().index(line) + override.value_start
        arguments.append(_line_argument(value, start, line[override.value_start :], shown))
        wanted.append(override.target)
    workdir = inputs.text("workdir") or inputs.text("source") or "."
    folder = os.path.normpath(os.path.join(root, workdir))
    files, targets = _items(inputs, "files"), _items(inputs, "targets")
    delegated = of_bake((folder,), files, targets, wanted, read_text)
    return Caller(
        path,
        CallerKind.WORKFLOW_ACTION,
        ("bake", *key),
        shown,
        uses.value.span if uses is not None else step.span,
        delegated.places,
        delegated.target,
        tuple(arguments),
        provenance_mode=_provenance(inputs),
        opaque=opaque or not delegated.places,
        site=(step, inputs),
        inherited_secrets=delegated.secrets,
        contexts=delegated.contexts,
    )


def _items(inputs: Mapping, key: str) -> list[str]:
    return [each.strip() for each in re.split(r"[\n,]", inputs.text(key) or "") if each.strip()]


def _known(text: str | None) -> str | None:
    return None if text is None or "${{" in text else text


def _opaque(inputs: Mapping, key: str) -> bool:
    """Whether a whole line of a list is an expression that may hold any number of entries."""
    return any(line.strip().startswith("${{") for line in (inputs.text(key) or "").split("\n"))


def _places(root: str, inputs: Mapping) -> tuple[BuildPlace, ...]:
    context, file = inputs.text("context"), inputs.text("file")
    for name in ("${{ github.workspace }}", "${{github.workspace}}"):
        context = context.replace(name, ".") if context else context
        file = file.replace(name, ".") if file else file
    if context is not None and (("{{" in context and not context.startswith("{{default")) or "://" in context):
        return ()
    if file is not None and "${{" in file:
        return ()
    # `{{defaultContext}}:folder` is a folder of the repository.
    local = (context or ".").replace("{{defaultContext}}:", "").replace("{{defaultContext}}", ".")
    folder = os.path.normpath(os.path.join(root, local))
    if file is None:
        return (BuildPlace(os.path.join(folder, "Dockerfile"), folder),)
    # With a context that is no folder of the workspace, the file is relative to the context.
    base = folder if context is None or context.startswith("{{") else root
    return (BuildPlace(os.path.normpath(os.path.join(base, file)), folder),)


def _contexts(root: str, inputs: Mapping) -> Iterator[NamedFolder]:
    for match in _LINE.finditer(inputs.text("build-contexts") or ""):
        name, equals, written = match.group().strip().strip("\"'").partition("=")
        if equals:
            yield named_folder(name, written, (root,))


def _arguments(inputs: Mapping, owner: str) -> Iterator[PassedArgument]:
    value = inputs.get("build-args")
    if not isinstance(value, Scalar):
        return
    for match in _LINE.finditer(value.text):
        line = match.group()
        start = match.start() + len(line) - len(line.lstrip())
        written = line.strip().strip("\"'")
        name = written.partition("=")[0]
        if not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
            continue
        start += line.strip().index(written)
        yield _line_argument(value, start, written, owner)


def _line_argument(value: Scalar, start: int, written: str, owner: str) -> PassedArgument:
    """`NAME=VALUE` at an offset of an input's text."""
    name, equals, text = written.partition("=")
    kind = ValueKind.ENVIRONMENT if not equals else ValueKind.LITERAL
    if "${{" in text:
        kind = ValueKind.EXPRESSION
    content = value.content
    return PassedArgument(
        name,
        kind,
        name if not equals else None,
        content.source_span(Span(start, start + len(written))),
        content.source_span(Span(start, start + len(name))),
        content.source_span(Span(start + len(name) + 1, start + len(written))) if text else None,
        owner,
        value.shared,
    )


def _secrets(inputs: Mapping, key: str, owner: str) -> Iterator[PassedSecretUse]:
    value = inputs.get(key)
    if not isinstance(value, Scalar):
        return
    for match in (_LINE if key == "secrets" else _ITEM).finditer(value.text):
        line = match.group()
        written = line.strip()
        bare = written.strip("\"'")
        name, equals, text = bare.partition("=")
        if not equals or not re.fullmatch(r"[\w.-]+", name):
            continue
        start = match.start() + line.index(bare)
        content = value.content
        # The value of a secret is nobody's business here: only a variable or a path is kept.
        yield PassedSecretUse(
            name,
            text if key == "secret-envs" else None,
            text if key == "secret-files" else None,
            content.source_span(Span(start, start + len(bare))),
            content.source_span(Span(start, start + len(name))),
            owner,
        )


def _cache_mode(inputs: Mapping) -> Setting | None:
    value = inputs.get("cache-to")
    if not isinstance(value, Scalar):
        return None
    for match in _LINE.finditer(value.text):
        mode = mode_of(value.content, match.start(), match.end())
        if mode is not None:
            return mode
    return None


def _provenance(inputs: Mapping) -> Setting | None:
    value = inputs.get("provenance")
    if isinstance(value, Scalar) and value.text:
        return provenance_of(value.content, 0, len(value.text))
    attests = inputs.get("attests")
    if isinstance(attests, Scalar):
        for match in _LINE.finditer(attests.text):
            if "type=provenance" in match.group():
                return mode_of(attests.content, match.start(), match.end())
    return None
