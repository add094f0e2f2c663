#!/usr/bin/env bash
# Checks deploy/ with the real tools: helm (lint, template, schema of the values) and promtool (alert rules and their tests).
# With root on Linux it also does what the Dockerfile says, in a clean folder. Where helm is missing, it is built with Go and kept in ~/.cache/evalsaga-deploy; promtool comes with Debian's package prometheus.
set -euo pipefail
cd "$(dirname "$0")/../deploy/helm"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/evalsaga-deploy
helm=$(command -v helm || echo "$cache/helm")
[ -x "$helm" ] || { echo "building helm with Go; this takes some minutes"; GOBIN=$cache go install helm.sh/helm/v3/cmd/helm@v3.17.3; }

passed=0
check() { # NAME COMMAND…: passes if the command does
  local name=$1; shift
  if output=$("$@" 2>&1); then passed=$((passed + 1)); echo "ok   $name"; else echo "FAIL $name"; echo "$output" | head -20; exit 1; fi
}
refuses() { # TEXT ARGUMENTS…: helm refuses them, and says TEXT
  local text=$1; shift
  if output=$("$helm" template r evalsaga --kube-version 1.31.0 "$@" 2>&1); then echo "$*: accepted"; return 1; fi
  grep -q -- "$text" <<<"$output" || { echo "$output"; return 1; }
}
renders() { # KINDS ARGUMENTS…: the rendered manifests are of these kinds
  local kinds=$1; shift
  local found
  found=$("$helm" template r evalsaga --kube-version 1.31.0 --set temporal.address=temporal:7233 "$@" | sed -n 's/^kind: //p' | sort | paste -sd ' ')
  [ "$found" = "$kinds" ] || { echo "rendered: $found"; return 1; }
}
references_secrets_only() {
  local rendered
  rendered=$("$helm" template r evalsaga --kube-version 1.31.0 --set temporal.address=temporal:7233,lepton.secretName=lepton,results.store=s3://b/p,results.secretName=store,secrets.secretName=variables,encryption.secretName=key,temporal.apiKey.secretName=cloud)
  ! grep -q '^kind: Secret$' <<<"$rendered" && grep -q 'readOnlyRootFilesystem: true' <<<"$rendered" && grep -q 'runAsNonRoot: true' <<<"$rendered"
}

limits_endpoints() { # the limit is in the worker's environment, and only where it is set
  local render=("$helm" template r evalsaga --kube-version 1.31.0 --set temporal.address=temporal:7233)
  "${render[@]}" --set maxEndpoints=20 | grep -q 'name: EVALSAGA_MAX_ENDPOINTS, value: "20"' || return 1
  ! "${render[@]}" | grep -q EVALSAGA_MAX_ENDPOINTS
}

check 'the chart passes helm lint' "$helm" lint evalsaga --set temporal.address=temporal:7233
check 'workers as a Deployment' renders 'Deployment NetworkPolicy PodDisruptionBudget Service ServiceAccount'
check 'workers of the worker controller' renders 'Connection NetworkPolicy PodDisruptionBudget Service ServiceAccount WorkerDeployment' --set workerController.enabled=true
check 'everything on' renders 'ConfigMap Deployment Deployment NetworkPolicy PodDisruptionBudget PrometheusRule Service ServiceAccount ServiceMonitor' \
  --set codecServer.enabled=true,codecServer.origin=https://temporal.example,encryption.secretName=key,metrics.serviceMonitor.enabled=true,metrics.rules.enabled=true,metrics.dashboard.enabled=true
check 'secrets are references, pods are restricted' references_secrets_only
check 'a limit of endpoints reaches the workers' limits_endpoints
check 'a limit of endpoints that allows none is refused' refuses maxEndpoints --set temporal.address=t:1,maxEndpoints=0
check 'no address is refused' refuses 'temporal.address'
check 'a misspelt value is refused' refuses 'replica is not allowed' --set temporal.address=t:1,replica=3
check 'a codec server without a key is refused' refuses 'encryption.secretName' --set temporal.address=t:1,codecServer.enabled=true,codecServer.origin=https://t
if command -v promtool >/dev/null; then
  check 'alert rules are valid' promtool check rules evalsaga/monitoring/alerts.yaml
  check 'alert rules raise what they should' promtool test rules evalsaga/monitoring/alerts.test.yaml
else
  echo 'promtool is not installed: the alert rules were not checked (apt-get install prometheus)'
fi
if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
  check "the image's steps in a clean folder: its worker becomes ready on a read-only file system" node ../../scripts/image-in-folder.mjs
else
  echo "the image's steps were not tried: that takes Linux and root"
fi
echo "$passed passed, 0 failed"
