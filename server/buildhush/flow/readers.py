"""Who reads an ARG or ENV variable, or a file that was copied in: found block by block, and kept with the block."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct

from buildhush.dockerfile.expansion import references as word_names
from buildhush.dockerfile.nodes import Assignment, Instruction, Onbuild, Run
from buildhush.dockerfile.values import references
from buildhush.flow.blocks import Steps, Taken
from buildhush.flow.course import Walked
from buildhush.flow.facts import CopiedSecret, Place, Reader, Source
from buildhush.flow.summary import RunSummary
from buildhush.flow.taint import Root, RootKind


class Readers(Struct, frozen=True):
    """Readers of one variable in document order, up to where it is declared anew.

    `are_shown`: one of them shows the value in its step's name. `end_there`: the variable is declared anew behind them.
    """

    readers: tuple[Reader, ...] = ()
    are_shown: bool = False
    end_there: bool = False


NO_READERS = Readers()
T = TypeVar("T")


def variable_readers(
    walked: Sequence[Walked], declared_in: Walked, block: int, declaration: Taken, name: str, escape: str
) -> Readers:
    """The readers behind a declaration, which stands in that block of that stage."""
    found: list[Readers] = []

    def search(taken: Iterable[Taken]) -> Readers:
        return _search(taken, name, escape)

    for readers in _answers(walked, declared_in, block, declaration, (name, escape), search):
        if readers is not NO_READERS:
            found.append(readers)
            if readers.end_there:
                break
    return Readers(tuple(each for part in found for each in part.readers), any(part.are_shown for part in found))


def file_readers(declared_in: Walked, block: int, copied_by: Taken, copied: CopiedSecret) -> tuple[Reader, ...]:
    """The RUNs behind a COPY, in its stage, that read the file that it made."""
    destination, source = copied.destination, copied.source
    if destination is None:
        return ()

    def search(taken: Iterable[Taken]) -> tuple[Reader, ...]:
        return _search_file(taken, destination, source)

    found = _answers((), declared_in, block, copied_by, (destination, source), search)
    return tuple(reader for readers in found for reader in readers)


def _answers(
    walked: Sequence[Walked],
    declared_in: Walked,
    block: int,
    declaration: Taken,
    question: tuple[Hashable, ...],
    search: Callable[[Iterable[Taken]], T],
) -> Iterator[T]:
    """What `search` finds behind a declaration: the rest of its block, the blocks behind it, the stages that inherit.

    A block keeps its answer under the question, so that it is searched once.
    """
    first = declared_in.blocks[block]
    question_there = (declaration, *question)
    answer = first.answers.get(question_there)
    if answer is None:
        place = next(index for index, each in enumerate(first.taken) if each is declaration)
        answer = first.answers[question_there] = search(first.taken[place + 1 :])
    yield answer
    for steps in _blocks_behind(walked, declared_in, block):
        answer = steps.answers.get(question)
        if answer is None:
            answer = steps.answers[question] = search(steps.taken)
        yield answer


def _blocks_behind(walked: Sequence[Walked], declared_in: Walked, block: int) -> Iterator[Steps]:
    yield from declared_in.blocks[block + 1 :]
    inheriting = {declared_in.stage.index}
    for each in walked[declared_in.stage.index + 1 :]:
        if each.stage.base in inheriting:
            inheriting.add(each.stage.index)
            yield from each.blocks


def _search(taken: Iterable[Taken], name: str, escape: str) -> Readers:
    readers: list[Reader] = []
    shown = False
    for each in taken:
        holder = each.node
        node = holder.trigger if isinstance(holder, Onbuild) else holder
        if isinstance(node, Run):
            reader = _run_reader(node, each.step.summary, name, escape)
            if reader is not None:
                readers.append(reader)
                shown = shown or _is_shown(node, each.step.summary if node is holder else None, name, escape)
        elif name in holder.text:
            places = tuple(Place(holder, each.span) for each in references(holder, escape) if each.name == name)
            if places:
                readers.append(Reader(holder, places))
            if _declares_anew(holder, name):
                return Readers(tuple(readers), shown, True)
    return Readers(tuple(readers), shown) if readers else NO_READERS


def _search_file(taken: Iterable[Taken], path: str, source: Source) -> tuple[Reader, ...]:
    root = Root(RootKind.FILE, path)
    readers: list[Reader] = []
    for each in taken:
        summary = each.step.summary
        if not isinstance(each.node, Run) or summary is None:
            continue
        if root in summary.roots_read:
            places = tuple(word.place for word in each.step.words if word.source == source)
            readers.append(Reader(each.node, places))
        elif summary.may_read_anything:
            readers.append(Reader(each.node, ()))
    return tuple(readers)


def _declares_anew(node: Instruction, name: str) -> bool:
    return isinstance(node, Assignment) and any(
        pair.key.value == name and (pair.value is not None or node.keyword == "ENV") for pair in node.pairs
    )


def _run_reader(node: Run, summary: RunSummary | None, name: str, escape: str) -> Reader | None:
    if summary is None or (not summary.may_read_anything and name not in node.text):
        return None
    if any(mount.env == name for mount in node.mounts):
        return None
    places = _places_in_run(node, summary, name, escape) if name in node.text else ()
    if places or summary.may_read_anything:
        return Reader(node, places)
    return None


def _places_in_run(node: Run, summary: RunSummary, name: str, escape: str) -> tuple[Place, ...]:
    if node.exec_form is not None:
        return tuple(Place(node, word.span) for word in node.exec_form if _names(word.value, name))
    mapped = node.script
    if mapped is None:
        return ()
    named = tuple(
        Place(node, mapped.source_span(span)) for variable, span, _ in summary.variables_named if variable == name
    )
    return named + tuple(Place(node, each.span) for each in references(node, escape) if each.name == name)


def _names(text: str, name: str) -> bool:
    return any(each.name == name for each in word_names(text))


def _is_shown(node: Run, summary: RunSummary | None, name: str, escape: str) -> bool:
    """BuildKit shows a RUN's command with its variables replaced, except in single quotes and here-documents."""
    if "${#" in node.arguments.text:
        # A form that the frontend can't read leaves the whole name as it is written (observed).
        return False
    if any(name == reference.name for reference in references(node, escape)):
        return True  # Expanded in a `--mount` option.
    if node.exec_form is not None:
        return any(_names(word.value, name) for word in node.exec_form)
    if summary is None:
        return False
    # Of a here-document only the first line is shown (observed).
    text = node.script.text if node.script is not None else ""
    first_line_end = len(text.partition("\n")[0]) if node.script_is_heredoc else len(node.arguments.text)
    return any(
        variable == name and not nested and span.start < first_line_end
        for variable, span, nested in summary.variables_named
    )
