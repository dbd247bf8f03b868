#!/usr/bin/env bash
# What the scripts share: messages, the environment's data, Compose, the lock, files that survive a power cut, and the
# way from one set of images to another. Sourced, never run.
#
# A host keeps in STATE_FOLDER:
#   lock, lock.holder     one script at a time changes an environment; who that is
#   current               which step of a deploy is under way; there only while one is, or after one was killed
#   deploys.jsonl         a record of each deploy
#   running               link to what was last found good: Compose files, images.yaml and tag, in one folder
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
die() { # SENTENCE [STATUS]
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

compose_in() { # FOLDER ARGUMENTS...
  local folder=$1 file tag=${TAG:-}
  local -a options=(-p "$COMPOSE_PROJECT" --project-directory "$ENVIRONMENT_FOLDER")
  shift
  if [[ -f $ENVIRONMENT_FOLDER/.env ]]; then options+=(--env-file "$ENVIRONMENT_FOLDER/.env"); fi
  for file in compose.yaml compose.monitoring.yaml images.yaml; do
    if [[ -f $folder/$file ]]; then options+=(-f "$folder/$file"); fi
  done
  if [[ -f $folder/tag ]]; then tag=$(<"$folder/tag"); fi
  if [[ -z ${COMPOSE+set} ]]; then find_compose; fi
  TAG=${tag:-${TAG_DEFAULT:-unknown}} "${COMPOSE[@]}" "${options[@]}" "$@"
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

# --- from one set of images to another --------------------------------------------------------------------------------

bring_up() { # FOLDER SERVICE...: start these as its Compose files say, the first of the catalog's order first. With
  # --all in place of services: everything that is in the files, and what is no longer in them is removed.
  local folder=$1 service
  local -a there=() before=() all=() wanted=()
  shift
  wanted=("$@")
  if [[ $1 == --all ]]; then wanted=("${ALL_SERVICES[@]}"); fi
  mapfile -t there < <(compose_in "$folder" config --services)
  for service in "${wanted[@]}"; do
    if ! contains "$service" ${there[@]+"${there[@]}"}; then continue; fi
    all+=("$service")
    if contains "$service" ${REPLICATED[@]+"${REPLICATED[@]}"} && [[ -n $(containers_of "$service") ]]; then
      start "$folder" ${before[@]+"${before[@]}"} || return 1
      replace_replicas "$folder" "$service" || return 1
      before=()
    else
      before+=("$service")
    fi
  done
  if [[ $1 == --all ]]; then
    compose_in "$folder" up -d --no-build --remove-orphans >&2
  elif ((${#all[@]} == 0)); then
    return 0
  elif [[ -n $DEPLOY_SERVICE ]]; then
    compose_in "$folder" up -d --no-build --no-deps "${all[@]}" >&2
  else
    compose_in "$folder" up -d --no-build --remove-orphans "${all[@]}" >&2
  fi
}

start() { # FOLDER SERVICE...: and what they depend on
  local folder=$1
  shift
  (($# == 0)) || compose_in "$folder" up -d --no-build "$@" >&2
}

replace_replicas() { # FOLDER SERVICE: new ones first; the old ones end when those are healthy
  local folder=$1 service=$2 wanted id index
  local -a all=() old=() new=()
  for index in "${!REPLICATED[@]}"; do
    if [[ ${REPLICATED[index]} == "$service" ]]; then wanted=${REPLICA_COUNTS[index]}; fi
  done
  mapfile -t all < <(containers_of "$service")
  ((${#all[@]})) || return 0
  mapfile -t old < <(outdated "$folder" "$service" "${all[@]}")
  ((${#old[@]})) || return 0
  local missing=$((wanted - (${#all[@]} - ${#old[@]})))
  if ((missing > 0)); then
    compose_in "$folder" up -d --no-deps --no-build --no-recreate \
      --scale "$service=$((${#all[@]} + missing))" "$service" >&2 || return 1
  fi
  while IFS= read -r id; do
    if ! contains "$id" "${old[@]}"; then new+=("$id"); fi
  done < <(containers_of "$service")
  wait_healthy $((SECONDS + VERIFY_SECONDS)) "${new[@]}" || return 1
  if [[ -n ${GATEWAY:-} && -n $(containers_of "$GATEWAY") ]]; then
    say "$service: ${#new[@]} new replicas are healthy; the gateway learns their addresses within $GATEWAY_RESOLVE_SECONDS s"
    sleep "$((GATEWAY_RESOLVE_SECONDS + 1))" # the time for which it keeps what it was told by the engine's DNS
  fi
  docker stop "${old[@]}" >/dev/null && docker rm --force "${old[@]}" >/dev/null
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

wait_healthy() { # DEADLINE (of SECONDS) CONTAINER...: sets FAILED to those that are not healthy then
  local deadline=$1 lines id state health code restart
  local -a waiting=()
  shift
  FAILED=()
  (($#)) || return 0
  while :; do
    lines=$(docker inspect --format '{{.ID}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{or .HostConfig.RestartPolicy.Name "no"}}' "$@") ||
      return 1
    waiting=()
    while read -r id state health code restart; do
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
  if bring_up "$folder" "${back[@]}"; then
    verify "$folder" "$DEPLOY_SERVICE"
  else
    find_failed
    return 1
  fi
}

find_failed() { # after `up` itself has failed: whatever is not well
  local -a ids=()
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
  finish ok ""
}
