"""Credentials written out in a text: passwords in URLs, tokens of known formats, headers and credential-file lines.

Every pattern below is linear: it starts at a fixed prefix that can't repeat inside what follows, and repetitions are
bounded. A format that detect-secrets knows more closely is confirmed by its plugin, which is imported only once a
candidate stands in a text, for it brings an HTTP client along: a quarter of a second. Plugins are asked for their
formats only, never to verify a token.
Offsets are 0-based code points of the text given. Nothing here returns or keeps a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from msgspec import Struct

from buildhush.knowledge.names import classify_name
from buildhush.knowledge.placeholders import is_dummy, is_guessable, is_placeholder, is_reference, looks_random
from buildhush.text.spans import Span


class LiteralFinding(Struct, frozen=True):
    """A credential that stands in a text. `span`: the secret part only. `kind`: for people, such as "GitHub token".

    `certain`: a format of its own (a token's prefix, a URL's password); False when the words around it say so.
    `guessable`: a password that everybody tries first; never a certain one.
    """

    span: Span
    kind: str
    certain: bool = True
    guessable: bool = False


def find_literals(text: str) -> tuple[LiteralFinding, ...]:
    """The credentials in `text`, in order, none overlapping another; references and placeholders are not among them."""
    if len(text) < _SHORTEST or not _may_hold_one(text):
        return ()
    return _disjoint([*_known_tokens(text), *_url_credentials(text), *_private_keys(text), *_contexts(text)])


def _disjoint(found: list[LiteralFinding]) -> tuple[LiteralFinding, ...]:
    if not found:
        return ()
    kept: list[LiteralFinding] = []
    # A known token inside a URL is named by its own kind: the first of two that overlap stays.
    for finding in found:
        if not any(finding.span.overlaps(other.span) for other in kept):
            kept.append(finding)
    return tuple(sorted(kept, key=lambda finding: finding.span.start))


@lru_cache(maxsize=4096)
def hushed(text: str) -> str:
    """A message with three asterisks in place of every credential that has a format of its own.

    For messages that quote the user's words, which may be anything. Remembered: an unchanged finding says the same.
    """
    for finding in reversed(_disjoint([*_known_tokens(text), *_url_credentials(text)])):
        text = text[: finding.span.start] + "***" + text[finding.span.end :]
    return text


class _Format(Struct, frozen=True):
    """A token format: `hints` (one of them must occur), our own `pattern`, and detect-secrets' `plugin` for it.

    `says_no`: the plugin refuses some of what the pattern takes, so it is asked. What the other patterns take, their
    plugins take too (a test generates tokens and asks them).
    """

    kind: str
    hints: tuple[str, ...]
    pattern: str
    plugin: str | None = None  # module:class below detect_secrets.plugins
    says_no: bool = False


_START = r"(?<![A-Za-z0-9_])"
_END = r"(?![A-Za-z0-9_])"

_FORMATS = (
    _Format(
        "GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        r"gh[pousr]_[A-Za-z0-9]{36}" + _END,
        "github_token:GitHubTokenDetector",
    ),
    _Format("GitHub token", ("github_pat_",), r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}" + _END),
    _Format(
        "GitLab token",
        ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "glcbt-", "glptt-", "gloas-", "glagent-", "glimt-"),
        r"gl(?:pat|dt|ft|soat|rt|cbt|ptt|oas|agent|imt)-[A-Za-z0-9_-]{20,128}",
        "gitlab_token:GitLabTokenDetector",
        says_no=True,
    ),
    _Format(
        "AWS access key",
        ("AKIA", "ASIA", "ABIA", "ACCA"),
        r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}" + _END,
        "aws:AWSKeyDetector",
    ),
    _Format("Slack token", ("xox",), r"xox[abposr]-(?:[0-9]{1,20}-){1,6}[A-Za-z0-9]{8,64}", "slack:SlackDetector"),
    _Format("Slack token", ("xapp-",), r"xapp-[0-9]-[A-Z0-9]{8,16}-[0-9]{8,16}-[a-z0-9]{32,80}"),
    _Format(
        "Slack webhook",
        ("hooks.slack.com/services/",),
        r"https://hooks\.slack\.com/services/T[A-Za-z0-9_]{6,16}/B[A-Za-z0-9_]{6,16}/[A-Za-z0-9_]{16,40}",
        "slack:SlackDetector",
    ),
    _Format("npm token", ("npm_",), r"npm_[A-Za-z0-9]{36}" + _END),
    _Format(
        "PyPI token", ("pypi-AgE",), r"pypi-AgE[A-Za-z0-9_-]{78,512}", "pypi_token:PypiTokenDetector", says_no=True
    ),
    _Format("Stripe key", ("k_live_",), r"[rs]k_live_[0-9A-Za-z]{24,128}", "stripe:StripeDetector"),
    _Format(
        "JSON Web Token",
        ("eyJ",),
        r"eyJ[\w-]{8,4096}\.eyJ[\w-]{4,4096}\.[\w-]{8,4096}",
        "jwt:JwtTokenDetector",
        says_no=True,
    ),
    _Format("Google API key", ("AIza",), r"AIza[0-9A-Za-z_-]{35}" + _END),
    _Format("SendGrid key", ("SG.",), r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}" + _END, "sendgrid:SendGridDetector"),
    _Format("Twilio key", ("SK",), r"SK[0-9a-f]{32}" + _END, "twilio:TwilioKeyDetector"),
    _Format(
        "Azure storage key",
        ("AccountKey=",),
        r"AccountKey=[A-Za-z0-9+/]{86}==",
        "azure_storage_key:AzureStorageKeyDetector",
    ),
    _Format("OpenAI key", ("T3BlbkFJ",), r"sk-[A-Za-z0-9_-]{20,160}T3BlbkFJ[A-Za-z0-9_-]{20,160}", None),
    _Format("Anthropic key", ("sk-ant-",), r"sk-ant-[A-Za-z0-9]{3,8}-[A-Za-z0-9_-]{80,120}"),
    _Format("Hugging Face token", ("hf_",), r"hf_[A-Za-z0-9]{34}" + _END),
    _Format("Docker token", ("dckr_pat_",), r"dckr_pat_[A-Za-z0-9_-]{27}" + _END),
    _Format("DigitalOcean token", ("dop_v1_", "doo_v1_", "dor_v1_"), r"do[opr]_v1_[0-9a-f]{64}" + _END),
    _Format("Square secret", ("sq0csp-",), r"sq0csp-[0-9A-Za-z_-]{43}", "square_oauth:SquareOAuthDetector"),
    _Format("Artifactory key", ("AKC",), r"AKC[A-Za-z0-9]{60,80}" + _END, "artifactory:ArtifactoryDetector"),
    _Format("Mailchimp key", ("-us",), r"[0-9a-f]{32}-us[0-9]{1,2}" + _END, "mailchimp:MailchimpDetector"),
    _Format(
        "Telegram bot token",
        (":AA",),
        r"[0-9]{8,10}:AA[0-9A-Za-z_-]{33}" + _END,
        "telegram_token:TelegramBotTokenDetector",
    ),
)


_HINTS = tuple(dict.fromkeys(hint for known in _FORMATS for hint in known.hints))
_SHORTEST = len("s://u:p@")
"""The shortest text that can hold any of the forms below; every other form is longer than a URL's user and password."""
SHORTEST_TOKEN = 15
"""The shortest token of a known format has so many characters."""


def _known_tokens(text: str) -> Iterator[LiteralFinding]:
    # Nearly every text holds none of them, and all texts pass here.
    for hint in _HINTS:
        if hint in text:
            yield from _tokens_of_known_formats(text)
            return


def _tokens_of_known_formats(text: str) -> Iterator[LiteralFinding]:
    for index, known in enumerate(_FORMATS):
        if not any(hint in text for hint in known.hints):
            continue
        for match in _pattern(index).finditer(text):
            token = match.group()
            if _is_sample(token) or (known.says_no and not _confirmed(known.plugin, token)):
                continue
            skipped = token.index("=") + 1 if known.kind == "Azure storage key" else 0
            yield LiteralFinding(Span(match.start() + skipped, match.end()), known.kind)


@cache
def _pattern(index: int) -> re.Pattern[str]:
    return re.compile(_START + _FORMATS[index].pattern)


def _confirmed(plugin: str | None, token: str) -> bool:
    return plugin is None or any(True for _ in _detector(plugin).analyze_string(token))


@cache
def _detector(plugin: str) -> Any:
    module, name = plugin.split(":")
    return getattr(import_module(f"detect_secrets.plugins.{module}"), name)()


def _is_sample(token: str) -> bool:
    """`ghp_xxxxxxxx…`, AKIAIOSFODNN7EXAMPLE: written to show the format."""
    return len(set(token.lower())) < 9 or "example" in token.lower()


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}$")
_AUTHORITY = re.compile(r"[^\s/?#\"'`<>|\\]{1,2048}")
_SENTRY = re.compile(r"@(?:o[0-9]+\.|[^/\s]{0,80}sentry)")
_DEFAULT_LOGINS = frozenset(
    {"user", "username", "usr", "login", "admin", "root", "postgres", "guest", "test", "foo", "me", "name", "token"}
)
# Who logs in as one of these gives any word, or an e-mail address, as the password.
_ANONYMOUS = frozenset(("anonymous", "anon", "ftp"))


def _url_credentials(text: str) -> Iterator[LiteralFinding]:
    position = text.find("://")
    while position >= 0:
        authority = _AUTHORITY.match(text, position + 3)
        if authority and "@" in authority.group() and _SCHEME.search(text[max(0, position - 20) : position]):
            yield from _userinfo(text, authority.start(), authority.start() + authority.group().rindex("@"))
        position = text.find("://", position + 3)


def _userinfo(text: str, start: int, end: int) -> Iterator[LiteralFinding]:
    userinfo = text[start:end]
    user, colon, password = userinfo.partition(":")
    if not colon or not password or is_dummy(password):
        # https://TOKEN@host and https://TOKEN:x-oauth-basic@host: a user name that no person has. A Sentry DSN looks
        # like that and is public.
        if looks_random(user) and not _SENTRY.match(text, end) and not is_reference(user):
            yield LiteralFinding(Span(start, start + len(user)), "token in a URL", certain=False)
        return
    if is_reference(password) or is_placeholder(password) or password.lower() == user.lower():
        return
    if user.lower() in _ANONYMOUS:
        return
    if user.lower() in _DEFAULT_LOGINS and password.lower() in _DEFAULT_LOGINS:
        return
    yield LiteralFinding(Span(start + len(user) + 1, end), "password in a URL")


_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = re.compile(r"[\s\\n]{0,8}(?:[A-Za-z-]{1,20}:[^\n]{0,80}\n){0,4}[\s\\n]{0,8}[A-Za-z0-9+/=]{16}")


def _private_keys(text: str) -> Iterator[LiteralFinding]:
    if "PRIVATE KEY" not in text:
        return
    for match in _PRIVATE_KEY.finditer(text):
        # A bare header is what `grep -q` and documentation hold; a key has base64 behind it.
        if body := _KEY_BODY.match(text, match.end()):
            end = text.find("-----END", body.end())
            yield LiteralFinding(Span(match.start(), end if end >= 0 else body.end()), "private key")


_VALUE = r"[^\s\"'`;,&|<>()\\]{6,512}"


def _context(before: str) -> re.Pattern[str]:
    return re.compile(before + r"[\"']?(?P<value>" + _VALUE + ")", re.I)


_IS = r"\s{0,3}=\s{0,3}"
_CONTEXTS = (
    # (a substring that must occur in lower case, what stands in front of the value, kind)
    (":_authtoken", _context(":_authToken" + _IS), "npm registry token"),
    ("_auth", _context(r"(?<![A-Za-z0-9_])_auth" + _IS), "npm registry credentials"),
    (":_password", _context(":_password" + _IS), "npm registry password"),
    (
        "authorization",
        _context(r"authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer|basic|token)\s{1,3}"),
        "authorization header",
    ),
    ("-token:", _context(r"(?:private|job|deploy|x-vault|x-auth|x-access)-token:\s{0,3}"), "token header"),
    ("x-api-key", _context(r"x-api-key:\s{0,3}"), "API key header"),
    (
        "machine",
        _context(r"(?<![\w-])machine\s{1,4}\S{1,200}\s{1,4}login\s{1,4}\S{1,200}\s{1,4}password\s{1,4}"),
        ".netrc password",
    ),
    ("sharedaccesskey", _context("sharedaccesskey="), "connection string key"),
)

# NAME=value and NAME: value, as in the lines of a configuration file, a shell assignment or an option.
_ASSIGNMENT = re.compile(
    r"(?<![\w.$-])-{0,2}(?P<name>[A-Za-z_][\w.-]{2,60})[\"']?(?:\s{0,2}=\s{0,2}|:\s{0,2})"
    r"[\"']?(?P<value>[^\s\"'`;,&|<>()\\]{12,256})"
)
# --password VALUE and --token=VALUE of any command.
_OPTION = re.compile(
    r"(?<![\w-])--(?P<name>[A-Za-z][\w-]{2,40})[= ][\"']?(?P<value>[A-Za-z0-9][^\s\"'`;,&|<>()\\]{2,255})"
)
# curl -u user:password; other commands mean other things by -u.
_CURL_USER = re.compile(
    r"(?<![\w-])(?:-u ?|--user[= ])[\"']?(?P<user>[\w.@+-]{1,80}):(?P<value>[A-Za-z0-9][^\s\"'`;,&|<>()\\]{2,255})"
)
# echo 'user:password' | chpasswd
_CHPASSWD = re.compile(
    r"(?<![\w{-])(?P<user>[a-z_][\w.-]{0,31}):(?P<value>[^\s\"'`;,&|<>()\\$:]{4,128})[\"']?\s{0,3}\|\s{0,3}(?:\\\n\s{0,40})?"
    r"(?:sudo\s)?(?:/usr/sbin/)?chpasswd\b(?!(?:[ \t]{1,3}[\w./-]{1,40}){0,3}[ \t]{1,3}(?:-e|--encrypted)\b)"
)
# The login that stands beside an option, of wget, curl, lftp …
_ANONYMOUS_LOGIN = re.compile(
    r"(?<![\w-])(?:-u ?|--(?:\w{1,8}-)?(?:user|username|login)[= ])[\"']?(?:" + "|".join(sorted(_ANONYMOUS)) + r")\b",
    re.I,
)
# ConvertTo-SecureString 'password' -AsPlainText -Force
_SECURE_STRING = re.compile(
    r"convertto-securestring\s{1,3}(?:-(?:force|asplaintext)\s{1,3}){0,2}(?:-string\s{1,3})?(?P<quote>[\"'])"
    r"(?P<value>[^\"'$\r\n]{3,256})(?P=quote)",
    re.I,
)
# htpasswd -bc file user password
_HTPASSWD = re.compile(
    r"htpasswd(?=(?:\s{1,3}-\w{1,8}){0,3}\s{1,3}-\w{0,6}b)(?:\s{1,3}-\w{1,8}){1,4}(?:\s{1,3}[^\s;&|<>-][^\s;&|<>]{0,200})?"
    r"\s{1,3}(?P<user>[\w.@-]{1,80})\s{1,3}[\"']?(?P<value>[^\s\"'`;,&|<>()\\$-][^\s\"'`;,&|<>()\\]{2,255})"
)
# CREATE USER 'app'@'%' IDENTIFIED BY 'password', ALTER ROLE app WITH PASSWORD 'password'
_SQL = re.compile(
    r"(?<![\w-])(?:(?:user|role)\s{1,3}[\"'`\\]{0,2}(?P<user>[\w.-]{1,60})[^;|&]{0,60}?(?<![\w-])password"
    r"|(?:user|to)\s{1,3}[\"'`\\]{0,2}(?P<grantee>[\w.-]{1,60})[^;|&]{0,60}?(?<![\w-])identified\s{1,3}"
    r"(?:with\s{1,3}\w{1,40}\s{1,3})?by)\s{1,3}\\?[\"'](?P<value>[^\"'\\\s$]{3,128})\\?[\"']",
    re.I,
)
# echo 'mysql-server mysql-server/root_password password VALUE' | debconf-set-selections
_DEBCONF = re.compile(
    r"/(?P<user>[\w-]{0,40}?)[_-]?passw(?:or)?d\w{0,10}\s{1,3}password\s{1,3}(?P<value>[^\s\"'`;,&|<>()\\$]{3,128})"
)
# Default logins of images that anybody may use; they keep nothing secret. Azure App Service asks for `root:Docker!`.
_WELL_KNOWN_LOGINS = frozenset(
    (
        "root",
        "admin",
        "toor",
        "docker",
        "test",
        "user",
        "guest",
        "vagrant",
        "default",
        "ubuntu",
        "centos",
        "raspberry",
        "docker!",
    )
)
_NO_PASSWORD = re.compile(r"[0-9]{1,3}|[\w.-]*/[\w./-]*|true|false|yes|no|none|stdin", re.I)
_ASSIGNMENT_HINTS = ("pass", "pwd", "psw", "secret", "token", "credential", "key", "auth")
_ACCESS_TOKEN_HINT = re.compile(r"pat\b", re.I)


def _contexts(text: str) -> Iterator[LiteralFinding]:
    lowered = text.lower()
    for hint, pattern, kind in _CONTEXTS:
        if hint not in lowered:
            continue
        for match in pattern.finditer(text):
            value = match["value"]
            if is_reference(value) or is_placeholder(value):
                continue
            yield LiteralFinding(Span(*match.span("value")), kind)
    yield from _curl_users(text)
    yield from _login_passwords(text)
    yield from _passwords_of_commands(text, lowered)
    for hint in _ASSIGNMENT_HINTS:
        if hint in lowered:
            yield from _named_values(text)
            return
    if "pat" in lowered and _ACCESS_TOKEN_HINT.search(text):
        yield from _named_values(text)


def _named_values(text: str) -> Iterator[LiteralFinding]:
    for match in _OPTION.finditer(text):
        by_name = classify_name(match["name"])
        if not (by_name.secret and (by_name.password or by_name.words[-1:] == ("token",))):
            continue
        if _is_literal(match["value"]) and not _ANONYMOUS_LOGIN.search(_command_around(text, match)):
            guessable = is_guessable(match["value"], *by_name.words)
            yield LiteralFinding(Span(*match.span("value")), f"value of --{match['name']}", False, guessable)
    for match in _ASSIGNMENT.finditer(text):
        value = match["value"]
        if is_reference(value) or is_placeholder(value) or not looks_random(value):
            continue
        if classify_name(match["name"]).secret:
            yield LiteralFinding(Span(*match.span("value")), f"value of {match['name']}", certain=False)


def _command_around(text: str, match: re.Match[str]) -> str:
    """The command that a match stands in, or what of it is near."""
    before, after = text[max(0, match.start() - 400) : match.start()], text[match.end() : match.end() + 400]
    start = max((end.end() for end in _COMMAND_END.finditer(before)), default=0)
    end = _COMMAND_END.search(after)
    return before[start:] + match.group() + (after[: end.start()] if end else after)


def _curl_users(text: str) -> Iterator[LiteralFinding]:
    if "curl" not in text:
        return
    for match in _CURL_USER.finditer(text):
        before = text[max(0, match.start() - 400) : match.start()]
        command = before[before.rfind("curl") :] if "curl" in before else ";"
        if match["user"].lower() in _ANONYMOUS:
            continue
        if _COMMAND_END.search(command) is None and _is_literal(match["value"]):
            guessable = is_guessable(match["value"], match["user"])
            yield LiteralFinding(Span(*match.span("value")), "password of curl", False, guessable)


def _login_passwords(text: str) -> Iterator[LiteralFinding]:
    if "chpasswd" not in text:
        return
    for match in _CHPASSWD.finditer(text):
        user, value = match["user"], match["value"]
        if not _is_default_login(user, value) and _is_literal(value):
            yield LiteralFinding(Span(*match.span("value")), "login password", False, is_guessable(value, user))


def _passwords_of_commands(text: str, lowered: str) -> Iterator[LiteralFinding]:
    for hint, pattern, kind in _PASSWORD_COMMANDS:
        if hint not in lowered:
            continue
        for match in pattern.finditer(text):
            named, value = match.groupdict(), match["value"]
            user = named.get("user") or named.get("grantee") or ""
            if not _is_default_login(user, value) and _is_literal(value):
                yield LiteralFinding(Span(*match.span("value")), kind, False, is_guessable(value, user))


def _is_default_login(user: str, value: str) -> bool:
    return value.lower() in _WELL_KNOWN_LOGINS or (bool(user) and value.lower().startswith(user.lower()))


_PASSWORD_COMMANDS = (
    # (a substring that must occur in lower case, the command, kind)
    ("convertto-securestring", _SECURE_STRING, "secure string of PowerShell"),
    ("htpasswd", _HTPASSWD, "htpasswd password"),
    ("identified", _SQL, "database password"),
    ("password '", _SQL, "database password"),
    ("debconf-set-selections", _DEBCONF, "debconf password"),
)
_COMMAND_END = re.compile(r"[;&|](?=\s)")

# Without one of these a text holds no form above: pieces of the hints, few enough to ask for in every text.
_LOWERED = (
    *("pass", "pwd", "psw", "secret", "token", "credential", "key", "auth", "pat", "machine", "curl", "identified"),
    *("debconf-set-selections", "convertto-securestring"),
)
_UNDERSCORED = tuple(hint for hint in _HINTS if "_" in hint)
_CAPITAL = tuple(hint for hint in (*_HINTS, "PRIVATE KEY") if "_" not in hint and hint != hint.lower())
_SMALL = (
    "gl",
    *(hint for hint in _HINTS if not hint.startswith("gl") and "_" not in hint and hint == hint.lower()),
)


def _may_hold_one(text: str) -> bool:
    """False only where none of the forms is in the text; nearly every text ends here."""
    lowered = text.lower()
    if "://" in text or any(map(lowered.__contains__, _LOWERED)):
        return True
    if len(text) < SHORTEST_TOKEN:
        return False
    if any(map(text.__contains__, _SMALL)):
        return True
    if "_" in text and any(map(text.__contains__, _UNDERSCORED)):
        return True
    return lowered != text and any(map(text.__contains__, _CAPITAL))


def _is_literal(value: str) -> bool:
    return not (is_reference(value) or is_placeholder(value) or _NO_PASSWORD.fullmatch(value))
