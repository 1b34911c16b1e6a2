"""What a rule is: its documentation, its check, its fixes and its examples, as one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum

from msgspec import Struct

from buildhush.flow.facts import Certainty, Facts, Hop, Place, Sink, Source
from buildhush.text.spans import Edit


class Severity(str, Enum):
    """ERROR: leaks with the exported image. WARNING: elsewhere, or it is a password that anyone can guess.

    INFORMATION: misuse without a leak. HINT: tidying.
    """

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"
    HINT = "hint"


class Safety(str, Enum):
    """SAFE: the build does the same without a leak. NEEDS_SECRET_FLAG: callers must pass `--secret` too.

    UNSAFE: the build may behave differently; a person must look.
    """

    SAFE = "safe"
    NEEDS_SECRET_FLAG = "needs-secret-flag"
    UNSAFE = "unsafe"


class PassedSecret(Struct, frozen=True):
    """What a caller must pass once a fix is applied: `--secret id=ID,env=ENVIRONMENT` or `--secret id=ID,src=FILE`.

    `replaces_argument`: the build argument that the caller must no longer pass.
    """

    id: str
    environment: str | None = None
    file: str | None = None
    replaces_argument: str | None = None

    @property
    def flag(self) -> str:
        """The option for `docker build`."""
        source = f",env={self.environment}" if self.environment else f",src={self.file}" if self.file else ""
        return f"--secret id={self.id}{source}"


class IgnoreEntry(Struct, frozen=True):
    """A file that a .dockerignore must keep out of the build context, by its path there.

    `context`: the name of the additional context that it belongs to, "" for the main one.
    """

    path: str
    context: str = ""


class Fix(Struct, frozen=True):
    """One way to repair a finding.

    `edits`: disjoint, in absolute code-point offsets of the analysed text. `lines`: entries for ignore files.
    `passes`: what callers must pass afterwards. `note`: what else the user must do or know, one sentence or "".
    """

    title: str
    safety: Safety
    edits: tuple[Edit, ...]
    lines: tuple[IgnoreEntry, ...] = ()
    passes: tuple[PassedSecret, ...] = ()
    note: str = ""


class Finding(Struct, frozen=True):
    """One leak (or misuse), reported where the reader must act.

    `message` is one sentence without a final full stop that stands alone (some editors show nothing else); code in
    backticks. `subject` is the fact that it was made from; fixes are built from it. `severity` None: the rule's own
    one, lowered to WARNING when neither `layer` nor `config` is among the sinks.
    """

    place: Place
    message: str
    source: Source | None
    sinks: tuple[Sink, ...] = ()
    trail: tuple[Hop, ...] = ()
    certainty: Certainty = Certainty.CERTAIN
    severity: Severity | None = None
    unnecessary: bool = False
    subject: object = None


class Bad(Struct, frozen=True):
    """An example that must report exactly this rule, once for each of `count`.

    `fixed`: the text after the preferred fix, None when there is none or it changes no text. `ignored`: what the
    preferred fix adds to the ignore file. `context`: secret files in the build context.
    `also`: the rules that report the same secret at another place, where it comes from.
    """

    text: str
    fixed: str | None = None
    count: int = 1
    context: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


class Good(Struct, frozen=True):
    """An example that looks bad and must report nothing."""

    text: str
    context: tuple[str, ...] = ()


class CallerExample(Struct, frozen=True):
    """An example of a rule whose findings stand in a file that builds a Dockerfile.

    `dockerfile`: the text of `Dockerfile` beside `file`. `bad`: whether `text` must report exactly this rule, once.
    `fixed`: `text` after the preferred fix.
    """

    file: str
    text: str
    dockerfile: str
    bad: bool = True
    fixed: str | None = None


def no_fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """For rules whose remedy can't be written as an edit."""
    return ()


class Rule(Struct, frozen=True):
    """A leak pattern.

    `callers`: examples instead of `examples`, for a rule about the files that build a Dockerfile.
    `id`: the file's name in kebab case. `doc`: the module's docstring (Markdown): a first sentence, what leaks and how
    it is read, what to do, what is not reported. `reads`: the facts that `check` looks at, by their names in `Facts`;
    it finds the same in the same ones, and nothing where they are empty. `one_by_one`: in each fact it finds what it
    would find if that were the only one. `check` yields findings; `fixes` yields fixes, the preferred first.
    """

    id: str
    since: str
    severity: Severity
    doc: str
    reads: tuple[str, ...]
    check: Callable[[Facts], Iterator[Finding]]
    examples: tuple[Bad | Good, ...]
    fixes: Callable[[Facts, Finding], Iterable[Fix]] = no_fixes
    callers: tuple[CallerExample, ...] = ()
    one_by_one: bool = True

    @property
    def summary(self) -> str:
        """The first sentence of the documentation, without its full stop."""
        return " ".join(self.doc.strip().split("\n\n")[0].split()).rstrip(".")

    @property
    def fixable(self) -> bool:
        """Whether an example shows a fix."""
        own = any(isinstance(each, Bad) and (each.fixed is not None or each.ignored) for each in self.examples)
        return own or any(example.fixed is not None for example in self.callers)
