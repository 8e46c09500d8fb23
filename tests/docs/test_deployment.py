"""The files of docs/deploy are valid for the systems that read them, and agree with meshline."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path
from typing import Any

import crossplane
import kubernetes_validate
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from meshline.app.settings import list_settings
from meshline.cli.app import app

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
KUBERNETES = "1.31"  # what a cluster that is looked after has at least


def read_manifests() -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")))


def list_variables(manifest: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in manifest["spec"]["template"]["spec"]["containers"][0]["env"]]


@pytest.mark.parametrize("manifest", read_manifests(), ids=lambda m: m["kind"])
def test_kubernetes_accepts_the_manifests(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_an_unknown_key_would_be_refused() -> None:
    service = next(m for m in read_manifests() if m["kind"] == "Service")
    service["spec"]["selectr"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service, KUBERNETES, strict=True)


def test_the_pod_names_settings_and_addresses_that_exist() -> None:
    stateful = next(m for m in read_manifests() if m["kind"] == "StatefulSet")
    assert set(list_variables(stateful)) <= list_known_variables()
    container = stateful["spec"]["template"]["spec"]["containers"][0]
    probes = {container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert probes == {"/readyz", "/healthz"}


def test_the_unit_names_settings_and_options_that_exist() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign] # systemd's keys have capitals
    unit.read_string((DEPLOY / "meshline.service").read_text("utf-8"))
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    lines = (DEPLOY / "meshline.service").read_text("utf-8").splitlines()
    named = {line.split("=")[1] for line in lines if line.startswith("Environment=")}
    assert {name for name in named if name.startswith("MESHLINE_")} <= list_known_variables()
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert program == "/opt/meshline/bin/meshline"
    assert CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0  # an unknown option is exit code 2


def test_nginx_can_parse_the_proxy(tmp_path: Path) -> None:
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"events {{}}\nhttp {{ include {DEPLOY / 'nginx.conf'}; }}\n", "utf-8")
    parsed = crossplane.parse(str(whole), strict=True)
    assert parsed["status"] == "ok", parsed["errors"]


def list_known_variables() -> set[str]:
    return {setting.variable for setting in list_settings()}
