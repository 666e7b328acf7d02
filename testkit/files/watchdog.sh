# watchdog.sh DIR OWNER START: waits until a run is over, then removes all that it started.
#
# The run is over when process OWNER, born at START (so that a reused pid is not taken for it), is
# gone or a zombie, or when DIR/stop exists, or when DIR was deleted. It ends no process by name:
# only those whose DIR/*/pid says "PID START", and, if DIR/docker exists, the containers whose
# label messenger-testkit is the name of DIR.
trap '' HUP INT QUIT TERM
# Its owner's PATH may be anything; without sleep it would spin.
PATH=$PATH:/usr/bin:/bin
dir=$1 owner=$2 born=$3

# alive PID START: is that very process there, and not only waiting to be reaped?
alive() {
  read -r line <"/proc/$1/stat" || return 1
  set -- "$2" ${line##*) }
  [ "$2" != Z ] && [ "$2" != X ] && [ "${21}" = "$1" ]
}

# Adds what the files under $1 say to what is known; a directory deleted too early does not matter.
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

# Kills the process groups of all that is known and waits until they are gone, at most 20 s.
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

# Moving the directory first closes the door: run.sh can write no pid file there any more.
mv "$dir" "$dir.gone" && look "$dir.gone"
end
if [ -n "$containers" ]; then
  filter=label=messenger-testkit=${dir##*/}
  # Twice, because the engine may still be at work on a request of a client that has died.
  for pause in 1 0; do
    docker ps -aq --filter "$filter" | while read -r id; do docker rm -f -v "$id"; done
    sleep $pause
  done
fi
rm -rf "$dir.gone"
