"""`--mount=`: defaults, spellings and BuildKit's errors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dockerfile.describing import check_instruction, slice_of

from buildhush.dockerfile.nodes import Mount, Run
from buildhush.dockerfile.parser import parse


def _run(text: str) -> Run:
    (node,) = parse(text).instructions
    assert isinstance(node, Run)
    check_instruction(node)
    return node


def _mount(value: str) -> Mount:
    (mount,) = _run(f"RUN --mount={value} x\n").mounts
    return mount


def _set(mount: Mount) -> dict[str, Any]:
    """The fields that are not None, without those that say how it was written."""
    names = ("type", "id", "target", "source", "from_stage", "env", "required", "readonly", "sharing")
    fields = {name: getattr(mount, name) for name in (*names, "mode", "uid", "gid")}
    return {name: value for name, value in fields.items() if value is not None and value is not False}


GOOD: dict[str, dict[str, Any]] = {
    "type=secret,id=a": {"type": "secret", "id": "a", "target": "/run/secrets/a", "readonly": True},
    "type=secret,id=a/b.txt": {"type": "secret", "id": "a/b.txt", "target": "/run/secrets/b.txt", "readonly": True},
    "type=secret,source=a": {"type": "secret", "id": "a", "source": "a", "target": "/run/secrets/a", "readonly": True},
    "type=secret,src=a,dst=/b": {"type": "secret", "id": "a", "source": "a", "target": "/b", "readonly": True},
    "type=secret,target=/root/.npmrc": {"type": "secret", "id": ".npmrc", "target": "/root/.npmrc", "readonly": True},
    "type=secret,id=a,env=B": {"type": "secret", "id": "a", "env": "B", "readonly": True},
    "type=secret,id=a,env=": {"type": "secret", "id": "a", "env": "a", "readonly": True},
    "type=secret,id=a,env=B,target=/c": {"type": "secret", "id": "a", "env": "B", "target": "/c", "readonly": True},
    "type=secret,id=a,required,mode=0440,uid=1000,gid=7": {
        "type": "secret",
        "id": "a",
        "target": "/run/secrets/a",
        "readonly": True,
        "required": True,
        "mode": 0o440,
        "uid": 1000,
        "gid": 7,
    },
    "TYPE=Secret,ID=A,Required=True": {
        "type": "secret",
        "id": "A",
        "target": "/run/secrets/A",
        "readonly": True,
        "required": True,
    },
    "type=secret,id=a,required=false": {"type": "secret", "id": "a", "target": "/run/secrets/a", "readonly": True},
    "type=ssh": {"type": "ssh", "id": "default", "target": "/run/buildkit/ssh_agent.0", "readonly": True},
    "type=ssh,id=k,target=/s": {"type": "ssh", "id": "k", "target": "/s", "readonly": True},
    "type=cache,target=/a//b/": {"type": "cache", "id": "/a/b", "target": "/a//b/", "sharing": "shared"},
    "type=cache,id=c,target=/a,sharing=locked,ro": {
        "type": "cache",
        "id": "c",
        "target": "/a",
        "sharing": "locked",
        "readonly": True,
    },
    "type=cache,target=/a,from=b,source=c": {
        "type": "cache",
        "id": "/a",
        "target": "/a",
        "sharing": "shared",
        "from_stage": "b",
        "source": "c",
    },
    "type=tmpfs,target=/t,size=64m": {"type": "tmpfs", "target": "/t"},
    "target=/a": {"type": "bind", "target": "/a", "readonly": True},
    "type=bind,destination=/a,source=b,from=c,rw": {"type": "bind", "target": "/a", "source": "b", "from_stage": "c"},
    "type=bind,target=/a,readonly=0": {"type": "bind", "target": "/a"},
    "type=bind,target=/a,rw=false": {"type": "bind", "target": "/a", "readonly": True},
    "type=secret,id=$ID,mode=$M,uid=${U}": {
        "type": "secret",
        "id": "$ID",
        "target": "/run/secrets/$ID",
        "readonly": True,
    },
    'type=secret,\\"id=a,b\\"': {"type": "secret", "id": "a,b", "target": "/run/secrets/a,b", "readonly": True},
    'type=secret,\\"id=a\\"\\"b\\"': {"type": "secret", "id": 'a"b', "target": '/run/secrets/a"b', "readonly": True},
    "'type=secret,id=a b'": {"type": "secret", "id": "a b", "target": "/run/secrets/a b", "readonly": True},
    "type=secret,id=a,id=b": {"type": "secret", "id": "b", "target": "/run/secrets/b", "readonly": True},
}


@pytest.mark.parametrize("value", GOOD)
def test_mount(value: str) -> None:
    mount = _mount(value)
    assert mount.problems == ()
    assert _set(mount) == GOOD[value]


# value: (what BuildKit says, the text that it is about)
BAD: dict[str, tuple[str, str]] = {
    "required,type=secret,id=a": ("unexpected key 'required' for mount type 'bind'", "required"),
    "required=true,type=secret,id=a": ("unexpected key 'required' for mount type 'bind'", "required=true"),
    "size=1,type=tmpfs,target=/t": ("unexpected key 'size' for mount type 'bind'", "size=1"),
    "type=secret,id=a,foo=b": ("unexpected key 'foo'", "foo"),
    "type=secret,id": ("invalid field 'id' must be a key=value pair", "id"),
    "type=secret,id=a,": ("invalid field '' must be a key=value pair", ""),
    "type=secret,id=a,requird": ("invalid field 'requird' must be a key=value pair", "requird"),
    "type=secrt,id=a": ('unsupported mount type "secrt"', "secrt"),
    "type=secret,id=a,required=yes": ("invalid value for required: yes", "yes"),
    "type=bind,target=/a,ro=yes": ("invalid value for ro: yes", "yes"),
    "type=secret,id=a,mode=9": ("invalid value 9 for mode", "9"),
    "type=secret,id=a,mode=40000000000": ("invalid value 40000000000 for mode", "40000000000"),
    "type=secret,id=a,uid=app": ("invalid value app for uid", "app"),
    "type=tmpfs,target=/a,size=big": ("invalid value for size: big", "big"),
    "type=cache,target=/a,sharing=all": ('unsupported sharing value "all"', "all"),
    "type=secret,id=a,sharing=shared": ("secret mount should not define sharing", "sharing=shared"),
    "type=bind,target=/a,sharing=shared": ("invalid cache sharing set for bind mount", "sharing=shared"),
    "type=secret,id=a,from=b": ("secret mount should not have a from", "from=b"),
    "type=secret,id=a,src=b": ("both source and id can't be set", "src=b"),
    "type=secret,env=A": ("invalid secret mount. one of source, target required", "--mount=type=secret,env=A"),
    "type=ssh,source=a": ("ssh does not support source", "source=a"),
    "type=bind,target=/a,mode=0400": ('mode not allowed for "bind" type mounts', "mode=0400"),
    "type=tmpfs,target=/a,uid=1": ('uid not allowed for "tmpfs" type mounts', "uid=1"),
    "type=bind,target=/": ('invalid mount target "/"', "target=/"),
    "type=bind,target=/a,from=$X": (
        "'from' doesn't support variable expansion, define alias stage instead",
        "$X",
    ),
    'type=secret,id=a\\"b': (
        'failed to parse csv mounts: bare " in non-quoted field at column 17',
        'type=secret,id=a\\"b',
    ),
    'type=secret,\\"id=a': (
        'failed to parse csv mounts: extraneous or missing " in quoted-field at column 18',
        'type=secret,\\"id=a',
    ),
    "": ("failed to parse csv mounts: EOF", ""),
}


@pytest.mark.parametrize("value", BAD)
def test_problem(value: str) -> None:
    node = _run(f"RUN --mount={value} x\n")
    (mount,) = node.mounts
    message, place = BAD[value]
    assert [(each.message, node.text[slice_of(each.span)]) for each in mount.problems] == [(message, place)]
    assert node.problems == mount.problems


def test_one_slip_does_not_hide_the_rest() -> None:
    mount = _mount("required,type=secret,id=a,foo=b,mode=9")
    assert (mount.type, mount.id, mount.target, mount.required) == ("secret", "a", "/run/secrets/a", False)
    assert len(mount.problems) == 3


def test_a_default_target_is_told_from_a_written_one() -> None:
    assert _mount("type=secret,id=a").target_is_default
    assert not _mount("type=secret,id=a,target=/run/secrets/a").target_is_default
    assert not _mount("type=bind,source=a").target_is_default


def test_each_ssh_mount_has_its_own_socket() -> None:
    mounts = _run("RUN --mount=type=ssh --mount=type=ssh,target=/s --mount=type=ssh x\n").mounts
    assert [each.target for each in mounts] == ["/run/buildkit/ssh_agent.0", "/s", "/run/buildkit/ssh_agent.1"]


def test_options_lead_to_the_text() -> None:
    node = _run("RUN --mount=type=secret,i\\\nd=ab\\\nc,Required x\n")
    (mount,) = node.mounts
    assert [(option.key, option.value) for option in mount.options] == [
        ("type", "secret"),
        ("id", "abc"),
        ("required", None),
    ]
    identifier = mount.option("source", "id")
    assert identifier is not None
    assert identifier.value_span is not None
    assert node.text[slice_of(identifier.span)] == "i\\\nd=ab\\\nc"
    assert node.text[slice_of(identifier.key_span)] == "i\\\nd"
    assert node.text[slice_of(identifier.value_span)] == "ab\\\nc"
    assert mount.option("env") is None


def test_options_inside_quotes_lead_to_the_text() -> None:
    node = _run('RUN --mount=type=secret,\\"id=a\\",target="/b c" x\n')
    (mount,) = node.mounts
    spans = [option.value_span for option in mount.options]
    assert [node.text[slice_of(span)] for span in spans if span is not None] == ["secret", "a", "/b c"]


_PIECES = st.sampled_from(
    (
        *("type=", "secret", "cache", "bind", "ssh", "tmpfs", "id=", ",", ",", ",", "=", "a", "b", "target=", "/x"),
        *("src=", "from=", "$V", "env=", "required", "ro", "rw", "mode=", "0400", "uid=", "9", "sharing=", "locked"),
        *('\\"', "'", '"', "\\", "é", "size=", "1m"),
    )
)


@given(st.lists(_PIECES, max_size=14).map("".join))
@settings(max_examples=200, deadline=None)
def test_any_value_is_read(value: str) -> None:
    for node in parse(f"RUN --mount={value} x\n").instructions:
        check_instruction(node)
