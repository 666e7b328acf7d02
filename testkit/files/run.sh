# run.sh PIDFILE COMMAND...: becomes COMMAND after writing "PID START" to PIDFILE.
#
# The file is in place before COMMAND begins, so there is no moment in which a node runs and the
# watchdog does not know it. If the watchdog has already moved the directory away, the file cannot
# be written and COMMAND never begins.
file=$1
shift
PATH=$PATH:/usr/bin:/bin
read -r line <"/proc/$$/stat" || exit 1
field20() { shift 19; echo "$1"; }
# What follows the name in parentheses; the start time is the 20th word of that.
born=$(field20 ${line##*) }) || exit 1
echo "$$ $born" >"$file.new" && mv "$file.new" "$file" || exit 1
exec "$@"
