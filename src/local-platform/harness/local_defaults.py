"""Completes `nemo-evaluator run_eval` for this machine, then runs it. Stands in for it on a local job's PATH.

The command and its run config are the ones that a container gets. They lack what only this machine knows: a tokenizer
folder where no hub may be asked, a pace that a CPU keeps, prompts without examples where no train split exists. Each is
added as an override, only where neither the run config nor the command says anything. What was added and changes a score's
meaning is told on standard error and in `evalsaga_notes.json` in the output folder.

Reads the file named by EVALSAGA_LOCAL_HARNESS:
  {"nemoEvaluator": path, "offlineData": path of offline-data.json or null, "tokenizers": [{"url", "model", "folder"}],
   "withoutTokenizer": [why the weights that are served have none], "folders": [{"container", "host"}]}
"""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path

import yaml

USAGE_ERROR = 2
# A CPU answers one request at a time, and the client's timeout runs while a request waits for its turn.
PARALLELISM = 1
REQUEST_TIMEOUT_SECONDS = 120
HARNESS_PACKAGES = ("core_evals.lm_evaluation_harness",)


class Command:
    """The command as given: its flags, its run config, its overrides."""

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
        """The value at a dotted path, or None when nobody set it."""
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
        arguments = with_output_here(arguments, command, settings.get("folders", []))
        additions, notes = complete(command, settings)
        arguments = with_overrides(arguments, command, additions)
        write_notes(command, notes)
    os.execv(settings["nemoEvaluator"], [settings["nemoEvaluator"], *arguments])


def complete(command: Command, settings: dict) -> tuple:
    """What to add, as dotted keys with values, and what a reader of the results must know."""
    params = "config.params"
    wanted = {f"{params}.parallelism": PARALLELISM, f"{params}.request_timeout": REQUEST_TIMEOUT_SECONDS}
    additions = {key: value for key, value in wanted.items() if command.get(key) is None}
    definition = task_definition(command.first(command.flags.eval_type, "config.type"))
    if definition is None:
        return additions, []
    endpoint_type = command.first(command.flags.model_type, "target.api_endpoint.type")
    folder = tokenizer_folder(command, settings["tokenizers"])
    if endpoint_type == "completions" and folder:
        if is_out_of_reach(command.get(f"{params}.extra.tokenizer"), settings):
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
    """Before the harness asks a hub, which can't be reached, for the tokenizer of a model that it does not have."""
    asked, backend = (command.get(f"config.params.extra.{key}") for key in ("tokenizer", "tokenizer_backend"))
    if backend is None:
        backend = definition.get("params", {}).get("extra", {}).get("tokenizer_backend")
    at_hand = asked is not None and Path(str(asked)).exists()
    reasons = settings.get("withoutTokenizer", [])
    if at_hand or not reasons or not settings["offlineData"] or backend != "huggingface":
        return
    refuse(
        f"This task needs the model's tokenizer. None can be made of {'; '.join(reasons)}, and the hub can't be reached. "
        "Give its folder in config.params.extra.tokenizer, or choose tasks for chat endpoints."
    )


def is_out_of_reach(tokenizer, settings: dict) -> bool:
    """None was asked for, or, without a hub, the hub's name of a model whose own tokenizer is at hand."""
    if tokenizer is None:
        return True
    return bool(settings["offlineData"]) and any(tokenizer == entry["model"] for entry in settings["tokenizers"])


def offline_shots(command: Command, definition: dict, data: dict) -> tuple:
    defaults = definition.get("params", {})
    task = command.get("config.params.task") or defaults.get("task")
    key = "config.params.extra.num_fewshot"
    asked, default = command.get(key), defaults.get("extra", {}).get("num_fewshot")
    if task not in data["tasks"]:
        covered = ", ".join(name for name in data["tasks"] if not name.startswith("mmlu_"))
        refuse(
            f"The dataset hub can't be reached, and the data at hand ({data['source']}) has none for task {task}. "
            f"Without a hub these can run: {covered}. With internet, or an own HF_HOME in the task's env_vars, all can."
        )
    notes = [f"Evaluation rows come from {data['source']}, as the dataset hub could not be reached."]
    if data["tasks"][task]:
        return {}, notes
    if asked:
        refuse(
            f"{asked}-shot prompts for {task} need its train split, which only the dataset hub has, and the hub can't be "
            f"reached. Set {key}: 0, or run with internet."
        )
    usual = f", not {default}-shot as is usual for this task" if default and asked is None else ""
    notes.append(f"Run 0-shot{usual}: examples would have to be taken from the evaluation rows themselves.")
    return ({} if asked is not None else {key: 0}), notes


def task_definition(eval_type):
    """The task's `config` in the harness' own catalogue, by `harness.task` or `task`; None for other harnesses."""
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
    """By the endpoint's address, else by the model's name."""
    url = command.first(command.flags.model_url, "target.api_endpoint.url") or ""
    model = command.first(command.flags.model_id, "target.api_endpoint.model_id")
    matches = [entry for entry in tokenizers if entry["url"] and url.startswith(entry["url"] + "/")]
    matches += [entry for entry in tokenizers if entry["model"] == model]
    return matches[0]["folder"] if matches else None


def with_output_here(arguments: list, command: Command, folders: list) -> list:
    """A container's folder, named in a run config that came as data, becomes the one that stands for it here."""
    folder = command.first(command.flags.output_dir, "config.output_dir")
    here = folder_here(str(folder or ""), folders)
    if here == (folder or ""):
        return arguments
    command.flags.output_dir = here
    return [*without_flag(arguments, "--output_dir"), "--output_dir", here]


def folder_here(folder: str, folders: list) -> str:
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
