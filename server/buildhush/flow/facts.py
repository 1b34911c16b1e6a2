"""What is known about secrets in one Dockerfile: the frozen query surface that rules, hovers and hints read.

Places name an instruction by identity and a span inside it, so a fact stays right when text above it changes.
The analysis behind it is a *may* analysis: a fact says that the secret's bytes can get there on a path on which the
build succeeds.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from buildhush.dockerfile.nodes import Assignment, Copy, Dockerfile, From, Instruction, Mount, Pair, Run, Word
from buildhush.dockerfile.stages import Stage, StageGraph
from buildhush.knowledge.commands import Store
from buildhush.shell import ir
from buildhush.text.spans import Span


class Place(Struct, frozen=True, gc=False):
    """A range inside an instruction; `span` is relative to the instruction's text."""

    node: Instruction
    span: Span


class Certainty(str, Enum):
    """CERTAIN: the file itself says that it is a secret (a secret mount, a known token format). LIKELY: a name does."""

    CERTAIN = "certain"
    LIKELY = "likely"


class SourceKind(str, Enum):
    """Where a secret enters the build."""

    SECRET_MOUNT = "secret-mount"
    SSH_MOUNT = "ssh-mount"
    ARG = "arg"
    ENV = "env"
    FILE = "file"
    LITERAL = "literal"


class Sink(str, Enum):
    """Where a secret can end up: FACTS.md section 1."""

    LAYER = "layer"
    STAGE = "stage"
    CONFIG = "config"
    LOG = "log"
    CACHE = "cache"
    CONTEXT = "context"
    PROVENANCE = "provenance"


class Source(Struct, frozen=True, gc=False):
    """One secret. `name`: secret id, ARG/ENV name, file path, or the kind of a literal; never its value.

    `reason` says why it is held to be a secret, as half a sentence ("its name ends in TOKEN").
    """

    kind: SourceKind
    name: str
    certainty: Certainty
    reason: str
    place: Place


class Hop(Struct, frozen=True, gc=False):
    """One step of a secret's way, for the trail."""

    place: Place
    message: str


class Removal(Struct, frozen=True, gc=False):
    """A later instruction that deletes the file. `span` covers the deleting command."""

    run: Run
    place: Place
    command: ir.Simple | None


class ToolStore(Struct, frozen=True, gc=False):
    """A command's own credential store: which command, which entry of the knowledge, the words that matched `{N}`."""

    command: str
    store: Store
    operands: tuple[str, ...]
    path: str


class Area(str, Enum):
    """What kind of storage a path of a RUN lies on."""

    LAYER = "layer"
    CACHE = "cache"


class FileWrite(Struct, frozen=True, gc=False):
    """A file that holds the secret's bytes when a RUN succeeds.

    `path`: absolute, normalised; one made of an unknown variable keeps `$NAME` as written. `shown_path`: the path for
    messages, as written where that is clearer. `place`: the writing command; `target`: the word that names the file.
    `command` and `redirect` are in offsets of `run.script.text` (`command` is None inside an exec form).
    `cache_target`, `cache_id`: of the cache mount it lies on. `temporary`: under /tmp, /var/tmp, $TMPDIR or from
    mktemp. `removed_on_some_paths`: the RUN removes it, but not on every path on which it succeeds. `read_again`: a
    later command of the same RUN names the file. `sinks` already say what is exported. `run` is a COPY for a file that
    a COPY here-document makes. `key`: the path as the flow keeps it, with symbols for unknown parts. `through`: secret
    files of a mounted folder of the build context, by their paths in the context called `context` ("": the main one).
    """

    run: Run | Copy
    stage: Stage
    path: str
    shown_path: str
    place: Place
    target: Place
    sources: tuple[Source, ...]
    trail: tuple[Hop, ...]
    area: Area
    cache_target: str | None
    cache_id: str | None
    temporary: bool
    temporary_variable: str | None
    tool: ToolStore | None
    removal: Removal | None
    removed_on_some_paths: bool
    read_again: bool
    certain: bool
    sinks: tuple[Sink, ...]
    command: ir.Simple | None
    redirect: ir.Redirect | None
    is_folder: bool = False
    key: str = ""
    through: tuple[str, ...] = ()
    context: str = ""


class LogWrite(Struct, frozen=True, gc=False):
    """A command whose output shows the secret in the build log.

    `how`: "prints" (echo, cat …), "trace" (set -x, bash -x), "verbose" (an option like curl -v), "environment"
    (env, printenv). `option` is the word at fault for "verbose" and "trace".
    """

    run: Run
    stage: Stage
    place: Place
    sources: tuple[Source, ...]
    trail: tuple[Hop, ...]
    how: str
    option: Place | None
    command: ir.Simple | None


class Reader(Struct, frozen=True, gc=False):
    """An instruction that reads an ARG or ENV variable: `places` are the references (empty: only its environment)."""

    node: Instruction
    places: tuple[Place, ...]


class SecretVariable(Struct, frozen=True, gc=False):
    """An ARG or ENV that carries a secret.

    `stage` is None for an ARG before the first FROM that no stage redeclares. `pair`: the KEY[=VALUE]. `readers`: RUNs
    whose script names it and other instructions that expand it, in order. `copied_to`: ENV, LABEL … that take it over.
    `literal`: the value is written in the file. `global_declaration`: the ARG before FROM that a stage's `ARG NAME`
    repeats. `guessable`: the value of an ENV is a password that everybody tries first. `readers_known`: False where
    they were not looked for: in ONBUILD, whose triggers run in another build, and in a file with very many variables.
    """

    node: Assignment
    stage: Stage | None
    pair: Pair
    name: str
    place: Place
    source: Source
    readers: tuple[Reader, ...]
    sinks: tuple[Sink, ...]
    trail: tuple[Hop, ...]
    literal: bool
    default: str | None
    global_declaration: Assignment | None
    guessable: bool = False
    readers_known: bool = True


class ConfigValue(Struct, frozen=True, gc=False):
    """A LABEL, CMD, ENTRYPOINT, HEALTHCHECK, EXPOSE … whose text in the image config holds the secret."""

    node: Instruction
    stage: Stage
    place: Place
    sources: tuple[Source, ...]
    trail: tuple[Hop, ...]
    sinks: tuple[Sink, ...]


class LiteralSecret(Struct, frozen=True, gc=False):
    """A credential written into the file itself; `kind` names its format ("GitHub token"), never the value.

    `guessable`: it is a password that everybody tries first.
    """

    node: Instruction
    stage: Stage | None
    place: Place
    kind: str
    sinks: tuple[Sink, ...]
    trail: tuple[Hop, ...]
    certain: bool = True
    guessable: bool = False


class CopiedSecret(Struct, frozen=True, gc=False):
    """A COPY or ADD that brings a secret file of the build context into a layer.

    `path`: the source as written. `through`: secret files of the context that a folder source takes along (empty when
    the source names the file itself). `readers`: RUNs of the stage (or a child) that name the destination.
    `destination`: absolute path of the file in the image, None when unknown. `context`: the name of the additional
    context that it is in, "" for the main one; `context_place`: its folder as seen from the Dockerfile's, "" for that.
    `is_folder`: the source is a folder of secrets itself (`.ssh`), which no secret mount can hold.
    """

    node: Copy
    stage: Stage
    place: Place
    source: Source
    path: str
    destination: str | None
    through: tuple[str, ...]
    readers: tuple[Reader, ...]
    removal: Removal | None
    sinks: tuple[Sink, ...]
    trail: tuple[Hop, ...]
    context: str = ""
    context_place: str = ""
    is_folder: bool = False


class BoundSecret(Struct, frozen=True, gc=False):
    """A bind mount of a secret file of the build context, or of a folder with such files in it.

    `through`: the files of the folder, empty when the mount names the file itself. `context`, `context_place`: as of a
    copied file.
    """

    run: Run
    stage: Stage
    mount: Mount
    place: Place
    source: Source
    target: str
    sinks: tuple[Sink, ...]
    trail: tuple[Hop, ...]
    through: tuple[str, ...] = ()
    context: str = ""
    context_place: str = ""


class StageCrossing(Struct, frozen=True, gc=False):
    """A COPY --from, a FROM or a `--mount=from=` write that carries a leak into an exported stage.

    `paths`: the tainted files that are carried, as they are called in the stage they come from, `origin_stage`.
    `inherited`: by FROM, with all layers; the trail begins where the secret entered.
    """

    node: Copy | From
    stage: Stage
    place: Place
    sources: tuple[Source, ...]
    paths: tuple[str, ...]
    origin_stage: str
    inherited: bool
    sinks: tuple[Sink, ...]
    trail: tuple[Hop, ...]


class SecretMount(Struct, frozen=True, gc=False):
    """A secret mount in use.

    `path`: absolute path of the file in the RUN, None when it only sets `mount.env`. `used`: a command of the RUN
    reads it (or may: an opaque script, or a tool that reads that file by itself). `user`: the USER in force.
    """

    run: Run
    stage: Stage
    mount: Mount
    path: str | None
    used: bool
    user: str | None


class MountProblem(Struct, frozen=True, gc=False):
    """A mount, or a read of a secret path, that can't work as it is written.

    `kind`: "grammar" (BuildKit refuses it), "no-such-mount" (a path read that no mount gives), "unreadable" (USER
    can't read mode 0400), "frontend" (`env=` needs Dockerfile frontend 1.10), "tilde" (a target that begins with `~`).
    `suggestion`: replacement for `place`.
    """

    run: Run
    kind: str
    place: Place
    message: str
    mount: Mount | None
    suggestion: str | None


class TaintedWord(Struct, frozen=True, gc=False):
    """A variable or path that carries a secret, for semantic tokens and hovers: `what` is "variable" or "path"."""

    place: Place
    what: str
    source: Source


class BuildSecret(Struct, frozen=True, gc=False):
    """A secret that a caller of `docker build` must pass, as a mount names it."""

    id: str
    kind: SourceKind
    environment: str | None
    required: bool


class Facts(Struct, frozen=True):
    """All facts of one version of a Dockerfile, each tuple in document order.

    `followed_in_part`: RUNs whose script is larger or deeper than the flow follows.
    """

    tree: Dockerfile
    stages: StageGraph
    file_writes: tuple[FileWrite, ...] = ()
    log_writes: tuple[LogWrite, ...] = ()
    arguments: tuple[SecretVariable, ...] = ()
    environment: tuple[SecretVariable, ...] = ()
    config_values: tuple[ConfigValue, ...] = ()
    literals: tuple[LiteralSecret, ...] = ()
    copied_secrets: tuple[CopiedSecret, ...] = ()
    bound_secrets: tuple[BoundSecret, ...] = ()
    crossings: tuple[StageCrossing, ...] = ()
    secret_mounts: tuple[SecretMount, ...] = ()
    mount_problems: tuple[MountProblem, ...] = ()
    tainted_words: tuple[TaintedWord, ...] = ()
    build_secrets: tuple[BuildSecret, ...] = ()
    followed_in_part: tuple[Place, ...] = ()


__all__ = [
    "Area",
    "BoundSecret",
    "BuildSecret",
    "Certainty",
    "ConfigValue",
    "CopiedSecret",
    "Facts",
    "FileWrite",
    "Hop",
    "LiteralSecret",
    "LogWrite",
    "MountProblem",
    "Place",
    "Reader",
    "Removal",
    "SecretMount",
    "SecretVariable",
    "Sink",
    "Source",
    "SourceKind",
    "StageCrossing",
    "TaintedWord",
    "ToolStore",
    "Word",
]
