"""What a command says when variables, folders, an engine or options are wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests.ui.conftest import Invoke, Start
from ui.cli import app
from ui.exits import ExitCode, expected_failure

Finish = Callable[..., tuple[int, str, str]]

# They go on until Ctrl-C, or write what others say.
WITHOUT_DOCUMENT = {"ui", "serve", "deployments logs", "deployments open"}


def commands(command: Any = None, name: str = "") -> Iterator[tuple[str, Any]]:
    found = getattr(command or get_command(app), "commands", None)
    if found is None:
        yield name, command
        return
    for below, each in found.items():
        yield from commands(each, f"{name} {below}".strip())


def test_a_variable_that_is_no_json_is_named(
    eoloom: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EOLOOM_ADDRESSES", "[")
    result = eoloom("run", "pipeline.yaml")
    assert result.exit_code == ExitCode.ENVIRONMENT
    assert "EOLOOM_ADDRESSES=[: not JSON" in result.stderr


@pytest.mark.parametrize("url", ["nope", "http://", "http:// receiver", "ftp://receiver"])
def test_a_receiver_that_is_no_url_is_told_in_words(
    eoloom: Invoke, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("EOLOOM_OPENLINEAGE_URL", url)
    result = eoloom("runs")
    assert result.exit_code == ExitCode.ENVIRONMENT
    assert result.stderr == (
        f"error: EOLOOM_OPENLINEAGE_URL={url}: not the URL of a receiver, such as "
        "http://marquez.example:5000\n"
    )
    monkeypatch.setenv("EOLOOM_OPENLINEAGE_URL", "http://127.0.0.1:5000")
    assert eoloom("runs").exit_code == ExitCode.SUCCESS


def test_a_folder_without_components_is_told(eoloom: Invoke, workplace: Path) -> None:
    (workplace / "empty" / "deep" / "deeper").mkdir(parents=True)
    (workplace / "empty" / "deep" / "deeper" / "component.yaml").touch()
    result = eoloom("components", "--components", "empty")
    assert result.exit_code == ExitCode.SUCCESS
    assert "empty has no component: neither it nor a folder in it has" in result.stderr


def test_a_port_that_is_taken_is_one_message(
    finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, stdout, stderr = finish("serve", "--port", str(port))
    assert code == ExitCode.ENVIRONMENT
    assert stdout == ""
    # Nothing of what gRPC writes itself.
    assert stderr == f"error: cannot listen on 127.0.0.1:{port}: another program listens there\n"
    monkeypatch.setenv("EOLOOM_SERVICE_ADDRESS", "unix:/nowhere/socket")
    assert finish("serve")[2] == (
        "error: cannot listen on unix:/nowhere/socket: /nowhere: there is no such folder\n"
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "is no URL of a database"),
        ("postgresql://ada:hidden@[::1/eoloom", "is no URL of a database"),
        ("mysql://ada:hidden@db.example/eoloom", "of the kind mysql"),
    ],
)
def test_a_wrong_database_is_told_without_its_password(
    eoloom: Invoke, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setenv("EOLOOM_DATABASE_URL", url)
    result = eoloom("runs")
    assert result.exit_code == ExitCode.ENVIRONMENT
    assert f"EOLOOM_DATABASE_URL {'names a database ' * ('mysql' in url)}{reason}" in result.stderr
    assert "hidden" not in result.output
    read = eoloom("validate", "pipeline.yaml")
    assert read.exit_code == ExitCode.SUCCESS
    assert "onboarded components are left out" in read.stderr


def test_a_file_that_may_not_be_used_is_no_fault_of_the_program() -> None:
    failure = expected_failure(PermissionError(13, "Permission denied", "runs/journal.sqlite"))
    assert failure is not None
    assert failure.code is ExitCode.ENVIRONMENT
    assert failure.message == "cannot use runs/journal.sqlite: Permission denied"


def test_without_an_engine_there_is_no_run(finish: Finish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    code, _, stderr = finish("run", "pipeline.yaml", "--backend", "docker")
    assert code == ExitCode.ENVIRONMENT
    assert "unix:///nowhere/docker.sock: nothing answers" in stderr
    assert json.loads(finish("runs", "--json")[1]) == []


def test_a_result_whose_messages_are_gone_is_not_said_to_be_unknown(
    finish: Finish, workplace: Path
) -> None:
    document = json.loads(finish("run", "pipeline.yaml", "--json")[1])
    (item, *_) = (result["item"] for result in document["results"])
    Path(document["folder"], "messages.log").write_bytes(b"not a log")
    code, _, stderr = finish("lineage", "last", item)
    assert code != ExitCode.SUCCESS
    assert "messages.log" in stderr
    assert "has no item" not in stderr


def test_a_choice_that_there_is_not_is_told_plainly(eoloom: Invoke) -> None:
    result = eoloom("run", "pipeline.yaml", "--backend", "dokcer")
    assert result.exit_code == ExitCode.INVALID
    assert "'dokcer' is not one of 'local'" in result.stderr
    assert "Value error" not in result.stderr


def test_a_namespace_that_cannot_be_is_refused(eoloom: Invoke, workplace: Path) -> None:
    options = ("--to", "kustomize", "--profile", "kind", "--namespace", "No_Such")
    result = eoloom("export", "pipeline.yaml", *options, "--output", "out")
    assert result.exit_code == ExitCode.INVALID
    assert "namespace 'No_Such' must be lower-case letters" in result.stderr
    assert not (workplace / "out").exists()


def test_a_profile_asks_before_there_is_a_way_into_a_cluster(
    eoloom: Invoke, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(workplace))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    result = eoloom(
        *("deploy", "pipeline.yaml", "--profile", "creodias"),
        *("--set", "scenes.catalogue=https://a.example/catalog.json"),
    )
    assert result.exit_code == ExitCode.INVALID
    assert "profile creodias leaves open" in result.stderr


def test_export_and_import_tell_machines_what_they_wrote(eoloom: Invoke, workplace: Path) -> None:
    written = json.loads(eoloom("export", "pipeline.yaml", "--output", "p.zip", "--json").stdout)
    assert Path(written["output"]) == workplace / "p.zip"
    assert written["format"] == "solution"
    assert isinstance(written["warnings"], list)
    read = json.loads(eoloom("import", "p.zip", "--output", "q.yaml", "--json").stdout)
    assert Path(read["output"]) == workplace / "q.yaml"
    assert read["onboarded"] == []


def test_the_service_listens_where_its_variable_says(
    start: Start, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EOLOOM_SERVICE_ADDRESS", f"unix:{workplace}/socket")
    with start("serve") as process:
        assert process.stdout is not None
        assert f"listens on unix:{workplace}/socket" in process.stdout.readline()
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == ExitCode.SUCCESS


def test_a_wrong_variable_of_the_service_is_named(
    eoloom: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EOLOOM_SERVICE_MAX_RUNS", "many")
    result = eoloom("serve", "--port", "0")
    assert result.exit_code == ExitCode.ENVIRONMENT
    assert "EOLOOM_SERVICE_MAX_RUNS=many" in result.stderr


def test_all_commands_but_these_write_a_json_document() -> None:
    without = {
        name
        for name, command in commands()
        if "as_json" not in {parameter.name for parameter in command.params}
    }
    assert without == WITHOUT_DOCUMENT


def test_help_says_what_to_write_and_has_no_breaks_of_the_source(eoloom: Invoke) -> None:
    shown = eoloom("stop", "--help").stdout
    assert "Usage: eoloom stop [OPTIONS] [RUN]" in shown
    assert "{RUN} {ITEM}" in eoloom("lineage", "--help").stdout
    for name, command in commands():
        paragraphs = (command.help or "").split("\n\n")
        assert all("\n" not in paragraph for paragraph in paragraphs), name
