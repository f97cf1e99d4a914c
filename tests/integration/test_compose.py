"""The production files agree with each other and with the program: compose file, image, proxy, and the `.env` template.

The tests read these files and start no container, because the machine may have no container engine. A real nginx checks
the configuration of nginx.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
from base64 import b64encode
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from server.cli import app
from server.installation.certificates import CERTIFICATE_FILE, KEY_FILE, make
from server.live.stream import LIFE_SECONDS
from server.live.streams import DRAIN_SECONDS
from server.settings import Settings, load_settings, secret_files
from server.store.database import database_url
from server.store.scratch import schemas_of
from server.transport.api import health
from server.transport.http.bodies import MAX_BODY_BYTES

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.prod.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ONE_SHOT = {"migrate", "certificate"}
MONITORING = {"prometheus", "grafana"}
# The profile of the monitoring needs the first two, and its services refuse to start without them.
OPTIONAL = {
    *("NOWSERVING_METRICS_TOKEN", "GRAFANA_PASSWORD"),
    *("NOWSERVING_BROKER_URL", "NOWSERVING_TRACES_URL", "NOWSERVING_SENTRY_DSN"),
}
INTERPOLATED = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")
SECRET_NAME = re.compile(r"PASSWORD|SECRET|KEY|TOKEN|_URL$")


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each as its keyword and its arguments."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n", "", "\n".join(lines))
    return [(word.upper(), rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())]


def last_instruction(word: str) -> str:
    """Return the arguments of the last instruction with a keyword: the one in force in the final stage."""
    return [rest for each, rest in dockerfile() if each == word][-1]


def seconds(duration: str) -> int:
    number, unit = int(duration[:-1]), duration[-1]
    return number * {"s": 1, "m": 60, "h": 3600}[unit]


def env_template() -> dict[str, str]:
    """Return the names and values of `.env.example`."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def strings(value: Any) -> list[str]:
    """Return every string in a YAML value."""
    if isinstance(value, dict):
        return [each for item in value.values() for each in strings(item)]
    if isinstance(value, list):
        return [each for item in value for each in strings(item)]
    return [value] if isinstance(value, str) else []


def test_compose_file_has_every_service() -> None:
    assert set(SERVICES) == {
        *("nginx", "server", "worker", "beat", "migrate", "certificate", "certbot", "mysql", "redis"),
        *MONITORING,
    }
    assert set(OURS) == {"server", "worker", "beat", "migrate", "certificate"}
    assert SERVICES["server"]["deploy"]["replicas"] == 2
    assert SERVICES["mysql"]["image"] == "mysql:8.4"
    assert SERVICES["redis"]["image"].startswith("redis:7")


@pytest.mark.parametrize("name", OURS)
def test_command_of_each_service_exists(name: str) -> None:
    word, *arguments = OURS[name]["command"]
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert word in commands
    known = {option for parameter in commands[word].params for option in parameter.opts}
    assert {each for each in arguments if each.startswith("--")} <= known


def test_server_listens_on_the_port_of_proxy_and_health_check() -> None:
    command = SERVICES["server"]["command"]
    assert command == json.loads(last_instruction("CMD"))
    assert command[command.index("--host") + 1] == "0.0.0.0"
    port = command[command.index("--port") + 1]
    assert re.search(rf"^server server:{port}\b", (ROOT / "nginx/compose/upstream.conf").read_text(), re.MULTILINE)
    assert f"http://127.0.0.1:{port}/" in last_instruction("HEALTHCHECK")
    assert last_instruction("EXPOSE") == port


def test_every_named_setting_exists() -> None:
    named = {key for service in SERVICES.values() for key in service.get("environment", {})} | set(env_template())
    named |= {found["name"] for text in strings(COMPOSE) for found in INTERPOLATED.finditer(text)}
    settings = {f"NOWSERVING_{field.upper()}" for field in Settings.model_fields}
    ours = {name for name in named if name.startswith("NOWSERVING_")}
    assert ours <= settings
    assert {"NOWSERVING_SECRET_KEY", "NOWSERVING_ENCRYPTION_KEYS", "NOWSERVING_DATABASE_URL"} <= ours


def test_compose_file_uses_exactly_the_variables_of_the_template() -> None:
    taken = {found["name"] for text in strings(COMPOSE) for found in INTERPOLATED.finditer(text)}
    assert taken == set(env_template())


def test_compose_file_requires_settings_and_secrets() -> None:
    for text in strings(COMPOSE):
        for found in INTERPOLATED.finditer(text):
            assert found["rest"].startswith((":?", ":-")), found[0]
            if found["name"] in OPTIONAL:
                assert found["rest"] == ":-", found[0]
            elif found["name"].startswith("NOWSERVING_") or SECRET_NAME.search(found["name"]):
                assert found["rest"].startswith(":?"), found[0]


@pytest.mark.parametrize("name", secret_files().values())
def test_every_secret_setting_reaches_the_services_from_the_template(name: str) -> None:
    variable = f"NOWSERVING_{name.upper()}"
    assert variable in env_template()
    assert f"${{{variable}:" in SERVICES["server"]["environment"][variable]
    if name != "metrics_token":  # of the servers alone
        assert all(variable in service["environment"] for service in OURS.values())


def test_server_accepts_the_completed_template(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = {
        "MYSQL_PASSWORD": secrets.token_hex(24),
        "REDIS_PASSWORD": secrets.token_hex(24),
        "NOWSERVING_PUBLIC_URL": "https://queue.example.org",
        "NOWSERVING_ALLOWED_HOSTS": "queue.example.org",
        "NOWSERVING_SECRET_KEY": secrets.token_hex(32),
        "NOWSERVING_ENCRYPTION_KEYS": b64encode(secrets.token_bytes(32)).decode(),
    }
    values = {name: filled.get(name) or value for name, value in env_template().items()}
    for name in [name for name in os.environ if name.startswith("NOWSERVING_")]:
        monkeypatch.delenv(name)
    for key, text in SERVICES["server"]["environment"].items():
        value = text
        while INTERPOLATED.search(value):
            value = INTERPOLATED.sub(lambda found: values[found["name"]], value)
        monkeypatch.setenv(key, value)
    settings = load_settings()
    assert settings.env == "production"
    optional = (settings.metrics_token, settings.broker_url, settings.traces_url, settings.sentry_dsn)
    assert optional == (None,) * 4, "nothing of them is needed"
    database = database_url(settings.database_url.get_secret_value())
    assert (database.host, database.database) == ("mysql", SERVICES["mysql"]["environment"]["MYSQL_DATABASE"])
    assert database.username == SERVICES["mysql"]["environment"]["MYSQL_USER"]
    assert filled["MYSQL_PASSWORD"] in settings.database_url.get_secret_value()
    assert settings.redis_url is not None
    assert filled["REDIS_PASSWORD"] in settings.redis_url.get_secret_value()


def test_no_secret_is_committed() -> None:
    for name, value in env_template().items():
        if SECRET_NAME.search(name):
            assert "=" not in value
            # Empty, or an address with a variable as its password.
            assert value == "" or re.search(r":\$\{\w+\}@", value), name
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            if SECRET_NAME.search(key):
                assert INTERPOLATED.fullmatch(value), key
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", SERVICES)
def test_service_has_health_check_limits_and_restart_policy(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert re.fullmatch(r"\d+[mg]", limits["memory"])
    assert service["logging"]["driver"] == "json-file"
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    if name in ONE_SHOT:
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    assert "stop_grace_period" in service
    if "healthcheck" in service:
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])
    else:
        assert service["command"][0] == "serve"  # the health check of the image itself requests the server


@pytest.mark.parametrize("name", SERVICES)
def test_service_waits_for_healthy_or_completed_services(name: str) -> None:
    for other, wanted in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        assert wanted["condition"] == ("service_completed_successfully" if other in ONE_SHOT else "service_healthy")
    if name in OURS and name not in ONE_SHOT:
        assert {"migrate", "mysql", "redis"} <= set(SERVICES[name]["depends_on"])


def test_only_the_proxy_has_ports_and_the_data_network_is_internal() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx", "grafana"]
    assert SERVICES["grafana"]["ports"] == ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"]
    assert COMPOSE["networks"]["back"] == {"internal": True}
    for name in ("mysql", "redis"):
        assert SERVICES[name]["networks"] == ["back"]
    assert "front" in SERVICES["server"]["networks"]
    assert {each for service in SERVICES.values() for each in service["networks"]} == set(COMPOSE["networks"])


def test_profile_alone_starts_the_monitoring() -> None:
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["monitoring"]} == MONITORING
    assert {name for name, service in SERVICES.items() if "profiles" in service} == MONITORING | {"certbot"}
    for name in MONITORING:
        service = SERVICES[name]
        assert re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+", service["image"])
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
    for name, service in SERVICES.items():
        assert name in MONITORING or not MONITORING & set(service.get("depends_on", {}))


def test_prometheus_reaches_each_replica_with_the_token() -> None:
    configuration = yaml.safe_load((ROOT / "monitoring/compose/prometheus.yml").read_text(encoding="utf-8"))
    (scrape,) = configuration["scrape_configs"]
    command = SERVICES["server"]["command"]
    ((found,),) = (scrape["dns_sd_configs"],)
    assert (found["names"], found["type"]) == (["server"], "A")
    assert found["port"] == int(command[command.index("--port") + 1])
    assert "--workers" not in command  # one process for each address
    assert COMPOSE["networks"]["scrape"] == {"internal": True}
    assert "scrape" in set(SERVICES["prometheus"]["networks"]) & set(SERVICES["server"]["networks"])
    token = scrape["authorization"]["credentials_file"]
    assert f"> {token} " in SERVICES["prometheus"]["entrypoint"][2]
    assert any(each.startswith(token.rpartition("/")[0] + ":") for each in SERVICES["prometheus"]["tmpfs"])
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in SERVICES["prometheus"]["volumes"]}
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]
    for rules in configuration["rule_files"]:
        assert (ROOT / mounted[f"/etc/prometheus/{rules}"]).is_file()


def test_prometheus_writes_its_token_where_nobody_else_reads(tmp_path: Path) -> None:
    """Run the entrypoint of the container, with its folder and its program here."""
    done = entered("prometheus", tmp_path, "a token")
    assert (done.stdout, done.returncode) == ("--flag\n", 0)
    assert (tmp_path / "token").read_text() == "a token"
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def entered(name: str, folder: Path, secret: str) -> subprocess.CompletedProcess[str]:
    """Run the entrypoint of a service of the monitoring with its secret; its folder and its program are here."""
    service = SERVICES[name]
    _, flag, script, *rest = service["entrypoint"]
    script = script.replace("$$", "$").replace("/run/prometheus", str(folder))
    script = re.sub(r"exec (prometheus|/run\.sh)\b", "exec echo", script)
    [variable] = [key for key, value in service["environment"].items() if INTERPOLATED.search(value)]
    env = {"PATH": os.environ["PATH"], variable: secret}
    command = ["sh", flag, script, *rest, "--flag"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("name", sorted(MONITORING))
def test_monitoring_refuses_to_start_without_its_secret(tmp_path: Path, name: str) -> None:
    [variable] = [found["name"] for text in strings(SERVICES[name]["environment"]) for found in INTERPOLATED.finditer(text)]
    assert variable in OPTIONAL
    refused = entered(name, tmp_path, "")
    assert (refused.stdout, refused.stderr, refused.returncode) == ("", f"Set {variable} in .env.\n", 1)
    assert list(tmp_path.iterdir()) == []
    assert entered(name, tmp_path, "a secret").stdout == "--flag\n"


def test_grafana_gets_its_source_and_every_dashboard() -> None:
    mounted = {volume.split(":")[0].removeprefix("./"): volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "monitoring/grafana").rglob("*") if path.is_file()}
    assert files == mounted.keys() - {"grafana"}
    (provider,) = yaml.safe_load((ROOT / "monitoring/grafana/provisioning/dashboards/nowserving.yml").read_text())[
        "providers"
    ]
    for source, target in mounted.items():
        if source.endswith(".json"):
            assert target.rpartition("/")[0] == provider["options"]["path"]
    (source_,) = yaml.safe_load((ROOT / "monitoring/grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert source_["url"] == "http://prometheus:9090"
    assert "watch" in set(SERVICES["prometheus"]["networks"]) & set(SERVICES["grafana"]["networks"])


def test_database_flushes_each_commit_and_allows_all_connections() -> None:
    flags = dict(each.removeprefix("--").partition("=")[::2] for each in SERVICES["mysql"]["command"])
    assert flags["innodb-flush-log-at-trx-commit"] == "1"
    assert (flags["slow-query-log"], flags["long-query-time"]) == ("ON", "2")
    assert "innodb-buffer-pool-size" in flags
    servers = SERVICES["server"]["deploy"]["replicas"]
    each = sum(int(Settings.model_fields[f"database_pool_{name}"].default) for name in ("size", "overflow"))
    assert int(flags["max-connections"]) >= 2 * servers * each


def test_stop_grace_period_is_longer_than_the_drain() -> None:
    drain = Settings.model_fields["drain_delay_seconds"].default + DRAIN_SECONDS
    assert seconds(SERVICES["server"]["stop_grace_period"]) > drain + 5  # uvicorn's own wait for the last requests


def test_image_copies_existing_files() -> None:
    stages: list[str] = []
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert ignored[0] == "*"
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = set()
    for word, rest in dockerfile():
        if word == "FROM":
            image, _, stage = rest.partition(" AS ")
            assert image == "${BASE}"
            stages.append(stage)
        elif word == "COPY" and rest.startswith("--from="):
            assert rest.removeprefix("--from=").split()[0] in stages[:-1]
        elif word == "COPY":
            copied |= set(rest.split()[:-1])
    assert re.fullmatch(r"BASE=python:3\.11-slim-\w+(@sha256:[0-9a-f]{64})?", last_instruction("ARG"))
    assert copied == allowed
    assert not any(fnmatch(each, pattern) for each in copied for pattern in ignored[1:] if not pattern.startswith("!"))
    assert [each for each in sorted(copied) if not (ROOT / each).exists()] == []
    for name, service in OURS.items():
        assert service["build"]["target"] == stages[-1], name
        assert service["image"] == OURS["server"]["image"], name


def test_image_installs_locked_libraries_and_runs_unprivileged() -> None:
    instructions = dockerfile()
    assert ("RUN", "pip install --require-hashes -r requirements.lock") in instructions
    assert ("RUN", "pip install --no-deps . && pip uninstall --yes pip") in instructions
    assert not re.search(
        r"\b(gcc|g\+\+|clang|build-essential|python3-dev)\b", str(instructions)
    )  # no compiler, in any stage
    user = last_instruction("USER").partition(":")[0]
    assert user.isdigit()
    assert int(user) > 0
    assert json.loads(last_instruction("ENTRYPOINT")) == ["nowserving"]
    assert all(service["read_only"] for service in OURS.values())


def test_digest_of_the_base_is_pinned_again_and_again(tmp_path: Path) -> None:
    """A stub stands for Docker: the registry of the base is on the internet."""
    docker = tmp_path / "docker"
    dockerfile = Path(shutil.copy(ROOT / "Dockerfile", tmp_path))
    for digest in ("sha256:" + "a1" * 32, "sha256:" + "b2" * 32):
        docker.write_text(f'#!/bin/sh\n[ "$4" = python:3.11-slim-bookworm ] && echo {digest}\n')
        docker.chmod(0o755)
        command = ["make", "pin", f"DOCKER={docker}", f"DOCKERFILE={dockerfile}"]
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=300)
        assert f"\nARG BASE=python:3.11-slim-bookworm@{digest}\n" in dockerfile.read_text(encoding="utf-8")
    docker.write_text("#!/bin/sh\nexit 1\n")
    before = dockerfile.read_text(encoding="utf-8")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=300)
    assert done.returncode != 0
    assert dockerfile.read_text(encoding="utf-8") == before


def test_health_check_of_the_image_requests_an_existing_path() -> None:
    python, flag, code = json.loads(last_instruction("HEALTHCHECK").partition("CMD ")[2])
    assert (python, flag) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    path = re.search(r"http://127\.0\.0\.1:8000(/[\w/]+)", code)
    assert path is not None
    assert path[1] in {endpoint.path for endpoint in health.ENDPOINTS}


def test_account_of_the_database_may_verify_backups() -> None:
    grants = [line for line in (ROOT / "mysql/scratch.sql").read_text().splitlines() if line.startswith("GRANT")]
    environment = SERVICES["mysql"]["environment"]
    prefix = schemas_of(environment["MYSQL_DATABASE"]).replace("_", "\\_")
    account = f"'{environment['MYSQL_USER']}'@'%'"
    assert grants == [f"GRANT ALL ON `{prefix}%`.* TO {account};", f"GRANT REPLICATION CLIENT ON *.* TO {account};"]
    folder = SERVICES["worker"]["environment"]["NOWSERVING_BACKUP_FOLDER"]
    assert SERVICES["worker"]["volumes"] == [f"backups:{folder}"]
    assert any(folder in rest for word, rest in dockerfile() if word == "RUN")
    assert any("mariadb-client" in rest for word, rest in dockerfile() if word == "RUN")


def test_binary_logs_lead_to_a_point_in_time() -> None:
    options = dict(each.removeprefix("--").split("=", 1) for each in SERVICES["mysql"]["command"] if "=" in each)
    assert (options["binlog-format"], options["sync-binlog"], options["innodb-flush-log-at-trx-commit"]) == ("ROW", "1", "1")
    assert options["log-bin"]
    kept_days = Settings.model_fields["backups_kept"].default
    assert int(options["binlog-expire-logs-seconds"]) > kept_days * 86_400


def test_every_mount_has_a_source() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).is_file(), f"{name}: {source}"
            else:
                assert source in COMPOSE["volumes"], f"{name}: {source}"


def test_every_file_that_nginx_includes_is_mounted() -> None:
    mounts = {
        volume.split(":")[1]: ROOT / volume.split(":")[0]
        for volume in SERVICES["nginx"]["volumes"]
        if volume.startswith(".")
    }
    entrypoint = SERVICES["nginx"]["entrypoint"]
    main = entrypoint[entrypoint.index("-c") + 1]
    folder = main.rpartition("/")[0]
    included = {
        f"{folder}/{name}"
        for source in mounts.values()
        for name in re.findall(r"^\s*include (\S+);", source.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert included | {main, entrypoint[1]} == set(mounts)


def test_limits_of_the_proxy_match_the_server() -> None:
    text = (ROOT / "nginx/nginx.conf").read_text(encoding="utf-8")
    live = text[text.index("location ^~ /live/") :]
    timeout = re.search(r"proxy_read_timeout (\d+)s;", live)
    assert timeout is not None
    assert int(timeout[1]) > LIFE_SECONDS
    body = re.search(r"client_max_body_size (\d+)k;", text)
    assert body is not None
    assert int(body[1]) * 1024 == MAX_BODY_BYTES
    assert f'"limit\\":{MAX_BODY_BYTES}' in text
    plain, tls = (
        re.search(r"^ *listen (\d+)\b", (ROOT / "nginx" / name).read_text(), re.MULTILINE)
        for name in ("tls/redirect.conf", "compose/listen.conf")
    )
    assert plain is not None
    assert tls is not None
    assert [each.rpartition(":")[2] for each in SERVICES["nginx"]["ports"]] == [plain[1], tls[1]]
    assert f"http://127.0.0.1:{plain[1]}/health/proxy" in SERVICES["nginx"]["healthcheck"]["test"]


def test_certificate_goes_from_its_makers_to_its_readers() -> None:
    """One volume, one path: the trial's certificate and certbot's, nginx, its watcher, and the server that tells the end."""
    listen = (ROOT / "nginx/compose/listen.conf").read_text()
    found = re.search(r"^ssl_certificate (\S+);", listen, re.MULTILINE)
    assert found is not None
    path, folder = found[1], str(Path(found[1]).parent)
    assert f"ssl_certificate_key {folder}/{KEY_FILE};" in listen
    assert path == f"{folder}/{CERTIFICATE_FILE}"
    assert SERVICES["certificate"]["command"] == ["certificate", folder]
    assert SERVICES["server"]["environment"]["NOWSERVING_CERTIFICATE"] == path
    assert SERVICES["nginx"]["entrypoint"][2] == path
    for name, mode in (("certificate", ""), ("certbot", ""), ("nginx", ":ro"), ("server", ":ro")):
        assert f"certificates:{folder}{mode}" in SERVICES[name]["volumes"]
    for name in ("certificate", "certbot"):
        assert SERVICES[name]["user"] == SERVICES["nginx"]["user"]
    assert "certificate" in SERVICES["nginx"]["depends_on"]


def test_proxy_shows_the_answers_that_certbot_writes() -> None:
    script = SERVICES["certbot"]["entrypoint"][-1]
    webroot = re.search(r"--webroot-path (\S+)", script)
    assert webroot is not None
    assert f"acme:{webroot[1]}" in SERVICES["certbot"]["volumes"]
    redirect = (ROOT / "nginx/tls/redirect.conf").read_text()
    folder = re.search(r"location \^~ /\.well-known/acme-challenge/ \{\s+root (\w+);", redirect)
    assert folder is not None
    entrypoint = SERVICES["nginx"]["entrypoint"]
    state = entrypoint[entrypoint.index("-p") + 1]
    assert f"acme:{state}{folder[1]}:ro" in SERVICES["nginx"]["volumes"]
    hook = re.search(r"--deploy-hook (\S+)", script)
    assert hook is not None
    assert f"./nginx/install-certificate.sh:{hook[1]}:ro" in SERVICES["certbot"]["volumes"]


def test_hook_of_certbot_replaces_the_pair(tmp_path: Path) -> None:
    lineage, there = tmp_path / "lineage", tmp_path / "there"
    for folder, name in ((lineage, "new.example.org"), (there, "old.example.org")):
        make(folder, [name], 90)
    (lineage / CERTIFICATE_FILE).rename(lineage / "fullchain.pem")
    (lineage / KEY_FILE).rename(lineage / "privkey.pem")
    env = os.environ | {"RENEWED_LINEAGE": str(lineage), "INSTALL_IN": str(there)}
    subprocess.run([ROOT / "nginx/install-certificate.sh"], env=env, check=True, timeout=30)
    assert (there / CERTIFICATE_FILE).read_bytes() == (lineage / "fullchain.pem").read_bytes()
    assert (there / KEY_FILE).read_bytes() == (lineage / "privkey.pem").read_bytes()
    assert (there / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in there.iterdir()) == [CERTIFICATE_FILE, KEY_FILE]


@pytest.mark.parametrize("tls", [False, True])
def test_nginx_accepts_its_configuration(tmp_path: Path, *, tls: bool) -> None:
    conf = shutil.copytree(ROOT / "nginx", tmp_path / "conf")
    if tls:
        for each in (conf / "tls").iterdir():
            shutil.copy(each, conf / "snippets")
        listen = conf / "snippets/listen.conf"
        make(tmp_path / "pki", ["queue.example.org"], 90)
        listen.write_text(listen.read_text().replace("/etc/nowserving/", f"{tmp_path}/pki/"))
    state = tmp_path / "state"
    state.mkdir()
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    assert nginx is not None, "the Debian package nginx is missing"
    done = subprocess.run(
        [nginx, "-t", "-e", "stderr", "-p", f"{state}/", "-c", str(conf / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr
