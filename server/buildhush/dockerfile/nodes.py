"""The Dockerfile tree: frozen nodes whose spans are relative to the instruction they belong to.

Nodes compare by identity, never by value: two equal `RUN true` lines are two places. An edit that does not touch an
instruction keeps its node object, so whatever was computed for a node stays valid. `same_structure` compares by value.
Grammar: BuildKit's dockerfile2llb, parser and instructions packages.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from msgspec import Struct, field

from buildhush.text.begins import Begins
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span


class Problem(Struct, frozen=True, gc=False):
    """Something BuildKit would refuse, or that we could not read; `span` is relative to the node."""

    span: Span
    message: str


class Word(Struct, frozen=True, gc=False):
    """One word of an instruction.

    `text` is the word as written with continuations removed (quotes and backslashes are kept, `${X}` is not expanded);
    `value` is the word with quotes and escapes removed, still unexpanded. `span` is relative to the node.
    """

    text: str
    value: str
    span: Span


class Flag(Struct, frozen=True, gc=False):
    """`--name=value` before the arguments; value is None for a bare `--name`."""

    name: str
    value: str | None
    span: Span
    name_span: Span
    value_span: Span | None
    mapped_value: MappedText | None


class Pair(Struct, frozen=True, gc=False):
    """KEY=VALUE of ENV, LABEL and ARG: `value` is None for `ARG KEY`, `equals` False for the `ENV key value` form."""

    key: Word
    value: Word | None
    equals: bool
    span: Span


class Heredoc(Struct, frozen=True, gc=False):
    """`<<NAME` … `NAME`.

    `body` is the text BuildKit hands on (tabs stripped for `<<-`), mapped to the node. `quoted`: the delimiter was
    quoted, so nothing expands in it. `terminated` is False when the file ends first. `marker_span` covers `<<-"NAME"`.
    """

    name: str
    quoted: bool
    strip_tabs: bool
    terminated: bool
    body: MappedText
    marker_span: Span
    body_span: Span
    end_span: Span


class MountOption(Struct, frozen=True, gc=False):
    """One CSV field of `--mount=`; `key` in lower case, `value` None for a bare key. Spans are relative to the node."""

    key: str
    value: str | None
    span: Span
    key_span: Span
    value_span: Span | None


class Mount(Struct, frozen=True, gc=False):
    """One `--mount=` of a RUN with BuildKit's defaults filled in (FACTS section 3).

    `id`: secret: id, or source, or basename of target; ssh: "default"; cache: id or cleaned target. `target` is as
    written or BuildKit's default; a relative one is resolved against WORKDIR by the reader of the stage. For a secret
    with `env=` and no target it is None: there is no file. `mode` is an int, or None when unset or unreadable.
    `problems` are BuildKit's own errors, positions relative to the node.
    """

    type: str
    id: str | None
    target: str | None
    target_is_default: bool
    source: str | None
    from_stage: str | None
    env: str | None
    required: bool
    readonly: bool | None
    sharing: str | None
    mode: int | None
    uid: int | None
    gid: int | None
    options: tuple[MountOption, ...]
    flag: Flag
    problems: tuple[Problem, ...]

    def option(self, *keys: str) -> MountOption | None:
        """The last option written under one of these keys."""
        return next((option for option in reversed(self.options) if option.key in keys), None)


class Trivia(Struct, frozen=True, eq=False, gc=False):
    """Blank lines, comments and parser directives between instructions, with their line ends."""

    text: str


class Instruction(Struct, frozen=True, eq=False, kw_only=True, gc=False):
    """What every instruction has.

    `text`: exactly the document's characters, from the start of its first line to behind its last line end (heredoc
    bodies included). `keyword`: in upper case. `arguments`: everything behind keyword and flags, continuations and the
    comment and empty lines inside them removed, trailing white space removed. `end`: offset in `text` behind the last
    character that is not white space or a line end (where something can be appended; for a heredoc: the last
    character of the first logical line is `arguments`' end, see `arguments_span`).
    """

    text: str
    keyword: str
    keyword_span: Span
    flags: tuple[Flag, ...] = ()
    arguments: MappedText
    arguments_span: Span
    heredocs: tuple[Heredoc, ...] = ()
    problems: tuple[Problem, ...] = ()
    end: int

    def flag(self, name: str) -> Flag | None:
        """The last flag of that name."""
        return next((flag for flag in reversed(self.flags) if flag.name == name), None)


class From(Instruction, frozen=True, eq=False, kw_only=True, gc=False):
    """FROM: `image` as written (None when missing), `alias` behind AS; stage names compare in lower case."""

    image: Word | None
    alias: Word | None


class Run(Instruction, frozen=True, eq=False, kw_only=True, gc=False):
    """RUN.

    `exec_form`: the JSON array's strings, else None. `script`: the text that the shell gets: the arguments, followed
    by the heredocs for `RUN cmd <<EOF`; for `RUN <<EOF` alone the heredoc's body (then `script_is_heredoc`).
    `interpreter`: the words behind `#!` when such a body starts with one, else None (SHELL runs it).
    """

    mounts: tuple[Mount, ...]
    exec_form: tuple[Word, ...] | None
    script: MappedText | None
    script_is_heredoc: bool
    interpreter: str | None


class Copy(Instruction, frozen=True, eq=False, kw_only=True, gc=False):
    """COPY and ADD: `sources` without heredocs, `destination` None when missing. Heredoc sources: see `heredocs`."""

    sources: tuple[Word, ...]
    destination: Word | None
    from_stage: Word | None


class Assignment(Instruction, frozen=True, eq=False, kw_only=True, gc=False):
    """ARG, ENV and LABEL."""

    pairs: tuple[Pair, ...]


class Command(Instruction, frozen=True, eq=False, kw_only=True, gc=False):
    """CMD, ENTRYPOINT, SHELL, and HEALTHCHECK's CMD: `exec_form` the JSON strings or None for the shell form.

    `command`: the text of the shell form (for HEALTHCHECK behind CMD), mapped to the node; None for the exec form or
    `HEALTHCHECK NONE`.
    """

    exec_form: tuple[Word, ...] | None
    command: MappedText | None


class Onbuild(Instruction, frozen=True, eq=False, kw_only=True, gc=False):
    """ONBUILD: `trigger` is the instruction behind it, None when missing.

    The trigger's spans are relative to *this* node, so its `text` is this node's; it shares the heredocs, and its
    problems are among this node's.
    """

    trigger: Instruction | None


class Simple(Instruction, frozen=True, eq=False, kw_only=True, gc=False):
    """USER, WORKDIR, EXPOSE, VOLUME, STOPSIGNAL, MAINTAINER and unknown instructions: just words."""

    words: tuple[Word, ...]
    known: bool = True


Node = Trivia | Instruction


class Directive(Struct, frozen=True, gc=False):
    """`# name=value` at the top of the file; spans are absolute."""

    name: str
    value: str
    span: Span
    value_span: Span


ORDER_GAP = 1 << 40
"""So far apart are the numbers of neighbouring nodes at first, so that later ones find room between them."""

_SPARE = 4
"""So many nodes of earlier versions, and one in sixteen more, may have a number, which keeps them in memory: of fifty
files with a few edits each, too. Numbering a short file anew takes microseconds."""


class Change(Struct, frozen=True, gc=False):
    """How a tree differs from the one before: from `first` on, `replaced` nodes of that became `count` of this."""

    first: int
    replaced: int
    count: int


class Dockerfile(Struct, frozen=True, eq=False):
    """A whole file: nodes in order, covering every character; `starts[i]` is where node i begins (code points).

    `escape` is the escape character in force. `newline` is the line end to write: the first one found, else a line
    feed. `_order` gives nodes a number that grows in document order; the versions of a document share it, and it
    is filled when it is first needed.
    """

    text: str
    nodes: tuple[Node, ...]
    starts: Begins
    directives: tuple[Directive, ...]
    escape: str
    newline: str
    _order: dict[Node, int] = field(default_factory=dict)

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """The instructions in document order."""
        return tuple(node for node in self.nodes if isinstance(node, Instruction))

    def directive(self, name: str) -> Directive | None:
        """The directive of that name in force (the first; BuildKit refuses a second)."""
        return next((directive for directive in self.directives if directive.name == name), None)

    def index_of(self, node: Node) -> int:
        """The place among `nodes`; an ONBUILD's for its trigger. Raises KeyError for a node of another tree."""
        numbers, nodes = self._order or self._ordered(), self.nodes
        number = numbers[node]
        # As long as edits replace an instruction by one, numbers tell places.
        index = number // ORDER_GAP
        if 0 <= index < len(nodes) and nodes[index] is node:
            return index
        index = bisect_left(nodes, number, key=numbers.__getitem__)
        found = nodes[index] if index < len(nodes) else None
        if found is node or (type(found) is Onbuild and found.trigger is node):
            return index
        raise KeyError(node.keyword if isinstance(node, Instruction) else "comment")

    def start_of(self, node: Node) -> int:
        """Where a node of this tree begins. Raises KeyError for a node of another tree."""
        # A trigger's spans are relative to the ONBUILD that holds it, so it begins where that begins.
        return self.starts[self.index_of(node)]

    def holds(self, node: Node) -> bool:
        """Whether the node belongs to this tree."""
        try:
            self.index_of(node)
        except KeyError:
            return False
        return True

    def count_up_to(self, nodes: Sequence[Node], last: Node) -> int:
        """How many of some nodes of this tree, in document order, stand at or before `last`."""
        numbers = self._order or self._ordered()
        return bisect_right(nodes, numbers[last], key=numbers.__getitem__)

    def order_with(self, first: int, last: int, fresh: Sequence[Node]) -> dict[Node, int]:
        """The order of a tree in which `fresh` stand in the place of the nodes from `first` to `last` (exclusive).

        Empty, so that it is made anew, when there is no room between the neighbours, or when it knows many old nodes.
        """
        numbers, nodes = self._order, self.nodes
        if not numbers or len(numbers) > len(nodes) + len(nodes) // 16 + _SPARE:
            return {}
        before = numbers[nodes[first - 1]] if first else -ORDER_GAP
        behind = numbers[nodes[last]] if last < len(nodes) else before + ORDER_GAP
        step = (behind - before) // (len(fresh) + 1)
        if not step:
            return {}
        for place, node in enumerate(fresh, 1):
            _number(numbers, node, before + place * step)
        return numbers

    def _ordered(self) -> dict[Node, int]:
        for index, node in enumerate(self.nodes):
            _number(self._order, node, index * ORDER_GAP)
        return self._order

    def absolute(self, node: Node, span: Span) -> Span:
        """A node's span in document offsets."""
        return span.shifted(self.start_of(node))


def _number(numbers: dict[Node, int], node: Node, number: int) -> None:
    numbers[node] = number
    if type(node) is Onbuild and node.trigger is not None:
        numbers[node.trigger] = number
