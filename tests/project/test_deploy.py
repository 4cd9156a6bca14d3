"""deploy/: every field exists, and ports, paths, users and limits are those of the Dockerfile and of the app."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
import tomllib
from typing import Any

import pytest
import yaml
from streamlit import config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.api import routes, stopping
from app.state import operator
from inception_model.serving.service import ANSWER_BYTES
from tests.project.shapes import COMPOSE, KINDS, META, misfits
from tests.project.test_container import DOCKERFILE, exec_form, only, steps
from tests.project.test_project import ROOT

DEPLOY = ROOT / "deploy"
COMPOSED = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OBJECTS = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
PROXY = (DEPLOY / "haproxy.cfg").read_text()
APPS = {name: service for name, service in COMPOSED["services"].items() if "build" in service}
PORT = 8501
READY = re.findall(r"http://[^/]+(/[^'\"]+)['\"]", " ".join(exec_form(only("HEALTHCHECK"))))[0]
USER, GROUP = (int(number) for number in only("USER").split(":"))
HOME = next(rest.partition("=")[2] for name, rest in steps(DOCKERFILE) if rest.startswith("HOME="))
PROCESS = 1400 * 2**20
"""Bytes that a process with the bundled network has in its memory besides what it is told to remember."""


def of_kind(kind: str) -> dict[str, Any]:
    [found] = [thing for thing in OBJECTS if thing["kind"] == kind]
    return dict(found)


POD = of_kind("Deployment")["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
ENVIRONMENT = {one["name"]: one["value"] for one in CONTAINER["env"]}


def size(text: str) -> int:
    """`4Gi`, `256m`, `4g` -> bytes: both write powers of two so."""
    found = re.fullmatch(r"(\d+)([kKmMgG])i?", text)
    assert found is not None, text
    return int(found[1]) << 10 * ("kmg".index(found[2].lower()) + 1)


def test_every_field_is_one_that_there_is() -> None:
    assert list(misfits(COMPOSED, COMPOSE)) == []
    for thing in OBJECTS:
        shape = {"apiVersion": str, "kind": str, "metadata": META, "spec": KINDS[thing["apiVersion"], thing["kind"]]}
        assert list(misfits(thing, shape, thing["kind"])) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"minAvailable": "1", "selector": {"matchLabels": {"a": "b"}}}, ".minAvailable: '1' is no int"),
        ({"minAvailable": True, "selector": {"matchLabels": {}}}, ".minAvailable: True is no int"),
        ({"minAvailable": 1, "selector": {"matchLabel": {}}}, ".selector.matchLabel: unknown"),
        ({"minAvailable": 1}, ".selector: missing"),
        ([], ": [] is no object"),
    ],
)
def test_a_typing_error_is_found(value: Any, said: str) -> None:
    assert said in list(misfits(value, KINDS["policy/v1", "PodDisruptionBudget"]))


@pytest.mark.parametrize("name", APPS)
def test_a_copy_in_compose_may_do_nothing_that_it_need_not(name: str) -> None:
    service = APPS[name]
    assert service["user"] == f"{USER}:{GROUP}"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service
    assert [COMPOSED["networks"][network]["internal"] for network in service["networks"]] == [True]
    assert int(service["stop_grace_period"].removesuffix("s")) > stopping.LAST_SECONDS
    written = {mount.partition(":")[0]: mount for mount in service["tmpfs"]}
    assert set(written) == {"/tmp", HOME}
    assert f"uid={USER},gid={GROUP}" in written[HOME]
    rooms = [size(found) for mount in service["tmpfs"] for found in re.findall(r"size=(\w+)", mount)]
    assert len(rooms) == 2
    assert size(service["mem_limit"]) >= PROCESS + ANSWER_BYTES + operator.PHOTO_BYTES + sum(rooms)
    assert int(service["environment"]["OMP_NUM_THREADS"]) == service["cpus"]


def test_the_proxy_keeps_a_browser_with_its_copy() -> None:
    servers = re.findall(r"^ +server (\w+) (\w+):(\d+) cookie (\w+)$", PROXY, flags=re.MULTILINE)
    assert [(name, host, int(port), cookie) for name, host, port, cookie in servers] == [
        (name, name, PORT, name) for name in APPS
    ]
    assert len(APPS) > 1
    assert re.search(r"^ +cookie \w+ insert .*httponly", PROXY, flags=re.MULTILINE)
    assert re.findall(r"http-check send meth GET uri (\S+)", PROXY) == [READY]
    assert "http-check expect status 200" in PROXY
    assert re.search(r"default-server check ", PROXY)
    service = COMPOSED["services"]["proxy"]
    assert re.findall(r"bind :(\d+)", PROXY) == [port.rpartition(":")[2] for port in service["ports"]]
    assert all("127.0.0.1:" in port for port in service["ports"]), "who wants others in has to say so"
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert "/usr/local/etc/haproxy/haproxy.cfg" in service["volumes"][0]
    hidden = re.findall(r"deny_status 404 if \{ path,url_dec -m str (.*) \}", PROXY)[0].split()
    assert set(hidden) == set(routes.HIDDEN)
    assert re.search(r"timeout tunnel \d+h", PROXY), "a page is one long connection"


def test_a_pod_may_do_nothing_that_it_need_not() -> None:
    assert POD["automountServiceAccountToken"] is False
    context = POD["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"], context["runAsGroup"]) == (True, USER, GROUP)
    assert context["fsGroup"] == GROUP
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    rooms = {volume["name"]: volume["emptyDir"] for volume in POD["volumes"]}
    assert set(mounts.values()) == {"/tmp", HOME}
    assert rooms.keys() == mounts.keys()
    assert {room["medium"] for room in rooms.values()} == {"Memory"}
    written = sum(size(room["sizeLimit"]) for room in rooms.values())
    limits = CONTAINER["resources"]["limits"]
    assert size(limits["memory"]) >= PROCESS + ANSWER_BYTES + operator.PHOTO_BYTES + written
    assert int(ENVIRONMENT["OMP_NUM_THREADS"]) == math.ceil(float(limits["cpu"]))
    policy = of_kind("NetworkPolicy")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert policy["egress"] == []
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [PORT]


def test_what_asks_for_a_pod_finds_it() -> None:
    deployment, service, ingress = of_kind("Deployment"), of_kind("Service"), of_kind("Ingress")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    assert selectors == [labels] * 4
    assert deployment["spec"]["replicas"] > of_kind("PodDisruptionBudget")["spec"]["minAvailable"]
    [port] = CONTAINER["ports"]
    assert (port["containerPort"], int(only("EXPOSE"))) == (PORT, PORT)
    [outer] = service["spec"]["ports"]
    assert outer["targetPort"] == port["name"]
    [rule] = ingress["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": outer["name"]}}
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    hosts = ENVIRONMENT["STREAMLIT_SERVER_ALLOWED_HOSTS"].split(",")
    assert rule["host"] in hosts
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = CONTAINER[probe]["httpGet"]
        assert asked["port"] == port["name"]
        assert next(header["value"] for header in asked["httpHeaders"] if header["name"] == "Host") in hosts
    assert {CONTAINER[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe")} == {READY}
    # A server that is busy, or ends, is not to be killed for it.
    assert CONTAINER["livenessProbe"]["httpGet"]["path"] not in routes.PLACES
    pause = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert POD["terminationGracePeriodSeconds"] > pause + stopping.LAST_SECONDS


def test_an_ingress_keeps_a_browser_with_its_copy() -> None:
    nginx, traefik = of_kind("Ingress")["metadata"]["annotations"], of_kind("Service")["metadata"]["annotations"]
    assert nginx["nginx.ingress.kubernetes.io/affinity"] == "cookie"
    assert traefik["traefik.ingress.kubernetes.io/service.sticky.cookie"] == "true"
    names = {value for name, value in (nginx | traefik).items() if name.endswith(("cookie-name", "cookie.name"))}
    assert len(names) == 1
    settings = tomllib.loads((ROOT / "app" / ".streamlit" / "config.toml").read_text())
    assert (
        int(nginx["nginx.ingress.kubernetes.io/proxy-body-size"].removesuffix("m"))
        > settings["server"]["maxUploadSize"]
    )


def test_what_the_environment_says_is_a_setting_of_the_app() -> None:
    given = {*ENVIRONMENT, *(name for service in APPS.values() for name in service["environment"])}
    known = {value for name, value in vars(operator).items() if name.isupper() and isinstance(value, str)}
    for name in given:
        if name.startswith("STREAMLIT_"):
            section, _, key = name.removeprefix("STREAMLIT_").lower().partition("_")
            option = re.sub(r"_(\w)", lambda found: found[1].upper(), key)
            config.get_option(f"{section}.{option}")  # an unknown one is an error
        else:
            assert name.startswith("OMP_") or name in known | {"FORWARDED_ALLOW_IPS"}, name  # uvicorn reads that one


def test_visitors_have_addresses_of_their_own_behind_the_proxy() -> None:
    """Whoever is believed lies in the proxy's network: never everybody."""
    inside = [ipaddress.ip_network(one["subnet"]) for one in COMPOSED["networks"]["inside"]["ipam"]["config"]]
    assert "inside" in COMPOSED["services"]["proxy"]["networks"]
    assert "option forwardfor" in PROXY
    for given in (*(service["environment"] for service in APPS.values()), ENVIRONMENT):
        believed = [ipaddress.ip_network(one) for one in given["FORWARDED_ALLOW_IPS"].split(",")]
        assert all(one.is_private and one.prefixlen >= 8 for one in believed)
        assert given is ENVIRONMENT or believed == inside
    spoken = ProxyHeadersMiddleware(echo, trusted_hosts=str(inside[0]))
    for client, seen in ((str(inside[0][2]), "198.51.100.7"), ("198.51.100.9", "198.51.100.9")):
        assert asyncio.run(client_of(spoken, client)) == seen


async def echo(scope: Any, _: Any, send: Any) -> None:
    await send(scope["client"][0])


async def client_of(app: Any, address: str) -> str:
    """Whom the app sees where that address says that it asks for another one."""
    seen: list[str] = []
    headers = [(b"x-forwarded-for", b"203.0.113.1, 198.51.100.7")]

    async def send(what: str) -> None:
        seen.append(what)

    await app({"type": "http", "client": (address, 1), "headers": headers, "scheme": "http"}, None, send)
    return seen[0]


def test_a_space_is_built_from_the_dockerfile() -> None:
    text = (DEPLOY / "huggingface" / "README.md").read_text()
    _, front, rest = text.split("---\n", 2)
    said = yaml.safe_load(front)
    assert (said["sdk"], said["app_port"], said["title"]) == ("docker", PORT, "InceptionScope")
    assert len(said["short_description"]) <= 60
    named = set(re.findall(r"INCEPTIONSCOPE_\w+", rest))
    assert named <= {value for value in vars(operator).values() if isinstance(value, str)}
