"""Adds this machine's defaults to `nemo-evaluator run_eval`, then runs it. Replaces it on a local job's PATH.

The command and its run config are the same as in a container. They lack what depends on this machine: a tokenizer folder
if the hub can't be reached, parallelism and timeouts for a CPU, prompts without examples if there is no train split. Each
is added as an override if neither the run config nor the command sets it. Additions that change the meaning of a score are
reported on standard error and in `evalsaga_notes.json` in the output folder.

Reads the file named by EVALSAGA_LOCAL_HARNESS:
  {"nemoEvaluator": path, "offlineData": path of offline-data.json or null, "tokenizers": [{"url", "model", "folder"}],
   "withoutTokenizer": [reasons why served weights have none], "folders": [{"container", "host"}]}
"""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path

import yaml

USAGE_ERROR = 2
# A CPU answers one request at a time, and the client's timeout includes the wait for other requests.
PARALLELISM = 1
REQUEST_TIMEOUT_SECONDS = 120
HARNESS_PACKAGES = ("core_evals.lm_evaluation_harness",)


class Command:
    """The given command: its flags, run config and overrides."""

    def __init__(self, arguments: list):
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        for flag in ("--eval_type", "--model_id", "--model_type", "--model_url", "--output_dir", "--run_config", "--overrides"):
            parser.add_argument(flag)
        self.flags, self.others = parser.parse_known_args(arguments)
        file = self.flags.run_config
        self.config = (yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}) if file else {}
        pairs = (pair.partition("=") for pair in (self.flags.overrides or "").split(",") if pair)
        self.overrides = {key.strip(): value for key, _, value in pairs}

    def get(self, path: str):
        """Returns the value at a dotted path, or None if it is not set."""
        if path in self.overrides:
            return yaml.safe_load(self.overrides[path])
        node = self.config
        for key in path.split("."):
            if not isinstance(node, dict) or key not in node:
                return None
            node = node[key]
        return node

    def first(self, flag, path: str):
        return flag if flag is not None else self.get(path)


def main() -> None:
    settings = json.loads(Path(os.environ["EVALSAGA_LOCAL_HARNESS"]).read_text(encoding="utf-8"))
    arguments = sys.argv[1:]
    if arguments[:1] == ["run_eval"] and not {"-h", "--help"} & set(arguments):
        command = Command(arguments[1:])
        arguments = with_host_output(arguments, command, settings.get("folders", []))
        additions, notes = complete(command, settings)
        arguments = with_overrides(arguments, command, additions)
        write_notes(command, notes)
    os.execv(settings["nemoEvaluator"], [settings["nemoEvaluator"], *arguments])


def complete(command: Command, settings: dict) -> tuple:
    """Returns the overrides to add, as dotted keys with values, and notes for readers of the results."""
    params = "config.params"
    defaults = {f"{params}.parallelism": PARALLELISM, f"{params}.request_timeout": REQUEST_TIMEOUT_SECONDS}
    additions = {key: value for key, value in defaults.items() if command.get(key) is None}
    definition = task_definition(command.first(command.flags.eval_type, "config.type"))
    if definition is None:
        return additions, []
    endpoint_type = command.first(command.flags.model_type, "target.api_endpoint.type")
    folder = tokenizer_folder(command, settings["tokenizers"])
    if endpoint_type == "completions" and folder:
        if needs_local_tokenizer(command.get(f"{params}.extra.tokenizer"), settings):
            additions[f"{params}.extra.tokenizer"] = folder
        if command.get(f"{params}.extra.tokenizer_backend") is None:
            additions[f"{params}.extra.tokenizer_backend"] = "huggingface"
    elif endpoint_type == "completions":
        refuse_without_tokenizer(command, definition, settings)
    if not settings["offlineData"]:
        return additions, []
    shots, notes = offline_shots(command, definition, json.loads(Path(settings["offlineData"]).read_text(encoding="utf-8")))
    return {**additions, **shots}, notes


def refuse_without_tokenizer(command: Command, definition: dict, settings: dict) -> None:
    """Ends the command before the harness asks an unreachable hub for a tokenizer."""
    given, backend = (command.get(f"config.params.extra.{key}") for key in ("tokenizer", "tokenizer_backend"))
    if backend is None:
        backend = definition.get("params", {}).get("extra", {}).get("tokenizer_backend")
    is_local = given is not None and Path(str(given)).exists()
    reasons = settings.get("withoutTokenizer", [])
    if is_local or not reasons or not settings["offlineData"] or backend != "huggingface":
        return
    refuse(
        f"This task needs the model's tokenizer. None can be made from {'; '.join(reasons)}, and the hub can't be reached. "
        "Set config.params.extra.tokenizer to its folder, or choose tasks for chat endpoints."
    )


def needs_local_tokenizer(tokenizer, settings: dict) -> bool:
    """Returns whether no tokenizer is set, or the hub can't be reached and the set one is available locally."""
    if tokenizer is None:
        return True
    return bool(settings["offlineData"]) and any(tokenizer == entry["model"] for entry in settings["tokenizers"])


def offline_shots(command: Command, definition: dict, data: dict) -> tuple:
    defaults = definition.get("params", {})
    task = command.get("config.params.task") or defaults.get("task")
    key = "config.params.extra.num_fewshot"
    given, default = command.get(key), defaults.get("extra", {}).get("num_fewshot")
    if task not in data["tasks"]:
        covered = ", ".join(name for name in data["tasks"] if not name.startswith("mmlu_"))
        refuse(
            f"The dataset hub can't be reached, and the local data ({data['source']}) has no rows for task {task}.  "
            f"Without the hub these tasks can run: {covered}. With internet access, or with HF_HOME in the task's env_vars, all can."
        )
    notes = [f"Evaluation rows come from {data['source']}, because the dataset hub could not be reached."]
    if data["tasks"][task]:
        return {}, notes
    if given:
        refuse(
            f"{given}-shot prompts for {task} need its train split, which only the dataset hub has, and the hub can't be "
            f"reached. Set {key}: 0, or run with internet access."
        )
    usual = f", not {default}-shot as usual for this task" if default and given is None else ""
    notes.append(f"Run 0-shot{usual}: examples would have to be taken from the evaluation rows themselves.")
    return ({} if given is not None else {key: 0}), notes


def task_definition(eval_type):
    """Returns the task's `config` from the harness' catalogue, by `harness.task` or `task`; None for other harnesses."""
    name = str(eval_type or "").split(".")[-1]
    for package in HARNESS_PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            catalogue = yaml.load((Path(folder) / "framework.yml").read_text(encoding="utf-8"), loader)
            for evaluation in catalogue["evaluations"]:
                if evaluation["defaults"]["config"]["type"] == name:
                    return evaluation["defaults"]["config"]
    return None


def tokenizer_folder(command: Command, tokenizers: list):
    """Finds a tokenizer by the endpoint's URL, else by the model's name."""
    url = command.first(command.flags.model_url, "target.api_endpoint.url") or ""
    model = command.first(command.flags.model_id, "target.api_endpoint.model_id")
    matches = [entry for entry in tokenizers if entry["url"] and url.startswith(entry["url"] + "/")]
    matches += [entry for entry in tokenizers if entry["model"] == model]
    return matches[0]["folder"] if matches else None


def with_host_output(arguments: list, command: Command, folders: list) -> list:
    """Replaces a container's output folder, named in a run config, by its counterpart on this machine."""
    folder = command.first(command.flags.output_dir, "config.output_dir")
    output = host_folder(str(folder or ""), folders)
    if output == (folder or ""):
        return arguments
    command.flags.output_dir = output
    return [*without_flag(arguments, "--output_dir"), "--output_dir", output]


def host_folder(folder: str, folders: list) -> str:
    for entry in sorted(folders, key=lambda entry: -len(entry["container"])):
        if folder == entry["container"] or folder.startswith(entry["container"] + "/"):
            return entry["host"] + folder[len(entry["container"]) :]
    return folder


def with_overrides(arguments: list, command: Command, additions: dict) -> list:
    if not additions:
        return arguments
    added = [f"{key}={value}" for key, value in additions.items()]
    print(f"evalsaga: this machine's defaults: {', '.join(added)}", file=sys.stderr)
    overrides = ",".join(filter(None, [command.flags.overrides, *added]))
    return [*without_flag(arguments, "--overrides"), "--overrides", overrides]


def without_flag(arguments: list, flag: str) -> list:
    kept = []
    rest = iter(arguments)
    for argument in rest:
        if argument == flag:
            next(rest, None)
        elif not argument.startswith(f"{flag}="):
            kept.append(argument)
    return kept


def write_notes(command: Command, notes: list) -> None:
    for note in notes:
        print(f"evalsaga: {note}", file=sys.stderr)
    folder = command.first(command.flags.output_dir, "config.output_dir")
    if not notes or not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / "evalsaga_notes.json").write_text(json.dumps({"notes": notes}, indent=2) + "\n", encoding="utf-8")


def refuse(message: str):
    print(f"evalsaga: {message}", file=sys.stderr)
    sys.exit(USAGE_ERROR)


if __name__ == "__main__":
    main()
