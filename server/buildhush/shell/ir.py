"""What a shell script is, as far as a secret's flow needs to know it.

Frozen values; spans are 0-based code-point offsets into the script text that was read. The reader is total: what it
cannot read becomes `Opaque`, per command and never per script. Grammar: POSIX shell plus bash's extensions.
"""

from __future__ import annotations

from msgspec import Struct

from buildhush.text.spans import Span


class Literal(Struct, frozen=True, gc=False):
    """Characters that stand for themselves, quotes and backslashes removed.

    `quoted`: inside quotes or escaped, so neither split nor globbed. `~` at the start of an unquoted word, and `*`,
    `?`, `[` in an unquoted literal keep their meaning.
    """

    text: str
    quoted: bool
    span: Span


class Variable(Struct, frozen=True, gc=False):
    """`$NAME`, `${NAME}`, `$1`, `$@`, `${NAME:-word}` …

    `operator` is "" or one of `:- - := = :? ? :+ + # ## % %% / // ^ ^^ , ,, : @`; `operand` is what follows it,
    `length` is `${#NAME}`, `indirect` is `${!NAME}`.
    """

    name: str
    operator: str
    operand: Word | None
    length: bool
    indirect: bool
    quoted: bool
    span: Span


class CommandSubstitution(Struct, frozen=True, gc=False):
    """`$(…)` or backticks. `$(< f)` is a body whose only command has no words and one `<` redirect."""

    body: Script
    quoted: bool
    span: Span


class ProcessSubstitution(Struct, frozen=True, gc=False):
    """`<(…)` (`direction` "<") or `>(…)` (">")."""

    body: Script
    direction: str
    span: Span


class Arithmetic(Struct, frozen=True, gc=False):
    """`$((…))`: a number; the variables in it are named but their bytes do not survive."""

    text: str
    span: Span


Part = Literal | Variable | CommandSubstitution | ProcessSubstitution | Arithmetic


class Word(Struct, frozen=True, gc=False):
    """One shell word before expansion; adjacent parts are glued."""

    parts: tuple[Part, ...]
    span: Span

    @property
    def constant(self) -> str | None:
        """The word's text when it is made of literals only, else None."""
        pieces = [part.text for part in self.parts if isinstance(part, Literal)]
        return "".join(pieces) if len(pieces) == len(self.parts) else None


class Assignment(Struct, frozen=True, gc=False):
    """`NAME=word`, `NAME+=word` (`append`), `NAME[i]=word` (`name` without the subscript); arrays: all words."""

    name: str
    values: tuple[Word, ...]
    append: bool
    name_span: Span
    span: Span


class Redirect(Struct, frozen=True, gc=False):
    """One redirection.

    `operator`: `> >> >| < <> <<< << <<- >& <& &> &>>`. `descriptor`: the number in front (None: the operator's own
    default: 0 for input, 1 for output). `target`: the word behind it; for here-documents it is the *body* as a word
    (parts expand unless `quoted_heredoc`), None when missing. `named_descriptor`: `{fd}>file`.
    """

    operator: str
    descriptor: int | None
    target: Word | None
    quoted_heredoc: bool
    span: Span
    named_descriptor: str | None = None


class Simple(Struct, frozen=True, gc=False):
    """A simple command: assignments in front, words, redirects. No words: the assignments stay in the shell.

    `export`, `readonly`, `local`, `declare`, `typeset` and `unset` are simple commands too; their `NAME=word` operands
    stand in `words` *and*, read as assignments, in `declared` (so that a rule need not split words).
    """

    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]
    declared: tuple[Assignment, ...]
    span: Span


class Test(Struct, frozen=True, gc=False):
    """`[[ … ]]` and `(( … ))`: only its words matter."""

    words: tuple[Word, ...]
    span: Span


class Pipeline(Struct, frozen=True, gc=False):
    """`! a | b |& c`: at least two commands, or one negated one."""

    commands: tuple[Node, ...]
    negated: bool
    span: Span


class AndOr(Struct, frozen=True):
    """`left && right` or `left || right` (left-associative)."""

    operator: str
    left: Node
    right: Node
    span: Span

    def __hash__(self) -> int:
        # A list of many commands is a deep tree, and hashing a deep one by its values would exhaust the stack.
        return hash((self.operator, self.span))


class Sequence(Struct, frozen=True, gc=False):
    """Commands one after the other (`;`, line end); `background[i]` when command i ended with `&`."""

    commands: tuple[Node, ...]
    background: tuple[bool, ...]
    span: Span


class If(Struct, frozen=True, gc=False):
    """if/elif/else; branches are (condition, body) pairs."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None
    span: Span


class For(Struct, frozen=True, gc=False):
    """`for NAME in words; do body; done`; `words` None means "$@". C-style `for ((…))` has name None."""

    name: str | None
    words: tuple[Word, ...] | None
    body: Node
    span: Span


class While(Struct, frozen=True, gc=False):
    """while or until (`until` True)."""

    condition: Node
    body: Node
    until: bool
    span: Span


class Case(Struct, frozen=True, gc=False):
    """`case subject in patterns) body ;; esac`; items are (patterns, body or None)."""

    subject: Word
    items: tuple[tuple[tuple[Word, ...], Node | None], ...]
    span: Span


class Function(Struct, frozen=True, gc=False):
    """A function definition; nothing runs until it is called."""

    name: str
    body: Node
    span: Span


class Group(Struct, frozen=True, gc=False):
    """`{ …; }` (`subshell` False) or `( … )` (True)."""

    body: Node
    subshell: bool
    span: Span


class Redirected(Struct, frozen=True, gc=False):
    """A compound command with redirects of its own: `{ …; } > file`, `while …; done < file`."""

    command: Node
    redirects: tuple[Redirect, ...]
    span: Span


class Opaque(Struct, frozen=True, gc=False):
    """Text that could not be read as a command; `variables` are the `$NAME`s that occur in it."""

    text: str
    variables: tuple[str, ...]
    span: Span


Node = Simple | Test | Pipeline | AndOr | Sequence | If | For | While | Case | Function | Group | Redirected | Opaque


class Script(Struct, frozen=True, gc=False):
    """A whole script. `body` is None when it is empty."""

    body: Node | None
    span: Span
    has_problems: bool = False
