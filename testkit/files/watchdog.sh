# shellcheck shell=sh disable=SC2086 # /proc/PID/stat and "PID START" are split into words
#
# watchdog.sh DIR OWNER START: waits until a run is over, then removes everything that it started.
#
# A run is over if the process OWNER with the start time START (so that a reused pid does not count)
# is gone or a zombie, if DIR/stop exists, or if DIR was deleted. The watchdog kills no process by its
# name: only those whose DIR/*/pid contains "PID START", and, if DIR/docker exists, the containers
# whose label messenger-testkit is the name of DIR.
trap '' HUP INT QUIT TERM
# The PATH of its owner may be anything, and without sleep this would spin.
PATH=$PATH:/usr/bin:/bin
dir=$1 owner=$2 born=$3

# alive PID START: succeeds if that process exists and is not a zombie.
alive() {
  read -r line <"/proc/$1/stat" || return 1
  set -- "$2" ${line##*) }
  [ "$2" != Z ] && [ "$2" != X ] && [ "${21}" = "$1" ]
}

# Adds the processes that the files under $1 name. Keeps those of a directory that is deleted later.
known=
containers=
look() {
  [ -e "$1/docker" ] && containers=yes
  for file in "$1"/*/pid; do
    read -r entry <"$file" || continue
    case "$known" in
      *"<$entry>"*) ;;
      *) known="$known<$entry>" ;;
    esac
  done
}

# Kills the process groups of all known processes, and waits at most 20 s for each.
end() {
  rest=$known
  while [ -n "$rest" ]; do
    entry=${rest#<}
    entry=${entry%%>*}
    rest=${rest#*>}
    tries=0
    while alive $entry && [ $tries -lt 200 ]; do
      kill -s KILL -- "-${entry% *}"
      tries=$((tries + 1))
      sleep 0.1
    done
  done
}

while alive "$owner" "$born" && [ -d "$dir" ] && [ ! -e "$dir/stop" ]; do
  look "$dir"
  sleep 0.3
done

# After the move run.sh cannot write a pid file any more, so no process can start unnoticed.
mv "$dir" "$dir.gone" && look "$dir.gone"
end
if [ -n "$containers" ]; then
  filter=label=messenger-testkit=${dir##*/}
  # Twice, because the engine may still be working on a request of a killed client.
  for pause in 1 0; do
    docker ps -aq --filter "$filter" | while read -r id; do docker rm -f -v "$id"; done
    sleep $pause
  done
fi
rm -rf "$dir.gone"
