#!/bin/sh
# Runs a command as the leader of its process group and writes its exit status to a file, where it is found even if the
# platform was restarted meanwhile. If the unit is limited, the file `limited` contains the mount point of cgroup v2; the
# unit's control group, and whether the limit killed a process, are then written to files too.
# Usage: supervise.sh FOLDER COMMAND [ARGUMENT]...
folder=$1
shift
group=
if [ -f "$folder/limited" ]; then
  group=$(cat "$folder/limited")$(sed -n 's/^0:://p' /proc/self/cgroup)
  echo "$group" >"$folder/cgroup"
fi
echo $$ >"$folder/pid.draft" && mv "$folder/pid.draft" "$folder/pid"
# Signals go to the whole group: this script ignores them and waits for the command, which handles them.
trap : HUP INT TERM
"$@" &
child=$!
wait "$child"
status=$?
# A signal interrupts `wait` before the command has ended.
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  status=$?
done
if [ -n "$group" ]; then
  kills=$(sed -n 's/^oom_kill //p' "$group/memory.events" 2>/dev/null)
  if [ "${kills:-0}" -gt 0 ]; then echo "$kills" >"$folder/oom"; fi
fi
echo "$status" >"$folder/exit.draft" && mv "$folder/exit.draft" "$folder/exit"
