#!/bin/sh
# Runs a command as the leader of its process group and leaves its exit status in a file, so that it can be told however
# often the platform was restarted meanwhile.
# Usage: supervise.sh FOLDER COMMAND [ARGUMENT]...
folder=$1
shift
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
echo "$status" >"$folder/exit.draft" && mv "$folder/exit.draft" "$folder/exit"
