"""A tool keeps the credential that it is given in a file of its own, which stays in a layer of the image.

`npm config set`, `docker login`, `git clone https://TOKEN@…`, `aws configure set` and their like write the credential
to a configuration file (`~/.npmrc`, `~/.docker/config.json`, `.git/config`, `~/.aws/credentials`). The file is part of
the layer, and everybody who pulls the image can read it there. `--password-stdin` keeps the password out of the
command line, but the file is written all the same.

Bad:

```dockerfile
RUN --mount=type=secret,id=token git clone https://$(cat /run/secrets/token)@github.com/acme/app.git
```

Better, because `git -c` keeps nothing:

```dockerfile
RUN --mount=type=secret,id=token \\
    git -c http.extraHeader="Authorization: Bearer $(cat /run/secrets/token)" clone https://github.com/acme/app.git
```

What to do: hand the credential over for one command only, in the environment variable that the tool reads
(`--mount=type=secret,id=token,env=GH_TOKEN`), or mount the tool's file itself as the secret
(`--mount=type=secret,id=npmrc,target=/root/.npmrc`). Logging out, or removing the file in the same RUN, works where
the tool keeps no second copy; npm also logs its command lines below `~/.npm/_logs`.

What else: with `target=`, the secret that the caller passes is the whole file, not the bare token.

Not reported: forms that store nothing (`git -c … clone`, `curl -u`), and stores that the same RUN removes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildhush.dockerfile.nodes import Run
from buildhush.fixes.git import credential_before_clone
from buildhush.fixes.mounts import replace_options, secret_options
from buildhush.fixes.scripts import command_name
from buildhush.fixes.surroundings import after
from buildhush.fixes.syntax import Frontend, frontend, syntax_edits
from buildhush.fixes.writes import drop_command, secret_mount_named
from buildhush.flow.facts import Area, Facts, FileWrite, SourceKind
from buildhush.rules.api import Bad, Finding, Fix, Good, Rule, Safety, Severity
from buildhush.rules.file_fixes import is_needed_later, remove_at_the_end
from buildhush.rules.findings import finding_of_several
from buildhush.rules.wording import stage_name, stays, subject
from buildhush.text.spans import Span

# Files that hold credentials and nothing else that a later command could need.
_ONLY_CREDENTIALS = ("/.docker/config.json", "/.config/gh/hosts.yml", "/.git-credentials", "/.aws/credentials")


def check(facts: Facts) -> Iterator[Finding]:
    """Stores of tools that no later RUN removes; the files that one command stores in are one finding."""
    stores: dict[tuple[int, Span], list[FileWrite]] = {}
    for write in facts.file_writes:
        if write.area is not Area.CACHE and write.removal is None and not write.temporary and write.tool is not None:
            stores.setdefault((id(write.run), write.place.span), []).append(write)
    for writes in stores.values():
        write = writes[0]
        advice = write.tool.store.advice.rstrip(".") if write.tool else ""
        known = write.tool.command if write.tool else ""
        command = command_name(write.command) if write.command else known
        files = f"`{write.shown_path}`" + (f" (and {len(writes) - 1} more)" if len(writes) > 1 else "")
        yield finding_of_several(
            write,
            f"{subject(write.sources)} is stored by `{command or known}` in {files} and "
            f"{stays(write.sinks, stage_name(write.stage))}{f'. {advice}' if advice else ''}",
        )


def fixes(facts: Facts, finding: Finding) -> Iterable[Fix]:
    """The tool's safe form where it is certain to do the same, else a removal of the store."""
    write = finding.subject
    if not isinstance(write, FileWrite) or write.tool is None or write.command is None:
        return
    run = write.run
    if not isinstance(run, Run):
        return
    used_later = any(_calls(each.text, write.tool.command) for each in after(facts.tree, run))
    if command_name(write.command) == "git" and facts.tree.holds(run):
        edits = credential_before_clone(facts.tree, run, write.command)
        if edits is not None:
            note = "A later `git fetch` or `git pull` must be given the credential again" if used_later else ""
            yield Fix(
                "Give git the credential for this command only (`git -c`)",
                Safety.UNSAFE if used_later else Safety.SAFE,
                edits,
                note=note,
            )
    if not used_later:
        yield from _by_variable(facts, write, run)
        if write.path.endswith(_ONLY_CREDENTIALS) and not is_needed_later(facts, write):
            yield from remove_at_the_end(facts, write)


def _calls(text: str, command: str) -> bool:
    return command in text


def _by_variable(facts: Facts, write: FileWrite, run: Run) -> Iterator[Fix]:
    """`env=VARIABLE` on the mount instead of the storing command, when that variable is all the tool needs."""
    store = write.tool.store if write.tool else None
    variable = store.safe_variable if store else None
    if variable is None or "{" in variable or len(write.sources) != 1 or write.command is None:
        return
    source = write.sources[0]
    mount = secret_mount_named(run, source.name) if source.kind is SourceKind.SECRET_MOUNT else None
    script = run.script
    # The secret must be used by the storing command alone: with `env=` there is no file for anything else.
    if mount is None or mount.target is None or mount.env or script is None or script.text.count(mount.target) != 1:
        return
    if not write.command.span.start <= script.text.index(mount.target) < write.command.span.end:
        return
    if frontend(facts.tree) not in (Frontend.CURRENT, Frontend.UNSTATED):
        return
    dropped = drop_command(facts.tree, run, write.command)
    required = "required" if mount.required else None
    options = secret_options(mount.id or "", env=variable) + (f",{required}" if required else "")
    mounted = replace_options(facts.tree, run, mount, options)
    if dropped is None or mounted is None or any(edit.span.overlaps(mounted[0].span) for edit in dropped):
        return
    edits = (*mounted, *dropped, *syntax_edits(facts.tree))
    yield Fix(f"Hand the secret over in `{variable}` and store nothing", Safety.SAFE, edits)


RULE = Rule(
    id="credential-stored-by-tool",
    since="0.1.0",
    severity=Severity.ERROR,
    doc=__doc__ or "",
    reads=("file_writes",),
    one_by_one=False,
    check=check,
    fixes=fixes,
    examples=(
        Bad(
            "FROM alpine/git\n"
            "RUN --mount=type=secret,id=token "
            "git clone https://$(cat /run/secrets/token)@github.com/acme/app.git /src\n",
            fixed="FROM alpine/git\n"
            "RUN --mount=type=secret,id=token "
            'git -c url."https://$(cat /run/secrets/token)@github.com/".insteadOf="https://github.com/" '
            "clone https://github.com/acme/app.git /src\n",
        ),
        Bad(
            "FROM alpine/git\n"
            "RUN --mount=type=secret,id=token git clone "
            '-c http.extraHeader="Authorization: Bearer $(cat /run/secrets/token)" https://github.com/acme/app.git\n',
            fixed="FROM alpine/git\n"
            "RUN --mount=type=secret,id=token "
            'git -c http.extraHeader="Authorization: Bearer $(cat /run/secrets/token)" '
            "clone https://github.com/acme/app.git\n",
        ),
        Good(
            "FROM alpine/git\n"
            "RUN --mount=type=secret,id=token "
            'git -c http.extraHeader="Authorization: Bearer $(cat /run/secrets/token)" '
            "clone https://github.com/acme/app.git\n",
        ),
        Good("FROM node:22\nRUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci\n"),
    ),
)
