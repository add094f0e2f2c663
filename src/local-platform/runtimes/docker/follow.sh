#!/bin/sh
# Runs a container, or follows one that already runs: prints its output and exits with its exit status.
# Usage: follow.sh FOLDER NAME [ARGUMENT OF `docker run`]...     Variable SINCE: print only the output from then on
folder=$1
name=$2
shift 2
# Ignore signals: the container is stopped through docker, and this script waits for its end.
trap : HUP INT TERM
if [ $# -gt 0 ]; then
  docker run --detach --name "$name" "$@" >/dev/null || exit 125
fi
docker logs --follow ${SINCE:+--since "$SINCE"} "$name" 2>&1 &
logs=$!
status=$(docker wait "$name") || exit 125
wait "$logs"
if [ "$(docker inspect --format '{{.State.OOMKilled}}' "$name")" = true ]; then echo 1 >"$folder/oom"; fi
exit "$status"
