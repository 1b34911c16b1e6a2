"""A script of plain words: what is said of it without the interpreter is what the interpreter says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from buildhush.dockerfile.nodes import Run
from buildhush.dockerfile.parser import parse
from buildhush.flow.inputs import InputFile, MountedPath, RunInputs, ShellOptions, Storage
from buildhush.flow.plain import plain_summary
from buildhush.flow.summary import RunSummary, summarise
from buildhush.flow.symbols import symbol
from buildhush.flow.taint import Root, RootKind
from buildhush.knowledge.commands import load_commands
from buildhush.shell import reader

COMMANDS = load_commands()
PLAIN = RunInputs("/app", "/root", ShellOptions(), (), {}, (), (), ())

NAMES = """
    apt-get rm mkdir cd set echo touch chmod true npm pip python3 curl wget sort grep make ./run.sh /usr/bin/env time if
    export sh ln cp docker aws unlink shred pushd tee base64 cat /start.sh a=b a=/b [ -x -/x x[/y pip3.14 git.exe sh5
    mv install printf git ls cp ln mkdir
"""
WORDS = """
    -p -rf -f -r --force -- - -m 755 --mode --mode=755 -pv /app x ~/y ~ ~root/z a=b --file=/etc/key @/etc/key u:/y *
    /etc/* /app/*.k?y .. . ./x /etc/key /etc / -o --output=x -O install config set get logout 2 -e -x -euo pipefail +e
    /app/.npmrc .npmrc /home/u/../x a//b b/ -c -m pip -i@~/k -am /start.sh login
    -s -sf -a -fs -S -st -T --symbolic -C clone add /usr/bin /usr/bin/x ~/. -v %s /app/made made
"""
QUOTED = (
    "'a b'", '"a b"', "'/etc/key'", '"~/y"', "a'b'", "'a'/x", '"x>y"', "--file='/etc/key'", "''", '"it\'s"', "'-s'",
    "'*'", "'a", "'a;b'", '"(x|y)"', "'2'", "/app/'made'",
)  # fmt: skip
COPYING = ("cp -r", "cp", "mv", "ln -s", "ln -sf", "ln", "mkdir", "mkdir -p", "cd", "ls", "touch")
PLACES = ("/a", "b", "b/c", "/a/b", "c", "/usr", "~", "..", "b/")
JOINTS = (" && ", "&&", ";", " ; ", "\n", "\n\n", " && \n  ", ";;", " & ", " || ")
OPENINGS = (
    " > /app/out",
    " >> log",
    " 2>/dev/null",
    " >/dev/null 2>&1",
    " > /etc/key",
    ">&2",
    " >a 2>b",
    " > -x",
    " >",
    " 22>&1x",
    " > 'a b'",
    ">&'2'",
    " '2'>x",
    " > '-x'",
)


@st.composite
def commands(draw: st.DrawFn) -> str:
    words = [
        draw(st.sampled_from(NAMES.split())),
        *draw(st.lists(st.sampled_from((*WORDS.split(), *QUOTED)), max_size=5)),
    ]
    return " ".join(words) + draw(st.sampled_from(("", "", "", *OPENINGS)))


@st.composite
def scripts(draw: st.DrawFn) -> str:
    text = draw(commands())
    for _ in range(draw(st.integers(0, 5))):
        text += draw(st.sampled_from(JOINTS)) + draw(commands())
    return text + draw(st.sampled_from(("", "", ";", "\n", " ")))


@st.composite
def starts(draw: st.DrawFn) -> RunInputs:
    files = tuple(InputFile(path, Root(RootKind.FILE, path)) for path in ("/etc/key", "/app/sub/.npmrc", "/root/.k"))
    mounts = (
        MountedPath("/dev/shm", Storage.MEMORY, ""),
        MountedPath("/etc/key", Storage.SECRET, "key"),
        MountedPath("/root/.cache", Storage.CACHE, "cache"),
    )
    return RunInputs(
        draw(st.sampled_from(("/", "/app", "/etc", "/app/.", f"/{symbol('$X')}", symbol("$X")))),
        draw(st.sampled_from(("/root", "/home/u"))),
        ShellOptions(*draw(st.tuples(*[st.booleans()] * 4))),
        mounts[: draw(st.integers(0, 3))],
        {},
        (),
        files[: draw(st.integers(0, 3))],
        draw(st.sampled_from(((), (("/start.sh", "#!/bin/sh\necho hi"),)))),
    )


def as_interpreted(text: str, inputs: RunInputs) -> RunSummary:
    run = next(node for node in parse("RUN true").nodes if isinstance(node, Run))
    return summarise(run, inputs, COMMANDS, reader.read, reader.read(text))


@settings(max_examples=400)
@given(scripts(), starts())
def test_commands_are_followed_as_the_interpreter_does(text: str, inputs: RunInputs) -> None:
    summary = plain_summary(text, inputs, COMMANDS)
    assert summary is None or summary == as_interpreted(text, inputs)


@st.composite
def copying_scripts(draw: st.DrawFn) -> str:
    """Scripts that make folders and links, and name what may lie in them."""
    text = ""
    for number in range(draw(st.integers(1, 6))):
        name, words = draw(st.sampled_from(COPYING)), draw(st.lists(st.sampled_from(PLACES), max_size=3))
        joint = draw(st.sampled_from((" && ", " && ", " && ", "; "))) if number else ""
        text += joint + " ".join((name, *words))
    return text


@settings(max_examples=300)
@given(copying_scripts(), starts())
def test_copies_are_followed_as_the_interpreter_does(text: str, inputs: RunInputs) -> None:
    summary = plain_summary(text, inputs, COMMANDS)
    assert summary is None or summary == as_interpreted(text, inputs)


@settings(max_examples=200)
@given(st.text("ab-/.~=@:*[]2'\" \t\n;&>", max_size=24), starts())
def test_texts_are_followed_as_the_interpreter_does(text: str, inputs: RunInputs) -> None:
    summary = plain_summary(text, inputs, COMMANDS)
    assert summary is None or summary == as_interpreted(text, inputs)


@pytest.mark.parametrize(
    "text",
    [
        "apt-get update && apt-get install -y --no-install-recommends curl git && rm -rf /var/lib/apt/lists/*",
        "set -ex; mkdir -p /opt/app; chmod +x /opt/app",
        "cd /src && npm ci && npm run build",
        "make all 2>&1 >> /tmp/log\ntouch /tmp/done",
        "echo built > state && ./configure --prefix=/usr && make",
        "mkdir -p /opt/app && cp -r dist /opt/app && mv /opt/app/x y && ls /opt",
        "ln -s /usr/bin/python3 /usr/bin/python && ln -sf ../x /usr/lib && python --version",
        "git clone --depth 1 https://example.com/x.git && cd x && cp a b",
        """pip install 'x>=1.0' "y[z]" && printf 'deb (x)' > /etc/apt/sources.list""",
    ],
)
def test_ordinary_scripts_are_answered(text: str) -> None:
    summary = plain_summary(text, PLAIN, COMMANDS)
    assert summary is not None
    assert summary == as_interpreted(text, PLAIN)


@pytest.mark.parametrize(
    "text",
    [
        "echo $TOKEN",
        "cat /run/secrets/token",
        "cat key",
        "rm -r /et?",
        "rm -r .",
        "env",
        "npm config set a b",
        "curl -fo key https://example.com",
        "cd /x; cat key",
        "./start.sh",
        "set",
        "cp -r / /y",
        "cp x key",
        "ln -s /etc /x && cat /x/key",
        "mv 'key' /x",
        "git -C /etc config a b",
        "make &",
        """echo "a && b" > x""",
        "ln -s a b && cat b",
        "ln -s /x/c /usr && ln -s y/c /usr",
        "cp -t /x a",
    ],
)
def test_what_may_meet_a_secret_is_interpreted(text: str) -> None:
    files = (InputFile("/etc/key", Root(RootKind.FILE, "/etc/key")),)
    inputs = replace(PLAIN, folder="/etc", files=files, scripts=(("/etc/start.sh", "#!/bin/sh\ntrue"),))
    assert plain_summary(text, inputs, COMMANDS) is None
