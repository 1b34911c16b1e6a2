"""The variables that an instruction's words name, the way BuildKit reads them.

Facts are from moby/buildkit, frontend/dockerfile/instructions/commands.go (which words of which instruction expand)
and shell/lex.go. RUN's script, CMD, ENTRYPOINT and HEALTHCHECK are left to the shell: see `run_time_references`.
Words are expanded by our own port of BuildKit's lexer: dockerfile-parse's word splitter knows neither operators
(`${X:-d}`) nor another escape character, and keeps a backslash before `$` in double quotes. Where it is right it is the
second opinion in the tests, which also state the differences.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from buildhush.dockerfile import expansion
from buildhush.dockerfile.nodes import (
    Assignment,
    Command,
    Copy,
    From,
    Instruction,
    Onbuild,
    Run,
    Simple,
    Word,
)
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span

# Flags whose value is expanded; COPY --from with a variable is refused, the other flags are taken as written.
_EXPANDED_FLAGS = {
    "FROM": ("platform",),
    "RUN": ("mount",),
    "COPY": ("chown", "chmod"),
    "ADD": ("chown", "chmod", "checksum"),
}
_NOT_EXPANDED = ("MAINTAINER", "ONBUILD")


class Reference(Struct, frozen=True):
    """A variable named in an instruction: `span` covers `$X` or `${X…}`, `name_span` the name; relative to the node."""

    name: str
    span: Span
    name_span: Span


def references(instruction: Instruction, escape: str = "\\") -> tuple[Reference, ...]:
    """The variables that BuildKit expands in an instruction, in document order; of an ONBUILD, those of its trigger.

    COPY and ADD heredocs with an unquoted delimiter count. What BuildKit refuses gives the references before the
    mistake.
    """
    if "$" not in instruction.text:
        return ()
    if isinstance(instruction, Onbuild):
        return references(instruction.trigger, escape) if instruction.trigger is not None else ()
    found: list[Reference] = []
    expanded = _EXPANDED_FLAGS.get(instruction.keyword, ())
    for flag in instruction.flags:
        if flag.name in expanded and flag.mapped_value is not None:
            found += _mapped_references(flag.mapped_value, escape)
    for word in _expanded_words(instruction):
        found += word_references(instruction, word, escape)
    if isinstance(instruction, Copy):
        for heredoc in instruction.heredocs:
            if not heredoc.quoted:
                # Bodies are read with a backslash as escape whatever the directive says, and quotes mean nothing.
                found += _mapped_references(heredoc.body, "\\", quotes=False)
    found.sort(key=lambda each: each.span.start)
    return tuple(found)


def word_references(instruction: Instruction, word: Word, escape: str = "\\") -> tuple[Reference, ...]:
    """The variables named in one word of an instruction (or of a trigger: then pass the trigger)."""
    if "$" not in word.text:
        return ()
    arguments = instruction.arguments
    start = arguments.joined_offset(word.span.start)
    if arguments.text.startswith(word.text, start):
        if word.text.startswith('"') and word.text == f'"{word.value}"' and _is_exec_word(instruction, word):
            return tuple(_located(arguments, word.value, start + 1, escape))
        if _is_exec_word(instruction, word):
            # A JSON string with escapes: the variables are those of its value, their places are not worth a map.
            return tuple(
                Reference(each.name, word.span, word.span) for each in expansion.references(word.value, escape)
            )
        return tuple(_located(arguments, word.text, start, escape))
    return tuple(Reference(each.name, word.span, word.span) for each in expansion.references(word.text, escape))


def run_time_references(instruction: Instruction) -> tuple[Reference, ...]:
    """The variables that a shell expands when the container runs: CMD, ENTRYPOINT and HEALTHCHECK in shell form.

    A plain scan for `$X` and `${X`; a backslash and single quotes hide one, as in every shell.
    """
    if isinstance(instruction, Onbuild) and instruction.trigger is not None:
        return run_time_references(instruction.trigger)
    if not isinstance(instruction, Command) or instruction.command is None or "$" not in instruction.command.text:
        return ()
    return tuple(_mapped_references(instruction.command, "\\"))


def _expanded_words(instruction: Instruction) -> Iterator[Word]:
    if isinstance(instruction, From):
        if instruction.image is not None:
            yield instruction.image
    elif isinstance(instruction, Copy):
        yield from instruction.sources
        if instruction.destination is not None:
            yield instruction.destination
    elif isinstance(instruction, Assignment):
        for pair in instruction.pairs:
            yield pair.key
            if pair.value is not None:
                yield pair.value
    elif isinstance(instruction, Simple) and instruction.known and instruction.keyword not in _NOT_EXPANDED:
        yield from instruction.words


def _is_exec_word(instruction: Instruction, word: Word) -> bool:
    if isinstance(instruction, Run | Command):
        return instruction.exec_form is not None
    if isinstance(instruction, Copy) or instruction.keyword == "VOLUME":
        return word.text.startswith('"') and instruction.arguments.text.startswith("[")
    return False


def _mapped_references(mapped: MappedText, escape: str, quotes: bool = True) -> list[Reference]:
    return list(_located(mapped, mapped.text, 0, escape, quotes))


def _located(mapped: MappedText, text: str, start: int, escape: str, quotes: bool = True) -> Iterator[Reference]:
    for each in expansion.references(text, escape, quotes):
        yield Reference(
            each.name,
            mapped.source_span(each.span.shifted(start)),
            mapped.source_span(each.name_span.shifted(start)),
        )
