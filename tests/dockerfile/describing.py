"""A tree as short lines of text, and the checks that every tree must pass."""

from __future__ import annotations

from collections.abc import Iterator

from buildhush.dockerfile.nodes import (
    Assignment,
    Command,
    Copy,
    Dockerfile,
    From,
    Instruction,
    Onbuild,
    Run,
    Simple,
    Trivia,
    Word,
)
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span


def described(tree: Dockerfile) -> list[str]:
    """One line per node: what was read, without positions."""
    return [f"~ {node.text!r}" if isinstance(node, Trivia) else described_instruction(node) for node in tree.nodes]


def described_instruction(node: Instruction) -> str:
    """`KEYWORD --flags | what it holds`."""
    flags = "".join(f" --{flag.name}" if flag.value is None else f" --{flag.name}={flag.value}" for flag in node.flags)
    parts = [node.keyword + flags, *_content(node)]
    for heredoc in node.heredocs:
        marks = "quoted " * heredoc.quoted + "unterminated " * (not heredoc.terminated)
        parts.append(f"{marks}{heredoc.name}: {heredoc.body.text!r}")
    return " | ".join(parts)


def _content(node: Instruction) -> Iterator[str]:
    if isinstance(node, From):
        yield f"{_text(node.image)} as {_text(node.alias)}"
    elif isinstance(node, Run):
        yield _command(node.exec_form, node.script)
        if node.interpreter is not None:
            yield f"by {node.interpreter}"
    elif isinstance(node, Copy):
        yield f"{[_text(word) for word in node.sources]} to {_text(node.destination)} from {_text(node.from_stage)}"
    elif isinstance(node, Assignment):
        for pair in node.pairs:
            yield f"{pair.key.text}{'=' if pair.equals else ' '}{_text(pair.value)}"
    elif isinstance(node, Command):
        yield _command(node.exec_form, node.command)
    elif isinstance(node, Onbuild):
        yield "nothing" if node.trigger is None else described_instruction(node.trigger)
    elif isinstance(node, Simple):
        yield str([word.text for word in node.words])


def _text(word: Word | None) -> str | None:
    return None if word is None else word.text


def _command(exec_form: tuple[Word, ...] | None, command: MappedText | None) -> str:
    if exec_form is not None:
        return str([word.value for word in exec_form])
    return "nothing" if command is None else repr(command.text)


def check_tree(tree: Dockerfile) -> None:
    """Lossless, covering, and every position leads to the characters that it claims."""
    assert "".join(node.text for node in tree.nodes) == tree.text
    assert all(node.text for node in tree.nodes)
    position = 0
    for node, start in zip(tree.nodes, tree.starts, strict=True):
        assert start == position
        position += len(node.text)
        if isinstance(node, Instruction):
            check_instruction(node)


def check_instruction(node: Instruction) -> None:
    """The spans of one instruction lie inside it, and mapped texts are the source's own characters."""
    size = len(node.text)
    spans: list[Span] = [node.keyword_span, node.arguments_span]
    maps: list[MappedText] = [node.arguments]
    words: list[Word] = []
    for flag in node.flags:
        spans += [flag.span, flag.name_span]
        if flag.value_span is not None and flag.mapped_value is not None:
            spans.append(flag.value_span)
            assert flag.mapped_value.text == flag.value
            maps.append(flag.mapped_value)
    for heredoc in node.heredocs:
        spans += [heredoc.marker_span, heredoc.body_span, heredoc.end_span]
        maps.append(heredoc.body)
        assert node.text[slice_of(heredoc.end_span)] == (heredoc.name if heredoc.terminated else "")
    spans += [problem.span for problem in node.problems]
    if isinstance(node, Run):
        words += node.exec_form or ()
        # Behind an unterminated heredoc's marker at the very end there is no line feed to point at.
        if node.script is not None and all(heredoc.terminated for heredoc in node.heredocs):
            maps.append(node.script)
        for mount in node.mounts:
            for option in mount.options:
                spans += [option.span, option.key_span]
                if option.value_span is not None:
                    spans.append(option.value_span)
    elif isinstance(node, Copy):
        words += [*node.sources, *(word for word in (node.destination, node.from_stage) if word is not None)]
    elif isinstance(node, Assignment):
        for pair in node.pairs:
            words += [pair.key, *([pair.value] if pair.value is not None else [])]
    elif isinstance(node, Command):
        words += node.exec_form or ()
        if node.command is not None:
            maps.append(node.command)
    elif isinstance(node, Simple):
        words += node.words
    elif isinstance(node, Onbuild) and node.trigger is not None:
        assert node.trigger.text == node.text
        check_instruction(node.trigger)
    spans += [word.span for word in words]
    for span in spans:
        assert 0 <= span.start <= span.end <= size, (span, node.text)
    for mapped in maps:
        check_map(mapped, node.text)


def check_map(mapped: MappedText, source: str) -> None:
    """Every character of a mapped text stands in the source where the map says, in ascending order."""
    assert mapped.joined_starts[0] == 0
    offsets = [mapped.source_offset(offset) for offset in range(len(mapped.text))]
    assert "".join(source[offset] for offset in offsets) == mapped.text
    assert offsets == sorted(set(offsets))
    assert all(mapped.joined_offset(offset) == position for position, offset in enumerate(offsets))


def slice_of(span: Span) -> slice:
    """A span as a slice."""
    return slice(span.start, span.end)
