"""A canary is recognised in every form that tools give it, and never shown."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib

import pytest

from buildhush.verify.canaries import found_in, make_canary, redact

CANARY = make_canary("secret", "token")
VALUE = CANARY.value.encode()


def _tar(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("a/b")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _zip(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", data)
    return buffer.getvalue()


FORMS = {
    "as it is": VALUE,
    "in a text": b"token=" + VALUE + b"\n",
    "first twelve": VALUE[:12],
    "last twelve": VALUE[-12:],
    "without the first five": VALUE[5:],
    "upper case": VALUE.upper(),
    "backwards": VALUE[::-1],
    "base64": base64.b64encode(VALUE),
    "base64 after one byte": base64.b64encode(b"x" + VALUE),
    "base64 after two bytes": base64.b64encode(b"xy" + VALUE),
    "base64 with line ends": base64.encodebytes(b"user-name-in-front:" + VALUE),
    "hexadecimal": VALUE.hex().encode(),
    "hexadecimal with spaces": b" ".join(f"{byte:02X}".encode() for byte in VALUE),
    "utf-16": CANARY.value.encode("utf-16-le"),
    "gzip": gzip.compress(VALUE),
    "two gzip members": gzip.compress(b"nothing") + gzip.compress(VALUE),
    "zlib (a git object)": zlib.compress(b"blob 40\0" + VALUE),
    "in a git pack": b"PACK\0\0\0\2\0\0\0\1" + zlib.compress(b"nothing at all") + b"\x9c" + zlib.compress(VALUE),
    "bzip2": bz2.compress(VALUE),
    "xz": lzma.compress(VALUE),
    "tar.gz": _tar(VALUE),
    "zip": _zip(VALUE),
    "gzip in base64": base64.b64encode(gzip.compress(VALUE)),
    "gzip in tar.gz": _tar(gzip.compress(VALUE)),
}

NOT_FORMS = {
    "nothing": b"",
    "another canary": make_canary("secret", "other").value.encode(),
    "four characters": VALUE[:4],
    "length": str(len(VALUE)).encode(),
    "broken gzip": gzip.compress(b"harmless" * 100)[:40],
    "broken zip": b"PK\x03\x04 not a zip",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_recognised(form: str) -> None:
    assert found_in([CANARY], FORMS[form]) == (CANARY,)


@pytest.mark.parametrize("form", NOT_FORMS)
def test_what_is_no_form_is_not_recognised(form: str) -> None:
    assert found_in([CANARY], NOT_FORMS[form]) == ()


def test_canaries_are_told_apart() -> None:
    other = make_canary("arg", "OTHER", "user={canary}\n")
    assert found_in([CANARY, other], b"x" + other.content.encode()) == (other,)


def test_a_canary_is_not_shown() -> None:
    assert CANARY.value not in repr(CANARY) + str(CANARY) + repr(CANARY.patterns)


def test_redaction_names_the_secret_and_withholds_derived_forms() -> None:
    assert redact(f"echo {CANARY.value}", [CANARY]) == "echo <secret:token>"
    assert CANARY.value[:12] not in redact(f"echo {CANARY.value[:20]}", [CANARY])
    assert redact("echo hello", [CANARY]) == "echo hello"
