"""What a verification would build: which canaries stand for which secrets, before anything is built.

Real secrets are never read. A secret of a mount gets generated content in the form that its name asks for (an `.npmrc`,
a `.netrc`, an env file, ...), a secret-looking ARG gets a canary as its value, a secret-looking file of the context
and a literal in the Dockerfile are replaced by one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from buildhush.companions.build_contexts import UNTOLD, ContextPlaces
from buildhush.companions.context import BuildContext, read_context
from buildhush.config import Settings
from buildhush.engine import Analysis, analyze
from buildhush.flow.facts import SourceKind
from buildhush.knowledge.values import find_literals
from buildhush.text.line_index import LineIndex
from buildhush.text.spans import Span
from buildhush.verify.canaries import CanaryName
from buildhush.verify.outline import read_outline
from buildhush.verify.predict import predicted_sinks


class PlanError(Exception):
    """The plan cannot be made; the text says why."""


@dataclass(frozen=True, slots=True)
class PlannedCanary:
    """One canary to be made; `template` is the content around it; `span` is where a literal stands in the file."""

    name: CanaryName
    template: str = "{canary}"
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One verification: everything that is built and what the analyser expects of it."""

    dockerfile: Path
    text: str = field(repr=False)
    context: Path
    canaries: tuple[PlannedCanary, ...]
    build_args: Mapping[str, str] = field(repr=False)
    """Arguments that are passed as they are, because they are no secrets."""
    target: str | None
    predicted: Mapping[CanaryName, frozenset[str]]
    listing: BuildContext = field(repr=False)
    notes: tuple[str, ...] = ()
    network: bool = True
    declared_frontend: bool = True
    named_contexts: Mapping[str, Path] = field(default_factory=dict)
    with_ssh: bool = False
    hidden: tuple[str, ...] = field(default=(), repr=False)
    """Credentials in places that no canary can stand in, such as a flag: kept out of all that is shown."""


def make_plan(
    dockerfile: Path,
    context: Path | None = None,
    *,
    target: str | None = None,
    secrets: Iterable[str] = (),
    build_args: Iterable[str] = (),
    network: bool = True,
    declared_frontend: bool = True,
    named_contexts: Mapping[str, Path] | None = None,
    places: ContextPlaces = UNTOLD,
    settings: Settings | None = None,
) -> Plan:
    """Reads the Dockerfile and the names in its context; raises PlanError.

    `secrets`: `auto` for all that mounts name (the default), or `id=ID[,template=FILE]`; a `src=` or `env=` of a real
    secret is accepted and not read. `build_args`: `NAME` for a canary, `NAME=VALUE` to pass a value that is no secret.
    `places`: the contexts that callers build with; of them the usual one is taken where `context` names none.
    """
    try:
        text = dockerfile.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(
            f"{dockerfile} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        ) from error
    root = context if context is not None else _usual_context(dockerfile, places)
    if not root.is_dir():
        raise PlanError(f"{root} is not a folder")
    listing = read_context(str(root), str(dockerfile.absolute()))
    analysis = analyze(text, path=str(dockerfile), context=listing, settings=settings)
    outline = read_outline(text)
    if not outline.stages:
        raise PlanError(f"{dockerfile} has no FROM: there is nothing to build")
    if target is not None and outline.stage(target) is None:
        raise PlanError(f"{dockerfile} has no stage `{target}`")
    notes = [] if context is not None else list(_other_contexts(places))
    canaries = list(_secret_canaries(tuple(secrets), outline.secret_ids(), analysis, notes))
    argument_canaries, passed = _arguments(tuple(build_args), analysis)
    canaries += argument_canaries
    canaries += (PlannedCanary(CanaryName("context", path), template_for(path)) for path in listing.secret_files)
    literals = list(_literals(analysis))
    canaries += (canary for canary, _ in literals)
    if not listing.complete:
        notes.append("the build context is too large to be listed completely: some files in it may hold real secrets")
    if not canaries:
        notes.append("no secret is mounted, passed, copied or written here: there is nothing to look for")
    return Plan(
        dockerfile=dockerfile,
        text=text,
        context=root,
        canaries=tuple(canaries),
        build_args=passed,
        target=target,
        predicted={**_predicted(analysis), **{canary.name: sinks for canary, sinks in literals}},
        listing=listing,
        notes=tuple(notes),
        network=network,
        declared_frontend=declared_frontend,
        named_contexts=dict(named_contexts or {}),
        with_ssh=any(item.kind is SourceKind.SSH_MOUNT for item in analysis.facts.build_secrets),
        hidden=_known_formats(text),
    )


def _usual_context(dockerfile: Path, places: ContextPlaces) -> Path:
    if not places.roots:
        return dockerfile.parent
    return Path(places.usual_root(os.path.abspath(dockerfile)))


def _other_contexts(places: ContextPlaces) -> Iterator[str]:
    if len(places.roots) > 1:
        yield f"it is built with {len(places.roots)} contexts, and this is one of them: --context names another"
    for each in places.additional:
        yield f"whoever builds it gives a context named `{each.name}`, which a canary build does not pass"


def _known_formats(text: str) -> tuple[str, ...]:
    """What has the format of a credential anywhere in the file, longest first."""
    found = {text[literal.span.start : literal.span.end] for literal in find_literals(text)}
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def _secret_canaries(
    asked: tuple[str, ...], mounted: tuple[str, ...], analysis: Analysis, notes: list[str]
) -> Iterator[PlannedCanary]:
    named: dict[str, str] = {}
    for text in asked:
        if text == "auto":
            continue
        options = dict(part.partition("=")[::2] for part in text.split(","))
        identifier = options.get("id")
        if not identifier:
            raise PlanError(f"--secret {text}: write `id=ID`, or `auto`")
        if "src" in options or "source" in options or "env" in options:
            notes.append(f"the real secret of `{identifier}` is not read: a canary stands for it")
        named[identifier] = _template_of(options["template"]) if "template" in options else ""
        if identifier not in mounted:
            notes.append(f"no mount names the secret `{identifier}`")
    targets = _mount_targets(analysis)
    wanted = [*named, *(name for name in mounted if name not in named)] if not named or "auto" in asked else list(named)
    for identifier in wanted:
        template = named.get(identifier) or template_for(targets.get(identifier, identifier), identifier)
        yield PlannedCanary(CanaryName("secret", identifier), template)


def _template_of(file: str) -> str:
    try:
        template = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"the template {file} cannot be read") from error
    if "{canary}" not in template:
        raise PlanError(f"the template {file} has no `{{canary}}` in it")
    return template


def _mount_targets(analysis: Analysis) -> dict[str, str]:
    """Secret id -> the path it is mounted at, when it is mounted somewhere else than below /run/secrets."""
    return {
        item.mount.id: item.path
        for item in analysis.facts.secret_mounts
        if item.mount.id and item.path and not item.path.startswith("/run/secrets/")
    }


_TEMPLATES = (
    (re.compile(r"npmrc$"), "//registry.example.com/:_authToken={canary}\n"),
    (re.compile(r"yarnrc(\.yml)?$"), "npmAuthToken: {canary}\n"),
    (re.compile(r"netrc$"), "machine example.com login user password {canary}\n"),
    (re.compile(r"pip\.conf$|pip\.ini$"), "[global]\nextra-index-url = https://user:{canary}@example.com/simple\n"),
    (re.compile(r"pypirc$"), "[pypi]\nusername = __token__\npassword = {canary}\n"),
    (re.compile(r"git-?credentials$"), "https://user:{canary}@example.com\n"),
    (re.compile(r"gitconfig$"), '[http]\n\textraHeader = "Authorization: {canary}"\n'),
    (re.compile(r"settings\.xml$"), "<settings><servers><server><id>r</id><username>u</username>"
        "<password>{canary}</password></server></servers></settings>\n"),
    (re.compile(r"config\.json$"), '{"auths": {"example.com": {"auth": "{canary}"}}}\n'),
    (re.compile(r"auth\.json$|\.json$"), '{"token": "{canary}"}\n'),
    (re.compile(r"\.ya?ml$"), "token: {canary}\n"),
    (re.compile(r"\.toml$"), 'token = "{canary}"\n'),
    (re.compile(r"aws/credentials$|^aws$|aws[-_]?credentials$"),
        "[default]\naws_access_key_id = AKIA0000000000000000\naws_secret_access_key = {canary}\n"),
    (re.compile(r"(^|[/._-])env(\..+|file)?$|\.properties$"), "TOKEN={canary}\n"),
    (re.compile(r"(^|/)id_(rsa|ed25519|ecdsa|dsa)$|\.pem$|\.key$"),
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{canary}\n-----END OPENSSH PRIVATE KEY-----\n"),
)  # fmt: skip


def template_for(path: str, identifier: str | None = None) -> str:
    """Content in the form that a file of this name has; the bare canary when the name says nothing."""
    for name in (path, identifier or path):
        for pattern, template in _TEMPLATES:
            if pattern.search(name.lower()):
                return template
    return "{canary}"


def _arguments(asked: tuple[str, ...], analysis: Analysis) -> tuple[list[PlannedCanary], dict[str, str]]:
    passed: dict[str, str] = {}
    names: dict[str, None] = {}
    for text in asked:
        name, sign, value = text.partition("=")
        if sign:
            passed[name] = value
        else:
            names[name] = None
    for argument in analysis.facts.arguments:
        if argument.name not in passed:
            names[argument.name] = None
    return [PlannedCanary(CanaryName("arg", name)) for name in names], passed


_PASSWORD_IN_URL = re.compile(r"://[^/@:\s]*:([^@/\s]+)@")


def _literals(analysis: Analysis) -> Iterator[tuple[PlannedCanary, frozenset[str]]]:
    """Credentials written into the Dockerfile, each with its predicted sinks; a canary replaces each."""
    lines = LineIndex(analysis.text)
    facts = analysis.facts
    found = [(item.place.node, item.place.span, item.sinks) for item in facts.literals]
    found += [
        (item.node, item.pair.value.span, item.sinks)
        for item in facts.environment
        if item.literal and item.pair.value is not None
    ]
    predicted: dict[Span, frozenset[str]] = {}
    for node, span, sinks in found:
        narrowed = _narrowed(analysis.text, analysis.tree.absolute(node, span))
        predicted[narrowed] = predicted.get(narrowed, frozenset()) | {sink.value for sink in sinks}
    last = 0
    for span, sink_names in sorted(predicted.items(), key=lambda item: item[0].start):
        if span.start < last or span.end <= span.start:
            continue
        last = span.end
        line, column = lines.position(span.start, "utf-32")
        yield PlannedCanary(CanaryName("literal", f"line {line + 1}, column {column + 1}"), span=span), sink_names


def _narrowed(text: str, span: Span) -> Span:
    """The span without quotes, and of a URL only the password: the rest has to stay for the build to work."""
    start, end = span.start, span.end
    if end - start >= 2 and text[start] == text[end - 1] and text[start] in "\"'":
        start, end = start + 1, end - 1
    password = _PASSWORD_IN_URL.search(text, start, end)
    return Span(password.start(1), password.end(1)) if password else Span(start, end)


def _predicted(analysis: Analysis) -> dict[CanaryName, frozenset[str]]:
    predicted = predicted_sinks(analysis)
    named = {name: sinks for name, sinks in predicted.items() if name.kind in ("secret", "arg", "context")}
    for argument in analysis.facts.arguments:
        name = CanaryName("arg", argument.name)
        # An ENV that takes the argument over is reported under its own heading.
        taken_over = predicted.get(CanaryName("env", argument.name), frozenset())
        named[name] = named.get(name, frozenset()) | taken_over | {sink.value for sink in argument.sinks}
    return named
