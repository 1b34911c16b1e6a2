"""Names: every complaint of FACTS.md section 4, and the shapes that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildhush.knowledge.names import classify_name, split_words


def _words(text: str) -> list[str]:
    return text.split()


SECRET = _words(
    """
    DB_PSW JENKINS_CREDS_PSW DB_PASS MYSQL_PASSWORD MYSQL_ROOT_PWD GPG_PASSPHRASE SIGNING_PASSPHRASE PASSPHRASE
    GH_PAT GITHUB_PAT AZURE_DEVOPS_PAT NPM_AUTH COMPOSER_AUTH DOCKER_AUTH_CONFIG NPM_CONFIG__AUTH NPM_TOKEN
    npm_token npm-token npmToken NPMTOKEN GITHUB_TOKEN NODE_AUTH_TOKEN SENTRY_AUTH_TOKEN2 token_bot HF_TOKEN
    ACTIONS_RUNTIME_TOKEN TF_TOKEN_app_terraform_io CARGO_REGISTRIES_ACME_TOKEN HTTP_AUTH_TOKEN_corp API_KEY
    APIKEY apiKey STRIPE_API_KEY SECRET_KEY SECRET_KEY_BASE RAILS_MASTER_KEY AWS_SECRET_ACCESS_KEY PRIVATE_KEY
    SSH_PRIVATE_KEY SSH_KEY SSH_KEY_B64 DEPLOY_KEY ENCRYPTION_KEY OPENAI_KEY LICENSE_KEY GPG_PRIVATE_KEY SECRET
    CLIENT_SECRET clientSecret JWT_SECRET_KEY MYSECRET CREDENTIALS GOOGLE_CREDENTIALS GIT_CREDENTIALS DB_CREDS
    SSHPASS PGPASSWORD ZS_DBPassword GALAXY_CHADO_DBPASS XXL_apipass ADMINPASSWORD BASIC_AUTH_HTPASSWD
    ASPNETCORE_Kestrel__Certificates__Default__Password NuGetPackageSourceCredentials_feed
    POETRY_HTTP_BASIC_PRIVATE_PASSWORD POETRY_PYPI_TOKEN_PRIVATE BUNDLE_GEMS__EXAMPLE__COM
    BUNDLE_ENTERPRISE__CONTRIBSYS__COM ID_RSA NPMRC NETRC AZURE_STORAGE_CONNECTION_STRING
    GCP_SERVICE_ACCOUNT_JSON KEYSTORE_PASSWORD KEY_PASSWORD RABBITMQ_ERLANG_COOKIE VAULT_SECRET_ID ssh_prv_key
    GIT_KEY GITHUB_OAUTH FURY_AUTH DB_CONN_STRING NPMRC_B64 NPM_RC VNC_PW VSS_NUGET_EXTERNAL_FEED_ENDPOINTS
    AUTH_PASSWORD USER_JWT
    """
)

QUIET = _words(
    """
    KMS_KEY_ALIAS KEY_NAME AUTH_MODE SSH_AUTH_SOCK SSH_KEY_DIR GOPRIVATE GOPASS_VERSION NPM_TOKEN_FILE
    AWS_WEB_IDENTITY_TOKEN_FILE DB_PASSWORD_FILE TOKEN_USERNAME DB_USERNAME TRAVIS_OS_NAME SECRET_KEY_BASE_DUMMY
    PRIVATE_KEY_PATH SSL_KEY_PATH AWS_ACCESS_KEY_ID S3_ACCESS_KEY_ID SIGNING_KEY_ID RECAPTCHA_PUBLIC_KEY
    PUBLIC_KEY STRIPE_PUBLISHABLE_KEY NEXT_PUBLIC_API_KEY GPG_KEYS_URL IAM_TOKEN_URL TOKENIZERS_PARALLELISM
    MAX_TOKENS NUM_TOKENS TOKEN_LIMIT PASSWORDLESS PASSWORDLESS_LOGIN KEYBOARD keyboard MONKEY SECRETS_DIR
    SECRET_NAME SECRET_VERSION COMPASS COMPASS_VERSION BYPASS KEEPASS_VERSION AUTHOR AUTHORITY XAUTHORITY
    OAUTH_ID AUTH0_DOMAIN AUTH0_CLIENT_ID AUTH_USER APT_KEY_DONT_WARN_ON_DANGEROUS_USAGE PASSWORD_MIN_LENGTH
    PASSWORD_HASH TOKEN_TTL TOKEN_EXPIRES_IN JWT_ALGORITHM JWT_ISSUER ENABLE_AUTH USE_TOKEN ALLOW_EMPTY_PASSWORD
    MYSQL_RANDOM_ROOT_PASSWORD NO_PASSWORD SKIP_AUTH AUTHENTICATION_REQUIRED PWD OLDPWD PASS_THROUGH FIRST_PASS
    PATH PATTERN PATCH_VERSION KEYSPACE KEYRING KEYSERVER KEYCLOAK_VERSION KEY_BITS KEY_VAULT_NAME
    AZURE_KEYVAULT_URL EOS_TOKEN PAD_TOKEN CSRF_COOKIE_SECURE GOOGLE_APPLICATION_CREDENTIALS KUBECONFIG
    DOCKER_CONFIG NODE_ENV VERSION TARGETPLATFORM PIP_INDEX_URL DATABASE_URL BUNDLE_PATH BUNDLE_WITHOUT
    BUNDLE_APP_CONFIG PASSENGER_VERSION TOKENIZER CREDENTIALS_STORE CREDENTIAL_HELPER SECRETS_MANAGER_REGION
    PASSWORD_AUTHENTICATION LICENSE_FILES DB_PASSWORD_ENCRYPTED ssh_pub_key OAUTH2_PROXY_VERSION canary
    SECRETARY
    """
)

VALUE_DECIDES = _words(
    """
    KEY AUTH SALT SENTRY_DSN GPG_KEY GPG_KEYS APT_KEY SIGNING_KEY SSL_KEY SSL_CERT_KEY NGROK_SERVER_KEY HOST_KEY
    CACHE_KEY VPN_AUTH AUTHORIZED_KEYS SSH_KEYS SLACK_WEBHOOK
    """
)


@pytest.mark.parametrize("name", SECRET)
def test_the_name_alone_is_a_secrets(name: str) -> None:
    verdict = classify_name(name)
    assert verdict.secret, verdict.reason
    assert not verdict.value_decides


@pytest.mark.parametrize("name", QUIET)
def test_the_name_is_quiet(name: str) -> None:
    verdict = classify_name(name)
    assert not verdict.secret, verdict.reason
    assert not verdict.value_decides, verdict.reason


@pytest.mark.parametrize("name", VALUE_DECIDES)
def test_only_the_value_can_tell(name: str) -> None:
    verdict = classify_name(name)
    assert (verdict.secret, verdict.value_decides) == (False, True), verdict.reason


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NPM_TOKEN", ("npm", "token")),
        ("npm-token", ("npm", "token")),
        ("npmToken", ("npm", "token")),
        ("ZS_DBPassword", ("zs", "db", "password")),
        ("SENTRY_AUTH_TOKEN2", ("sentry", "auth", "token")),
        ("canaryTokenURLs", ("canary", "token", "urls")),
        ("sshkey", ("ssh", "key")),
        ("COMPASS", ("compass",)),
        ("monkey", ("monkey",)),
        ("", ()),
    ],
)
def test_names_are_split_into_words(name: str, words: tuple[str, ...]) -> None:
    assert split_words(name) == words


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("NPM_TOKEN", "its name ends in TOKEN"),
        ("TF_TOKEN_example_com", "EXAMPLE in its name says that it is not one"),
        ("TF_TOKEN_corp_com", "its name has TOKEN in it"),
        ("NPM_TOKEN_FILE", "TOKEN_FILE is something about the secret, not the secret"),
        ("GH_PAT", "GH_PAT names a personal access token"),
    ],
)
def test_the_reason_can_stand_in_a_message(name: str, reason: str) -> None:
    assert classify_name(name).reason == reason


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_gets_a_verdict(name: str) -> None:
    verdict = classify_name(name)
    assert verdict.reason
    assert not (verdict.secret and verdict.value_decides)
