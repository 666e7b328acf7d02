# shellcheck shell=sh disable=SC2086 # /proc/PID/stat is split into words
#
# run.sh PIDFILE COMMAND...: replaces itself by COMMAND after writing "PID START" to PIDFILE.
#
# The file exists before COMMAND begins, so the watchdog always knows a node that runs. If the
# watchdog has already moved the directory away, the file cannot be written, and COMMAND never begins.
file=$1
shift
PATH=$PATH:/usr/bin:/bin
read -r line <"/proc/$$/stat" || exit 1
field20() { shift 19; echo "$1"; }
# The start time is the 20th word after the name in parentheses.
born=$(field20 ${line##*) }) || exit 1
echo "$$ $born" >"$file.new" && mv "$file.new" "$file" || exit 1
exec "$@"
