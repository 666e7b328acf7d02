#!/usr/bin/env bash
# Starts the messenger with a real Cassandra, and prints where it is.
#
#   ./init.sh [--test-data | --no-test-data]
#
#   --test-data      fills it with test data, without asking
#   --no-test-data   leaves it empty, without asking (the default without a terminal)
#
# Builds the image, starts Cassandra and the server, creates the schema, and waits until they are
# ready. Running containers keep running, so it is safe to run again at any time. If it fails, it
# stops only what it has started. It never deletes data.
#
# The first run creates the secret that tokens are signed with, in secrets/jwt.
#
# Environment: MESSENGER_PORT (default 8000); MESSENGER_IMAGE, an image to use instead of building
# one; MESSENGER_SECRETS, another directory than secrets; CASSANDRA_HEAP (default 1G).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() { sed -n '2,/^set/{s/^# \{0,1\}//;/^set/!p;}' init.sh; }
say() { printf '\n==> %s\n' "$*"; }
die() { printf 'init.sh: %s\n' "$@" >&2; exit 1; }

test_data=ask
for argument; do
  case $argument in
    --test-data) test_data=yes ;;
    --no-test-data) test_data=no ;;
    -h | --help) usage; exit ;;
    *) usage >&2; die "there is no option $argument" ;;
  esac
done

port=${MESSENGER_PORT:-8000}
if [[ ! $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then
  die "MESSENGER_PORT is '$port'; it must be a port, such as 8000"
fi
url=http://localhost:$port

# The tools.
command -v docker >/dev/null ||
  die 'docker is missing: see https://docs.docker.com/get-started/get-docker/'
if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  die 'Compose is missing: neither "docker compose" nor "docker-compose" can be run.' \
    'See https://docs.docker.com/compose/install/'
fi
docker info >/dev/null 2>&1 ||
  die 'the Docker engine does not answer: is it started, and may you use it? Try: docker info'

# running SERVICE: prints the id of its container if it is running.
running() {
  local id
  id=$("${compose[@]}" ps -q "$1" 2>/dev/null | head -n 1)
  [ -z "$id" ] || [ "$(docker inspect --format '{{.State.Running}}' "$id" 2>/dev/null)" != true ] ||
    echo "$id"
}

# The port may be in use only by our own server.
server=$(running server)
ours=
[ -z "$server" ] || ours=$(docker port "$server" 8000/tcp 2>/dev/null || true)
if [[ $ours != *":$port" ]] && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  die "port $port is in use by another program." \
    "Stop that, or choose another port: MESSENGER_PORT=8001 ./init.sh"
fi

# The secret of tokens. The user of the container must be able to read the file, so only its directory
# keeps others out.
secrets=${MESSENGER_SECRETS:-secrets}
if [ ! -s "$secrets/jwt" ]; then
  say "creating the secret of tokens: $secrets/jwt"
  mkdir -p "$secrets"
  chmod 700 "$secrets"
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$secrets/jwt.new"
  chmod 444 "$secrets/jwt.new"
  mv "$secrets/jwt.new" "$secrets/jwt"
fi

# From here on containers are started. If that fails, those that were not running before are stopped.
to_stop=()
[ -n "$server" ] || to_stop+=(server)
[ -n "$(running cassandra)" ] || to_stop+=(cassandra)
undo() {
  local status=$? service
  trap - EXIT
  ((status)) || exit 0
  echo "init.sh: failed; the last lines of the logs:" >&2
  "${compose[@]}" logs --tail 15 >&2 || true
  for service in ${to_stop[@]+"${to_stop[@]}"}; do # (bash 3 has no empty arrays)
    [ -n "$(running "$service")" ] || continue
    echo "init.sh: stopping $service, which this run started" >&2
    "${compose[@]}" stop "$service" >&2 || true
  done
  exit "$status"
}
trap undo EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -z "${MESSENGER_IMAGE:-}" ]; then
  say 'building the image (some minutes the first time)'
  REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  export REVISION
  "${compose[@]}" build server
fi

# wait_for SERVICE SECONDS: waits until its health check succeeds.
wait_for() {
  local id health i
  for ((i = 0; i < $2; i++)); do
    id=$("${compose[@]}" ps -q "$1" | head -n 1)
    health=$(docker inspect --format '{{.State.Health.Status}} {{.RestartCount}}' "$id")
    case $health in
      healthy*) return ;;
      *' '[3-9]) die "$1 does not start" ;;
    esac
    sleep 1
  done
  die "$1 is not ready after $2 seconds: $health"
}

say 'starting Cassandra'
"${compose[@]}" up -d --no-build cassandra
wait_for cassandra 300
say 'starting the server, which creates the schema'
"${compose[@]}" up -d --no-build server
wait_for server 90

if [ "$test_data" = ask ]; then
  test_data=no
  if [ -t 0 ] && [ -t 1 ]; then
    read -r -p 'Fill it with test data? [y/N] ' answer || answer=
    [[ $answer != [yY]* ]] || test_data=yes
  fi
fi
token="${compose[*]} exec -T server messenger-server token --user"
again="${compose[*]} exec server messenger-server generate"
if [ "$test_data" = yes ]; then
  say 'writing test data'
  "${compose[@]}" exec -T server messenger-server generate
fi

cat <<END

The messenger is ready.

  chat   $url/chat/
  docs   $url/docs

  token:          $token alice
  test:           scripts/smoke --token '$token' $url
  test data:      $again        (sizes: --help)
  logs:           ${compose[*]} logs -f server
  stop:           ${compose[*]} down        (keeps the data; --volumes deletes it)
END
