"""deploy/kubernetes.yaml against what the daemon does."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.conftest import ROOT, read
from zimun_sync.config import load
from zimun_sync.config.serving import ServerSettings
from zimun_sync.store import LEASE_SECONDS

Objects = dict[str, Any]


@pytest.fixture
def pod(objects: Objects) -> Any:
    return objects["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: Any) -> Any:
    [found] = pod["containers"]
    return found


def test_there_is_never_more_than_one(objects: Objects) -> None:
    spec = objects["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert objects["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_it_is_contained(pod: Any, container: Any) -> None:
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_its_user_is_the_images(pod: Any) -> None:
    user = f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert user in read("Dockerfile")
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


def test_it_may_drain_before_it_is_killed(pod: Any) -> None:
    assert pod["terminationGracePeriodSeconds"] > ServerSettings().drain_seconds


def test_it_sits_out_the_lease_of_a_pod_that_was_lost(container: Any) -> None:
    arguments = container["args"]
    waits = int(arguments[arguments.index("--wait") + 1])
    startup = container["startupProbe"]
    assert waits > LEASE_SECONDS
    assert startup["periodSeconds"] * startup["failureThreshold"] > waits + 600
    assert f"up to {LEASE_SECONDS} s" in read("deploy/kubernetes.yaml")


def test_probes_ask_what_the_daemon_answers(container: Any) -> None:
    asked = {
        name: container[name]["httpGet"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert {name: each["path"] for name, each in asked.items()} == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    assert {each["port"] for each in asked.values()} == {"http"}
    web = "".join(file.read_text() for file in (ROOT / "zimun_sync/web").glob("*.py"))
    assert all(f'"{path}"' in web for path in ("/livez", "/readyz"))


def test_ports_agree(objects: Objects, container: Any, image: Mapping[str, str]) -> None:
    port = int(image["ZIMUN_SYNC_SERVER__PORT"])
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    [service] = objects["Service"]["spec"]["ports"]
    assert (service["port"], service["targetPort"]) == (port, "http")


def test_only_webhooks_are_for_the_world(objects: Objects) -> None:
    [rule] = objects["Ingress"]["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/webhooks"]


def test_everything_that_is_written_is_mounted(pod: Any, container: Any) -> None:
    mounted = {each["mountPath"]: each for each in container["volumeMounts"]}
    writable = {path for path, each in mounted.items() if not each.get("readOnly")}
    assert writable == {"/data", "/tmp"}
    assert {each["name"] for each in mounted.values()} == {each["name"] for each in pod["volumes"]}


def test_its_configuration_is_right(
    objects: Objects, container: Any, image: Mapping[str, str], tmp_path: Path
) -> None:
    secrets = objects["Secret"]["stringData"]
    keys = {each["name"]: each["valueFrom"]["secretKeyRef"]["key"] for each in container["env"]}
    (tmp_path / "client_secret").write_text(secrets["client_secret"])
    written = objects["ConfigMap"]["data"]["config.yaml"]
    file = tmp_path / "config.yaml"
    file.write_text(written.replace("/run/secrets/zimun-sync", str(tmp_path)))
    # What Kubernetes would add for the service, were enableServiceLinks left on.
    links = {"ZIMUN_SYNC_SERVICE_HOST": "10.0.0.1", "ZIMUN_SYNC_PORT": "tcp://10.0.0.1:8090"}
    config = load(file, {**image, **links, **{name: secrets[key] for name, key in keys.items()}})
    assert config.sources["main"].client_id == secrets["client_id"]
    assert config.state == "sqlite:////data/state.db"
    assert config.warnings == ()


def test_selectors_find_the_pod(objects: Objects) -> None:
    deployment = objects["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels == objects["Service"]["spec"]["selector"]


def test_the_image_is_this_release(container: Any) -> None:
    version = re.search(r'^version = "(.*)"', read("pyproject.toml"), flags=re.MULTILINE)
    assert version is not None
    assert container["image"] == f"zimun-sync:{version[1]}"
    assert f"ARG VERSION={version[1]}" in read("Dockerfile")
