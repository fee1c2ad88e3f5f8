"""The template by itself: valid, without findings, and saying the same as code and README."""

import json
import os
import re
import subprocess

import pytest
import tomllib
import yaml

from conftest import ROOT, run
from deployment import SAM

LINT = ROOT / ".venv-lint/bin"
TEMPLATE = ROOT / "template.yaml"


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as {"Ref": ...} and so on."""


def _function(loader, suffix, node):
    read = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True),
        yaml.MappingNode: lambda node: loader.construct_mapping(node, deep=True),
    }
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": read[type(node)](node)}


Loader.add_multi_constructor("!", _function)


@pytest.fixture(scope="module")
def template():
    return yaml.load(TEMPLATE.read_text(), Loader)


def check(*command):
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_sam_finds_it_valid():
    assert "is a valid SAM Template" in check(SAM, "validate", "--lint")


def test_cfn_lint_has_no_findings():
    assert check(LINT / "cfn-lint", TEMPLATE) == ""


def test_checkov_has_no_findings_and_every_exception_has_its_reason(template):
    report = json.loads(check(LINT / "checkov", "-f", TEMPLATE, "--skip-download", "-o", "json"))
    assert report["summary"]["failed"] == 0 and report["summary"]["passed"] > 40
    for resource in template["Resources"].values():
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert len(skip["comment"]) > 20


def test_its_parameters_are_those_of_the_command_line(template):
    text = (ROOT / "crates/plan/src/parameters.rs").read_text()
    known = dict(re.findall(r'^    "([A-Za-z]+)" = "([^"]*)"', text, re.M))
    declared = {name: value.get("Default", "") for name, value in template["Parameters"].items()}
    assert declared == known
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(known) == sorted(interface["ParameterLabels"])
    for value in template["Parameters"].values():
        assert value["Description"].endswith(".")


def test_the_custom_resource_gets_every_parameter_of_the_plan(template):
    properties = template["Resources"]["ConversionArtifacts"]["Properties"]
    passed = {name for name, value in properties.items() if value == {"Ref": name}}
    # These are the stack's own business.
    others = {"CrawlerSchedule", "ConversionSchedule", "NotificationEmail", "KmsKeyArn", "Architecture"}
    assert passed == set(template["Parameters"]) - others


def test_the_readme_has_every_permission_and_output(template):
    readme = (ROOT / "README.md").read_text()
    for role in template["Resources"].values():
        for policy in role.get("Properties", {}).get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                statement = statement.get("Fn::If", [None, statement])[1]
                assert statement["Sid"]
                actions = statement["Action"]
                for action in [actions] if isinstance(actions, str) else actions:
                    assert f"`{action}`" in readme, f"{action} is not in the README"
    for output in template["Outputs"]:
        assert f"`{output}`" in readme, f"{output} is not in the README"
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            assert f"`{name}`" in readme, f"{name} is not in the README"


def test_both_functions_share_the_release_and_the_limits_that_belong_together(template):
    release = template["Mappings"]["Release"]["Current"]["Version"]
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text())
    assert release == cargo["workspace"]["package"]["version"]
    assert release == template["Metadata"]["AWS::ServerlessRepo::Application"]["SemanticVersion"]
    function = template["Resources"]["ConvertObjectFunction"]["Properties"]
    queue = template["Resources"]["NewObjectsQueue"]["Properties"]
    assert queue["VisibilityTimeout"] == 6 * function["Timeout"]
    tries = function["Environment"]["Variables"]["MAX_RECEIVE_COUNT"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == int(tries)


@pytest.mark.parametrize("environment", ["default", "segment", "prod"])
def test_sam_and_the_command_line_read_the_same_from_samconfig(environment, tmp_path):
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    overrides = config[environment]["deploy"]["parameters"]["parameter_overrides"]
    script = (
        "import json, sys\n"
        "from samcli.cli.types import CfnParameterOverridesType as Type\n"
        "print(json.dumps(Type().convert(json.load(sys.stdin), None, None)))\n"
    )
    done = subprocess.run([SAM.parent / "python", "-c", script], input=json.dumps(overrides), capture_output=True, text=True)
    as_sam_reads = json.loads(done.stdout)
    columns = [{"Name": name, "Type": "string"} for name in ("user_id", "item_id", "timestamp", "userid", "event")]
    columns.append({"Name": "properties", "Type": "struct<products:array<struct<sku:string,price:double>>>"})
    table = {"Name": "t", "Parameters": {"classification": "json"}, "StorageDescriptor": {"Columns": columns}}
    (tmp_path / "table.json").write_text(json.dumps(table))
    by_samconfig = ["--samconfig", ROOT / "samconfig.toml", "--config-env", environment]
    typed = ["--parameter-overrides", *(f"{name}={value}" for name, value in as_sam_reads.items())]
    plans = []
    for number, arguments in enumerate((by_samconfig, typed)):
        run("generate", "--table", tmp_path / "table.json", "-o", tmp_path / str(number), *arguments)
        plans.append((tmp_path / str(number) / "plan.json").read_text())
    assert plans[0] == plans[1]


