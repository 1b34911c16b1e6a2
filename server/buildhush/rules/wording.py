"""How messages name a secret and the place where it ends up. Never its value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from buildhush.dockerfile.stages import Stage
from buildhush.flow.facts import BoundSecret, Certainty, CopiedSecret, Sink, Source, SourceKind

_LITERAL = "A literal"


def certainty_of(sources: Sequence[Source]) -> Certainty:
    """CERTAIN when at least one of the secrets is."""
    return Certainty.CERTAIN if any(each.certainty is Certainty.CERTAIN for each in sources) else Certainty.LIKELY


def main_source(sources: Sequence[Source]) -> Source | None:
    """The secret to name: a certain one before a likely one, else the first."""
    return next((each for each in sources if each.certainty is Certainty.CERTAIN), sources[0] if sources else None)


def subject(sources: Sequence[Source]) -> str:
    """The start of a sentence about a secret, before its verb: "Secret `x`", "`X` looks like a secret (…): it"."""
    source = main_source(sources)
    if source is None:
        return "A secret"
    others = len({(each.kind, each.name) for each in sources} - {(source.kind, source.name)})
    more = f" (and {others} more)" if others else ""
    if source.certainty is Certainty.LIKELY:
        return f"{_likely(source)}: it{more}"
    names = {
        SourceKind.SECRET_MOUNT: f"Secret `{source.name}`",
        SourceKind.SSH_MOUNT: f"The SSH agent `{source.name}`",
        SourceKind.ARG: f"The value of build argument `{source.name}`",
        SourceKind.ENV: f"The value of environment variable `{source.name}`",
        SourceKind.FILE: f"Secret file `{source.name}`",
        SourceKind.LITERAL: f"{_LITERAL} ({source.name})",
    }
    return f"{names[source.kind]}{more}"


def _likely(source: Source) -> str:
    reason = f" ({source.reason})" if source.reason else ""
    return f"`{source.name}` looks like a secret{reason}"


def stays(sinks: Iterable[Sink], stage_name: str) -> str:
    """What becomes of a file: where its bytes stay."""
    if Sink.LAYER in sinks:
        return "stays in a layer of the image"
    return f"stays in the layers of {stage_name}"


def of_context(secret: CopiedSecret | BoundSecret) -> str:
    """Behind the name of a file: which build context it is of, when that is not the Dockerfile's own folder."""
    shown = secret.context or secret.context_place
    return f" of the build context `{shown}`" if shown else ""


def name_of_stage(alias: str | None, index: int) -> str:
    """A stage as messages name it."""
    return f"stage `{alias}`" if alias else f"stage {index}"


def stage_name(stage: Stage) -> str:
    """A stage of the file as messages name it."""
    return name_of_stage(stage.name, stage.index)
