"""What the rest of a file says of a source that only its name made one: it is used as something else.

- An `.npmrc` beside the token itself, as in `ARG NPM_TOKEN`: npm puts the value of `${NAME}` in when it reads the file,
  and a build that hands the token over needs none in it. With pnpm, the file holds settings.
- A variable that a COPY names as its source, in no URL: it holds the file's name, not what is in the file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TypeVar

from msgspec.structs import replace

from buildhush.dockerfile.nodes import Copy, Run
from buildhush.flow.facts import (
    Certainty,
    ConfigValue,
    CopiedSecret,
    Facts,
    FileWrite,
    LogWrite,
    SecretVariable,
    Source,
    StageCrossing,
)
from buildhush.knowledge.files import may_be_settings
from buildhush.knowledge.names import split_words

_TOKEN_WORDS = frozenset(("npm", "node", "token", "auth", "pat", "registry", "artifactory", "nexus"))
_OF_PNPM = frozenset(("pnpm-lock.yaml", "pnpm-workspace.yaml"))
_Leak = TypeVar("_Leak", FileWrite, LogWrite, StageCrossing, ConfigValue)


def in_hindsight(facts: Facts) -> Facts:
    """The facts without what comes from such sources alone; the same object where there is none."""
    variables = (*facts.arguments, *facts.environment)
    none = {variable.source for variable in variables if _holds_a_name(variable)}
    none |= {copied.source for copied in facts.copied_secrets if _holds_no_token(variables, copied)}
    if not none:
        return facts
    return replace(
        facts,
        arguments=tuple(each for each in facts.arguments if each.source not in none),
        environment=tuple(each for each in facts.environment if each.source not in none),
        copied_secrets=tuple(each for each in facts.copied_secrets if each.source not in none),
        file_writes=tuple(_remaining(facts.file_writes, none)),
        log_writes=tuple(_remaining(facts.log_writes, none)),
        config_values=tuple(_remaining(facts.config_values, none)),
        crossings=tuple(_remaining(facts.crossings, none)),
        tainted_words=tuple(each for each in facts.tainted_words if each.source not in none),
    )


def _remaining(found: tuple[_Leak, ...], none: set[Source]) -> Iterator[_Leak]:
    for each in found:
        sources = tuple(source for source in each.sources if source not in none)
        if sources:
            yield each if len(sources) == len(each.sources) else replace(each, sources=sources)


def _holds_a_name(variable: SecretVariable) -> bool:
    if variable.source.certainty is Certainty.CERTAIN:
        return False
    return any(
        word.span.start <= place.span.start and place.span.end <= word.span.end
        for reader in variable.readers
        if isinstance(reader.node, Copy)
        for word in reader.node.sources
        if "://" not in word.value and "@" not in word.value
        for place in reader.places
    )


def _holds_no_token(variables: tuple[SecretVariable, ...], copied: CopiedSecret) -> bool:
    if not may_be_settings(copied.path):
        return False
    if copied.removal is None and any(posixpath.basename(word.value) in _OF_PNPM for word in copied.node.sources):
        return True
    runs = {id(reader.node) for reader in copied.readers}
    for variable in variables:
        if _is_of_npm(variable.name) and any(id(reader.node) in runs for reader in variable.readers):
            return True
    return any(
        mount.type == "secret" and _is_of_npm(mount.env or mount.id or "")
        for reader in copied.readers
        if isinstance(reader.node, Run)
        for mount in reader.node.mounts
    )


def _is_of_npm(name: str) -> bool:
    return not _TOKEN_WORDS.isdisjoint(split_words(name))
