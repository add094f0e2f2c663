"""Prints what MLflow's own client finds in an experiment, as JSON."""

import json
import sys

from mlflow import MlflowClient

url, name = sys.argv[1:]
client = MlflowClient(url)


def files(run_id, path=""):
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            yield from files(run_id, entry.path)
        else:
            yield entry.path


def described(run):
    run_id = run.info.run_id
    config = client.download_artifacts(run_id, "config.yml")
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "params": run.data.params,
        "metrics": run.data.metrics,
        "points": {key: len(client.get_metric_history(run_id, key)) for key in list(run.data.metrics)[:4]},
        "tags": run.data.tags,
        "artifacts": sorted(files(run_id)),
        "config": open(config, encoding="utf-8").read(),
    }


experiment = client.get_experiment_by_name(name)
runs = client.search_runs([experiment.experiment_id])
print(json.dumps({"runs": [described(run) for run in runs]}))
