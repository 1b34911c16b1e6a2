"""What a value says about itself, and the verdict on a name and its value together.

Facts: FACTS.md section 4. Values that are paths, URLs without credentials, booleans, versions, fingerprints, public
keys and placeholders are quiet under any name; URL credentials and known token formats are secrets under any name. Of
the rest a value says nothing, and the name decides. No verdict carries the value.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from buildhush.knowledge.literals import LiteralFinding, find_literals, hushed
from buildhush.knowledge.names import NameVerdict, classify_name, split_words
from buildhush.knowledge.placeholders import is_dummy, is_fill_in, is_guessable, is_reference, looks_random
from buildhush.text.spans import Span

CONFIGURED = "the configuration says so"
"""The reason of a verdict where the user's own word on a name decides."""

__all__ = [
    "CONFIGURED",
    "LiteralFinding",
    "ValueVerdict",
    "Verdict",
    "classify_value",
    "find_literals",
    "hushed",
    "judge",
    "may_hold_secret",
]

ValueKind = Literal[
    "empty",
    "placeholder",
    "path",
    "url",
    "url-with-credentials",
    "boolean",
    "version",
    "number",
    "fingerprint",
    "public-key",
    "reference",
    "known-token",
    "high-entropy",
    "plain",
]


class ValueVerdict(Struct, frozen=True):
    """What a value says. `secret` None: nothing, the name decides. `span`: the secret part, offsets in the value given.

    `literal`: for known tokens and URL credentials, what it is ("GitHub token").
    """

    kind: ValueKind
    secret: bool | None
    reason: str
    span: Span | None = None
    literal: str | None = None


class Verdict(Struct, frozen=True):
    """What a name and its value say together.

    `certain`: the value is of a known format; otherwise the name makes it likely. `reason`: half a sentence without the
    value. `kind`: the value's kind, None without a value; "reference" means: look at what it refers to. `span`: the
    secret part of the value. `literal`: as in `ValueVerdict`. `guessable`: it is a secret by its name, but the value is
    one that everybody tries first.
    """

    secret: bool
    certain: bool
    reason: str
    kind: ValueKind | None
    span: Span | None = None
    literal: str | None = None
    guessable: bool = False


def classify_value(text: str, *, expanded: bool = True) -> ValueVerdict:
    """What `text` (a value with or without its outer quotes) says about itself. Never raises.

    `expanded` False: nothing is expanded in it, so a `$` inside of it is a character like others.
    """
    value = text.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    if not value:
        return ValueVerdict("empty", False, "it is empty")
    if literals := find_literals(text):
        return _literal(literals[0])
    head = value[:_LONGEST]
    if is_reference(head) if expanded else _NAMES_ONLY_ANOTHER.search(head):
        return _with_reference(head)
    if head.lower() in _BOOLEANS:
        return ValueVerdict("boolean", False, "it is a switch")
    for kind, pattern, secret, reason in _SHAPES:
        if pattern.fullmatch(head):
            return ValueVerdict(kind, secret, reason)
    if _is_path(head):
        return ValueVerdict("path", False, "its value is a path")
    if is_fill_in(head) or is_dummy(head):
        return ValueVerdict("placeholder", False, "its value is a placeholder")
    if _VARIABLE_NAME.fullmatch(head) and classify_name(head).secret:
        return ValueVerdict("placeholder", False, "its value is a variable's name")
    if looks_random(head):
        return ValueVerdict("high-entropy", None, "its value looks generated")
    return ValueVerdict("plain", None, "its value says nothing")


def may_hold_secret(name: str, value: str) -> bool:
    """False only where `judge` of a name and a value that is no parameter finds no secret; the cheap question."""
    by_name = classify_name(name)
    return by_name.secret or by_name.value_decides or bool(find_literals(value))


def judge(name: str, value: str | None, *, parameter: bool = False, expanded: bool = True) -> Verdict:
    """Whether `name` with the default `value` (None: none is given) holds a secret.

    `parameter`: the real value is handed in from outside (ARG), so an empty default or one that asks to be replaced
    says nothing against it; for ENV and LABEL the value written is the value. `expanded`: as in `classify_value`.
    """
    by_name = classify_name(name)
    if value is None:
        return Verdict(by_name.secret, False, by_name.reason, None)
    by_value = classify_value(value, expanded=expanded)
    if by_value.secret:
        certain = by_value.literal is not None
        return Verdict(True, certain, by_value.reason, by_value.kind, by_value.span, by_value.literal)
    if not by_name.secret:
        return _unnamed(by_name, by_value)
    if parameter and (by_value.kind == "empty" or (by_value.kind == "placeholder" and not is_dummy(value))):
        return Verdict(True, False, by_name.reason, by_value.kind)
    if parameter and value.strip().strip("\"'").lower() in _NOT_GIVEN:
        return Verdict(True, False, by_name.reason, by_value.kind)
    guessable = is_guessable(value, *by_name.words)
    if by_value.kind == "number" and by_name.password and len(value.strip()) >= 4:
        return Verdict(True, False, by_name.reason, by_value.kind, guessable=guessable)
    if by_value.secret is False:
        return Verdict(False, False, by_value.reason, by_value.kind)
    if not parameter and _repeats_name(value, by_name):
        return Verdict(False, False, "its value only repeats the name", "placeholder")
    return Verdict(True, False, by_name.reason, by_value.kind, guessable=guessable)


def _unnamed(by_name: NameVerdict, by_value: ValueVerdict) -> Verdict:
    if by_name.value_decides and by_value.kind == "high-entropy":
        return Verdict(True, False, by_value.reason, by_value.kind)
    return Verdict(False, False, by_name.reason, by_value.kind)


def _repeats_name(value: str, by_name: NameVerdict) -> bool:
    """`OAUTH_SECRET=oauth_secret`, `BOT_TOKEN=token`, `CLIENT_SECRET=oauth_client_secret`: the words are the name's."""
    words, named = split_words(value), by_name.words
    if not words or words[-1] != named[-1]:
        return False
    return set(words) <= set(named) or (len(named) > 1 and words[-len(named) :] == named)


def _literal(finding: LiteralFinding) -> ValueVerdict:
    kind: ValueKind = "url-with-credentials" if finding.kind.endswith("in a URL") else "known-token"
    article = "an" if finding.kind[0] in "aeiouAEIOU." else "a"
    return ValueVerdict(kind, True, f"its value holds {article} {finding.kind}", finding.span, finding.kind)


def _with_reference(value: str) -> ValueVerdict:
    if _REFERENCE_PATH.match(value):
        return ValueVerdict("path", False, "its value is a path")
    if _URL.match(value):
        return ValueVerdict("reference", None, "its value is a URL that refers to a variable")
    return ValueVerdict("reference", False, "its value refers to something else")


def _is_path(value: str) -> bool:
    if _FILE_NAME.fullmatch(value.rsplit("/", 1)[-1]):
        return True
    if not _PATH.match(value):
        return False
    # One base64 text in 64 starts with a slash; folders have names that can be read.
    return not any(looks_random(part) and len(part) >= 24 for part in value.split("/")) and "=" not in value


_LONGEST = 4096
_SWITCHES = (
    "true false yes no on off none null nil undefined enabled disabled enable disable always never auto required"
    " optional 0 1 y n t f plain"
)
_BOOLEANS = frozenset(_SWITCHES.split())
_NOT_GIVEN = frozenset(("none", "null", "nil", "undefined"))
"""Defaults of a parameter that say no more than an empty one."""

_HEX_FINGERPRINT = r"(?:0x)?[0-9A-Fa-f]{8,128}"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}://")
_VARIABLE_NAME = re.compile(r"[A-Z][A-Z0-9]{0,40}(?:_[A-Z0-9]{1,40}){1,8}")
_VERSION = r"[vV]?[0-9]{1,8}(?:\.[0-9]{1,8}){1,5}(?:[-+~_.][A-Za-z0-9.+~_-]{1,40})?"
_PIN = r"[A-Za-z][\w.+-]{0,60}(?:=|==|>=|<=|~=|>|<)[vV]?[0-9]{1,8}(?:[.:][A-Za-z0-9.:+~_-]{1,60})"
_SSH_PUBLIC = r"(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\w{1,20}|sk-[a-z0-9@.-]{1,60}) AAAA.*"
_PEM_PUBLIC = r"-----BEGIN (?:PGP PUBLIC KEY BLOCK|[A-Z ]{0,20}PUBLIC KEY|CERTIFICATE).*|age1[a-z0-9]{50,70}"
_ADDRESS = (
    r"(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,10}(?::[0-9]{2,5})?/[\w./-]{1,200}"
    r"|localhost(?::[0-9]{2,5})?(?:/\S*)?"
)
_HEX_LIST = rf"{_HEX_FINGERPRINT}(?:[\s,;]{{1,4}}{_HEX_FINGERPRINT}){{1,64}}"

_SHAPES: tuple[tuple[ValueKind, re.Pattern[str], bool | None, str], ...] = (
    ("number", re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,9})?(?:[smhdkKMG]|ms)?"), False, "its value is a number"),
    ("version", re.compile(_VERSION), False, "its value is a version"),
    ("version", re.compile(_PIN), False, "its value pins a version"),
    ("public-key", re.compile(_SSH_PUBLIC, re.S), False, "its value is a public key"),
    ("public-key", re.compile(_PEM_PUBLIC, re.S), False, "its value is a public key"),
    (
        "fingerprint",
        re.compile(r"(?:sha(?:1|256|384|512)|md5)[:-][0-9A-Za-z+/=]{16,128}", re.I),
        False,
        "its value is a digest",
    ),
    ("fingerprint", re.compile(r"(?:[0-9A-Fa-f]{2}:){7,63}[0-9A-Fa-f]{2}"), False, "its value is a fingerprint"),
    ("fingerprint", re.compile(r"(?:[0-9A-Fa-f]{4}\s{1,2}){7,9}[0-9A-Fa-f]{4}"), False, "its value is a fingerprint"),
    ("fingerprint", re.compile(_HEX_LIST), False, "its value is a list of fingerprints"),
    # One run of hex digits can be a key id, a commit, or a key: only the name can tell.
    ("fingerprint", re.compile(_HEX_FINGERPRINT), None, "its value is a run of hex digits"),
    ("url", re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}://\S*"), False, "its value is a URL without credentials"),
    ("url", re.compile(_ADDRESS), False, "its value is an address"),
)

# What a shell or a template may still put something in for, later: `$X`, `${X}`, `$(…)`, `{{…}}`, `%X%`; and hashes.
_NAMES_ONLY_ANOTHER = re.compile(
    r"^\$[A-Za-z_]\w*$|^`|\$[({]|\{\{|%[A-Za-z_]\w{0,60}%|(?:^|:)\$(?:[0-9]|2[abxy]|y|gy|apr1|argon2\w{1,2}|scrypt)\$"
)
_REFERENCE_PATH = re.compile(r"\$(?:[A-Za-z_]\w{0,80}|\{\w{1,80}\})/")
_PATH = re.compile(r"(?:/|\./|\.\./|~/|[A-Za-z]:[\\/])")
_FILE_NAME = re.compile(
    r"[\w.-]{1,120}\.(?:key|pem|crt|cer|pub|json|ya?ml|conf|cfg|ini|toml|env|txt|xml|sh|properties|p12|pfx|jks|keystore|gpg|asc|kdbx"
    r"|sql|py|js|ts|php|rb|tpl|template|sock|log|gz|zip)",
    re.I,
)
