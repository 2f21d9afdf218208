"""`effnet submit` and `effnet runs --host`, against a stub of the API over real HTTP."""

import json
import os
import signal
from pathlib import Path

import fresh_process
import kubeflow_api
import pytest
import yaml
from effnet import effnet
from kubeflow_api import hangs_up, says

from kubeflow import compile as compiler
from kubeflow.submission import cron
from pipeline import cli, config_file
from preprocessing.errors import InputError

TOKEN = "eyJhbGciOiJSUzI1NiJ9.secret-part"
PAGE = "<html><title>Sign in</title></html>"
CONFIG = {
    "pipeline": {"name": "digits"},
    "data": {"path": "/data/digits"},
    "evaluation": {"min_top_1": 0.5},
    "serving": {"push_dir": "/data/serving", "model_name": "digits"},
    "kubeflow": {
        "pipeline_root": "minio://mlpipeline/root",
        "defaults": {"volumes": [{"claim": "data", "path": "/data"}]},
    },
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> Path:
    """A file of `effnet compile`."""
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    text = compiler.compile_config(config_file.load(folder / "config.yaml", []), "registry/cpu:1")
    (folder / "pipeline.yaml").write_text(text)
    return folder / "pipeline.yaml"


@pytest.fixture
def api(monkeypatch):
    for name in [name for name in os.environ if name.startswith("KF_PIPELINES")]:
        monkeypatch.delenv(name)
    with kubeflow_api.serving() as server:
        yield server


def submit(pipeline: Path, api, *arguments: object) -> fresh_process.Done:
    return effnet("submit", pipeline, "--host", api.url, *arguments, cwd=pipeline.parent)


def refusal(done: fresh_process.Done, status: int = 2) -> str:
    """The one line of a command that was refused."""
    assert (done.returncode, done.stdout) == (status, ""), done
    (line,) = done.stderr.splitlines()
    assert line.startswith("effnet: ")
    return line


def test_a_run_has_the_parameters_and_the_root_that_the_file_says(pipeline, api):
    done = submit(
        pipeline,
        api,
        *("--param", "max_epochs=3", "--param", "data_path=/data/a=b"),
        *("--service_account", "trainer"),
    )
    (run,) = api.objects["runs"]
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{api.url}/#/runs/details/{run['run_id']}"
    assert run["runtime_config"] == {
        "parameters": {"max_epochs": 3, "data_path": "/data/a=b"},
        "pipeline_root": "minio://mlpipeline/root",
    }
    assert run["service_account"] == "trainer"
    assert run["pipeline_spec"] == dict(
        zip(
            ("pipeline_spec", "platform_spec"),
            yaml.safe_load_all(pipeline.read_text()),
            strict=True,
        )
    )
    # The next one comes into the same experiment, and has another root.
    submit(pipeline, api, "--pipeline_root", "s3://other/root")
    (experiment,) = api.objects["experiments"]
    assert experiment["display_name"] == "digits"
    assert {one["experiment_id"] for one in api.objects["runs"]} == {experiment["experiment_id"]}
    assert api.objects["runs"][1]["runtime_config"]["pipeline_root"] == "s3://other/root"


def test_a_recurring_run_has_the_times_with_seconds(pipeline, api):
    done = submit(pipeline, api, "--recurring", "0 3 * * MON-FRI")
    (run,) = api.objects["recurringruns"]
    assert f"{api.url}/#/recurringrun/details/{run['recurring_run_id']}" in done.stdout
    assert run["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * MON-FRI"}}
    assert (run["mode"], run["max_concurrency"]) == ("ENABLE", "1")
    assert api.objects["runs"] == []


@pytest.mark.parametrize("source", ["file", "variable", "file of the account"])
def test_a_token_is_sent_and_never_shown(pipeline, api, tmp_path, monkeypatch, source):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    api.token, arguments = TOKEN, []
    if source == "file":
        arguments = ["--token_file", tmp_path / "token"]
        monkeypatch.setenv("KF_PIPELINES_TOKEN", "another")
    elif source == "variable":
        monkeypatch.setenv("KF_PIPELINES_TOKEN", TOKEN)
    else:
        monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    done = submit(pipeline, api, *arguments)
    assert done.returncode == 0, done.stderr
    # A server that repeats what it was sent.
    error = json.dumps({"message": f"bad header: Bearer {TOKEN}"})
    api.before = [says(403, error, "application/json")]
    line = refusal(submit(pipeline, api, *arguments))
    assert "403 bad header: Bearer ***" in line
    assert "--token_file" in line
    assert TOKEN not in done.stdout + done.stderr + line


def test_a_password_of_netrc_does_not_replace_the_token(pipeline, api, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("KF_PIPELINES_TOKEN", TOKEN)
    api.token = TOKEN
    assert submit(pipeline, api).returncode == 0


ANSWERS = {
    "no token": (says(401, '{"message": "no token"}', "application/json"), ("401", "--token_file")),
    "no right": (says(403, "RBAC: access denied", "text/plain"), ("403", "--token_file")),
    "no such page": (says(404, "<html>404</html>"), ("404", "--host")),
    "already there": (
        says(409, '{"error": "Already exist: run x", "code": 6}', "application/json"),
        ("409", "Already exist"),
    ),
    "too large": (says(413, "<html>nginx</html>"), ("413", "proxy", "limit")),
    "login page": (says(200, PAGE), ("page for people", "text/html", "--token_file")),
    "login elsewhere": (
        says(302, "", Location="https://dex.example/auth?state=secret"),
        ("https://dex.example", "login", "--token_file"),
    ),
    "no object": (says(200, "[1]", "application/json"), ("page for people",)),
    "many lines": (
        says(400, '{"message": "a\\nb\\u001b[31m"}', "application/json"),
        ("400", "a b"),
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_what_the_server_refuses_is_one_line(pipeline, api, kind):
    spoiler, words = ANSWERS[kind]
    api.before = [spoiler]
    line = refusal(submit(pipeline, api))
    assert [word for word in (*words, api.url) if word not in line] == []
    assert "secret" not in line
    assert "\x1b" not in line
    assert api.objects["runs"] == []


@pytest.mark.parametrize("spoiler", [says(502, "<html>bad gateway</html>"), hangs_up])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_is_created_once_whenever_the_answer_is_lost(pipeline, api, spoiler, when):
    # The requests are: the health, the list of experiments, a new experiment, a new run.
    ok = submit(pipeline, api)
    assert ok.returncode == 0
    if when == "before":
        api.before = [spoiler]
    else:
        api.after = [spoiler]
    done = submit(pipeline, api)
    assert done.returncode == 0, done.stderr
    first, second = api.objects["runs"]
    assert first["display_name"] != second["display_name"]
    assert second["run_id"] in done.stdout
    assert len(api.objects["experiments"]) == 1


def test_a_server_that_stays_away_is_one_line(pipeline, api):
    api.before = [says(503, "<html>away</html>", Retry_After="0")] * 6
    assert "503" in refusal(submit(pipeline, api), status=3)
    with kubeflow_api.serving() as gone:
        pass
    assert "does not answer" in refusal(submit(pipeline, gone), status=3)


WRONG = {
    "no scheme": (("--host", "localhost:8080"), ("--host", "http://localhost:8080?")),
    "a password": (("--host", "https://me:hunter2@x"), ("--host", "--token_file")),
    "another scheme": (("--host", "ftp://x"), ("--host", "'ftp://x'")),
    "bad port": (("--host", "http://x:99999"), ("--host",)),
    "unknown server": (("--host", "http://no-such-host.invalid"), ("--host", "known")),
    "unknown parameter": (("--param", "max_epoch=3"), ("'max_epochs'?", "--set")),
    "another type": (("--param", "max_epochs=many"), ("max_epochs", "whole number", "'many'")),
    "a truth": (("--param", "max_epochs=true"), ("whole number",)),
    "too large": (("--param", f"max_epochs={2**53}"), ("whole number",)),
    "no value": (("--param", "max_epochs"), ("NAME=VALUE",)),
    "twice": (("--param", "max_epochs=1", "--param", "max_epochs=2"), ("once",)),
    "bad times": (("--recurring", "0 25 * * *"), ("hour '25'", "0 to 23")),
    "both ends": (("--recurring", "@daily", "--wait"), ("--wait", "--recurring")),
    "bad root": (("--pipeline_root", "/tmp"), ("--pipeline_root", "minio://")),
    "bad account": (("--service_account", "A b"), ("--service_account", "lower-case")),
    "no token": (("--token_file", "nowhere"), ("nowhere", "No such file")),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_a_person_gave_wrong_is_one_line_and_creates_nothing(pipeline, api, kind):
    arguments, words = WRONG[kind]
    line = refusal(submit(pipeline, api, *arguments))
    assert [word for word in words if word not in line] == []
    assert "hunter2" not in line
    assert api.objects == {"runs": [], "recurringruns": [], "experiments": []}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "No such file"),
        ("{", "not YAML"),
        ("a: 1\n", "effnet compile"),
        ("pipelineInfo: {}\n---\nplatforms: {}\n", "schema version 2.1.0"),
    ],
)
def test_a_file_of_something_else_is_refused(api, tmp_path, text, word):
    path = tmp_path / "pipeline.yaml"
    if text is not None:
        path.write_text(text)
    assert word in refusal(submit(path, api))


def test_a_file_that_was_changed_so_that_the_backend_ignores_it_is_refused(pipeline, api, tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(pipeline.read_text().replace("pvcMount:", "pvcMounts:"))
    assert "pvcMounts" in refusal(submit(path, api))


def test_profiles_need_a_namespace(pipeline, api):
    api.multi_user = True
    assert "--namespace" in refusal(submit(pipeline, api))
    assert submit(pipeline, api, "--namespace", "team-a").returncode == 0
    assert api.objects["experiments"][0]["namespace"] == "team-a"
    listed = effnet("runs", "--host", api.url, "--namespace", "team-a", cwd=pipeline.parent)
    assert api.objects["runs"][0]["run_id"] in listed.stdout


def test_waiting_says_what_becomes_of_each_step(pipeline, api):
    api.progress = [
        {"": "PENDING"},
        {"": "RUNNING", "ImageExampleGen": "RUNNING", "ImageExampleGen-driver": "SUCCEEDED"},
        {"": "RUNNING", "ImageExampleGen": "SUCCEEDED", "StatisticsGen": "RUNNING"},
        {"": "SUCCEEDED", "ImageExampleGen": "SUCCEEDED", "StatisticsGen": "SUCCEEDED"},
    ]
    done = submit(pipeline, api, "--wait")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2:] == [
        "run pending",
        "ImageExampleGen running",
        "run running",
        "ImageExampleGen succeeded",
        "StatisticsGen running",
        "StatisticsGen succeeded",
        "run succeeded",
    ]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_waiting_ends_as_the_run_does(pipeline, api, state):
    api.error = "main container:\nexit status 3"
    api.progress = [{"": state, "Evaluator": "FAILED", "Pusher": "A_NEW_STATE"}]
    done = submit(pipeline, api, "--wait")
    assert done.returncode == 3
    assert "Evaluator failed: main container: exit status 3" in done.stdout
    assert "Pusher a_new_state" in done.stdout
    assert done.stdout.splitlines()[-1] == f"run {state.lower()}"


def test_waiting_outlives_a_server_that_is_away_for_a_moment(pipeline, api):
    assert submit(pipeline, api).returncode == 0
    api.progress = [{"": "SUCCEEDED"}]
    api.after = []
    spoil = says(503, "away", Retry_After="0")
    # As soon as the run is created, more answers are spoiled than one question has attempts.
    api.after = [lambda handler: _created_then_away(handler, api, [spoil] * 7)]
    done = submit(pipeline, api, "--wait")
    assert done.returncode == 0, done.stderr
    assert "asking again" in done.stdout


def _created_then_away(handler, api, spoilers) -> None:
    handler.send(200, json.dumps(api.objects["runs"][-1]))
    api.before = spoilers


def test_ctrl_c_says_that_the_run_goes_on(pipeline, api, tmp_path):
    out, err = tmp_path / "out", tmp_path / "err"
    arguments = ["submit", str(pipeline), "--host", api.url, "--wait"]
    process = fresh_process.start(cli.main, arguments, stdout=out, stderr=err, cwd=tmp_path)
    while not (out.exists() and "run pending" in out.read_text()):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert f"the run goes on: {api.url}" in err.read_text()


def test_runs_of_our_pipelines_are_listed_the_newest_first(pipeline, api, tmp_path):
    for _ in range(4):
        assert submit(pipeline, api).returncode == 0
    ours = api.objects["runs"]
    experiment = ours[0]["experiment_id"]
    spec = ours[0]["pipeline_spec"]
    other = {**ours[0], "run_id": "of-others", "pipeline_spec": {"pipelineInfo": {"name": "x"}}}
    uploaded = {
        "run_id": "uploaded",
        "experiment_id": experiment,
        "created_at": "2026-11-29T00:00:00Z",
    }
    uploaded |= {"display_name": "by hand", "state": "SUCCEEDED"}
    uploaded |= {"finished_at": "2026-11-29T01:02:00.123Z"}
    uploaded["pipeline_version_reference"] = {"pipeline_id": "p", "pipeline_version_id": "v"}
    renamed = json.loads(json.dumps(spec).replace('"name": "digits"', '"name": "letters"'))
    api.versions["p", "v"] = renamed
    archived = {**ours[0], "run_id": "archived", "storage_state": "ARCHIVED"}
    api.objects["runs"] += [other, uploaded, archived]

    def listed(*arguments) -> list[dict]:
        done = effnet("runs", "--host", api.url, *arguments, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    newest = [run["run_id"] for run in ours[3::-1]]
    assert [run["id"] for run in listed()] == ["uploaded", *newest]
    assert [run["id"] for run in listed("--pipeline", "digits")] == newest
    assert [run["id"] for run in listed("--last", "2")] == ["uploaded", newest[0]]
    table = effnet("runs", "--host", f"{api.url}/#/runs", cwd=tmp_path).stdout.splitlines()
    assert table[0].split()[:2] == ["RUN", "PIPELINE"]
    assert [word for word in ("letters", "succeeded", "1 h 2 min") if word not in table[1]] == []
    wrong = effnet("runs", "--host", api.url, "--output_dir", "x", cwd=tmp_path)
    assert "--output_dir" in refusal(wrong)
    assert "--host" in refusal(effnet("runs", "--pipeline", "digits", cwd=tmp_path))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("*/15 * * * *", "0 */15 * * * *"),
        ("30 0 3 * * ?", "30 0 3 * * ?"),
        ("0 3 1,15 jan-mar sun", "0 0 3 1,15 jan-mar sun"),
        ("@daily", "@daily"),
        ("@every 1h30m", "@every 1h30m"),
    ],
)
def test_times_as_crontab_has_them(given, expected):
    assert cron.six_fields(given) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "* * * *", "* * * * * * *", "60 * * * *", "* * 0 * *", "* * * 13 *", "* * * * 7"),
        *("5-1 * * * *", "*/0 * * * *", "a * * * *", "1- * * * *", "1,,2 * * * *"),
        *("@often", "@every x"),
    ],
)
def test_times_that_are_none(wrong):
    with pytest.raises(InputError, match="--recurring"):
        cron.six_fields(wrong)
