#!/bin/sh
# Runs a command as the leader of its process group and leaves its exit status in a file, so that it can be told however
# often the platform was restarted meanwhile. Where the unit is limited, the file `limited` names the mount of cgroup v2: then
# its control group, and whether the limit killed something, are left in files too.
# Usage: supervise.sh FOLDER COMMAND [ARGUMENT]...
folder=$1
shift
group=
if [ -f "$folder/limited" ]; then
  group=$(cat "$folder/limited")$(sed -n 's/^0:://p' /proc/self/cgroup)
  echo "$group" >"$folder/cgroup"
fi
echo $$ >"$folder/pid.draft" && mv "$folder/pid.draft" "$folder/pid"
# Signals go to the whole group: the command decides what to do about them, this waits for it.
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
