"""A command prints a secret into the build log.

What a RUN prints is in the output of `docker build`, hence in the logs of the CI system, which more people can read
than the secret itself.

Bad:

```dockerfile
RUN --mount=type=secret,id=token set -x && curl -H "Authorization: Bearer $(cat /run/secrets/token)" https://example.com
```

Better:

```dockerfile
RUN --mount=type=secret,id=token curl -H "Authorization: Bearer $(cat /run/secrets/token)" https://example.com
```

What to do: drop the `echo`, `cat` or `env` that prints it; switch tracing off (`set +x`) before the secret is touched;
leave out options like `curl -v`, which print request headers.

What else: a log that was written already keeps the secret: delete it, or rotate the secret.

Not reported: output that goes to `/dev/null` or a file (a file has findings of its own), hashes and counts, and what
network clients print of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from buildhush.fixes.scripts import SHELLS, body_of, command_name, commands, inserted, still_accepted
from buildhush.fixes.writes import drop_operand, drop_write, strip_letter, tracing_off
from buildhush.flow.facts import Facts, LogWrite, Sink
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Safety, Severity
from buildhush.rules.wording import certainty_of, main_source, subject
from buildhush.shell import ir
from buildhush.text.spans import Edit, Span

_HOW = {
    "prints": "is printed to the build log",
    "trace": "is shown in the build log by shell tracing",
    "verbose": "is shown in the build log by a verbose option",
    "environment": "is printed to the build log with the whole environment",
}


def check(facts: Facts) -> Iterator[Finding]:
    """Commands whose output or trace shows a secret."""
    for write in facts.log_writes:
        how = _HOW.get(write.how, _HOW["prints"])
        name = command_name(write.command) if write.command else ""
        option = _option_text(write)
        by = f" (`{option}`)" if option else f" by `{name}`" if name and write.how in ("prints", "environment") else ""
        yield Finding(
            place=write.place,
            message=f"{subject(write.sources)} {how}{by}",
            source=main_source(write.sources),
            sinks=(Sink.LOG,),
            trail=write.trail,
            certainty=certainty_of(write.sources),
            subject=write,
        )


def _option_text(write: LogWrite) -> str:
    if write.option is None:
        return ""
    span = write.option.span
    return write.option.node.text[span.start : span.end]


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """Drop the printing command, the option, or the tracing."""
    write = finding.subject
    if not isinstance(write, LogWrite) or not facts.tree.holds(write.run):
        return
    if write.how == "trace":
        yield from _without_tracing(facts, write)
    elif write.how == "verbose":
        yield from _without_option(facts, write)
    elif write.command is not None and not write.command.redirects:
        edits = drop_write(facts.tree, write.run, write.command)
        if edits is not None:
            yield Fix(f"Drop `{command_name(write.command)}`", Safety.SAFE, edits)


def _word_at(write: LogWrite) -> tuple[ir.Simple, ir.Word] | None:
    """The word at fault: the option that the fact names, or the `set -x` of the script."""
    script, body = write.run.script, body_of(write.run)
    if script is None or body is None:
        return None
    for command in commands(body):
        for word in command.words:
            if write.option is not None:
                if write.option.node.text is write.run.text and script.source_span(word.span) == write.option.span:
                    return command, word
            elif command_name(command) in ("set", *SHELLS) and re.fullmatch(
                r"-(?=[a-z]*?x)[a-z]+", word.constant or ""
            ):
                return command, word
    return None


def _without_tracing(facts: Facts, write: LogWrite) -> Iterator[Fix]:
    found = _word_at(write)
    if found is None:
        return
    command, word = found
    edits = tracing_off(facts.tree, write.run, word, command)
    if edits is not None:
        yield Fix("Do not trace this RUN", Safety.SAFE, edits)
    body = body_of(write.run)
    if write.command is None or not isinstance(body, ir.Sequence):
        return
    start = write.command.span.start
    off = "{ set +x; } 2>/dev/null; "
    if any(each.span.start == start for each in body.commands) and still_accepted(
        write.run, Edit(Span(start, start), off)
    ):
        yield Fix("Switch tracing off before this command", Safety.SAFE, (_before(facts, write, start, off),))


def _before(facts: Facts, write: LogWrite, start: int, text: str) -> Edit:
    assert write.run.script is not None
    if not start:
        return inserted(facts.tree, write.run, 0, text)
    at = facts.tree.start_of(write.run) + write.run.script.source_offset(start)
    return Edit(Span(at, at), text)


def _without_option(facts: Facts, write: LogWrite) -> Iterator[Fix]:
    found = _word_at(write)
    if found is None:
        return
    text = found[1].constant or ""
    if text in ("--verbose", "--debug"):
        edits: tuple[Edit, ...] | None = drop_operand(facts.tree, write.run, found[1])
    else:
        edits = strip_letter(facts.tree, write.run, found[1], "v")
    if edits is not None:
        yield Fix(f"Leave out `{text}`", Safety.SAFE, edits)


RULE = Rule(
    id="secret-in-build-log",
    since="0.1.0",
    severity=Severity.WARNING,
    doc=__doc__ or "",
    reads=("log_writes",),
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=token TOKEN=$(cat /run/secrets/token) && echo $TOKEN && ./fetch $TOKEN\n",
            fixed="FROM alpine\nRUN --mount=type=secret,id=token TOKEN=$(cat /run/secrets/token) && ./fetch $TOKEN\n",
        ),
        Bad(
            "FROM alpine\nRUN --mount=type=secret,id=token set -ex && ./fetch --token $(cat /run/secrets/token)\n",
            fixed="FROM alpine\nRUN --mount=type=secret,id=token set -e && ./fetch --token $(cat /run/secrets/token)\n",
        ),
        Bad(
            "FROM alpine\n"
            'RUN --mount=type=secret,id=token curl -sv -H "X-Key: $(cat /run/secrets/token)" https://example.com/a\n',
            fixed="FROM alpine\n"
            'RUN --mount=type=secret,id=token curl -s -H "X-Key: $(cat /run/secrets/token)" https://example.com/a\n',
        ),
        Good("FROM alpine\nRUN --mount=type=secret,id=token cat /run/secrets/token > /dev/null\n"),
        Good(
            "FROM alpine\n"
            "RUN --mount=type=secret,id=token set -x && make && set +x && ./fetch --token $(cat /run/secrets/token)\n",
        ),
    ),
)
