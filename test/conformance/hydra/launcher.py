"""What the real NeMo Evaluator Launcher makes of a config: one JSON case per line on stdin, one JSON answer per line on stdout.

Case: {"text": config, "overrides": [...]}. Answer: {"dry": bool, "endpoints": [spec], "jobs": [job]} or {"error": text}.
The launcher is unchanged but for the calls that leave the machine: creating and asking for endpoints, and the API client.
"""
import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import types
from unittest import mock

os.environ["NEMO_EVALUATOR_TELEMETRY_LEVEL"] = "0"
home = tempfile.mkdtemp(prefix="launcher-home-")
os.environ["HOME"] = home
os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"] = f"{home}/exec.jsonl"

import yaml  # noqa: E402

# The same loader in C: the launcher reads its 700 kB task index several times per run.
yaml.safe_load = lambda text: yaml.load(text, yaml.CSafeLoader)

import leptonai.api.v2.client as lepton  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from nemo_evaluator_launcher.api.functional import run_eval  # noqa: E402
from nemo_evaluator_launcher.api.types import RunConfig  # noqa: E402
from nemo_evaluator_launcher.executors.lepton import deployment_helpers, executor  # noqa: E402


class FakeClient:
    jobs = []

    def __init__(self):
        group = types.SimpleNamespace(metadata=types.SimpleNamespace(name="jobs-group", id_="jobs-group-id"))
        node = types.SimpleNamespace(metadata=types.SimpleNamespace(id_="node-1"))
        self.nodegroup = types.SimpleNamespace(list_all=lambda: [group], list_nodes=lambda _group: [node])
        self.job = types.SimpleNamespace(create=self.create)

    def create(self, job):
        FakeClient.jobs.append(job.model_dump(by_alias=True, exclude_none=True, mode="json"))
        return job


def plain(value):
    return OmegaConf.to_container(value, resolve=True)


def run(case, folder):
    path = folder / "config.yaml"
    path.write_text(case["text"])
    endpoints = []
    FakeClient.jobs = []

    def create(cfg, name):
        endpoints.append(json.loads(json.dumps(deployment_helpers.generate_lepton_spec(cfg), default=plain)))
        return True

    stand_ins = {
        "create_lepton_endpoint": create,
        "wait_for_lepton_endpoint_ready": lambda *_args, **_options: True,
        "get_lepton_endpoint_url": lambda _name: "https://endpoint",
        "delete_lepton_endpoint": lambda _name: True,
    }
    # The executor takes some of these by name and some inside its functions.
    patches = [mock.patch.object(lepton, "APIClient", FakeClient)]
    for module in (deployment_helpers, executor):
        patches += [mock.patch.object(module, name, value) for name, value in stand_ins.items() if hasattr(module, name)]
    with contextlib.ExitStack() as stack, contextlib.redirect_stdout(io.StringIO()) as out:
        for patch in patches:
            stack.enter_context(patch)
        run_eval(RunConfig.from_hydra(config=str(path), hydra_overrides=case["overrides"]), dry_run=True)
        dry = "invalid" not in out.getvalue().lower()
        run_eval(RunConfig.from_hydra(config=str(path), hydra_overrides=case["overrides"]), dry_run=False)
    return {"dry": dry, "endpoints": endpoints, "jobs": FakeClient.jobs}


def main():
    for line in sys.stdin:
        case = json.loads(line)
        with tempfile.TemporaryDirectory(prefix="launcher-case-") as name:
            os.chdir(name)
            try:
                answer = run(case, pathlib.Path(name))
            except Exception as error:  # the answer is that it is refused, whatever the reason
                answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
            os.chdir("/")
        print(json.dumps(answer), flush=True)


main()
