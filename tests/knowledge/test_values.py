"""Values, alone and together with their names: FACTS.md section 4."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildhush.knowledge import literals
from buildhush.knowledge.placeholders import is_guessable
from buildhush.knowledge.values import classify_value, find_literals, judge

# Put together here, so that no scanner takes this file for one that holds credentials.
GITHUB = "gh" + "p_" + "q7RbX2mZ9KfLw4TnYc8Vd1HsJ5GpAe3UoWi0"
AWS = "AK" + "IA" + "Q7RBX2MZ9KFLW4TN"
GITLAB = "gl" + "pat-" + "q7RbX2mZ9KfLw4TnYc8V"
NPM = "np" + "m_" + "q7RbX2mZ9KfLw4TnYc8Vd1HsJ5GpAe3UoWi0"
GOOGLE = "AI" + "za" + "q7RbX2mZ9KfLw4TnYc8Vd1HsJ5GpAe3UoWi"
STRIPE = "sk" + "_live_" + "q7RbX2mZ9KfLw4TnYc8Vd1Hs"
SLACK = "xo" + "xb-" + "123456789012-123456789012-q7RbX2mZ9KfLw4TnYc8Vd1Hs"
SENDGRID = "S" + "G." + "q7RbX2mZ9KfLw4TnYc8Vd1" + "." + "q7RbX2mZ9KfLw4TnYc8Vd1HsJ5GpAe3UoWi0q7RbX2m"
PYPI = "py" + "pi-AgEIcHlwaS5vcmc" + "q7RbX2mZ9KfLw4TnYc8Vd1HsJ5GpAe3UoWi0" * 2
JWT = "ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.q7RbX2mZ9KfLw4TnYc8Vd1HsJ5GpAe3UoWi0q7RbX2m"
AZURE = "AccountKey=" + "q7RbX2mZ9KfLw4TnYc8Vd1HsJ5GpAe3UoWi0" * 2 + "q7RbX2mZ9KfLw4" + "=="
TWILIO = "S" + "K" + "0123456789abcdef0123456789abcdef"
HUGGING = "h" + "f_" + "q7RbXmZKfLwTnYcVdHsJGpAeUoWiBvCxNz"
KEY = (
    "-----BEGIN OPENSSH PRIVATE " + "KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE\n-----END OPENSSH PRIVATE KEY-----"
)


@pytest.mark.parametrize(
    ("value", "kind", "secret"),
    [
        ("", "empty", False),
        ('""', "empty", False),
        ("  ", "empty", False),
        ("changeme", "placeholder", False),
        ("<your token>", "placeholder", False),
        ("**YOUR_AWS_SECRET_ACCESS_KEY**", "placeholder", False),
        ("REPLACE_NPM_TOKEN", "placeholder", False),
        ("xxxxxxxx", "placeholder", False),
        ("dummy", "placeholder", False),
        ("not-a-real-secret-placeholder", "placeholder", False),
        ("your-token-here", "placeholder", False),
        ("yourpassword", "placeholder", False),
        ("yourSecretKey", "placeholder", False),
        ("password_or_token", "placeholder", False),
        ("BOT_TOKEN", "placeholder", False),
        ("LOG_CHANNEL_ID", "plain", None),
        ("yourik77x", "plain", None),
        ("/etc/ssl/private/server.key", "path", False),
        ("./certs/tls.key", "path", False),
        ("~/.ssh/id_rsa", "path", False),
        ("assets/client/tls/ngrokroot.key", "path", False),
        ("domain.key", "path", False),
        ("${CERTS}/password", "path", False),
        ("/google/dashboard-hub-0dea1d71f6ab.json", "path", False),
        ("https://example.com/login?next=/", "url", False),
        ("https://git@github.com/a/b.git", "url", False),
        ("ssh://git@github.com:22/a/b.git", "url", False),
        ("localhost/callback", "url", False),
        ("postgres://app:s3cr3t-Pa55@db:5432/app", "url-with-credentials", True),
        ("true", "boolean", False),
        ("1", "boolean", False),
        ("No", "boolean", False),
        ("1.2.3", "version", False),
        ("v5.1.1-rc.1", "version", False),
        ("libcrypto3=3.0.8-r0", "version", False),
        ("4096", "number", False),
        ("30s", "number", False),
        ("586EFEF859AF2DB190D84080BDB2011E173C31A2", "fingerprint", None),
        ("A615D22C", "fingerprint", None),
        ("0xA615D22C", "fingerprint", None),
        ("SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8", "fingerprint", False),
        ("sha256:" + "ab12" * 16, "fingerprint", False),
        ("586E FEF8 59AF 2DB1 90D8  4080 BDB2 011E 173C 31A2", "fingerprint", False),
        ("A615D22C B0F42533", "fingerprint", False),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me", "public-key", False),
        ("-----BEGIN PUBLIC KEY-----\nMFkwEwYH", "public-key", False),
        ("$NPM_TOKEN", "reference", False),
        ("${NPM_TOKEN:-none}", "reference", False),
        ("Bearer ${TOKEN}", "reference", False),
        ("https://${USER}:${TOKEN}@example.com/", "reference", None),
        (GITHUB, "known-token", True),
        ("q7RbX2mZ9KfLw4TnYc8Vd1Hs", "high-entropy", None),
        ("hunter2", "plain", None),
        ("s3cr3t", "plain", None),
        ("correct horse battery", "plain", None),
    ],
)
def test_a_value_says_what_it_is(value: str, kind: str, secret: bool | None) -> None:
    verdict = classify_value(value)
    assert (verdict.kind, verdict.secret) == (kind, secret), verdict.reason


@pytest.mark.parametrize(
    ("name", "value", "parameter", "secret"),
    [
        # Complaints of false alarms.
        ("SSL_CERT_KEY", "/etc/ssl/key", False, False),
        ("TLS_PRIVATE_KEY", "/etc/ssl/tls.key", False, False),
        ("GPG_KEY", "586EFEF859AF2DB190D84080BDB2011E173C31A2", True, False),
        ("GPG_KEYS", "A615D22C B0F42533", False, False),
        ("APT_KEY", "A615D22C", True, False),
        ("AUTH", "true", False, False),
        ("API_KEY_URL", "https://example.com", False, False),
        ("PROXY_PASS", "https://example.com", False, False),
        ("SECRET_KEY_BASE_DUMMY", "1", False, False),
        ("SECRET_KEY_BASE", "dummy", True, False),
        ("DJANGO_SECRET_KEY", "build", True, False),
        ("GITHUB_TOKEN", "", False, False),
        ("MC_PASSWORD", '""', False, False),
        ("LIBCRYPTO_TOKEN", "libcrypto3=3.0.8-r0", False, False),
        ("KUBEBOX_USE_SA_TOKEN", "true", False, False),
        ("LDAP_SAVE_LOGIN_PASSWORD", "True", False, False),
        ("SSH_USER_PASSWORD_HASHED", "false", False, False),
        ("TOKEN_AUTH", "yes", False, False),
        ("NPM_TOKEN", "${NPM_TOKEN}", False, False),
        ("OAUTH_SECRET", "oauth_secret", False, False),
        ("CLIENT_SECRET", "oauth_client_secret", False, False),
        ("TOKEN", "BOT_TOKEN", False, False),
        ("PASSWORD", "yourpassword", False, False),
        ("ACCESSTOKEN}}", None, True, False),
        ("{{name}}_TOKEN", None, True, False),
        ("AWS_SECRET_KEY", "xxxxxxxxxx", False, False),
        ("SSH_PUBLIC_KEY", "ssh-rsa AAAAB3NzaC1yc2E me", False, False),
        ("DEPLOY_KEY", "ssh-rsa AAAAB3NzaC1yc2E me", False, False),
        ("KEY", None, True, False),
        ("KEY", "domain.key", False, False),
        ("PIP_INDEX_URL", "https://pypi.org/simple", True, False),
        ("DATABASE_URL", "postgres://db:5432/app", False, False),
        ("GIT_COMMIT", "43f6b270b3fac32326518a78be77562ebe5abacf", False, False),
        # Complaints of misses.
        ("JENKINS_PSW", None, True, True),
        ("DB_PASS", None, True, True),
        ("KEY_PASSPHRASE", None, True, True),
        ("GH_PAT", None, True, True),
        ("NPM_AUTH", None, True, True),
        ("DATABASE_URL", "postgres://app:s3cr3t-Pa55@db/app", False, True),
        ("PIP_EXTRA_INDEX_URL", "https://bot:s3cr3t-Pa55@pypi.corp/simple", True, True),
        ("BUILD_LABEL", GITHUB, False, True),
        # What is handed in from outside may be anything, whatever stands there as a default.
        ("NPM_TOKEN", "", True, True),
        ("ADMIN_PASSWORD", "changeme", True, True),
        ("ROOT_PASSWORD", "root", True, True),
        ("TOKEN", "BOT_TOKEN", True, True),
        # What stands there is the value.
        ("ADMIN_PASSWORD", "changeme", False, False),
        ("ROOT_PASSWORD", "root", False, True),
        ("DB_PASSWORD", "123456", False, True),
        ("API_TOKEN", "123456", False, False),
        ("API_KEY", "5f4dcc3b5aa765d61d8327deb882cf99", False, True),
        ("KEY", "q7RbX2mZ9KfLw4TnYc8Vd1Hs", False, True),
        ("APPLICATIONINSIGHTS_AUTH", "q7RbX2mZ9KfLw4TnYc8Vd1Hs", False, True),
        ("BUILD_ID", "q7RbX2mZ9KfLw4TnYc8Vd1Hs", False, False),
        ("TOKEN", "s3cr3t", False, True),
    ],
)
def test_name_and_value_together(name: str, value: str | None, parameter: bool, secret: bool) -> None:
    verdict = judge(name, value, parameter=parameter)
    assert verdict.secret is secret, verdict.reason
    assert value is None or len(value) < 6 or value not in verdict.reason


@pytest.mark.parametrize(
    ("value", "beside", "guessable"),
    [
        ("root", (), True),
        ("1234", (), True),
        ("12345678", (), True),
        ("_111111_", (), True),
        ("P@ssw0rd!", (), True),
        ("my-s3cr3t", (), True),
        ("supersecretkey", (), True),
        ("admin2024", (), True),
        ("sonar", ("sonarqube", "password"), True),
        ("nagiosadmin", ("nagiosadmin",), True),
        ("vncpassword", ("vnc", "pw"), True),
        ("", (), False),
        ("mellow", (), False),
        ("mellow", ("mel",), False),
        ("839201", (), False),
        ("admin83920174", (), False),
        ("correct horse battery", (), False),
        ("adminadminadminadmin", (), False),
        ("s3cr3t-Q7RbX2", (), False),
        ("q7RbX2mZ9KfLw4TnYc8Vd1Hs", (), False),
        ("root" * 100_000, (), False),
    ],
)
def test_a_password_that_is_guessed_first(value: str, beside: tuple[str, ...], guessable: bool) -> None:
    assert is_guessable(value, *beside) is guessable


def test_only_a_value_that_a_name_makes_a_secret_can_be_guessed() -> None:
    assert judge("ROOT_PASSWORD", "root").guessable
    assert not judge("ROOT_PASSWORD", "q7RbX2mZ9KfLw4Tn").guessable
    assert not judge("ROOT_FOLDER", "root").guessable
    assert not judge("DATABASE_URL", "postgres://app:s3cr3t@db/app").guessable


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        # Single quotes: BuildKit expands nothing, and a generated key may well hold a `$`.
        ("%8r$xanftcza)6uth+ij(2o", True),
        ("$8r$xanftcza)6uth+ij(2o", True),
        ("$OTHER", False),
        ("${OTHER}", False),
        ("x-$(cat /run/secrets/key)", False),
        ("app:$apr1$odHl5EJN$KbxMfo86Qdve", False),
        ("{{ secret }}", False),
    ],
)
def test_a_dollar_where_nothing_is_expanded(value: str, secret: bool) -> None:
    assert judge("SECRET_KEY", value, expanded=False).secret is secret
    assert not judge("SECRET_KEY", value).secret or not secret


def test_a_known_format_makes_it_certain() -> None:
    verdict = judge("BUILD_LABEL", f"x={GITHUB}")
    assert verdict.certain
    assert verdict.literal == "GitHub token"
    assert verdict.span is not None
    assert f"x={GITHUB}"[verdict.span.start : verdict.span.end] == GITHUB
    assert not judge("NPM_TOKEN", "s3cr3t").certain


@pytest.mark.parametrize(
    ("kind", "text", "part"),
    [
        ("GitHub token", f"RUN curl -H 'X: {GITHUB}' https://x", GITHUB),
        ("GitHub token", f"git clone https://x-access-token:{GITHUB}@github.com/a/b", GITHUB),
        ("GitLab token", f"LABEL t={GITLAB}", GITLAB),
        ("AWS access key", f"ENV K={AWS}", AWS),
        ("npm token", f"//registry.npmjs.org/:_authToken={NPM}", NPM),
        ("Google API key", f"key={GOOGLE}", GOOGLE),
        ("Stripe key", f'CMD ["app", "{STRIPE}"]', STRIPE),
        ("Slack token", SLACK, SLACK),
        ("SendGrid key", f"'{SENDGRID}'", SENDGRID),
        ("PyPI token", f"-p {PYPI}", PYPI),
        ("JSON Web Token", f"t: {JWT}", JWT),
        ("Twilio key", f"sid={TWILIO}", TWILIO),
        ("Hugging Face token", f"login --token {HUGGING}", HUGGING),
        ("Azure storage key", f"AccountName=a;{AZURE};", AZURE.removeprefix("AccountKey=")),
        ("password in a URL", "ADD https://bob:s3cr3t-Pa55@host/f /f", "s3cr3t-Pa55"),
        ("password in a URL", "redis://:s3cr3t-Pa55@host/0", "s3cr3t-Pa55"),
        ("token in a URL", "pip install git+https://q7RbX2mZ9KfLw4TnYc8V@host/a.git", "q7RbX2mZ9KfLw4TnYc8V"),
        ("authorization header", 'curl -H "Authorization: Bearer s3cr3t-Pa55" https://x', "s3cr3t-Pa55"),
        ("token header", "curl --header 'PRIVATE-TOKEN: s3cr3t-Pa55' https://x", "s3cr3t-Pa55"),
        ("npm registry token", "echo //r/:_authToken=s3cr3t-Pa55 > .npmrc", "s3cr3t-Pa55"),
        (".netrc password", "machine host login bob password s3cr3t-Pa55", "s3cr3t-Pa55"),
        ("password of curl", "curl -fsS -u bob:s3cr3t-Pa55 https://x", "s3cr3t-Pa55"),
        ("password of curl", "curl https://x --user 'bob:s3cr3t-Pa55'", "s3cr3t-Pa55"),
        ("login password", "RUN echo 'worker:s3cr3t-Pa55' | chpasswd", "s3cr3t-Pa55"),
        ("login password", "RUN echo 'worker:s3cr3t-Pa55' | chpasswd -c SHA512", "s3cr3t-Pa55"),
        ("value of --password", "app init --password s3cr3t-Pa55", "s3cr3t-Pa55"),
        ("value of --password", "ftp -u anonymous host; app --password s3cr3t-Pa55", "s3cr3t-Pa55"),
        ("value of --auth-token", "app init --auth-token=s3cr3t-Pa55", "s3cr3t-Pa55"),
        (
            "secure string of PowerShell",
            "$p = (ConvertTo-SecureString -String 's3cr3t-Pa55' -Force -AsPlainText)",
            "s3cr3t-Pa55",
        ),
        ("htpasswd password", "htpasswd -b -c /etc/nginx/.htpasswd bob s3cr3t-Pa55", "s3cr3t-Pa55"),
        ("htpasswd password", "htpasswd -Bbn bob 's3cr3t-Pa55' > /f", "s3cr3t-Pa55"),
        ("database password", "mysql -e \"CREATE USER 'app'@'%' IDENTIFIED BY 's3cr3t-Pa55'\"", "s3cr3t-Pa55"),
        ("database password", 'GRANT ALL ON a.* TO app@localhost identified by \\"s3cr3t-Pa55\\";', "s3cr3t-Pa55"),
        ("database password", "psql -c \"ALTER ROLE app WITH SUPERUSER PASSWORD 's3cr3t-Pa55'\"", "s3cr3t-Pa55"),
        (
            "debconf password",
            "echo 'mysql-server mysql-server/root_password password s3cr3t-Pa55' | debconf-set-selections",
            "s3cr3t-Pa55",
        ),
        ("value of --password", "createuser --user app --password 's3cr3t-Pa55'", "s3cr3t-Pa55"),
        ("value of db_password", "db_password=q7RbX2mZ9KfLw4TnYc8V", "q7RbX2mZ9KfLw4TnYc8V"),
    ],
)
def test_credentials_are_found_wherever_they_stand(kind: str, text: str, part: str) -> None:
    assert [(found.kind, text[found.span.start : found.span.end]) for found in find_literals(text)] == [(kind, part)]


def test_a_private_key_is_found_and_its_header_alone_is_not() -> None:
    (found,) = find_literals(f"RUN echo '{KEY}' > k")
    assert found.kind == "private key"
    assert find_literals("grep -q 'BEGIN OPENSSH PRIVATE " + "KEY-----' f") == ()


@pytest.mark.parametrize(
    "text",
    [
        "https://${USER}:${TOKEN}@host/",
        "https://$USER:$TOKEN@host/",
        "https://user:password@host/",
        "https://username:xxx@host/",
        "ftp://anonymous:me%40example.com@host/",
        "wget --user=anonymous --password=ftp --no-verbose ftp://host/",
        "wget --password ftp --ftp-user anonymous ftp://host/",
        "curl -u anonymous:me@example.com ftp://host/",
        "https://bob:<token>@host/",
        "https://bob:***@host/",
        "postgres://postgres:postgres@db/app",
        "amqp://guest:guest@rabbit",
        "https://oauth2:$(cat /run/secrets/t)@host/",
        "https://git@github.com/a/b",
        "git@github.com:a/b.git",
        "https://0123456789abcdef0123456789abcdef@o12345.ingest.sentry.io/42",
        "gh" + "p_" + "x" * 36,
        "AKIA" + "IOSFODNN7EXAMPLE",
        "curl -H 'Authorization: Bearer $TOKEN' https://x",
        'curl -H "Authorization: token ${GITHUB_TOKEN}" https://x',
        "//registry.npmjs.org/:_authToken=${NPM_TOKEN}",
        "machine github.com login x password $TOKEN",
        "FROM node@sha256:" + "0123456789abcdef" * 4,
        "ENV GPG_KEY=586EFEF859AF2DB190D84080BDB2011E173C31A2",
        "RUN apt-get install -y php8.2-tokenizer=8.2.10-2ubuntu1",
        "curl -u $USER:$TOKEN https://x",
        "curl -u bob:password https://x",
        "echo 'root:root' | chpasswd",
        "echo 'root:Docker!' | chpasswd",
        "echo 'neon:U6aMy0wojraho' | chpasswd -e && true",
        "echo 'neon:U6aMy0wojraho' | chpasswd -R /mnt --encrypted",
        "echo vagrant:vagrant1 | chpasswd",
        'echo "app:$PW" | chpasswd',
        "echo 'root:password' | chpasswd",
        "curl https://x && docker run -u node:staff img",
        "docker run -u 1000:1000 img",
        "app --password $PW --token-file t --password-stdin --disabled-password --gecos x",
        "app --password=/run/secrets/pw --token true --password changeme",
        "docker build --secret id=npm_token --refresh-keys Swift",
        "TOKEN_URL=https://auth.example.com/realms/x/token12345678",
        "ConvertTo-SecureString $env:PW -AsPlainText -Force; ConvertTo-SecureString -String '$pw'",
        'htpasswd -c /f bob; htpasswd -b /f bob $PW; htpasswd -bn bob "$(cat /run/secrets/pw)" > /f',
        "mysql -e \"CREATE USER app IDENTIFIED BY '$PW'; GRANT ALL TO app IDENTIFIED BY 'app'\"",
        "psql -c \"CREATE USER app PASSWORD '${PW}'\"",
        "echo 'mysql-server mysql-server/root_password password root' | debconf-set-selections",
        'echo "slapd slapd/password1 password $PW" | debconf-set-selections',
    ],
)
def test_references_samples_and_look_alikes_are_quiet(text: str) -> None:
    assert find_literals(text) == ()


@pytest.mark.parametrize(
    "known", [each for each in literals._FORMATS if each.plugin and not each.says_no], ids=lambda each: each.hints[0]
)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_detect_secrets_takes_what_our_pattern_takes_where_it_is_not_asked(
    known: literals._Format, data: st.DataObject
) -> None:
    token = data.draw(st.from_regex(literals._START + known.pattern, fullmatch=True))
    assert literals._confirmed(known.plugin, token)


def test_detect_secrets_is_not_imported_for_an_ordinary_dockerfile_nor_for_a_format_that_it_only_repeats() -> None:
    script = (
        "import sys\n"
        "from buildhush.knowledge.values import find_literals, judge\n"
        "find_literals('FROM node:22\\nARG NPM_TOKEN\\nRUN npm ci --token=$NPM_TOKEN # DISK SK\\n')\n"
        f"assert find_literals('RUN curl -H {GITHUB}')\n"
        "judge('A_TOKEN', 'hunter2')\n"
        "sys.exit('detect_secrets' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    "piece", ["://a:", "eyJ", "eyJa.", "machine a login ", "a=", "@", "*", "-----BEGIN ", "gl", "1.", "A615D22C "]
)
def test_long_hostile_texts_take_linear_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    started = time.process_time()
    find_literals(text)
    classify_value(text)
    # Quadratic behaviour takes minutes on these; no machine is so slow that linear work does.
    assert time.process_time() - started < 20


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gets_a_verdict(text: str) -> None:
    assert classify_value(text).reason
    spans = [found.span for found in find_literals(text)]
    assert all(before.end <= after.start for before, after in pairwise(spans))


@pytest.mark.parametrize(
    "hint",
    [
        *literals._HINTS,
        *literals._ASSIGNMENT_HINTS,
        *(hint for hint, *_ in (*literals._CONTEXTS, *literals._PASSWORD_COMMANDS)),
        *("://", "PRIVATE KEY", "curl", "chpasswd", "pat"),
    ],
)
def test_a_text_with_a_hint_is_looked_at(hint: str) -> None:
    """The cheap question that nearly every text is asked must not answer for a form that is searched for."""
    assert literals._may_hold_one(f"x{hint}{'x' * literals.SHORTEST_TOKEN}")
    assert not literals._may_hold_one("apt update")


@pytest.mark.parametrize("known", literals._FORMATS, ids=lambda known: known.hints[0])
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_every_token_is_long_enough_to_be_looked_at(known: literals._Format, data: st.DataObject) -> None:
    token = data.draw(st.from_regex(known.pattern, fullmatch=True))
    assert len(token) >= literals.SHORTEST_TOKEN
    assert literals._may_hold_one(token)
