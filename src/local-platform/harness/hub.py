"""Asks the model and dataset hub through its own client, which uses the user's address, token and proxies.

Usage: hub.py reachable            prints `yes` or `no`, within seconds
       hub.py weights REPOSITORY   downloads a GGUF file of it and prints its path
Exit status 3: the hub does not have it; the reason is on standard error.
"""

import os
import sys

# A single attempt: the client's own retries would delay a deployment by minutes.
TIMEOUT_SECONDS = 3
NOT_FOUND = 3
# Quantizations by preference: small enough for a CPU, close to the original.
PREFERRED = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "F16", "BF16")


def reachable() -> bool:
    import httpx
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        return httpx.head(constants.ENDPOINT, timeout=TIMEOUT_SECONDS, follow_redirects=True).status_code < 500
    except httpx.HTTPError:
        return False


def weights(repository: str) -> str:
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        names = [name for name in HfApi().list_repo_files(repository) if name.lower().endswith(".gguf")]
    except HfHubHTTPError as error:
        fail(f"the hub refused {repository}: {str(error).splitlines()[0]}")
    whole = [name for name in names if "-of-0" not in name]
    if not whole:
        fail(f"{repository} contains no GGUF weights in a single file")
    return hf_hub_download(repository, min(whole, key=preference))


def preference(name: str) -> tuple:
    rank = next((i for i, kind in enumerate(PREFERRED) if kind.lower() in name.lower()), len(PREFERRED))
    return rank, name


def fail(reason: str):
    print(reason, file=sys.stderr)
    sys.exit(NOT_FOUND)


if __name__ == "__main__":
    if sys.argv[1] == "reachable":
        print("yes" if reachable() else "no")
    else:
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        print(weights(sys.argv[2]))
