"""Who reads an ARG or ENV variable, or a file that was copied in: found block by block, and kept with the block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from buildhush.dockerfile.expansion import references as word_names
from buildhush.dockerfile.nodes import Assignment, Instruction, Onbuild, Run
from buildhush.dockerfile.values import references
from buildhush.flow.blocks import Steps, Taken, Walked
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


def variable_readers(
    walked: Sequence[Walked], declared_in: Walked, block: int, declaration: Taken, name: str, escape: str
) -> Readers:
    """The readers behind a declaration, which stands in that block of that stage."""
    found: list[Readers] = []
    for steps in _steps_behind(walked, declared_in, block, declaration):
        if isinstance(steps, Steps):
            found.append(steps.found((name, escape), lambda taken=steps.taken: _search(taken, name, escape)))  # type: ignore[misc]
        else:
            found.append(_search(steps, name, escape))
        if found[-1].end_there:
            break
    return Readers(tuple(each for part in found for each in part.readers), any(part.are_shown for part in found))


def file_readers(declared_in: Walked, block: int, copied_by: Taken, copied: CopiedSecret) -> tuple[Reader, ...]:
    """The RUNs behind a COPY, in its stage, that read the file that it made."""
    destination, source = copied.destination, copied.source
    if destination is None:
        return ()
    found: list[Reader] = []
    for steps in _steps_behind((), declared_in, block, copied_by):
        if isinstance(steps, Steps):
            key = (destination, source)
            found += steps.found(key, lambda taken=steps.taken: _search_file(taken, destination, source))  # type: ignore[misc]
        else:
            found += _search_file(steps, destination, source)
    return tuple(found)


def _steps_behind(
    walked: Sequence[Walked], declared_in: Walked, block: int, declaration: Taken
) -> Iterator[Steps | Sequence[Taken]]:
    """What stands behind a declaration: the rest of its block, the blocks behind it, the stages that inherit."""
    blocks = declared_in.blocks
    first = blocks[block].steps.taken
    yield first[next(index for index, each in enumerate(first) if each is declaration) + 1 :]
    yield from (each.steps for each in blocks[block + 1 :])
    inheriting = {declared_in.stage.index}
    for each in walked[declared_in.stage.index + 1 :]:
        if each.stage.base in inheriting:
            inheriting.add(each.stage.index)
            yield from (block.steps for block in each.blocks)


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
    return Readers(tuple(readers), shown)


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
