"""The Kubernetes manifests are valid, agree with each other and with the program, and give little to an intruder.

No cluster runs here. The schemas are those of Kubernetes itself. Where `kubectl` is installed, it also puts them together.
"""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
import yaml

from server.cli import app
from server.live.streams import DRAIN_SECONDS
from server.settings import Settings, secret_files
from server.transport.api import health

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
BASE = FOLDER / "base"
EXAMPLE = FOLDER / "example"
OLDEST = "1.30"  # the oldest version that the manifests support
Json = dict[str, Any]

SECRETS = FOLDER / "secrets"  # a component for each secret that not every installation has

KUSTOMIZATION: Json = yaml.safe_load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))
COMPONENTS: dict[str, Json] = {
    path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted(SECRETS.glob("*/kustomization.yaml"))
}
OVERLAY: Json = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text(encoding="utf-8"))
MANIFESTS: list[Json] = [
    each for name in KUSTOMIZATION["resources"] for each in yaml.safe_load_all((BASE / name).read_text(encoding="utf-8"))
]


def named(made: Json) -> str:
    return f"{made['kind']} {made['metadata']['name']}"


def of(kind: str) -> dict[str, Json]:
    return {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == kind}


def template(workload: Json) -> Json:
    """Return the template of the pods of a workload."""
    spec = workload["spec"]
    found: Json = (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]
    return found


WORKLOADS = [each for each in MANIFESTS if each["kind"] in ("Deployment", "Job", "CronJob")]
PODS = {each["metadata"]["name"]: template(each) for each in WORKLOADS}
OURS = {name: pod for name, pod in PODS.items() if name != "nginx"}
workloads = pytest.mark.parametrize("workload", WORKLOADS, ids=named)


def container(pod: Json) -> Json:
    [only] = pod["spec"]["containers"]
    found: Json = only
    return found


def matches(selector: Json, pod: Json) -> bool:
    """Return whether a label selector selects a pod."""
    labels = pod["metadata"]["labels"]
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", [])
        if each["operator"] == "In"
    )


def literals(kustomization: Json) -> dict[str, str]:
    [made] = [each for each in kustomization["configMapGenerator"] if each["name"] == "nowserving-settings"]
    return {name: value for name, _, value in (each.partition("=") for each in made["literals"])}


@pytest.fixture(scope="module")
def schemas() -> ModuleType:
    """Return the package of the schemas. Its import takes a second of CPU, which only this module needs."""
    return import_module("kubernetes_validate")


@pytest.mark.parametrize("version", [OLDEST, "newest"])
@pytest.mark.parametrize("made", MANIFESTS, ids=named)
def test_manifest_is_valid(made: Json, version: str, schemas: ModuleType) -> None:
    schemas.validate(made, schemas.latest_version() if version == "newest" else version, strict=True)


def test_wrong_field_would_be_found(schemas: ModuleType) -> None:
    wrong = {**of("Service")["nginx"], "spec": {"selector": {}, "prots": []}}
    with pytest.raises(schemas.ValidationError):
        schemas.validate(wrong, OLDEST, strict=True)


def test_every_file_belongs_to_the_installation() -> None:
    files = {path.name for path in BASE.iterdir()} - {"kustomization.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files
    assert OVERLAY["resources"] == ["../base"]
    assert OVERLAY["namespace"] == KUSTOMIZATION["namespace"] == of("Namespace")["nowserving"]["metadata"]["name"]


@workloads
def test_pods_are_restricted(workload: Json) -> None:
    """The rules of the level `restricted` of the Pod Security Standards, and a file system that nobody can write."""
    pod = template(workload)["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    kinds = {key for volume in pod["volumes"] for key in volume} - {"name", "secret", "configMap", "emptyDir"}
    assert kinds == ({"persistentVolumeClaim"} if named(workload) == "CronJob backup" else set())
    for each in pod["containers"]:
        context = each["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
    assert of("Namespace")["nowserving"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@workloads
def test_pods_request_resources_and_have_a_limit_of_memory(workload: Json) -> None:
    resources = container(template(workload))["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]


def test_backups_have_a_volume_of_their_own_and_outlive_their_pod() -> None:
    pod = PODS["backup"]["spec"]
    [claim] = [each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"] if "persistentVolumeClaim" in each]
    assert set(of("PersistentVolumeClaim")) == {claim}
    made = container(PODS["backup"])
    [folder] = [each["value"] for each in made["env"] if each["name"] == "NOWSERVING_BACKUP_FOLDER"]
    assert folder in {each["mountPath"] for each in made["volumeMounts"]}
    assert "NOWSERVING_BACKUP_FOLDER" not in literals(KUSTOMIZATION) | literals(OVERLAY), "workers have no volume"


def test_user_of_the_pods_is_the_user_of_the_image() -> None:
    user = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[-1]
    for pod in OURS.values():
        context = pod["spec"]["securityContext"]
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user


@workloads
def test_mounts_have_volumes(workload: Json) -> None:
    pod = template(workload)["spec"]
    mounted = {each["name"] for each in container(template(workload))["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["volumes"]}


# The program


@pytest.mark.parametrize("name", OURS)
def test_command_line_of_the_pod_parses(name: str) -> None:
    arguments = list(container(OURS[name])["args"])
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    command.make_context(command.name, arguments)  # a wrong option or value raises


@pytest.mark.parametrize("name", OURS)
def test_every_named_setting_exists(name: str) -> None:
    made = container(OURS[name])
    settings = {f"NOWSERVING_{field.upper()}" for field in Settings.model_fields}
    variables = {each["name"]: each["value"] for each in made["env"]}
    ours = {each for each in variables if each.startswith("NOWSERVING_")}
    plain = {"NOWSERVING_BACKUP_FOLDER"} if name == "backup" else set()  # of the others, none has the volume
    assert plain <= ours
    ours -= plain
    assert ours <= set(secret_files()), "a secret is a file"
    assert {"NOWSERVING_DATABASE_URL_FILE", "NOWSERVING_SECRET_KEY_FILE", "NOWSERVING_ENCRYPTION_KEYS_FILE"} <= ours
    [mount] = [each["mountPath"] for each in made["volumeMounts"] if each["name"] == "secrets"]
    assert all(variables[each].rpartition("/")[0] == mount for each in ours)
    assert made["envFrom"] == [{"configMapRef": {"name": "nowserving-settings"}}]
    assert set(literals(KUSTOMIZATION)) | set(literals(OVERLAY)) <= settings
    assert not {f"NOWSERVING_{field.upper()}" for field in secret_files().values()} & set(literals(OVERLAY))


def test_no_secret_is_committed_and_the_guide_makes_each_one() -> None:
    assert of("Secret") == {}
    files = {
        each["value"].rpartition("/")[2]
        for pod in OURS.values()
        for each in container(pod)["env"]
        if "_FILE" in each["name"]
    }
    guide = (
        (ROOT / "docs/operating.md")
        .read_text(encoding="utf-8")
        .partition("## Starting with Kubernetes")[2]
        .partition("\n## ")[0]
    )
    assert files == set(re.findall(r" --from-file=([a-z-]+)", guide))
    assert {f"--from-file={name}" for name in COMPONENTS} & set(re.findall(r"`(--from-file=[a-z-]+)`", guide))
    assert {f"`{name}`" for name in COMPONENTS} <= set(re.findall(r"`[a-z-]+`", guide))
    [secret] = {each["secret"]["secretName"] for pod in OURS.values() for each in pod["spec"]["volumes"] if "secret" in each}
    assert f"create secret generic {secret}" in guide


def secrets_of(pod: Json) -> dict[str, str]:
    """Return the paths of the secrets of a pod, by the names of their variables."""
    return {each["name"]: each["value"] for each in container(pod)["env"] if each["name"] in secret_files()}


def with_component(workload: Json, component: Json) -> Json:
    """Return a workload after the patches of a component, as kustomize applies them: its only steps append to a list."""
    made = copy.deepcopy(workload)
    for patch in component["patches"]:
        target = patch["target"]
        if target["kind"] != made["kind"] or not re.fullmatch(target["name"], made["metadata"]["name"]):
            continue
        for step in yaml.safe_load(patch["patch"]):
            *parts, last = step["path"].strip("/").split("/")
            place: Any = made
            for part in parts:
                place = place[int(part)] if isinstance(place, list) else place[part]
            assert (step["op"], last) == ("add", "-")
            place.append(step["value"])
    return made


@pytest.mark.parametrize("variable", secret_files())
def test_every_secret_setting_is_mounted(variable: str, schemas: ModuleType) -> None:
    """A secret of each installation is in the base, and every other one in a component of its own."""
    file = variable.removeprefix("NOWSERVING_").removesuffix("_FILE").lower().replace("_", "-")
    path = f"/run/secrets/nowserving/{file}"
    if file not in COMPONENTS:
        assert {secrets_of(pod).get(variable) for pod in OURS.values()} == {path}, f"make a component {file}"
        return
    assert not any(variable in secrets_of(pod) for pod in OURS.values())
    for workload in WORKLOADS:
        if workload["metadata"]["name"] == "nginx":
            continue
        made = with_component(workload, COMPONENTS[file])
        assert secrets_of(template(made)) == secrets_of(template(workload)) | {variable: path}
        schemas.validate(made, OLDEST, strict=True)


def test_components_are_those_of_secrets_and_in_the_example(schemas: ModuleType) -> None:
    text = (EXAMPLE / "kustomization.yaml").read_text(encoding="utf-8")
    assert {name for name, each in COMPONENTS.items() if each["kind"] == "Component"} == set(COMPONENTS)
    assert set(re.findall(r"^#  - \.\./secrets/([a-z-]+)$", text, re.MULTILINE)) == set(COMPONENTS)
    known = {name.removeprefix("NOWSERVING_").removesuffix("_FILE").lower().replace("_", "-") for name in secret_files()}
    assert set(COMPONENTS) <= known, "a component without a setting"
    for name, each in COMPONENTS.items():
        for resource in each.get("resources", []):
            for made in yaml.safe_load_all((SECRETS / name / resource).read_text(encoding="utf-8")):
                schemas.validate(made, OLDEST, strict=True)
                assert any(matches(made["spec"]["podSelector"], pod) for pod in OURS.values())


def test_server_has_three_probes_at_existing_paths() -> None:
    made = container(PODS["server"])
    paths = {name: made[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/health/startup", "readiness": "/health/ready", "liveness": "/health/live"}
    assert set(paths.values()) <= {endpoint.path for endpoint in health.ENDPOINTS}
    ports = {each["name"]: each["containerPort"] for each in made["ports"]}
    assert {made[f"{name}Probe"]["httpGet"]["port"] for name in paths} == set(ports)
    assert str(ports["http"]) == made["args"][made["args"].index("--port") + 1]


def test_stopping_takes_longer_than_the_drain_and_the_calls_of_a_worker() -> None:
    drain = int(literals(KUSTOMIZATION)["NOWSERVING_DRAIN_DELAY_SECONDS"]) + DRAIN_SECONDS
    assert PODS["server"]["spec"]["terminationGracePeriodSeconds"] > drain + 5  # uvicorn's own wait for the last requests
    assert PODS["worker"]["spec"]["terminationGracePeriodSeconds"] >= 90
    readiness = container(PODS["server"])["readinessProbe"]
    noticed = readiness["periodSeconds"] * readiness["failureThreshold"]
    assert noticed < int(literals(KUSTOMIZATION)["NOWSERVING_DRAIN_DELAY_SECONDS"])
    [nap] = [each for each in container(PODS["nginx"])["lifecycle"]["preStop"]["exec"]["command"] if each.isdigit()]
    assert PODS["nginx"]["spec"]["terminationGracePeriodSeconds"] > int(nap)


# The manifests between themselves


def test_selectors_select_their_own_pods_alone() -> None:
    for name, made in of("Deployment").items():
        assert [other for other, pod in PODS.items() if matches(made["spec"]["selector"], pod)] == [name]
    for name, made in of("Service").items():
        assert [other for other, pod in PODS.items() if matches({"matchLabels": made["spec"]["selector"]}, pod)] == [name]
        ports = {each["name"] for each in container(PODS[name])["ports"]}
        assert {each["targetPort"] for each in made["spec"]["ports"]} <= ports
    for name, made in of("PodDisruptionBudget").items():
        assert [other for other, pod in PODS.items() if matches(made["spec"]["selector"], pod)] == [name]
        assert made["spec"]["minAvailable"] < of("Deployment")[name]["spec"]["replicas"]


def test_all_pods_of_several_survive_an_upgrade_and_a_node() -> None:
    several = {name for name, made in of("Deployment").items() if made["spec"]["replicas"] > 1}
    assert several == set(of("PodDisruptionBudget")) == {"server", "nginx"}
    for name in several:
        assert of("Deployment")[name]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        [spread] = PODS[name]["spec"]["topologySpreadConstraints"]
        assert matches(spread["labelSelector"], PODS[name])


def test_ingress_leads_to_nginx_with_tls() -> None:
    made = of("Ingress")["nowserving"]["spec"]
    [rule] = made["rules"]
    [path] = rule["http"]["paths"]
    service = of("Service")[path["backend"]["service"]["name"]]
    assert path["backend"]["service"]["port"]["name"] in {each["name"] for each in service["spec"]["ports"]}
    assert made["tls"][0]["hosts"] == [rule["host"]] == [literals(KUSTOMIZATION)["NOWSERVING_ALLOWED_HOSTS"]]
    notes = of("Ingress")["nowserving"]["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/enable-access-log"] == "false"  # tokens are in paths
    assert notes["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"


def test_overlay_changes_existing_parts_alone() -> None:
    images = {container(pod)["image"] for pod in PODS.values()}
    assert {each["name"] for each in OVERLAY["images"]} == images
    assert {each["name"] for each in OVERLAY["replicas"]} <= set(of("Deployment"))
    for patch in OVERLAY["patches"]:
        target = of(patch["target"]["kind"])[patch["target"]["name"]]
        for step in yaml.safe_load(patch["patch"]):
            place: Any = target
            for part in step["path"].strip("/").split("/"):
                place = place[int(part)] if isinstance(place, list) else place[part]


# The network


def policies(kind: str, pod: Json) -> list[Json]:
    """Return the rules of a kind (``ingress`` or ``egress``) that hold for a pod."""
    return [
        rule
        for made in of("NetworkPolicy").values()
        if matches(made["spec"]["podSelector"], pod) and kind.capitalize() in made["spec"]["policyTypes"]
        for rule in made["spec"].get(kind, [])
    ]


def test_nothing_is_open_without_a_policy() -> None:
    nothing = of("NetworkPolicy")["nothing"]["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_each_pod_is_reached_by_its_clients_alone() -> None:
    reached = {name for name, pod in PODS.items() if policies("ingress", pod)}
    assert reached == {"server", "nginx"}
    for rule in (rule for name in reached for rule in policies("ingress", PODS[name])):
        assert rule["from"]
        assert rule["ports"] == [{"port": "http"}]
    sources = [source for rule in policies("ingress", PODS["server"]) for source in rule["from"]]
    assert any("podSelector" in each and matches(each["podSelector"], PODS["nginx"]) for each in sources)


def test_each_pod_reaches_its_servers_alone() -> None:
    ports = {
        name: {port["port"] for rule in policies("egress", pod) for port in rule["ports"]} for name, pod in PODS.items()
    }
    for name in OURS:
        assert {53, 3306, 6379} <= ports[name], name
    assert {name for name in PODS if 443 in ports[name]} == {"server", "worker"}
    assert ports["nginx"] == {53, "http"}


# nginx


def test_every_file_that_nginx_includes_is_mounted() -> None:
    [made] = [each for each in KUSTOMIZATION["configMapGenerator"] if each["name"] == "nowserving-nginx"]
    sources = {}
    for line in made["files"]:
        key, _, path = line.rpartition("=")
        source = (BASE / path).resolve()
        assert source.is_file(), path
        sources[key or source.name] = source
    [volume] = [each["configMap"] for each in PODS["nginx"]["spec"]["volumes"] if "configMap" in each]
    mounted = {item["path"]: sources[item["key"]] for item in volume["items"]}
    assert len(mounted) == len(sources)
    included = {
        name
        for source in mounted.values()
        for name in re.findall(r"^\s*include (\S+);", source.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert included | {"nginx.conf"} == set(mounted)


def test_nginx_finds_the_servers_by_their_service() -> None:
    text = (FOLDER / "nginx/upstream.conf").read_text(encoding="utf-8")
    host = re.search(r"^server ([a-z.]+):(\d+) .*resolve;", text, re.MULTILINE)
    assert host is not None
    service = of("Service")["server"]
    assert host[1] == f"server.{KUSTOMIZATION['namespace']}.svc.cluster.local"
    assert int(host[2]) == service["spec"]["ports"][0]["port"] == container(PODS["server"])["ports"][0]["containerPort"]
    assert service["spec"]["clusterIP"] == "None"


def test_nginx_accepts_the_files_of_the_cluster(tmp_path: Path) -> None:
    conf = shutil.copytree(ROOT / "nginx", tmp_path / "conf")
    for name in ("listen.conf", "proxies.conf"):  # upstream.conf needs a newer nginx, and the names of the cluster
        shutil.copy(FOLDER / "nginx" / name, conf / "snippets" / name)
    state = tmp_path / "state"
    state.mkdir()
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert nginx is not None, "the Debian package nginx is missing"
    command = [nginx, "-t", "-e", "stderr", "-p", f"{state}/", "-c", str(conf / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl: the manifests are checked one by one instead")
def test_kubectl_puts_the_example_together(schemas: ModuleType) -> None:
    command = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    assert {(each["kind"], each["metadata"]["name"]) for each in made if each["kind"] != "ConfigMap"} == {
        (each["kind"], each["metadata"]["name"]) for each in MANIFESTS
    }
    for each in made:
        schemas.validate(each, OLDEST, strict=True)
        if each["kind"] in ("Deployment", "Job", "CronJob"):
            image = container(template(each))["image"]
            assert ":" in image.rpartition("/")[2], "the overlay names a version"
    [settings] = [each["data"] for each in made if each["metadata"]["name"].startswith("nowserving-settings-")]
    assert settings["NOWSERVING_ENV"] == "production"
    assert settings["NOWSERVING_ALLOWED_HOSTS"] == "queue.clinic.example"
