"""Every command line of docs/operating.md runs, in the order of the page: an administrator can follow it line by line.

The page's conventions:
- An indented block, or a fence with ``sh``, has commands: one on each line. A backslash continues a line. A `` # `` begins a
  comment.
- Any other fence shows text: ``ini``, ``sql``, output. In ``yaml``, each ``command:`` is a command.
- FILE is the name of a backup. `queue.example.org` and `192.0.2.*` are names and addresses of others.

To add a command: write it into the page, and name it in `STEPS` under its place (the heading, and the bold beginning of the
paragraph before it). A line without a step, a step without a line, and a place without a walk fail the first test.

A line that needs something the walk does not have is `judged` with a reason: nowserving then parses its arguments alone.

All lines run in a real bash (`tests.support.machine`), with the real nowserving, nginx, MariaDB, Redis and openssl. Where a
program cannot run here, `REASONS` says why, and a stand-in judges its arguments and does what others rely on.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
import ssl
import subprocess
import tarfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pymysql
import pytest
import typer
import yaml
from pip._internal.commands import create_command
from sqlalchemy import URL

from server.cli import app
from server.installation import certificates
from tests.support import databases
from tests.support.machine import Call, Machine, StandIn, Wrong, demand, machine, parsed
from tests.support.nginx import unverified
from tests.support.plain import PLAIN
from tests.support.processes import STARTUP_SECONDS, free_port, program, wait_until
from tests.support.redis import redis
from tests.support.server import ROOT

pytestmark = pytest.mark.long

PAGE = ROOT / "docs/operating.md"
PASSWORD = "copper lantern ferry"
HEARTBEAT = 1.0  # of the installation of these tests: three of them show that a process has ended

# The programs that have a stand-in, each with the reason. No other program of the page has one, except nowserving itself.
REASONS = {
    "apt-get": "installing needs root and the internet; the packages are those of the image and of the tests",
    "pipx": "it downloads; test_installation.py installs the wheel without it. pip itself parses its options",
    "make": "it downloads; test_installation.py builds the wheel",
    "certbot": "it needs the internet. The stand-in makes a certificate, and runs the hook as certbot does",
    "systemd-sysusers": "it changes the users of this machine",
    "systemctl": "no systemd runs here. The stand-in starts the server and nginx; test_systemd.py judges the units",
    "systemd-run": "no systemd runs here. The stand-in runs the program with the settings of the unit",
    "journalctl": "no systemd runs here. The stand-in shows the output of the process",
    "docker": "no engine runs here. The stand-in judges services and options, and runs the command of our services",
    "kubectl": "no cluster runs here. The stand-in judges against the manifests and the schemas of Kubernetes",
}


# The page


@dataclass(frozen=True)
class Line:
    """A command line of the page. ``place`` is its heading, and the bold beginning of the last paragraph that has one."""

    number: int
    place: str
    text: str


def lines_of(page: str) -> Iterator[Line]:
    """Yield the command lines of a page."""
    heading, lead, fence, inside, after_blank, pending = "", "", "", False, True, ""
    for number, line in enumerate(page.splitlines(), 1):
        bare = line.strip()
        if bare.startswith("```"):
            fence = "" if fence else (bare[3:] or "text")
            inside = after_blank = False
            continue
        if fence == "yaml" and (found := re.match(r"(?:- )?command: (.+)", bare)):
            yield Line(number, f"{heading}{lead}", found[1])
        if fence and fence != "sh":
            continue
        if not fence and line.startswith("#"):
            heading, lead, after_blank = line.lstrip("# "), "", True
            continue
        if not fence and (found := re.match(r"\*\*(.+?)[.,:]?\*\*", line)):
            lead = f": {found[1]}"
        indented = len(line) - len(line.lstrip()) >= 4
        if bare and (fence == "sh" or (indented and (after_blank or inside))):
            inside = True
            pending += f"\n{bare}" if pending else bare
            if not pending.endswith("\\"):
                yield Line(number, f"{heading}{lead}", re.sub(r"\s+# .*$", "", pending))
                pending = ""
        elif bare:
            inside = False
        after_blank = not bare
    assert not pending, "the page ends inside a command"


LINES = list(lines_of(PAGE.read_text(encoding="utf-8")))


# The steps


@dataclass(frozen=True)
class Step:
    """How a line runs: its status, a part of its output, its standard input, and work of the test before and after it.

    ``on`` names another machine from this line on. A ``patient`` step repeats its line until it is right: a server that has
    just begun reports itself with its next heartbeat. ``judged`` is the reason why nowserving only parses its arguments in
    this line, for example a database that the walk does not have.
    """

    status: int = 0
    says: str = ""
    given: str = ""
    on: str | None = None
    before: Callable[[Clinic], None] | None = None
    after: Callable[[Clinic], None] | None = None
    patient: bool = False
    judged: str = ""


@dataclass
class Clinic:
    """The installation that a walk follows: its machines by name, and the present one."""

    machines: dict[str, Machine]
    there: str
    logs: Path | None = None
    said: str = ""  # by the last line
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def machine(self) -> Machine:
        return self.machines[self.there]

    @property
    def env_file(self) -> Path:
        return self.machine.path("/etc/nowserving/nowserving.env")


PROMPTS = f"Riverside Clinic\nen\nEurope/Berlin\n1\nada\n{PASSWORD}\n{PASSWORD}\n"
WORKS = Step(says="Every configured connection works.", patient=True)
WHOLE = Step(says=", 0 are broken")
MADE = Step(says="verified in")
FINE = Step()


def rows_are_the_same(clinic: Clinic) -> None:
    assert "Riverside Clinic" in clinic.machine.run("nowserving export").said


def place_nginx(clinic: Clinic) -> None:
    """Give the ports 80 and 443 of the page, and that of the server, to free ones."""
    folder = clinic.machine.path("/etc/nowserving/nginx")
    ports = clinic.kept.setdefault("ports", (free_port(), free_port()))
    for path in (*folder.glob("snippets/*.conf"), *folder.glob("tls/*.conf")):
        text = clinic.machine.placed(path.read_text())
        path.write_text(text.replace("127.0.0.1:8000", f"127.0.0.1:{clinic.machine.port}"))
    for page, port in zip(("80", "443"), ports, strict=True):
        clinic.machine.words[f"/listen {page} /"] = f"/listen 127.0.0.1:{port} /"
    clinic.machine.words["127.0.0.1:443"] = f"127.0.0.1:{ports[1]}"


def served(clinic: Clinic) -> bytes:
    """Return the certificate that nginx gives to clients."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", clinic.kept["ports"][1])))


def of_the_file(clinic: Clinic) -> bytes:
    text = clinic.machine.path("/etc/nowserving/certificate.pem").read_text()
    return ssl.PEM_cert_to_DER_cert(text[: text.index("-----END CERTIFICATE-----") + 25])


def clients_get_the_certificate(clinic: Clinic) -> None:
    def there() -> bool:
        try:
            return served(clinic) == of_the_file(clinic)
        except OSError:
            return False

    wait_until(there, "the certificate at the clients")

    def ready() -> bool:
        try:
            url = f"https://127.0.0.1:{clinic.kept['ports'][1]}/health/ready"
            return httpx.get(url, verify=unverified()).status_code == 200
        except httpx.HTTPError:
            return False

    wait_until(ready, "the clinic through nginx")


def hold_heads(clinic: Clinic) -> None:
    found = re.search(r"^site (\d+): .* the head is (\d+:\w+)$", clinic.said, re.MULTILINE)
    assert found, clinic.said
    clinic.machine.words["--site 7 --through 812:3fa9"] = f"--site {found[1]} --through {found[2]}"


def change_the_file(clinic: Clinic) -> None:
    path = clinic.machine.path("/var/lib/nowserving/clinic.toml")
    assert 'name = "Riverside Clinic"' in path.read_text()
    path.write_text(path.read_text().replace("target_standard_minutes = 30", "target_standard_minutes = 25"))
    changed = path.read_text().replace("target_standard_minutes = 25", "target_standard_minutes = 20")
    assert changed != path.read_text()
    clinic.machine.path("/etc/nowserving/clinic.toml").write_text(changed)


def keys_in_the_file(count: int, kept: int | None = None) -> Callable[[Clinic], None]:
    """Return a check of the key file: so many keys, and the place of the first key of before."""

    def check(clinic: Clinic) -> None:
        text = clinic.machine.path("/var/lib/nowserving/nowserving.keys").read_text()
        found = json.loads(re.findall(r"^encryption_keys = (.*)$", text, re.MULTILINE)[0])
        first = clinic.kept.setdefault("first key", found[0])
        assert len(found) == count
        assert (found.index(first) if first in found else None) == kept

    return check


def upgrade_the_tables(clinic: Clinic) -> None:
    """Do what the migrations of a later version do: a table is new, and so is the version. Ours then refuses to start."""
    with closing(sqlite3.connect(clinic.machine.path("/var/lib/nowserving/nowserving.db"))) as database, database:
        database.execute("CREATE TABLE later (id INTEGER)")
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    url = f"http://127.0.0.1:{clinic.machine.port}/health/ready"

    def goes_on() -> bool:
        answer = httpx.get(url, verify=PLAIN)
        return answer.status_code == 200 and answer.json()["checks"]["migrations"]["status"] == "degraded"

    wait_until(goes_on, "the earlier server beside newer tables")
    refused = clinic.machine.run("nowserving migrate")
    assert refused.status == 1
    assert "the tables of a newer version" in refused.said
    looked = clinic.machine.run("nowserving check")
    assert "tables: The database has the tables of a newer version (9999)." in looked.said
    assert "the tables of a newer version" in clinic.machine.run("nowserving diagnose --output newer.zip").said


def let_processes_end(clinic: Clinic) -> None:
    """Wait until the signs of life of the stopped server are old."""
    time.sleep(3 * HEARTBEAT + 0.2)


def begin_like_the_page(clinic: Clinic) -> None:
    """Follow the page to the line of the user, and put the units in place, as its text says."""
    for line in LINES:
        if line.place == "Starting with systemd" and not line.text.startswith(
            ("sed", "systemctl", "journalctl", "nowserving ")
        ):
            if "/nginx" in line.text:
                break
            answer = clinic.machine.run(line.text)
            assert answer.status == 0, f"{line.text}\n{answer.said}"
    clinic.env_file.unlink()


def carry_the_disk(clinic: Clinic) -> None:
    """Bring the disk of the other machine."""
    before = clinic.machines[{"new": "clinic", "second": "new"}[clinic.there]]
    shutil.rmtree(clinic.machine.path("/mnt/usb"))
    shutil.copytree(before.path("/mnt/usb"), clinic.machine.path("/mnt/usb"))
    begin_like_the_page(clinic)


def share_redis(clinic: Clinic) -> None:
    """Give the first machine the Redis that two servers need, and put its settings and keys on the disk."""
    first = clinic.machine
    with clinic.env_file.open("a") as file:
        file.write(f"NOWSERVING_REDIS_URL={clinic.kept['redis']}\n")
    assert first.run("systemctl start nowserving-server").status == 0
    for name in ("etc/nowserving/nowserving.env", "var/lib/nowserving/nowserving.keys"):
        shutil.copy(first.root / name, first.path("/mnt/usb"))
    clinic.there = "second"
    carry_the_disk(clinic)


def two_servers_run(clinic: Clinic) -> None:
    def counted() -> bool:
        return "Server processes that run: 2." in clinic.machine.run("nowserving check").said

    wait_until(counted, "the reports of both servers")


def nginx_finds_the_second(clinic: Clinic) -> None:
    clients_get_the_certificate(clinic)


def choose_an_instant(clinic: Clinic) -> None:
    """A change is made, then a mistake; the instant between them is the wanted one."""
    assert clinic.machine.run("nowserving backup").status == 0
    time.sleep(1.1)  # a log has whole seconds
    assert clinic.machine.run("nowserving clock accept").status == 0
    time.sleep(1.1)
    clinic.machine.words["2026-11-30T10:15:00Z"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(1.1)
    assert clinic.machine.run("systemctl stop nowserving-server").status == 0
    clinic.machine.words["/mnt/binlogs"] = str(clinic.logs)


def fill_the_env_of_compose(clinic: Clinic) -> None:
    """Fill in the empty values of `.env`, by the commands that the file names."""
    path = clinic.machine.checkout / ".env"
    assert path.stat().st_mode & 0o777 == 0o600
    filled = []
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        if not line.startswith("#") and line.endswith("=") and name not in MAY_BE_EMPTY:
            value = {
                "NOWSERVING_PUBLIC_URL": "https://queue.example.org",
                "NOWSERVING_ALLOWED_HOSTS": "queue.example.org",
                "NOWSERVING_ENCRYPTION_KEYS": clinic.machine.shell.run("openssl rand -base64 32").said.strip(),
            }.get(name) or clinic.machine.shell.run("openssl rand -hex 32").said.strip()
        filled.append(line if line.startswith("#") or not name else f"{name}={value}")
    path.write_text("\n".join(filled) + "\n")


MAY_BE_EMPTY = {
    *("ACME_NAME", "ACME_EMAIL", "WATCHDOG_MAIL", "NOWSERVING_METRICS_TOKEN", "GRAFANA_PASSWORD"),
    *("NOWSERVING_BROKER_URL", "NOWSERVING_TRACES_URL", "NOWSERVING_SENTRY_DSN"),
}


def write_a_set_up_file(clinic: Clinic) -> None:
    (clinic.machine.checkout / "clinic.toml").write_text(clinic.machine.run(f"{COMPOSE} run --rm -T server export").said)


def write_the_secrets(clinic: Clinic) -> None:
    for name in ("database-url", "redis-url", "secret-key", "encryption-keys", "certificate.pem", "key.pem"):
        (clinic.machine.checkout / name).write_text("x\n")


COMPOSE = "docker compose -f docker-compose.prod.yml"
ENV = "/etc/nowserving/nowserving.env"
USERS = "/etc/sysusers.d/nowserving.conf"
CONF = "/etc/nowserving/nginx"
NGINX = "nginx -p /var/lib/nowserving-nginx/ -c /etc/nowserving/nginx/nginx.conf"
CERTIFICATE = "/opt/nowserving/bin/nowserving certificate /etc/nowserving --name queue.example.org"
KEY_FILE = "/var/lib/nowserving/nowserving.keys"
UNITS = "cp -r deploy/systemd/nowserving-* /etc/systemd/system/ && systemctl daemon-reload"
STOP = "systemctl stop nowserving-server nowserving-worker nowserving-beat"
RESTORE = "nowserving restore /var/lib/nowserving/backups/FILE --replace nowserving.db"
URL_OF_PAGE = "mysql+aiomysql://nowserving:password@192.0.2.20:3306/nowserving"
APPLY_MANIFESTS = "kubectl kustomize --load-restrictor LoadRestrictionsNone deploy/kubernetes/example | kubectl apply -f -"
ENABLE = "systemctl enable --now nowserving-server nowserving-retention.timer nowserving-audit.timer"
PUT_SETTINGS = f"install -D -m 0600 /mnt/usb/nowserving.env {ENV}"
PUT_FOLDER = "install -d -o nowserving -g nowserving -m 0700 /var/lib/nowserving"
PUT_KEYS = "install -o nowserving -g nowserving -m 0600 /mnt/usb/nowserving.keys /var/lib/nowserving/"

STEPS: dict[str, dict[str, Step]] = {
    "Starting with systemd": {
        "apt-get install make python3-venv pipx nginx espeak-ng mariadb-client": FINE,
        "make wheel": FINE,
        "export PIPX_HOME=/opt/nowserving PIPX_BIN_DIR=/opt/nowserving/bin": FINE,
        "pipx install dist/nowserving-*.whl": FINE,
        "pipx runpip nowserving install --require-hashes -r requirements.lock": FINE,
        f"install -D -m 0644 deploy/systemd/nowserving.sysusers.conf {USERS} && systemd-sysusers": FINE,
        f"install -D -m 0600 deploy/systemd/nowserving.env.example {ENV}": FINE,
        f"sed -i 's|^NOWSERVING_PUBLIC_URL=.*|NOWSERVING_PUBLIC_URL=https://queue.example.org|' {ENV}": FINE,
        f"sed -i 's|^NOWSERVING_ALLOWED_HOSTS=.*|NOWSERVING_ALLOWED_HOSTS=queue.example.org|' {ENV}": FINE,
        UNITS: FINE,
        ENABLE: FINE,
        "journalctl -u nowserving-server": Step(says="https://queue.example.org/welcome#code="),
        "nowserving() { systemd-run --quiet --pty --pipe --wait --collect -p User=nowserving"
        " -p WorkingDirectory=/var/lib/nowserving \\\n"
        '-p EnvironmentFile=/etc/nowserving/nowserving.env /opt/nowserving/bin/nowserving "$@"; }': FINE,
        "nowserving init": Step(given=PROMPTS, says="ada may sign in as admin."),
        "nowserving check": WORKS,
        "cp -r nginx /etc/nowserving/nginx": Step(after=place_nginx),
        f"sed -i 's/listen 8080 /listen 80 /' {CONF}/snippets/listen.conf": FINE,
        "cp -r deploy/systemd/nginx.service.d /etc/systemd/system/": FINE,
        "systemctl daemon-reload && systemctl restart nginx": FINE,
    },
    "TLS and cookies: Without compose": {
        CERTIFICATE: Step(says="Made "),
        f"cp {CONF}/tls/listen.conf {CONF}/tls/redirect.conf {CONF}/snippets/": FINE,
        f"sed -i 's/listen 8443 /listen 443 /' {CONF}/snippets/listen.conf": FINE,
        f"sed -i 's/listen 8080 /listen 80 /' {CONF}/snippets/redirect.conf": FINE,
        f"{NGINX} -t": Step(says="test is successful"),
        f"{NGINX} -s reload": Step(after=clients_get_the_certificate),
        "certbot certonly --webroot --webroot-path /var/lib/nowserving-nginx/acme --domain queue.example.org \\\n"
        f'--deploy-hook "INSTALL_IN=/etc/nowserving {CONF}/install-certificate.sh && systemctl reload nginx"': Step(
            after=clients_get_the_certificate
        ),
    },
    "A renewal by hand": {
        f"{CERTIFICATE} --replace": Step(says="Made "),
        f"{NGINX} -t && systemctl reload nginx": Step(says="test is successful", after=clients_get_the_certificate),
        "echo | openssl s_client -connect 127.0.0.1:443 -servername queue.example.org 2>/dev/null"
        " | openssl x509 -noout -enddate": Step(says="notAfter="),
    },
    "Clinics from files": {
        "nowserving export --output clinic.toml": Step(after=change_the_file),
        "nowserving apply clinic.toml --check": Step(status=3, says="25"),
        "nowserving apply clinic.toml": Step(given="y\n", says="Done."),
        "nowserving apply clinic.toml --yes": Step(says="Nothing to change"),
        "nowserving apply clinic.toml --stranded keep": Step(says="Nothing to change"),
        "nowserving apply /etc/nowserving/clinic.toml --check": Step(status=3, says="20"),
        "nowserving apply /etc/nowserving/clinic.toml --yes": Step(says="Done."),
    },
    "A bundle for support": {
        "nowserving diagnose": Step(says="It has no personal data and no secrets."),
        "journalctl -u nowserving-server -o cat > /var/lib/nowserving/server.log": FINE,
        "nowserving diagnose --log server.log --server http://127.0.0.1:8000 --output with-log.zip": Step(
            says="The bundle is with-log.zip."
        ),
    },
    "Accounts, second factor, lost phone: A lost phone": {
        "nowserving reset-password ada --second-factor": Step(
            given=f"{PASSWORD} two\n{PASSWORD} two\n", says="ada has a new password"
        ),
        "nowserving reset-password ada --link": Step(says="https://queue.example.org/account/reset#"),
    },
    "The clock": {
        "nowserving clock": Step(says="The trusted time:"),
        "nowserving clock accept": Step(says="is accepted"),
    },
    "The audit": {
        "nowserving audit verify": Step(says=", 0 are broken", after=hold_heads),
        "nowserving audit verify --kept /mnt/elsewhere/heads.json": WHOLE,
        "nowserving audit verify --site 7 --through 812:3fa9": WHOLE,
    },
    "Flags": {
        "nowserving flag list": Step(says="patient-push"),
        'nowserving flag set patient-push off --until 30d --reason "The push service fails"': FINE,
        'nowserving flag set patient-push on --percent 25 --until 30d --reason "First quarter of the sites"': FINE,
        "nowserving flag clear patient-push": FINE,
    },
    "Keys": {
        "new=$(nowserving keys new)": Step(before=keys_in_the_file(1, 0)),
        f"cp -a {KEY_FILE} /mnt/elsewhere/nowserving.keys.before": FINE,
        f'sed -i "s|^\\(encryption_keys = .*\\)\\]|\\1, \\"$new\\"]|" {KEY_FILE}': Step(after=keys_in_the_file(2, 0)),
        "systemctl restart nowserving-server": FINE,
        f"sed -i 's|^encryption_keys = \\[\\(.*\\), \\(.*\\)\\]|encryption_keys = [\\2, \\1]|' {KEY_FILE}": Step(
            after=keys_in_the_file(2, 1)
        ),
        "nowserving keys rotate": Step(says="rows resealed"),
        "nowserving keys check": Step(says="(seals)"),
        f"sed -i 's|^encryption_keys = \\[\\([^,]*\\), .*\\]|encryption_keys = [\\1]|' {KEY_FILE}": Step(
            after=keys_in_the_file(1)
        ),
    },
    "Retention": {"nowserving retention --days 365": Step(says="Deleted, of more than 365 days ago")},
    "Backups": {
        "nowserving backup": MADE,
        "nowserving backup --to /mnt/usb": MADE,
        "systemctl enable --now nowserving-backup.timer": FINE,
    },
    "Restoring": {
        STOP: FINE,
        RESTORE: Step(says="Restored: the state of"),
        "systemctl start nowserving-server": FINE,
        "nowserving check": WORKS,
        "nowserving audit verify": Step(says=", 0 are broken", after=rows_are_the_same),
    },
    "Upgrades: With systemd": {
        "nowserving backup": MADE,
        "make wheel": FINE,
        "rm -rf /opt/nowserving.before && cp -a /opt/nowserving /opt/nowserving.before": FINE,
        "export PIPX_HOME=/opt/nowserving PIPX_BIN_DIR=/opt/nowserving/bin": FINE,
        "pipx install --force dist/nowserving-*.whl": FINE,
        "pipx runpip nowserving install --require-hashes -r requirements.lock": FINE,
        UNITS: FINE,
        "systemctl restart nowserving-server": FINE,
        "systemctl try-restart nowserving-worker nowserving-beat": FINE,
        "nowserving check": replace(WORKS, after=upgrade_the_tables),
    },
    "Upgrades: The way back": {
        STOP: FINE,
        "rm -rf /opt/nowserving && mv /opt/nowserving.before /opt/nowserving": FINE,
        RESTORE: Step(says="Restored: the state of", after=rows_are_the_same),
        "systemctl start nowserving-server": FINE,
        "systemctl start nowserving-worker nowserving-beat": FINE,
    },
    "To another machine": {
        "systemctl disable --now nowserving-server nowserving-worker nowserving-beat": FINE,
        "nowserving backup --to /mnt/usb": MADE,
        f"cp {KEY_FILE} {ENV} /mnt/usb/": FINE,
        PUT_SETTINGS: Step(on="new", before=carry_the_disk),
        PUT_FOLDER: FINE,
        PUT_KEYS: FINE,
        "nowserving restore /mnt/usb/FILE": Step(says="Restored: the state of"),
        ENABLE: FINE,
        "nowserving check": WORKS,
        "nowserving audit verify": Step(says=", 0 are broken", after=rows_are_the_same),
    },
    "To another database": {
        "nowserving backup": MADE,
        'mariadb -e "CREATE DATABASE nowserving"': FINE,
        "mariadb -e \"CREATE USER nowserving@'%' IDENTIFIED BY 'password';"
        " GRANT ALL ON nowserving.* TO nowserving@'%'\"": FINE,
        "mariadb < mysql/scratch.sql": FINE,
        STOP: Step(after=let_processes_end),
        f"nowserving move --to {URL_OF_PAGE}": Step(says="chains are whole."),
        f"sed -i 's|^NOWSERVING_DATABASE_URL=.*|NOWSERVING_DATABASE_URL={URL_OF_PAGE}|' {ENV}": FINE,
        "systemctl start nowserving-server": FINE,
        "nowserving check": WORKS,
        "nowserving audit verify": Step(says=", 0 are broken", after=rows_are_the_same),
    },
    "Restoring to a point in time: MySQL and MariaDB": {
        "mariadb -e \"GRANT BINLOG MONITOR ON *.* TO nowserving@'%'\"": FINE,
        "mariadb -e \"GRANT BINLOG REPLAY ON *.* TO nowserving@'%'\"": FINE,
        "nowserving restore /var/lib/nowserving/backups/FILE --until 2026-11-30T10:15:00Z --binlogs /mnt/binlogs"
        " --replace nowserving": Step(before=choose_an_instant, says="Restored: the state of", after=rows_are_the_same),
    },
    "Restoring to a point in time: The embedded database": {
        "nowserving restore /mnt/archive --until 2026-11-30T10:15:00Z --replace nowserving.db": Step(
            judged="the walk has moved to MariaDB; test_archive.py restores an archive"
        ),
    },
    "A second server machine": {
        PUT_SETTINGS: Step(before=share_redis),
        PUT_FOLDER: FINE,
        PUT_KEYS: FINE,
        f"printf '%s\\n' SERVER_HOST=192.0.2.12 FORWARDED_ALLOW_IPS=192.0.2.10 >> {ENV}": FINE,
        "systemctl enable --now nowserving-server": FINE,
        "nowserving check": replace(WORKS, after=two_servers_run),
        "echo 'server 192.0.2.12:8000 max_fails=3 fail_timeout=5s;' >> /etc/nowserving/nginx/snippets/upstream.conf": Step(
            on="clinic"
        ),
        f"{NGINX} -t && systemctl reload nginx": Step(says="test is successful", after=nginx_finds_the_second),
    },
    "Starting with compose": {
        "cp .env.example .env && chmod 600 .env": Step(after=fill_the_env_of_compose),
        f"{COMPOSE} up -d --build": FINE,
        f"{COMPOSE} logs server": FINE,
        f"{COMPOSE} run --rm server init": Step(given=PROMPTS, says="ada may sign in as admin.", after=write_a_set_up_file),
        f"{COMPOSE} run --rm -T server apply - --yes < clinic.toml": Step(says="Nothing to change"),
        f"{COMPOSE} run --rm server check": WORKS,
        f'nowserving() {{ {COMPOSE} run --rm server "$@"; }}': FINE,
        "nowserving audit verify": WHOLE,
        f"{COMPOSE} run --rm worker backup": MADE,
    },
    "Upgrades: With compose": {
        f"{COMPOSE} run --rm worker backup": MADE,
        "sed -i 's/^IMAGE_TAG=.*/IMAGE_TAG=0.2.0/' .env": FINE,
        f"{COMPOSE} build": FINE,
        f"{COMPOSE} run --rm migrate": Step(says="Nothing to do"),
        f"{COMPOSE} up -d --no-deps --no-recreate --scale server=4 --wait server": FINE,
        f"{COMPOSE} up -d": FINE,
        "sed -i 's/^IMAGE_TAG=.*/IMAGE_TAG=0.1.0/' .env": FINE,
        f"{COMPOSE} stop server worker beat": FINE,
        f"{COMPOSE} run --rm worker restore /var/lib/nowserving/backups/FILE --replace nowserving": Step(
            says="Restored: the state of"
        ),
    },
    "Restoring to a point in time: With compose": {
        f"{COMPOSE} stop server worker beat": FINE,
        f'{COMPOSE} exec mysql sh -c \'mysql -u root -p"$MYSQL_ROOT_PASSWORD" -e "FLUSH BINARY LOGS;'
        " GRANT REPLICATION_APPLIER ON *.* TO nowserving\"'": FINE,
        f"mkdir binlogs && {COMPOSE} exec -T mysql sh -c 'cd /var/lib/mysql && tar -c binlog.0*'"
        " | tar -x -C binlogs && chmod a+r binlogs/*": FINE,
        f"{COMPOSE} run --rm -v ./binlogs:/binlogs:ro worker restore /var/lib/nowserving/backups/FILE"
        " --until 2026-11-30T10:15:00Z --binlogs /binlogs --replace nowserving": Step(
            judged="the database of this walk is embedded; test_point_in_time.py restores by binary logs"
        ),
        f"{COMPOSE} up -d": FINE,
    },
    "Starting with Kubernetes": {
        "kubectl create namespace nowserving": Step(before=write_the_secrets),
        "kubectl -n nowserving create secret generic nowserving-secrets --from-file=database-url --from-file=redis-url"
        " --from-file=secret-key --from-file=encryption-keys": FINE,
        "kubectl -n nowserving create secret tls nowserving-tls --cert=certificate.pem --key=key.pem": FINE,
        APPLY_MANIFESTS: Step(says="CronJob/backup"),
        "kubectl -n nowserving logs -l app.kubernetes.io/component=server | grep welcome": Step(says="/welcome#code="),
        'nowserving() { kubectl -n nowserving exec -i deployment/server -- nowserving "$@"; }': FINE,
        "nowserving check": WORKS,
    },
    "Upgrades: With Kubernetes": {
        "kubectl -n nowserving delete job before-upgrade --ignore-not-found": FINE,
        "kubectl -n nowserving create job before-upgrade --from=cronjob/backup": MADE,
        "kubectl -n nowserving wait --for=condition=complete --timeout=1h job/before-upgrade": FINE,
        "kubectl -n nowserving delete job migrate --ignore-not-found": FINE,
        APPLY_MANIFESTS: FINE,
        "kubectl -n nowserving rollout status deployment/server": FINE,
        "kubectl -n nowserving delete job migrate restore --ignore-not-found": FINE,
        "kubectl -n nowserving scale deployment server worker beat --replicas=0": FINE,
        "kubectl -n nowserving create job restore --from=cronjob/backup --dry-run=client -o yaml > restore.yaml": FINE,
        'args=\'["restore", "/var/lib/nowserving/backups/FILE", "--replace", "nowserving"]\'': FINE,
        "kubectl patch --local -f restore.yaml --type=json -o yaml"
        ' -p \'[{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": \'"$args"\'}]\' \\\n'
        "| kubectl apply -f -": Step(says="Restored: the state of"),
        "kubectl -n nowserving wait --for=condition=complete --timeout=1h job/restore": FINE,
    },
}

# The places that one installation goes through, in this order. Inside a place, the page's own order holds.
WALKS: dict[str, tuple[str, ...]] = {
    "systemd": (
        "Starting with systemd",
        "TLS and cookies: Without compose",
        "A renewal by hand",
        "Clinics from files",
        "Flags",
        "A bundle for support",
        "Accounts, second factor, lost phone: A lost phone",
        "The clock",
        "The audit",
        "Keys",
        "Retention",
        "Backups",
        "Restoring",
        "Upgrades: With systemd",
        "Upgrades: The way back",
        "To another machine",
        "To another database",
        "Restoring to a point in time: MySQL and MariaDB",
        "Restoring to a point in time: The embedded database",
        "A second server machine",
    ),
    "compose": ("Starting with compose", "Upgrades: With compose", "Restoring to a point in time: With compose"),
    "kubernetes": ("Starting with Kubernetes", "Upgrades: With Kubernetes"),
}


def problems_of(
    lines: list[Line], steps: Mapping[str, Mapping[str, Step]], walks: Mapping[str, tuple[str, ...]]
) -> list[str]:
    """Return the lines without a step, the steps without a line, and the places without a walk."""
    known = {(place, text) for place, each in steps.items() for text in each}
    shown = {(line.place, line.text) for line in lines}
    walked = [place for places in walks.values() for place in places]
    found = [
        f'docs/operating.md:{line.number}: "{line.text}" runs in no test: add it to STEPS["{line.place}"]'
        f" in tests/integration/test_operating.py, with its status and a part of its output"
        for line in lines
        if (line.place, line.text) not in known
    ]
    found += [f'STEPS["{place}"]: the page has no "{text}" there any more' for place, text in sorted(known - shown)]
    found += [f"{place} belongs to no walk, or to several: add it to WALKS" for place in steps if walked.count(place) != 1]
    return found


def test_every_command_of_the_page_has_a_step() -> None:
    problems = problems_of(LINES, STEPS, WALKS)
    assert not problems, "\n".join(problems)


def test_command_without_a_step_would_be_found() -> None:
    page = "# P\n## H\n**Lead.** Text:\n\n    nowserving frobnicate  # now\n\n```sql\nDROP x\n```\n"
    page += "- a:\n\n      b \\\n        c\n"
    assert list(lines_of(page)) == [Line(5, "H: Lead", "nowserving frobnicate"), Line(13, "H: Lead", "b \\\nc")]
    [first, _, stale] = problems_of(list(lines_of(page)), {"H: Lead": {"gone": FINE}}, {"w": ("H: Lead",)})
    assert first.startswith('docs/operating.md:5: "nowserving frobnicate" runs in no test: add it to STEPS["H: Lead"]')
    assert "any more" in stale


# Commands inside of sentences: their names and options exist


def test_commands_in_sentences_exist() -> None:
    text = re.sub(r"^```.*?^```", "", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^ {4,}\S.*$", "", text, flags=re.MULTILINE)
    spans = [re.sub(r"\s+", " ", each) for each in re.findall(r"`([^`]+)`", text)]
    found = [each for each in spans if each.startswith(("nowserving ", "docker compose ", "systemctl "))]
    assert len(found) > 20
    for each in found:
        words = shlex.split(each.removesuffix("..."))
        if words[0] == "nowserving":
            options_exist(words[1:])
        elif words[0] == "docker":
            assert judged_compose(words[2:])
        elif words[1] != "edit" and not words[1].startswith("-"):
            unit = words[-1] if "." in words[-1] else f"{words[-1]}.service"
            assert unit == "nginx.service" or (ROOT / "deploy/systemd" / unit).is_file(), each


def options_exist(words: list[str]) -> None:
    """Raise AssertionError unless a command and its options exist. Its arguments may be missing."""
    command: Any = typer.main.get_command(app)
    words = list(words)
    while hasattr(command, "commands") and words and not words[0].startswith(("-", ".")):
        word = words.pop(0)
        assert word in command.commands, f"nowserving has no command {word}"
        command = command.commands[word]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    assert {word for word in words if word.startswith("-") and word != "-"} <= known, words


# The stand-ins

SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.prod.yml").read_text(encoding="utf-8"))["services"]
PROFILES = {name for service in SERVICES.values() for name in service.get("profiles", [])}
PACKAGES = {"make", "python3-venv", "pipx", "nginx", "certbot", "rsync"}  # of Debian, beside those of the image
OPTIONS_OF_COMPOSE: dict[str, dict[str, int]] = {  # by subcommand: each option, and the number of its values
    "up": {"-d": 0, "--build": 0, "--no-deps": 0, "--no-recreate": 0, "--scale": 1, "--wait": 0},
    "run": {"--rm": 0, "-T": 0, "-v": 1},
    "exec": {"-T": 0},
    "logs": {"--since": 1},
    "stop": {},
    "build": {},
}


def judged_compose(words: list[str]) -> tuple[str, list[str]]:
    """Return the subcommand and its arguments behind the options. Raises `Wrong` for words that compose would refuse."""
    words, given = list(words), list[str]()
    while words and words[0].startswith("-"):
        option, value = words.pop(0), words.pop(0)
        demand(option in ("-f", "--profile"), f"compose has no {option} here")
        demand(option != "--profile" or value in PROFILES, f"there is no profile {value}")
        demand(option != "-f" or (ROOT / value).is_file(), f"there is no {value}")
        given.append(option)
    demand("-f" in given, "-f is missing: the file has another name than compose expects")
    word = words.pop(0)
    demand(word in OPTIONS_OF_COMPOSE, f"compose {word} is not known here")
    while words and words[0].startswith("-"):
        option = words.pop(0)
        demand(option in OPTIONS_OF_COMPOSE[word], f"compose {word} has no {option} here")
        for _ in range(OPTIONS_OF_COMPOSE[word][option]):
            value = words.pop(0)
            demand(option != "--scale" or value.partition("=")[0] in SERVICES, f"there is no service {value}")
    services = words[:1] if word in ("run", "exec") else words
    demand(set(services) <= set(SERVICES), f"there is no service in {services}")
    if word == "run" and len(words) > 1:
        parsed(words[1:])
    return word, words


class Tools:
    """The stand-ins of a machine for programs of others. ``containers`` has the settings of our processes in containers."""

    def __init__(self, made: Machine, containers: Mapping[str, str]) -> None:
        self._made = made
        self._containers = containers
        self._jobs: set[str] = set()

    def all(self) -> dict[str, StandIn]:
        return {
            "apt-get": self.apt_get,
            "pipx": self.pipx,
            "make": self.make,
            "certbot": self.certbot,
            "systemd-sysusers": self.sysusers,
            "docker": self.docker,
            "kubectl": self.kubectl,
        }

    def apt_get(self, call: Call) -> int:
        demand(call.arguments[0] == "install", "apt-get installs")
        image = (ROOT / "Dockerfile").read_text()
        needed = re.findall(r"^ *need \S+ (\S+)", (ROOT / "tests/packages.sh").read_text(), re.MULTILINE)
        for name in call.arguments[1:]:
            demand(name in PACKAGES or name in needed or f" {name} " in image, f"is {name} a package of Debian?")
        return 0

    def make(self, call: Call) -> int:
        demand(call.arguments == ["wheel"], "the page makes wheels")
        done = subprocess.run(["make", "--dry-run", "wheel"], cwd=ROOT, capture_output=True, text=True, check=False)
        demand("-m build --wheel" in done.stdout, done.stderr)
        folder = self._made.checkout / "dist"
        folder.mkdir(exist_ok=True)
        (folder / "nowserving-0.1.0-py3-none-any.whl").touch()
        return 0

    def pipx(self, call: Call) -> int:
        home = self._made.path("/opt/nowserving")
        places = (call.env.get("PIPX_HOME"), call.env.get("PIPX_BIN_DIR"))
        demand(places == (str(home), f"{home}/bin"), f"the units expect another place than {places}")
        word, *rest = call.arguments
        if word == "runpip":
            demand(rest[:2] == ["nowserving", "install"], f"pipx runpip {rest}")
            options, files = create_command("install").parse_args(rest[2:])
            demand(options.require_hashes and not files, "the locked packages have hashes")
            demand(
                all((self._made.checkout / name).is_file() for name in options.requirements), "there is no such lock file"
            )
            return 0
        demand(word == "install", f"pipx {word} is not known here")
        forced = "--force" in rest
        [wheel] = [each for each in rest if each != "--force"]
        demand(Path(call.folder, wheel).is_file(), f"there is no {wheel}")
        demand(forced or not (home / "bin/nowserving").exists(), "pipx changes nothing without --force")
        self._made.install()
        return 0

    def sysusers(self, call: Call) -> int:
        text = self._made.path("/etc/sysusers.d/nowserving.conf").read_text()
        demand(re.search(r"^u nowserving - ", text, re.MULTILINE), "the user of the units is not there")
        return 0

    def certbot(self, call: Call) -> int:
        words = list(call.arguments)
        demand(words.pop(0) == "certonly", "certbot needs certonly")
        demand(words.pop(0) == "--webroot", "nginx answers for certbot by a folder")
        values = dict(zip(words[::2], words[1::2], strict=True))
        demand(set(values) == {"--webroot-path", "--domain", "--deploy-hook"}, f"certbot {values}")
        state = self._made.path("/var/lib/nowserving-nginx")
        demand(Path(values["--webroot-path"]).parent == state, "nginx does not answer from there")
        lineage = self._made.root / "lineage"
        certificates.make(lineage, [values["--domain"]], 90)
        (lineage / "certificate.pem").rename(lineage / "fullchain.pem")
        (lineage / "key.pem").rename(lineage / "privkey.pem")
        env = {**call.env, "RENEWED_LINEAGE": str(lineage)}
        hook = ["/bin/sh", "-c", values["--deploy-hook"]]
        done = subprocess.run(hook, env=env, capture_output=True, text=True, check=False, timeout=300)
        demand(done.returncode == 0, done.stdout + done.stderr)
        return 0

    # Containers

    def _inside(self, call: Call, arguments: list[str], folder: str | None = None) -> int:
        """Run our program as in a container."""
        settings = {**self._containers, **({} if folder is None else {"NOWSERVING_BACKUP_FOLDER": folder})}
        here = self._made.path("/var/lib/nowserving")
        here.mkdir(parents=True, exist_ok=True)
        return self._made.nowserving(arguments, settings, here, call.streams).wait(300) or 0

    def _job(self, call: Call, job: Any) -> None:
        """Run a job of the cluster."""
        demand(job["metadata"]["name"] not in self._jobs, f"the job {job['metadata']['name']} is there: a job cannot change")
        [made] = job["spec"]["template"]["spec"]["containers"]
        folders = [self._made.placed(each["value"]) for each in made["env"] if each["name"] == "NOWSERVING_BACKUP_FOLDER"]
        parsed(made["args"])
        demand(self._inside(call, made["args"], *folders) == 0, f"the job {job['metadata']['name']} has failed")
        self._jobs.add(job["metadata"]["name"])

    def docker(self, call: Call) -> int:
        demand(call.arguments[:1] == ["compose"], "docker compose alone")
        word, words = judged_compose(call.arguments[1:])
        env = (self._made.checkout / ".env").read_text()
        given = dict(re.findall(r"^(\w+)=(.+)$", env, re.MULTILINE))
        wanted = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.prod.yml").read_text()))
        demand(wanted <= given.keys(), f"compose refuses: .env lacks {wanted - given.keys()}")
        if word == "run":
            service, *arguments = words
            folder = SERVICES[service]["environment"].get("NOWSERVING_BACKUP_FOLDER")
            mounted = any(each.endswith(f":{folder}") for each in SERVICES[service].get("volumes", []))
            demand((folder is None) or mounted, f"{service} has no volume for backups")
            placed = None if folder is None else self._made.placed(folder)
            return self._inside(call, arguments or SERVICES[service]["command"], placed)
        if word == "exec" and "tar -c" in " ".join(words):  # an archive of files of a container
            with tarfile.open(fileobj=call.streams[1], mode="w|") as archive:
                archive.addfile(tarfile.TarInfo("binlog.000001"))
        return self._inside(call, ["migrate"]) if word == "up" and not words else 0

    def kubectl(self, call: Call) -> int:
        words = list(call.arguments)
        demand(
            "-n" in words or words[:2] == ["create", "namespace"] or words[0] in ("kustomize", "apply", "patch"),
            "-n is missing",
        )
        if "-n" in words:
            place = words.index("-n")
            demand(words[place + 1] == "nowserving", "another namespace")
            del words[place : place + 2]
        return self._cluster(call, words)

    def _cluster(self, call: Call, words: list[str]) -> int:
        manifests = [
            each for path in (ROOT / "deploy/kubernetes/base").glob("*.yaml") for each in documents(path.read_text())
        ]
        by_name = {f"{each['kind'].lower()}/{each['metadata']['name']}": each for each in manifests if "metadata" in each}
        match words:
            case ["create", "namespace", name]:
                demand(f"namespace/{name}" in by_name, f"the manifests have another namespace than {name}")
            case ["create", "secret", "generic" | "tls", name, *options]:
                files = [option.rpartition("=")[2] for option in options]
                demand(all((call.folder / each).is_file() for each in files), f"files are missing: {files}")
                demand(name in json.dumps(manifests), f"no manifest uses the secret {name}")
            case ["kustomize", "--load-restrictor", "LoadRestrictionsNone", folder]:
                demand((call.folder / folder / "kustomization.yaml").is_file(), f"{folder} has no kustomization")
                return call.say(kustomized(folder) or yaml.safe_dump_all(manifests))
            case ["apply", "-f", "-"]:
                for each in documents(call.given()):
                    if not each["apiVersion"].startswith("kustomize"):
                        valid(json.dumps(each, sort_keys=True))
                        call.say(f"{each['kind']}/{each['metadata']['name']} configured\n")
                        if each["kind"] == "Job":
                            self._job(call, each)
            case ["logs", "-l", selector]:
                name, _, value = selector.partition("=")
                labels = [
                    each["spec"]["template"]["metadata"]["labels"] for each in manifests if each["kind"] == "Deployment"
                ]
                demand(any(each.get(name) == value for each in labels), f"no pod has {selector}")
                return call.say("Now Serving has no administrator yet.\n  https://queue.example.org/welcome#code=A\n")
            case ["delete", "job", *names, "--ignore-not-found"]:
                self._jobs -= set(names)
            case ["create", "job", name, origin, *options]:
                demand(origin.removeprefix("--from=") in by_name, f"there is no {origin}")
                template = by_name[origin.removeprefix("--from=")]["spec"]["jobTemplate"]["spec"]
                job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": template}
                demand(options in ([], ["--dry-run=client", "-o", "yaml"]), f"create job has no {options} here")
                if options:
                    return call.say(yaml.safe_dump(job))
                self._job(call, job)
            case ["patch", "--local", "-f", file, "--type=json", "-o", "yaml", "-p", patch]:
                made = yaml.safe_load((call.folder / file).read_text())
                for step in json.loads(patch):
                    demand(step["op"] == "replace", "a patch replaces")
                    *parents, last = step["path"].strip("/").split("/")
                    place = made
                    for part in parents:
                        place = place[int(part)] if isinstance(place, list) else place[part]
                    demand(last in place, f"there is nothing at {step['path']}")
                    place[last] = step["value"]
                return call.say(yaml.safe_dump(made))
            case ["wait", "--for=condition=complete", "--timeout=1h", job]:
                demand(job.removeprefix("job/") in self._jobs, f"there is no {job}")
            case ["rollout", "status", name]:
                demand(name in by_name, f"there is no {name}")
            case ["scale", "deployment", *names, "--replicas=0"]:
                demand(all(f"deployment/{each}" in by_name for each in names), f"there is no deployment among {names}")
            case ["exec", "-i", target, "--", "nowserving", *arguments]:
                demand(target in by_name, f"there is no {target}")
                return self._inside(call, arguments)
            case _:
                raise Wrong(f"kubectl {' '.join(words)} is not known here")
        return 0


@cache
def valid(manifest: str) -> None:
    import kubernetes_validate  # takes a second, which only this step needs

    kubernetes_validate.validate(json.loads(manifest), "1.30", strict=True)


def documents(text: str) -> list[Any]:
    return [each for each in yaml.safe_load_all(text) if each is not None]


@cache
def kustomized(folder: str) -> str | None:
    """Return the manifests as the real kubectl puts them together, or None where it is not installed."""
    if shutil.which("kubectl") is None:
        return None
    command = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    demand(done.returncode == 0, done.stderr)
    return done.stdout


# The walks


def follow(clinic: Clinic, places: tuple[str, ...]) -> None:
    """Run the lines of these places."""
    by_place: dict[str, list[Line]] = defaultdict(list)
    for line in LINES:
        by_place[line.place].append(line)
    for place in places:
        for line in by_place[place]:
            step = STEPS[place][line.text]
            if step.on is not None:
                clinic.there = step.on
            if step.before is not None:
                step.before(clinic)
            clinic.machine.judging = bool(step.judged)
            answer = clinic.machine.run(line.text, step.given)
            clinic.machine.judging = False
            until = time.monotonic() + STARTUP_SECONDS
            while step.patient and step.says not in answer.said and time.monotonic() < until:
                answer = clinic.machine.run(line.text, step.given)
            clinic.said = answer.said
            where = f"docs/operating.md:{line.number} ({place}, on {clinic.there}): {line.text}"
            assert answer.status == step.status, f"{where}\nended with status {answer.status}:\n{answer.said[-4000:]}"
            assert step.says in answer.said, f"{where}\ndoes not say {step.says!r}:\n{answer.said[-4000:]}"
            if step.after is not None:
                step.after(clinic)


def checkout(made: Machine) -> None:
    """Give a machine the files of the repository that the page's commands read."""
    for name in ("nginx", "mysql", "deploy/systemd", "deploy/kubernetes"):
        shutil.copytree(ROOT / name, made.checkout / name)
    for name in ("requirements.lock", ".env.example", "docker-compose.prod.yml"):
        shutil.copy(ROOT / name, made.checkout)
    for name in ("usb", "elsewhere"):
        made.path(f"/mnt/{name}").mkdir()
    for name in ("etc/sysusers.d", "etc/systemd/system"):
        (made.root / name).mkdir(parents=True)


@pytest.fixture
def mariadb(tmp_path: Path) -> Iterator[tuple[URL, Path]]:
    """Yield a private MariaDB with binary logs, and their folder: the walk makes the page's own database and account."""
    folder = tmp_path / "mariadb"
    with databases.mariadb(folder, "--log-bin=log", "--server-id=1", "--binlog-format=ROW", "--sync-binlog=0") as url:
        yield url, folder / "data"


def test_an_administrator_follows_the_page_with_systemd(tmp_path: Path, mariadb: tuple[URL, Path]) -> None:
    url, logs = mariadb
    words = {
        "192.0.2.20:3306": f"127.0.0.1:{url.port}",
        "-o nowserving -g nowserving ": "",  # this machine has no such user
    }
    with ExitStack() as stack:
        machines = {}
        ports = {name: free_port() for name in ("clinic", "new", "second")}
        for name, port in ports.items():
            own = {
                **words,
                "192.0.2.12:8000": f"127.0.0.1:{ports['second']}",
                "http://127.0.0.1:8000": f"http://127.0.0.1:{port}",
                "192.0.2.12": "127.0.0.1",
                "192.0.2.10": "127.0.0.1",
            }
            made = stack.enter_context(machine(tmp_path / name, lambda made: Tools(made, {}).all(), own))
            made.port = port
            made.settings = {"NOWSERVING_HEARTBEAT_SECONDS": str(HEARTBEAT), "NOWSERVING_DRAIN_DELAY_SECONDS": "0"}
            checkout(made)
            client = f"[client]\nhost=127.0.0.1\nport={url.port}\nuser=root\nprotocol=tcp\nloose-skip-ssl\n"
            (made.root / "home/.my.cnf").write_text(client)
            machines[name] = made
        clinic = Clinic(machines, "clinic", logs)
        clinic.kept["redis"] = stack.enter_context(redis(tmp_path))
        follow(clinic, WALKS["systemd"])
    with pymysql.connect(host="127.0.0.1", port=url.port, user="root") as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE 'nowserving%'")
        assert cursor.fetchall() == (("nowserving",),), "nothing else is left"


@pytest.mark.parametrize("way", ["compose", "kubernetes"])
def test_an_administrator_follows_the_page_with_containers(tmp_path: Path, redis_url: str, way: str) -> None:
    settings = {
        "NOWSERVING_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'nowserving'}",
        "NOWSERVING_KEY_FILE": str(tmp_path / "keys"),
        "NOWSERVING_REDIS_URL": redis_url,
        "NOWSERVING_PUBLIC_URL": "https://queue.example.org",
    }
    with machine(tmp_path / "machine", lambda made: Tools(made, settings).all(), {}) as made:
        made.settings = {"NOWSERVING_HEARTBEAT_SECONDS": str(HEARTBEAT)}
        checkout(made)
        made.path("/var/lib/nowserving").mkdir(parents=True)
        follow(Clinic({"clinic": made}, "clinic"), WALKS[way])


def test_every_stand_in_has_its_reason(tmp_path: Path) -> None:
    with machine(tmp_path / "machine", lambda made: Tools(made, {}).all(), {}) as made:
        assert set(made.stand_ins) - {"nowserving"} == set(REASONS)
        wrong = made.run("docker compose -f docker-compose.prod.yml up --detached; systemctl start nowserving-nobody")
        assert "has no --detached here" in wrong.said
        assert "there is no unit nowserving-nobody.service" in wrong.said
        made.judging = True
        assert made.run("nowserving keys rotate && nowserving restore x --until now").status == 0
        assert "No such option: --untill" in made.run("nowserving restore x --untill now").said
        assert "has no command ['frobnicate']" in made.run("nowserving frobnicate").said
    assert program("nginx", "nginx")
