#!/usr/bin/env bash
# What the scripts share: messages, the environment's data and its host, Compose, the lock, files that survive a power
# cut, and verification. Sourced, never run.
#
# A host keeps in STATE_FOLDER:
#   lock, lock.holder     one script at a time changes an environment; who that is
#   current               which step of a deploy is under way; there only while one is, or after one was killed
#   restoring             what a restore has not put back yet; there only while one is under way, or was cut off
#   deploys.jsonl         a record of each deploy
#   files                 what containers mount of the generated files, and the catalog: as last deployed
#   sites/ID, current     the generated files and scripts that came from another host, and a link to the last
#   running               link to what was last found good: Compose files, images.yaml, tag and files, in one folder
#   releases/ID           such a folder, made by deploy ID
#   rollback/ID           such a folder, of what ran before deploy ID, and `before`: the image of each service; once it
#                         was gone back to, `undone`: the images that ran until then
set -euo pipefail
umask 022

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
DRY_RUN=${DRY_RUN:-false}
LOG_LINES=50
SCRIPT_ARGUMENTS=("$@")

# --- messages ---------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() { # SENTENCE [STATUS]; DIED keeps the sentence for whoever cleans up
  export DIED=$1
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit "${2:-1}"
}

run() { # COMMAND...: run it, or with --dry-run print it
  if [[ $DRY_RUN == true ]]; then
    printf 'would run:' >&2
    printf ' %q' "$@" >&2
    printf '\n' >&2
  else
    "$@"
  fi
}

contains() { # WORD LIST...
  local word=$1 one
  shift
  for one in "$@"; do
    if [[ $one == "$word" ]]; then return 0; fi
  done
  return 1
}

any_of() { # WORD... -- LIST...
  local word
  local -a words=()
  while [[ $1 != -- ]]; do
    words+=("$1")
    shift
  done
  shift
  for word in ${words[@]+"${words[@]}"}; do
    if contains "$word" "$@"; then return 0; fi
  done
  return 1
}

confirm() { # QUESTION WORD: whether a person at a terminal answers with WORD
  local answer
  [[ -t 0 ]] || return 1
  printf '%s Type %s to go on: ' "$1" "$2" >&2
  IFS= read -r answer || return 1
  [[ $answer == "$2" ]]
}

# --- the environment --------------------------------------------------------------------------------------------------

known_environments() {
  local file
  for file in "$ROOT"/deploy/*/environment.sh; do
    if [[ -f $file ]]; then basename -- "$(dirname -- "$file")"; fi
  done
}

load_environment() { # NAME: reads deploy/NAME/environment.sh and .env; an unknown name ends the script with 2
  local known name
  mapfile -t known < <(known_environments)
  if ((${#known[@]} == 0)); then
    die "$ROOT/deploy holds no environment; write them with: exporter gen --out $ROOT" 2
  fi
  contains "$1" "${known[@]}" || die "unknown environment $1; known: ${known[*]}" 2
  ENVIRONMENT_FOLDER=$ROOT/deploy/$1
  # shellcheck source=/dev/null
  source "$ENVIRONMENT_FOLDER/environment.sh"
  for name in STATE_FOLDER BACKUP_FOLDER SECRETS_FOLDER EXPORTER EXPORTER_CONFIG TAG; do
    if [[ -z ${!name:-} ]]; then read_variable "$name"; fi
  done
  export STATE_FOLDER=${STATE_FOLDER:-$STATE_FOLDER_DEFAULT}
  export BACKUP_FOLDER=${BACKUP_FOLDER:-$BACKUP_FOLDER_DEFAULT}
  export SECRETS_FOLDER=${SECRETS_FOLDER:-$SECRETS_FOLDER_DEFAULT}
  if [[ $BACKUP_FOLDER != /* ]]; then BACKUP_FOLDER=$ROOT/$BACKUP_FOLDER; fi
  export EXPORTER=${EXPORTER:-exporter}
  export EXPORTER_CONFIG=${EXPORTER_CONFIG:-$ROOT/config.yaml}
  export DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
  if [[ ! -f $ROOT/$HANDED_OVER ]]; then
    if [[ $DOCKER_HOST_OF_ENVIRONMENT == ssh://* ]]; then go_to_host; fi
    if [[ -n $DOCKER_HOST_OF_ENVIRONMENT ]]; then export DOCKER_HOST=$DOCKER_HOST_OF_ENVIRONMENT; fi
  fi
  ALL_SERVICES=(${STORES[@]+"${STORES[@]}"} ${SERVICES[@]+"${SERVICES[@]}"} ${GATEWAY:+"$GATEWAY"})
  if has_monitoring; then ALL_SERVICES+=(exporter prometheus alertmanager grafana); fi
}

read_variable() { # NAME: sets it from the environment's .env, if it is there; the text is data, nothing is expanded
  local file=$ENVIRONMENT_FOLDER/.env line value
  [[ -f $file ]] || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line == "$1="* ]] || continue
    value=${line#*=}
    if [[ $value == \"*\" || $value == \'*\' ]]; then value=${value:1:-1}; fi
    printf -v "$1" '%s' "$value"
  done <"$file"
}

has_monitoring() { [[ -f $ENVIRONMENT_FOLDER/compose.monitoring.yaml ]]; }

need_exporter() {
  "$EXPORTER" version >/dev/null 2>&1 ||
    die "the command $EXPORTER does not work; install it with pip install pageforge-exporter, or set EXPORTER"
}

# --- an engine on another host ----------------------------------------------------------------------------------------
# Containers mount files of the host that the engine is on: secrets, configuration, the state that the daemon reads. The
# lock is worth something there alone, too. So where docker_host is ssh://, the catalog, the environment's generated files
# and the scripts are copied there, each run into a folder of its own, and the script runs there.

KEPT_SITES=10
HANDED_OVER=.handed-over # a file beside config.yaml, in what was copied

go_to_host() { # runs this script on the environment's host, and ends with its status
  local host=$DOCKER_HOST_OF_ENVIRONMENT sites=$STATE_FOLDER/sites tag=${TAG:-} site word previous='' input='' status=0
  local -a words=() copy=() there=(ssh)
  command -v ssh >/dev/null || die "$ENVIRONMENT runs on $host, and ssh is not installed"
  [[ -f $EXPORTER_CONFIG ]] || die "there is no catalog at $EXPORTER_CONFIG to take to $host; set EXPORTER_CONFIG"
  if [[ -z $tag && -z $TAG_DEFAULT ]]; then tag=$(git -C "$ROOT" rev-parse --short=12 HEAD 2>/dev/null) || tag=; fi
  site=$(printf '%(%Y%m%dT%H%M%SZ)T' -1)-$(who | tr -c 'A-Za-z0-9\n' _)-$$
  say "taking the catalog and the files of $ENVIRONMENT to $host"
  copy=(ssh "$host" "$(quoted sh -c "$UNPACK_SITE" sh "$sites" "$site" "$KEPT_SITES")")
  copy_site | "${copy[@]}" ||
    die "nothing was done: the files cannot be copied to $sites on $host; is it reached by ssh, and may the user write there?"
  for word in ${SCRIPT_ARGUMENTS[@]+"${SCRIPT_ARGUMENTS[@]}"}; do
    # A file of this host is not there: its content goes along.
    if [[ $previous == --from-file && $word != - ]]; then input=$word word=-; fi
    words+=("$word")
    previous=$word
  done
  if [[ -t 0 && -z $input ]]; then there+=(-t); fi
  exec 8<&0
  if [[ -n $input ]]; then exec 8<"$input" || exit 1; fi
  there+=("$host" "$(quoted env "ON_BEHALF_OF=$(who)@$(hostname)" "TAG=$tag" "EXPORTER_CONFIG=$sites/$site/config.yaml" \
    "$sites/$site/scripts/${0##*/}" ${words[@]+"${words[@]}"})")
  "${there[@]}" <&8 || status=$?
  if ((status == 255)); then die "the connection to $host broke off; scripts/status.sh $ENVIRONMENT says how far it came"; fi
  exit "$status"
}

copy_site() { # a tar: the catalog as config.yaml, the generated files of this environment, the scripts, the public key
  local staging key=$BACKUP_PUBLIC_KEY catalog
  staging=$(mktemp -d)
  catalog=$(dirname -- "$EXPORTER_CONFIG")
  if [[ -n $key && $key != /* && /$key/ != */../* && -f $catalog/$key ]]; then
    mkdir -p -- "$(dirname -- "$staging/$key")" && cp -- "$catalog/$key" "$staging/$key" || return 1
  fi
  {
    mkdir -p -- "$staging/deploy" && cp -- "$EXPORTER_CONFIG" "$staging/config.yaml" && : >"$staging/$HANDED_OVER" &&
      cp -R -- "$ENVIRONMENT_FOLDER" "$staging/deploy/" &&
      cp -R -- "$ROOT/scripts" "$ROOT/dashboards" "$ROOT/alert_rules" "$staging/" &&
      tar -C "$staging" -cf - .
  } || { rm -rf -- "$staging" && return 1; }
  rm -rf -- "$staging"
}

UNPACK_SITE=$(
  cat <<'SH'
set -eu
umask 022
mkdir -p -- "$1"
cd -- "$1"
mkdir -- "$2.new"
tar -C "$2.new" -xf -
mv -- "$2.new" "$2"
ln -sfn -- "$2" current.new
mv -T -f -- current.new current
ls -1 -t | grep -v -e '^current' | tail -n "+$(($3 + 1))" | while IFS= read -r old; do rm -rf -- "./$old"; done
SH
)

quoted() { # WORD...: as one line for whatever shell is there
  local word line=
  for word in "$@"; do line+="'${word//\'/\'\\\'\'}' "; done
  printf '%s' "$line"
}

# --- Compose ----------------------------------------------------------------------------------------------------------

find_compose() { # sets COMPOSE to Compose v2 where the plug-in is there, else to v1
  if docker compose version >/dev/null 2>&1; then
    COMPOSE=(docker compose)
  elif command -v docker-compose >/dev/null; then
    COMPOSE=(docker-compose)
  else
    die "there is neither the plug-in docker compose nor docker-compose; install one of them"
  fi
}

compose() { # ARGUMENTS...: on what runs, or where nothing was ever deployed, on the environment's own files
  if [[ -d $STATE_FOLDER/running ]]; then
    compose_in "$STATE_FOLDER/running" "$@"
  else
    compose_in "$ENVIRONMENT_FOLDER" "$@"
  fi
}

compose_release() { compose_in "$ENVIRONMENT_FOLDER" "$@"; } # the files as they are to be deployed

compose_in() { # FOLDER ARGUMENTS...; with MORE_FILE after the folder's own
  local folder=$1 file tag=${TAG:-} files='' catalog=$EXPORTER_CONFIG
  local -a options=(-p "$COMPOSE_PROJECT" --project-directory "$ENVIRONMENT_FOLDER")
  shift
  if [[ -f $ENVIRONMENT_FOLDER/.env ]]; then options+=(--env-file "$ENVIRONMENT_FOLDER/.env"); fi
  for file in compose.yaml compose.monitoring.yaml images.yaml; do
    if [[ -f $folder/$file ]]; then options+=(-f "$folder/$file"); fi
  done
  if [[ -n ${MORE_FILE:-} ]]; then options+=(-f "$MORE_FILE"); fi
  if [[ -f $folder/tag ]]; then tag=$(<"$folder/tag"); fi
  if [[ -z ${COMPOSE+set} ]]; then find_compose; fi
  if [[ -d $STATE_FOLDER/files ]]; then files=$STATE_FOLDER/files catalog=$files/config.yaml; fi
  TAG=${tag:-${TAG_DEFAULT:-unknown}} FILES_FOLDER=$files EXPORTER_CONFIG_FILE=$catalog \
    "${COMPOSE[@]}" "${options[@]}" "$@"
}

images_in() { # FOLDER: "service image" of each line, as Compose resolves them
  compose_in "$1" config | awk '
    /^[^ ]/ { inside = ($1 == "services:") }
    inside && /^  [^ ].*:$/ { service = $1; gsub(/[":\x27]/, "", service) }
    inside && /^    image: / { image = $2; gsub(/["\x27]/, "", image); print service, image }'
}

secrets_in() { # FOLDER: names of the secrets that its Compose files mount from files
  compose_in "$1" config | awk '
    /^[^ ]/ { inside = ($1 == "secrets:") }
    inside && /^  [^ ].*:$/ { name = $1; gsub(/[":\x27]/, "", name) }
    inside && /^    file: / { print name }'
}

engine_is_local() {
  local host=${DOCKER_HOST:-}
  if [[ -z $host ]]; then
    host=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null) || host=unix://
  fi
  [[ $host == unix://* ]]
}

containers_of() { # [SERVICE]...: ids, stopped ones too, but not those of `compose run`
  local service
  local -a of=(--filter "label=com.docker.compose.project=$COMPOSE_PROJECT"
    --filter label=com.docker.compose.oneoff=False)
  if (($# == 0)); then
    docker ps --all --quiet --no-trunc "${of[@]}"
  fi
  for service in "$@"; do
    docker ps --all --quiet --no-trunc "${of[@]}" --filter "label=com.docker.compose.service=$service"
  done
}

is_running() { [[ -n $1 && $(docker inspect --format '{{.State.Running}}' "$1") == true ]]; }

SERVICE_LABEL='{{index .Config.Labels "com.docker.compose.service"}}'

# --- files and the lock -----------------------------------------------------------------------------------------------

write_file() { # PATH: standard input becomes the file: all of it or nothing, also when the power fails
  local new=$1.new.$$
  cat >"$new"
  sync -- "$new"
  mv -f -T -- "$new" "$1"
  sync -- "$(dirname -- "$1")"
}

point_to() { # LINK FOLDER: in one step
  ln -s -f -n -- "$2" "$1.new.$$"
  mv -f -T -- "$1.new.$$" "$1"
  sync -- "$(dirname -- "$1")"
}

field() { # FILE KEY: of lines KEY=VALUE
  local line
  [[ -f $1 ]] || return 0
  while IFS= read -r line; do
    if [[ $line == "$2="* ]]; then printf '%s' "${line#*=}"; fi
  done <"$1"
}

who() { printf '%s' "${ON_BEHALF_OF:-${SUDO_USER:-$(id -un 2>/dev/null || id -u)}}"; }

lock_holder() { # a sentence's part, or nothing where nobody is known
  local file=$STATE_FOLDER/lock.holder
  [[ -f $file ]] || return 0
  printf '%s, process %s of %s on %s since %s' "$(field "$file" command)" "$(field "$file" pid)" \
    "$(field "$file" user)" "$(field "$file" host)" "$(field "$file" since)"
}

take_lock() { # one script at a time changes an environment; a script that another one calls shares its lock
  local file=$STATE_FOLDER/lock waited=false descriptor
  if [[ ${LOCK_HELD:-} == "$STATE_FOLDER" ]]; then return 0; fi
  mkdir -p -- "$STATE_FOLDER" || die "the folder $STATE_FOLDER cannot be made; run as a user who may, or set STATE_FOLDER"
  exec {descriptor}>>"$file"
  # A killed script leaves its Compose running with the lock; that one is waited for.
  until flock --wait 1 "$descriptor"; do
    if holder_lives; then
      die "$PROJECT in $ENVIRONMENT is locked by $(lock_holder); try again when it is done"
    fi
    if [[ $waited == false ]]; then
      say "waiting for what a killed script left running: $(lock_holder)"
      waited=true
    fi
  done
  rm -f -- "$STATE_FOLDER"/*.new.*
  printf '%s\n' "pid=$$" "user=$(who)" "host=$(hostname)" "since=$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
    "command=${0##*/}" | write_file "$STATE_FOLDER/lock.holder"
  export LOCK_HELD=$STATE_FOLDER
}

holder_lives() { # of another host nothing is known, so it counts as alive
  local file=$STATE_FOLDER/lock.holder pid
  [[ -f $file ]] || return 1
  pid=$(field "$file" pid)
  [[ $(field "$file" host) != "$(hostname)" ]] || kill -0 "$pid" 2>/dev/null || [[ -d /proc/$pid ]]
}

restore_left() { # what a restore has not put back and how that is done, or nothing; whether it still runs is not asked
  local file=$STATE_FOLDER/restoring names backup
  names=$(field "$file" names)
  backup=$(field "$file" backup)
  [[ -n $names ]] || return 0
  printf '%s' "the restore from the backup $backup, begun by $(field "$file" user) at $(field "$file" since), has not put" \
    " back: $names. Services that write are stopped. Run scripts/restore.sh $ENVIRONMENT $backup $names" \
    " again (or remove $STATE_FOLDER/restoring, if what is there now shall stay)"
}

need_restored() { # what is there by half is not started
  local left
  left=$(restore_left)
  [[ -z $left ]] || die "$left"
}

# --- verification -----------------------------------------------------------------------------------------------------

wait_healthy() { # DEADLINE (of SECONDS) CONTAINER...: sets FAILED to those that are not healthy then, or jobs not done
  local deadline=$1 lines id state health code restart service
  local -a waiting=()
  shift
  FAILED=()
  (($#)) || return 0
  while :; do
    lines=$(docker inspect --format '{{.ID}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{or .HostConfig.RestartPolicy.Name "no"}} '"$SERVICE_LABEL" "$@") ||
      return 1
    waiting=()
    while read -r id state health code restart service; do
      if [[ $state == running ]] && contains "$service" ${JOBS[@]+"${JOBS[@]}"}; then state=working; fi
      case $state/$health/$code/$restart in
        running/healthy/* | running/none/*) ;;
        exited/*/0/no | exited/*/0/on-failure) ;; # a job that is done
        running/unhealthy/* | exited/*/no | dead/*) FAILED+=("$id") ;;
        *) waiting+=("$id") ;;
      esac
    done <<<"$lines"
    if ((${#FAILED[@]})); then return 1; fi
    if ((${#waiting[@]} == 0)); then return 0; fi
    if ((SECONDS >= deadline)); then
      FAILED=("${waiting[@]}")
      return 1
    fi
    sleep 1
  done
}

verify() { # FOLDER [SERVICE]: every container healthy, then the catalog's probes, by the catalog's deadline
  local deadline=$((SECONDS + VERIFY_SECONDS)) folder=$1 output line service
  local -a ids=() failing=()
  export WHY=
  mapfile -t ids < <(containers_of ${2:+"$2"})
  if ((${#ids[@]} == 0)); then
    WHY="no container runs"
    return 1
  fi
  if ! wait_healthy "$deadline" "${ids[@]}"; then
    WHY="not healthy: $(names_of ${FAILED[@]+"${FAILED[@]}"})"
    return 1
  fi
  output=$(probe "$folder" "$((deadline > SECONDS ? deadline - SECONDS : 1))" "${2:-}") && {
    say "$output"
    return 0
  }
  say "$output"
  line=$(grep -F 'not healthy within' <<<"$output" | tail -n 1) || line="the probes could not be run"
  WHY=$line
  IFS=', ' read -r -a failing <<<"${line##*: }"
  for service in ${failing[@]+"${failing[@]}"}; do
    if contains "$service" "${ALL_SERVICES[@]}"; then mapfile -t -O "${#FAILED[@]}" FAILED < <(containers_of "$service"); fi
  done
  return 1
}

probe() { # FOLDER SECONDS [SERVICE]: the catalog's own probes, from inside the project's network where that can be
  local folder=$1 seconds=$2 inside=false
  local -a names=(${SERVICES[@]+"${SERVICES[@]}"} ${STORES[@]+"${STORES[@]}"})
  if [[ -f $folder/compose.monitoring.yaml ]]; then
    inside=true
    names+=(${FILE_STORES[@]+"${FILE_STORES[@]}"}) # files in volumes, which are mounted there
  fi
  if [[ -n ${3:-} ]]; then
    if ! contains "$3" "${names[@]}"; then return 0; fi
    names=("$3")
  fi
  ((${#names[@]})) || return 0
  if [[ $inside == true ]]; then
    compose_in "$folder" run --rm --no-deps -T exporter check --deadline "$seconds" "${names[@]}"
  else
    "$EXPORTER" check "--config=$EXPORTER_CONFIG" "--environment=$ENVIRONMENT" --deadline "$seconds" "${names[@]}"
  fi
}

names_of() { # CONTAINER...
  (($#)) || return 0
  docker inspect --format '{{.Name}}' "$@" 2>/dev/null | sed 's,^/,,' | paste -s -d ' '
}

show_logs() { # CONTAINER...: the last lines of each, with its name before them
  local id name
  for id in "$@"; do
    name=$(names_of "$id")
    say "-- the last $LOG_LINES lines of $name"
    docker logs --tail "$LOG_LINES" "$id" 2>&1 | awk -v name="$name" '{ print name " | " $0 }' >&2
  done
}
