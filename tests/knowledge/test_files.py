"""Files by their names and places."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildhush.knowledge.files import classify_file


def _words(text: str) -> list[str]:
    return text.split()


CERTAIN = _words(
    """
    .env ./.env app/.env .env.local .env.production.local id_rsa id_ed25519 keys/id_rsa ~/.ssh/id_ecdsa
    id_rsa_deploy github_rsa deploy_ed25519 ssh_host_rsa_key gcp-sa.json sa-key.json .netrc .pypirc
    .git-credentials .aws/credentials /root/.aws/credentials ~/.kube/config kubeconfig
    kubeconfig.yaml key.pem private.pem privkey.pem server-key.pem certs/RSAprivatekey.pem server.key tls.key
    private.key master.key bundle.p12 site.pfx AuthKey_AB12.p8 putty.ppk passwords.kdbx secret.txt mysecret.txt
    token npm_token.txt npm_token api_key.txt password.txt db_password my.secret service-account.json
    service_account_key.json serviceAccountKey.json gcp-key.json client_secret.json client_secret_123.json
    firebase-adminsdk-x1.json .pgpass .google_authenticator .s3cfg .vault-token .dockercfg .cargo/credentials.toml
    application_default_credentials.json .config/gcloud/credentials.db
    /var/run/secrets/eks.amazonaws.com/serviceaccount/token C:\\Users\\me\\.ssh\\id_rsa ${HOME}/.netrc
    """
)

LIKELY = _words(
    """
    .npmrc app/.npmrc auth.json credentials.json credentials .credentials secret.yaml key.json secrets.yaml
    secrets.yml secrets .env.production .env.test .envrc prod.env secrets.env .ssh .ssh/ .aws .gnupg .ssh/deploy
    acme.key Test-runnable.pem my.jks release.keystore .htpasswd htpasswd terraform.tfstate client.ovpn
    terraform.tfvars *.pem *.key id_* id_rsa* .env* .npmrc* certs/*.p12 secrets/db lava-credentials.txt
    /root/.docker/config.json htpasswd.users
    """
)

QUIET = _words(
    """
    .env.example .env.sample .env.template .env.dist .env.defaults .env.d.ts .env.ts .environment .env.vault
    env.example example.env .env.example.local id_rsa.pub id_ed25519.pub cacert.pem ca.pem chain.pem
    fullchain.pem dhparam.pem public.pem jwt-public.pem rds-ca-bundle.pem global-bundle.pem
    lets-encrypt-x3-cross-signed.pem DOIRootCA.pem CACerts.pem certificate.pem server-cert.pem public.key
    nginx_signing.key basho.apt.key RPM-GPG-KEY secrets.py token.go secret_test.rb credentials.php secrets.ts
    password.html tokenizer.json tokenizer_config.json special_tokens_map.json added_tokens.json tokens.css
    keyboard.txt monkey.json /etc/passwd passwd auth-passwdfile.inc htpasswd.tpl server.key.tpl
    secrets.example.yml secrets.yml.enc credentials.yml.enc known_hosts .ssh/known_hosts .ssh/config
    .ssh/authorized_keys authorized_keys truststore.jks cacerts.jks debug.keystore config.json package.json
    package*.json . ./ * / src vault-secret-styx secret-operator/main env_secrets_expand.sh
    docker-entrypoint-with-secrets.sh settings.xml .gitconfig README-secrets.md compass.txt bypass author.txt
    $SECRET_FILE ${AWS_CREDENTIALS} hbck2.env Dockerfile .dockerignore .yarnrc.yml pip.conf
    """
)


@pytest.mark.parametrize("path", CERTAIN)
def test_the_file_is_used_for_secrets_only(path: str) -> None:
    verdict = classify_file(path)
    assert (verdict.secret, verdict.certain) == (True, True), verdict
    assert verdict.kind not in ("nothing", "look-alike")


@pytest.mark.parametrize("path", LIKELY)
def test_the_file_often_holds_a_secret(path: str) -> None:
    verdict = classify_file(path)
    assert (verdict.secret, verdict.certain) == (True, False), verdict


@pytest.mark.parametrize("path", QUIET)
def test_the_file_is_quiet(path: str) -> None:
    verdict = classify_file(path)
    assert not verdict.secret, verdict
    assert verdict.kind in ("nothing", "look-alike")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".env.example", "look-alike"),
        ("id_rsa.pub", "look-alike"),
        ("cacert.pem", "look-alike"),
        ("src", "nothing"),
        (".ssh/", "folder of secrets"),
        ("/kaniko/.docker/config.json", "settings with credentials"),
        (".env", "environment file"),
        ("id_rsa", "private key"),
    ],
)
def test_the_kind_says_whether_another_name_may_know_more(path: str, kind: str) -> None:
    assert classify_file(path).kind == kind


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=100))
def test_any_text_gets_a_verdict(path: str) -> None:
    assert classify_file(path).reason
