#!/usr/bin/env bash
# What the scripts share: messages, the environment's data, Compose, the lock, files that survive a power cut, and the
# way from one set of images to another. Sourced, never run.
#
# A host keeps in STATE_FOLDER:
#   lock, lock.holder     one script at a time changes an environment; who that is
#   current               which step of a deploy is under way; there only while one is, or after one was killed
#   restoring             what a restore has not put back yet; there only while one is under way, or was cut off
#   deploys.jsonl         a record of each deploy
#   files                 what containers mount of the generated files, and the catalog: as last deployed
#   running               link to what was last found good: Compose files, images.yaml, tag and files, in one folder
#   releases/ID           such a folder, made by deploy ID
#   rollback/ID           such a folder, of what ran before deploy ID, and `before`: the image of each service; once it
#                         was gone back to, `undone`: the images that ran until then
set -euo pipefail
umask 022

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
DRY_RUN=${DRY_RUN:-false}
KEPT_ROLLBACKS=5
LOG_LINES=50

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
  if [[ -n $DOCKER_HOST_OF_ENVIRONMENT ]]; then export DOCKER_HOST=$DOCKER_HOST_OF_ENVIRONMENT; fi
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
  local folder=$1 file tag=${TAG:-} files=. catalog=$EXPORTER_CONFIG
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

who() { printf '%s' "${SUDO_USER:-$(id -un 2>/dev/null || id -u)}"; }

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

# --- steps and records of a deploy ------------------------------------------------------------------------------------
# DEPLOY_ID, DEPLOY_TAG, DEPLOY_BASE (the rollback/ID that holds what ran before), DEPLOY_STARTED, DEPLOY_SERVICE
# (empty: all), DEPLOY_KIND (deploy, rollback) and DEPLOY_USER are what `current` keeps of it.

CURRENT_KEYS=(DEPLOY_ID DEPLOY_KIND DEPLOY_TAG DEPLOY_BASE DEPLOY_STARTED DEPLOY_SERVICE DEPLOY_USER)

enter() { # STEP: written before anything of the step is done
  local key
  for key in "${CURRENT_KEYS[@]}"; do printf '%s=%s\n' "$key" "${!key}"; done |
    { printf 'step=%s\n' "$1" && cat; } | write_file "$STATE_FOLDER/current"
  say "== $1"
}

resume() { # sets the variables of a deploy that was killed, and STEP
  local key
  for key in "${CURRENT_KEYS[@]}"; do
    printf -v "$key" '%s' "$(field "$STATE_FOLDER/current" "$key")"
  done
  STEP=$(field "$STATE_FOLDER/current" step)
}

finish() { # RESULT ERROR: the record, then the end of the deploy
  local before=before after=$STATE_FOLDER/after.new.$$
  if [[ $DEPLOY_KIND == rollback ]]; then before=undone; fi
  images_now >"$after" || warn "the images that run now could not be listed, so the record lacks them"
  "$EXPORTER" deploys add "--file=$STATE_FOLDER/deploys.jsonl" "--id=$DEPLOY_ID" "--environment=$ENVIRONMENT" \
    "--service=$DEPLOY_SERVICE" "--who=$DEPLOY_USER" "--started=$DEPLOY_STARTED" "--result=$1" \
    "--version=$DEPLOY_TAG" "--reverts=$([[ $DEPLOY_KIND != rollback ]] || printf '%s' "$DEPLOY_BASE")" \
    "--before=$STATE_FOLDER/rollback/$DEPLOY_BASE/$before" "--after=$after" "--error=$2" ||
    die "the record of deploy $DEPLOY_ID cannot be written to $STATE_FOLDER/deploys.jsonl; the next run tries again"
  rm -f -- "$after" "$STATE_FOLDER/current"
  sync -- "$STATE_FOLDER"
}

images_now() { # "service image-id image-name" of each service that has a container, running ones before others
  local -a ids
  mapfile -t ids < <(containers_of)
  ((${#ids[@]})) || return 0
  docker inspect --format "{{.State.Running}} $SERVICE_LABEL {{.Image}} {{.Config.Image}}" "${ids[@]}" |
    sort -r | awk '!seen[$2]++ { print $2, $3, $4 }' | sort
}

keep_before() { # what runs now, so that it can come back: its images tagged, its Compose files and its tag
  local folder=$STATE_FOLDER/rollback/$DEPLOY_ID from=$ENVIRONMENT_FOLDER service image _
  if [[ -d $STATE_FOLDER/running ]]; then from=$STATE_FOLDER/running; fi
  mkdir -p -- "$folder"
  copy_definition "$from" "$folder"
  keep_files "$folder"
  images_now | write_file "$folder/before"
  while read -r service image _; do
    docker tag "$image" "$COMPOSE_PROJECT/$service:rollback-$DEPLOY_ID"
  done <"$folder/before"
}

copy_definition() { # FROM TO
  local file
  for file in compose.yaml compose.monitoring.yaml tag; do
    if [[ -f $1/$file ]]; then write_file "$2/$file" <"$1/$file"; fi
  done
}

write_images() { # FOLDER: images.yaml, of "service image" lines
  local service image
  {
    printf 'services:\n'
    while read -r service image; do printf '  "%s": {image: "%s"}\n' "$service" "$image"; done
  } | write_file "$1/images.yaml"
}

keep_release() { # what runs now was found good: `running` says so
  local folder=$STATE_FOLDER/releases/$DEPLOY_ID
  mkdir -p -- "$folder"
  copy_definition "$ENVIRONMENT_FOLDER" "$folder"
  printf '%s\n' "$DEPLOY_TAG" | write_file "$folder/tag"
  keep_files "$folder"
  images_now | awk '{ print $1, $3 }' | write_images "$folder"
  point_to "$STATE_FOLDER/running" "releases/$DEPLOY_ID"
}

prune() { # folders and tags that no rollback needs
  local folder id service image ids _ running
  running=$(readlink -- "$STATE_FOLDER/running") || running=
  ids=$("$EXPORTER" deploys undoable "--file=$STATE_FOLDER/deploys.jsonl" "--last=$KEPT_ROLLBACKS") || {
    warn "records cannot be read, so no old rollback tag was removed"
    return 0
  }
  for folder in "$STATE_FOLDER"/rollback/*/ "$STATE_FOLDER"/releases/*/; do
    folder=${folder%/}
    id=${folder##*/}
    if [[ ! -d $folder || $folder == "$STATE_FOLDER/$running" || $'\n'$ids$'\n' == *$'\n'"$id"$'\n'* ]]; then
      continue
    fi
    if [[ -f $folder/before ]]; then
      while read -r service image _; do
        if docker image inspect "$COMPOSE_PROJECT/$service:rollback-$id" >/dev/null 2>&1; then
          docker rmi "$COMPOSE_PROJECT/$service:rollback-$id" >/dev/null 2>&1 || continue 2
        fi
      done <"$folder/before"
    fi
    rm -rf -- "$folder"
  done
}

# --- files that containers mount --------------------------------------------------------------------------------------

MOUNTED_FILES=(gateway prometheus alertmanager grafana stores)
CHANGED_FILES=()

install_files() { # [FOLDER]: the files that a release kept, or the generated ones; sets CHANGED_FILES to what is now new
  # In place, not by renaming: a container that mounts one file would go on seeing the old one. What is half-written when
  # the power fails is written again by the next run, which finds the deploy that was killed.
  local from=${1:-} part path
  local -a parts=("${MOUNTED_FILES[@]}" config.yaml)
  CHANGED_FILES=()
  if [[ -n ${DEPLOY_SERVICE:-} ]]; then part_of "$DEPLOY_SERVICE"; fi
  mkdir -p -- "$STATE_FOLDER/files"
  for part in ${parts[@]+"${parts[@]}"}; do
    path=$ENVIRONMENT_FOLDER/$part
    if [[ $part == config.yaml ]]; then path=$EXPORTER_CONFIG; fi
    if [[ -n $from ]]; then path=$from/$part; fi
    if diff -r -q -- "$path" "$STATE_FOLDER/files/$part" >/dev/null 2>&1; then continue; fi
    if [[ ! -e $path && ! -e $STATE_FOLDER/files/$part ]]; then continue; fi
    CHANGED_FILES+=("$part")
    replace_files "$path" "$STATE_FOLDER/files/$part" || return 1
  done
  sync -- "$STATE_FOLDER/files"
}

part_of() { # SERVICE: sets `parts` of install_files to what this service alone mounts
  case $1 in
    exporter) parts=(config.yaml) ;;
    *) if contains "$1" "${MOUNTED_FILES[@]}"; then parts=("$1"); else parts=("stores/$1"); fi ;;
  esac
}

replace_files() { # FROM TO: a file, or a folder with all that is in it
  local file
  if [[ -f $1 ]]; then
    cat -- "$1" >"$2"
    return
  fi
  if [[ ! -d $1 ]]; then
    rm -rf -- "$2"
    return
  fi
  mkdir -p -- "$2" || return 1
  while IFS= read -r -d '' file; do
    [[ -e $1/$file ]] || rm -rf -- "${2:?}/$file" || return 1
  done < <(find "$2" -mindepth 1 -printf '%P\0')
  while IFS= read -r -d '' file; do
    replace_files "$1/$file" "$2/$file" || return 1
  done < <(find "$1" -mindepth 1 -maxdepth 1 -printf '%P\0')
}

keep_files() { # FOLDER: what is mounted now, beside the Compose files there
  rm -rf -- "$1/files"
  if [[ -d $STATE_FOLDER/files ]]; then cp -R -- "$STATE_FOLDER/files" "$1/files"; fi
}

note_running() { # sets RUNNING to the containers that may have to be told of changed files
  mapfile -t RUNNING < <(docker ps --quiet --no-trunc --filter "label=com.docker.compose.project=$COMPOSE_PROJECT")
}

reload() { # tells those that ran before the files changed, and still do, to read them again
  local part id service
  for part in ${CHANGED_FILES[@]+"${CHANGED_FILES[@]}"}; do
    service=$part
    case $part in
      stores*) continue ;; # read once, when the data is made
      config.yaml) service=exporter ;;
      gateway) service=${GATEWAY:-gateway} ;;
    esac
    while IFS= read -r id; do
      if contains "$id" ${RUNNING[@]+"${RUNNING[@]}"} && is_up "$id"; then reload_one "$service" "$id" || return 1; fi
    done < <(containers_of "$service")
  done
}

is_up() { [[ $(docker inspect --format '{{.State.Running}}' "$1") == true ]]; }

reload_one() { # SERVICE CONTAINER
  say "$1 reads its files again"
  case $1 in
    grafana) docker restart "$2" >/dev/null ;; # it reads provisioning only when it starts
    "${GATEWAY:-}")
      # Told to reload a file that it does not accept, it would go on with the old one and say so only in its log.
      if ! docker exec "$2" nginx -t -q -e stderr -c /etc/nginx/nginx.conf >&2; then
        FAILED=("$2")
        WHY="$(names_of "$2") does not accept its configuration"
        return 1
      fi
      docker kill --signal HUP "$2" >/dev/null
      ;;
    *) docker kill --signal HUP "$2" >/dev/null ;;
  esac
}

# --- from one set of images to another --------------------------------------------------------------------------------

put_on() { # FOLDER FILES SERVICE...: the files, then the services; of both, whatever runs learns
  local folder=$1 files=$2
  shift 2
  note_running
  install_files "$files" && bring_up "$folder" "$@" && reload
}

bring_up() { # FOLDER SERVICE...: start these as its Compose files say, what others depend on first. With --all in place
  # of services: everything that is in the files. Unless one service is deployed, what is not in them is removed.
  # Compose gets services without their dependencies, because Compose 2 makes anew all that depends on what it makes
  # anew: the gateway would go down with each release of a service behind it.
  local folder=$1 service level=
  local -a there=() wanted=() batch=() seen=()
  shift
  mapfile -t there < <(compose_in "$folder" config --services)
  wanted=("$@")
  if [[ $1 == --all ]]; then wanted=("${ALL_SERVICES[@]}" ${there[@]+"${there[@]}"}); fi
  for service in "${wanted[@]}"; do
    if ! contains "$service" ${there[@]+"${there[@]}"} || contains "$service" ${seen[@]+"${seen[@]}"}; then continue; fi
    seen+=("$service")
    if [[ $(level_of "$service") != "$level" ]]; then
      start_level "$folder" ${batch[@]+"${batch[@]}"} || return 1
      batch=()
      level=$(level_of "$service")
    fi
    batch+=("$service")
  done
  start_level "$folder" ${batch[@]+"${batch[@]}"} || return 1
  [[ -n $DEPLOY_SERVICE ]] || remove_orphans "${there[@]}"
}

level_of() { # SERVICE: how many services stand below it, one upon the other; of what watches and serves them, a word
  local index
  if contains "$1" ${STORES[@]+"${STORES[@]}"}; then printf 0; fi
  for index in "${!SERVICES[@]}"; do
    if [[ ${SERVICES[index]} == "$1" ]]; then printf '%s' "${SERVICE_LEVELS[index]}"; fi
  done
  if [[ -n ${GATEWAY:-} && $1 == "$GATEWAY" ]]; then printf gateway; fi
}

start_level() { # FOLDER SERVICE...: and wait for those of them that others await
  local folder=$1 service
  local -a plain=() replaced=() ids=()
  shift
  (($#)) || return 0
  for service in "$@"; do
    if contains "$service" ${REPLICATED[@]+"${REPLICATED[@]}"} && [[ -n $(containers_of "$service") ]]; then
      replaced+=("$service")
    else
      plain+=("$service")
    fi
  done
  ((${#plain[@]} == 0)) || compose_in "$folder" up -d --no-deps --no-build "${plain[@]}" >&2 || return 1
  for service in ${replaced[@]+"${replaced[@]}"}; do replace_replicas "$folder" "$service" || return 1; done
  for service in "$@"; do
    if contains "$service" ${AWAITED[@]+"${AWAITED[@]}"}; then mapfile -t -O "${#ids[@]}" ids < <(containers_of "$service"); fi
  done
  wait_healthy $((SECONDS + VERIFY_SECONDS)) ${ids[@]+"${ids[@]}"}
}

remove_orphans() { # SERVICE...: containers of this project in this environment whose service is none of these
  local id service
  local -a orphans=()
  while read -r id service; do
    if ! contains "$service" "$@"; then orphans+=("$id"); fi
  done < <(docker ps --all --no-trunc --filter "label=com.docker.compose.project=$COMPOSE_PROJECT" \
    --filter label=com.docker.compose.oneoff=False --format '{{.ID}} {{.Label "com.docker.compose.service"}}')
  if ((${#orphans[@]} == 0)); then return 0; fi
  say "removing what the catalog no longer has: $(names_of "${orphans[@]}")"
  { docker stop "${orphans[@]}" && docker rm --force "${orphans[@]}"; } >/dev/null
}

replace_replicas() { # FOLDER SERVICE: new ones first; the old ones end when those are healthy and take requests
  local folder=$1 service=$2 wanted id index
  local -a all=() old=() new=() known=() shared=()
  for index in "${!REPLICATED[@]}"; do
    if [[ ${REPLICATED[index]} == "$service" ]]; then wanted=${REPLICA_COUNTS[index]}; fi
  done
  mapfile -t all < <(containers_of "$service")
  mapfile -t old < <(outdated "$folder" "$service" "${all[@]}")
  if ((wanted > ${#all[@]} - ${#old[@]})); then
    make_replicas "$folder" "$service" "$((wanted + ${#old[@]}))" || return 1
  fi
  while IFS= read -r id; do
    if ! contains "$id" ${old[@]+"${old[@]}"}; then new+=("$id"); fi
  done < <(containers_of "$service")
  ((${#new[@]})) || return 1
  mapfile -t known < <(service_networks "$folder" "$service")
  mapfile -t shared < <(gateway_networks)
  for id in "${new[@]}"; do hold_back "$service" "$id" || return 1; done
  docker start "${new[@]}" >/dev/null || return 1
  wait_healthy $((SECONDS + VERIFY_SECONDS)) "${new[@]}" || return 1
  for id in "${new[@]}"; do join "$service" "$id" ${known[@]+"${known[@]}"} || return 1; done
  if ((${#old[@]} == 0)); then return 0; fi
  if any_of ${known[@]+"${known[@]}"} -- ${shared[@]+"${shared[@]}"}; then
    say "$service: ${#new[@]} new replicas are healthy; the gateway learns their addresses within $GATEWAY_RESOLVE_SECONDS s"
    sleep "$((GATEWAY_RESOLVE_SECONDS + 1))" # the time for which it keeps what it was told by the engine's DNS
  fi
  { docker stop "${old[@]}" && docker rm --force "${old[@]}"; } >/dev/null
}

make_replicas() { # FOLDER SERVICE COUNT: up to so many, which are not started
  # Not by --scale: Compose 2.26 takes that for a change of the service, and the next `up` would make all of them anew.
  local more=$STATE_FOLDER/replicas.yaml status=0
  printf 'services: {"%s": {deploy: {replicas: %s}}}\n' "$2" "$3" | write_file "$more"
  MORE_FILE=$more compose_in "$1" up --no-start --no-deps --no-build --no-recreate "$2" >&2 || status=$?
  rm -f -- "$more"
  return "$status"
}

# The engine's DNS names a container to the gateway as soon as it runs, healthy or not. Requests would be lost on those
# that only begin, and nginx leaves one alone for a while that has refused a few. So until they are healthy, new replicas
# are kept off the networks that they share with the gateway. `known` are the service's networks, `shared` the gateway's.

hold_back() { # SERVICE CONTAINER: one that was never started
  local network
  local -a apart=() there=()
  [[ $(docker inspect --format '{{.State.Status}}' "$2") == created ]] || return 0
  for network in ${known[@]+"${known[@]}"}; do
    if ! contains "$network" ${shared[@]+"${shared[@]}"}; then apart+=("$network"); fi
  done
  # On no network at all it would not find what it depends on, and might never be healthy.
  if ((${#apart[@]} == 0)); then return 0; fi
  join "$1" "$2" "${apart[@]}" || return 1
  mapfile -t there < <(networks_of "$2")
  for network in ${shared[@]+"${shared[@]}"}; do
    if contains "$network" "${there[@]}"; then docker network disconnect "$network" "$2" || return 1; fi
  done
}

join() { # SERVICE CONTAINER NETWORK...: those that it is not on. Compose 1 does so only when it starts one itself.
  local service=$1 id=$2 network
  local -a there=()
  shift 2
  mapfile -t there < <(networks_of "$id")
  for network in "$@"; do
    if contains "$network" ${there[@]+"${there[@]}"}; then continue; fi
    docker network connect --alias "$service" --alias "${id:0:12}" "$network" "$id" || return 1
  done
}

service_networks() { # FOLDER SERVICE: names of the service's networks, as the engine has them
  compose_in "$1" config | awk -v service="$2" -v project="$COMPOSE_PROJECT" '
    { word = $1; gsub(/[":\x27]/, "", word) }
    /^[^ ]/ { section = word }
    /^  [^ ]/ { name = word; inside = 0 }
    /^    [^ ]/ { inside = (section == "services" && name == service && word == "networks") }
    /^      [^ ]/ && inside { used[word] }
    /^    name: / && section == "networks" { named[name] = $2; gsub(/["\x27]/, "", named[name]) }
    END { for (network in used) print (network in named) ? named[network] : project "_" network }'
}

gateway_networks() { # names
  local -a gateway=()
  [[ -n ${GATEWAY:-} ]] || return 0
  mapfile -t gateway < <(containers_of "$GATEWAY")
  ((${#gateway[@]} == 0)) || networks_of "${gateway[@]}"
}

networks_of() { # CONTAINER...: names
  docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$@" |
    sed '/^$/d' | sort -u
}

outdated() { # FOLDER SERVICE CONTAINER...: those that Compose would make anew
  local folder=$1 service=$2 hash name image
  shift 2
  hash=$(compose_in "$folder" config --hash "$service" | awk '{ print $NF }')
  name=$(images_in "$folder" | awk -v service="$service" '$1 == service { print $2 }')
  image=$(docker image inspect --format '{{.ID}}' "$name")
  docker inspect --format '{{.ID}} {{.Image}} {{index .Config.Labels "com.docker.compose.config-hash"}}' "$@" |
    awk -v image="$image" -v hash="$hash" '$2 != image || $3 != hash { print $1 }'
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
  WHY=
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

# --- roll-back --------------------------------------------------------------------------------------------------------

roll_back() { # to rollback/DEPLOY_BASE; whether it then runs and is healthy. Can be done again after it was killed.
  local folder=$STATE_FOLDER/rollback/$DEPLOY_BASE service image name now
  local -a gone=() back=() now_there=()
  FAILED=()
  WHY=
  # The name that it ran by, if that still means the same image: so nothing is made anew that still runs.
  while read -r service image name; do
    now=$(docker image inspect --format '{{.ID}}' "$name" 2>/dev/null) || now=
    if [[ $now != "$image" ]]; then name=$COMPOSE_PROJECT/$service:rollback-$DEPLOY_BASE; fi
    printf '%s %s\n' "$service" "$name"
  done <"$folder/before" | write_images "$folder" || return 1
  point_to "$STATE_FOLDER/running" "rollback/$DEPLOY_BASE" || return 1
  mapfile -t now_there < <(images_now | awk '{ print $1 }')
  for service in ${ALL_SERVICES[@]+"${ALL_SERVICES[@]}"} ${now_there[@]+"${now_there[@]}"}; do
    if [[ -n $DEPLOY_SERVICE && $service != "$DEPLOY_SERVICE" ]]; then continue; fi
    if contains "$service" ${back[@]+"${back[@]}"} ${gone[@]+"${gone[@]}"}; then continue; fi
    if grep -q "^$service " "$folder/before"; then back+=("$service"); else gone+=("$service"); fi
  done
  while read -r service _; do # what is no longer in the catalog
    if [[ -z $DEPLOY_SERVICE ]] && ! contains "$service" ${back[@]+"${back[@]}"}; then back+=("$service"); fi
  done <"$folder/before"
  if ((${#gone[@]})); then
    mapfile -t gone < <(containers_of "${gone[@]}")
    if ((${#gone[@]})); then
      say "removing what did not run before: $(names_of "${gone[@]}")"
      { docker stop "${gone[@]}" && docker rm --force "${gone[@]}"; } >/dev/null || return 1
    fi
  fi
  if [[ ! -s $folder/before ]]; then rm -f -- "$STATE_FOLDER/running"; fi
  if ((${#back[@]} == 0)); then return 0; fi
  if put_on "$folder" "$folder/files" "${back[@]}"; then
    verify "$folder" "$DEPLOY_SERVICE"
  else
    find_failed
    return 1
  fi
}

find_failed() { # after `up` itself has failed: whatever is not well
  local -a ids=()
  if [[ -n $WHY ]]; then return 0; fi
  WHY="it could not be started"
  if ((${#FAILED[@]} == 0)); then
    mapfile -t ids < <(containers_of ${DEPLOY_SERVICE:+"$DEPLOY_SERVICE"})
    wait_healthy "$SECONDS" ${ids[@]+"${ids[@]}"} || true
  fi
  if ((${#FAILED[@]})); then WHY="not healthy: $(names_of "${FAILED[@]}")"; fi
}

repair() { # what a killed deploy or rollback left; sets REPAIRED to how
  export REPAIRED=
  [[ -f $STATE_FOLDER/current ]] || return 0
  resume
  say "the $DEPLOY_KIND $DEPLOY_ID of $DEPLOY_USER was killed at the step \"$STEP\""
  case $STEP in
    prepare | backup | images)
      say "it had changed nothing that runs; starting over"
      finish interrupted "killed at the step $STEP; nothing was changed"
      REPAIRED=nothing
      ;;
    record)
      say "it had been verified; its record is written now"
      keep_good
      REPAIRED=finished
      ;;
    *)
      say "finishing the roll-back to what ran before"
      enter rollback
      if roll_back; then
        finish "$([[ $DEPLOY_KIND == rollback ]] && echo reverted || echo rolled_back)" "killed at the step $STEP; repaired by the next run"
      else
        finish rollback_failed "killed at the step $STEP; after the roll-back: ${WHY:-it did not start}"
        show_logs ${FAILED[@]+"${FAILED[@]}"}
        warn "what ran before is not healthy either: ${WHY:-it did not start}"
      fi
      REPAIRED=rolled_back
      ;;
  esac
  prune
}

keep_good() { # the end of a good deploy
  keep_release
  # A restore that was cut off after all was put back left services stopped, which run now.
  if [[ -z $DEPLOY_SERVICE && -z $(restore_left) ]]; then rm -f -- "$STATE_FOLDER/restoring"; fi
  finish ok ""
}
