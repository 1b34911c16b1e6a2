"""What a file says about a build that it starts: the common result of all readers.

Spans are 0-based code-point offsets of the file's text. No secret's value is kept: of a value only its reference
(`${NPM_TOKEN}`) or nothing is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.companions.hcl_reader import ParsedHcl
    from buildhush.companions.values import Parsed

ReadText = Callable[[str], "str | None"]
"""The text of a file by its absolute path, None when it is not there or is too large."""


class CallerKind(str, Enum):
    """What kind of file or step starts the build."""

    COMPOSE = "compose"
    BAKE = "bake"
    WORKFLOW_ACTION = "workflow-action"
    WORKFLOW_RUN = "workflow-run"
    GITLAB = "gitlab"
    SCRIPT = "script"
    MAKEFILE = "makefile"


class ValueKind(str, Enum):
    """Where a build argument's value comes from."""

    ENVIRONMENT = "environment"
    """The caller's environment variable `PassedArgument.environment`."""

    EXPRESSION = "expression"
    """Something that the calling program works out: a workflow expression, a command substitution, a make variable."""

    LITERAL = "literal"
    """It is written in the file."""


class PassedArgument(Struct, frozen=True):
    """One build argument. `span`: name and value; `name_span`: the name; `value_span`: None when there is no value.

    `owner`: the name of the service or target where it is written. `shared`: written at a place that other callers use.
    `written_in`: the file that the spans are of when it is not the caller's own: one that it extends or lies upon.
    """

    name: str
    kind: ValueKind
    environment: str | None
    span: Span
    name_span: Span
    value_span: Span | None
    owner: str
    shared: bool = False
    written_in: str | None = None


class PassedSecretUse(Struct, frozen=True):
    """One secret that is passed. `file`: as written; `aliases`: other names under which the builder may know it.

    `id_span`: where `id` is written, with the quotes around it; `alias_spans`: the same for each of `aliases`.
    `written_in`: as for an argument. `defined`: False for one that compose needs a definition of and has none.
    """

    id: str
    environment: str | None
    file: str | None
    span: Span
    id_span: Span
    owner: str
    aliases: tuple[str, ...] = ()
    alias_spans: tuple[Span, ...] = ()
    written_in: str | None = None
    defined: bool = True


class Setting(Struct, frozen=True):
    """A mode (`max`, `min` …) and where it is written."""

    text: str
    span: Span


class BuildPlace(Struct, frozen=True):
    """One reading of which Dockerfile is meant: absolute paths; `context` None when it is no folder of this machine."""

    dockerfile: str
    context: str | None


class InlineDockerfile(Struct, frozen=True):
    """A Dockerfile that stands in the caller's own file. `content` maps each of its characters there.

    `path`: where a Dockerfile of that text would be, for what is looked for beside it; no file of that name is read.
    `context`: the build context's folder, as for a place. `in_compose`: in a compose file, else in a bake file.
    `scalar`: the reader's own value, for edits; an index drops it.
    """

    path: str
    content: MappedText
    context: str | None = None
    in_compose: bool = True
    scalar: object = None

    @property
    def text(self) -> str:
        """What the builder reads, with a placeholder for each character of what only the caller's program fills in."""
        return self.content.text


class NamedFolder(Struct, frozen=True):
    """An additional build context. `folder`: absolute, None for what is no folder: an image, another target, a URL."""

    name: str
    folder: str | None


_ELSEWHERE = ("docker-image:", "oci-layout:", "target:", "service:", "git@")


def named_folder(name: str, written: str | None, folders: Iterable[str]) -> NamedFolder:
    """The context `name` that stands for what is `written` (None: not known), in the first of the folders that has it.

    A name is kept as BuildKit compares it: an image's, without its usual registry and tag.
    """
    name = name.strip().lower().removeprefix("docker.io/").removeprefix("library/").removesuffix(":latest")
    if not written or "://" in written or written.startswith(_ELSEWHERE) or "$" in written or "{{" in written:
        return NamedFolder(name, None)
    paths = [os.path.normpath(os.path.join(folder, os.path.expanduser(written))) for folder in folders]
    return NamedFolder(name, next((path for path in paths if os.path.isdir(path)), paths[0] if paths else None))


class Caller(Struct, frozen=True):
    """One build that a file starts.

    `key` tells it from the others of the file and stays the same when an argument or a secret is edited. `name`: for
    messages ("service `app`"). `places`: readings in order of likelihood, none when the Dockerfile can't be told.
    `opaque`: it may pass more than what could be read. `site`: the reader's own values, for edits; an index drops it.
    `target_span`: where the target is written, with the quotes around it. `inline`: the Dockerfile when it is written
    in the file itself; `places` are none then. `inherited_args` and `inherited_secrets`: what it passes besides because
    another file says so, one that it extends or lies upon; their spans are of `written_in`. `contexts`: what it calls
    by a name besides its main context.
    """

    file: str
    kind: CallerKind
    key: tuple[str, ...]
    name: str
    span: Span
    places: tuple[BuildPlace, ...] = ()
    target: str | None = None
    build_args: tuple[PassedArgument, ...] = ()
    secrets: tuple[PassedSecretUse, ...] = ()
    ssh: tuple[str, ...] = ()
    cache_to_mode: Setting | None = None
    provenance_mode: Setting | None = None
    opaque: bool = False
    site: object = None
    target_span: Span | None = None
    inline: InlineDockerfile | None = None
    inherited_args: tuple[PassedArgument, ...] = ()
    inherited_secrets: tuple[PassedSecretUse, ...] = ()
    contexts: tuple[NamedFolder, ...] = ()

    @property
    def dockerfile(self) -> str | None:
        """The Dockerfile that is most likely meant."""
        return self.places[0].dockerfile if self.places else None

    @property
    def context(self) -> str | None:
        """The build context that is most likely meant."""
        return self.places[0].context if self.places else None

    def argument(self, name: str) -> PassedArgument | None:
        """The build argument of that name, an inherited one too."""
        return next((each for each in (*self.build_args, *self.inherited_args) if each.name == name), None)

    def passes(self, secret_id: str) -> bool:
        """Whether a secret of that id is passed."""
        return self.secret(secret_id) is not None

    def secret(self, secret_id: str) -> PassedSecretUse | None:
        """The secret of that id, an inherited one too."""
        passed = (*self.secrets, *self.inherited_secrets)
        return next((each for each in passed if secret_id == each.id or secret_id in each.aliases), None)


class LooseEnd(Struct, frozen=True):
    """A name that leads nowhere, so that what stands behind it is not seen. `message`: without a full stop."""

    span: Span
    message: str


class CallerFile(Struct, frozen=True):
    """One file that was read. `secret_names`: secrets that it defines for its callers (compose's top level).

    `reads`: other files that it was read with. `problems`: where it could not be read. `loose_ends`: circles of
    `extends` and `inherits`, and what they name that is not there. `tree`: what the YAML or HCL reader made of the
    text, for edits; an index drops it.
    """

    path: str
    text: str
    callers: tuple[Caller, ...] = ()
    secret_names: tuple[PassedSecretUse, ...] = ()
    reads: tuple[str, ...] = ()
    problems: tuple[Span, ...] = ()
    loose_ends: tuple[LooseEnd, ...] = ()
    tree: Parsed | ParsedHcl | None = None
