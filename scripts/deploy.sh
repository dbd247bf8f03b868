#!/usr/bin/env bash
# Puts a release on an environment's engine, verifies it, and goes back to what ran before if it is not healthy.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deploy-lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/deploy-lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/deploy.sh ENVIRONMENT [SERVICE] [--build | --pull] [--tag TAG] [--dry-run] [--yes]

Puts a release on the environment's Docker engine: all of it, or one service. It is verified by the health checks of its
containers and by the catalog's probes, within the catalog's deadline. A release that is not healthy by then is taken
back: what ran before runs again. A deploy that was killed is repaired by the next run.

  --build      build the images that are built here
  --pull       pull all images; without either, only images that are missing are built or pulled
  --tag TAG    the tag of images that are built here; default: TAG, the catalog's, or the commit
  --dry-run    check everything and say what would be done; change nothing
  --yes        do not ask for approval, as in a pipeline
  -h, --help   this text

variables: TAG, STATE_FOLDER, BACKUP_FOLDER, SECRETS_FOLDER, EXPORTER (the command), EXPORTER_CONFIG (the catalog),
MIN_FREE_MIB (1024: the least free space); they may stand in deploy/ENVIRONMENT/.env, too
status: 0 it runs and is healthy, 1 it does not (and what ran before runs again), 2 wrong usage
TEXT
}

MIN_FREE_MIB=${MIN_FREE_MIB:-1024}
MODE=missing
APPROVED=false
PROBLEMS=()

main() {
  local -a words=()
  local tag=
  while (($#)); do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --build | --pull)
        [[ $MODE == missing || $MODE == "${1#--}" ]] || die "--build and --pull exclude each other" 2
        MODE=${1#--}
        ;;
      --tag)
        (($# > 1)) || die "--tag needs a value" 2
        tag=$2
        shift
        ;;
      --tag=*) tag=${1#*=} ;;
      --dry-run) DRY_RUN=true ;;
      --yes) APPROVED=true ;;
      -*) die "unknown option $1; see --help" 2 ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  ((${#words[@]} == 1 || ${#words[@]} == 2)) || die "name an environment, and at most one service; see --help" 2
  load_environment "${words[0]}"
  DEPLOY_SERVICE=${words[1]:-}
  if [[ -n $DEPLOY_SERVICE ]] && ! contains "$DEPLOY_SERVICE" "${ALL_SERVICES[@]}"; then
    die "unknown service $DEPLOY_SERVICE; $ENVIRONMENT has ${ALL_SERVICES[*]}" 2
  fi
  [[ $MODE != build || ! -f $ROOT/$HANDED_OVER ]] ||
    die "$ENVIRONMENT runs on $DOCKER_HOST_OF_ENVIRONMENT, where the sources are not; build and push the images before, and deploy them with --pull" 2
  choose_tag "$tag"
  preflight
  if [[ $DRY_RUN == true ]]; then
    plan
    exit 0
  fi
  approve
  take_lock
  need_restored # again: nobody restores now
  local service=$DEPLOY_SERVICE
  repair
  release "$service"
}

choose_tag() { # TAG: as asked for, or from the environment, or the commit
  TAG=${1:-${TAG:-$TAG_DEFAULT}}
  if [[ -z $TAG ]]; then
    TAG=$(git -C "$ROOT" rev-parse --short=12 HEAD 2>/dev/null) ||
      die "there is no commit to take a tag from; name one with --tag TAG" 2
  fi
  [[ $TAG =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || die "$TAG is not a tag of an image; write one such as 1.4.2" 2
  export TAG
}

# --- before anything is touched ---------------------------------------------------------------------------------------

preflight() { # all that is wrong is said at once
  local problem
  say "== pre-flight of $PROJECT in $ENVIRONMENT, tag $TAG"
  check_exporter
  check_restore
  if check_engine; then
    if check_compose; then
      check_images
      check_secrets
    fi
    check_space
  fi
  ((${#PROBLEMS[@]})) || return 0
  for problem in "${PROBLEMS[@]}"; do say "  $problem"; done
  die "${#PROBLEMS[@]} of the checks failed; nothing was changed"
}

check_exporter() {
  "$EXPORTER" version >/dev/null 2>&1 ||
    PROBLEMS+=("the command $EXPORTER does not work; install it with pip install pageforge-exporter, or set EXPORTER")
}

check_restore() { # a store that was restored by half is no store to start services on
  local left
  left=$(restore_left)
  if [[ -n $left ]]; then PROBLEMS+=("$left"); fi
}

check_engine() {
  local answer
  if ! answer=$(docker version --format '{{.Server.Version}}' 2>&1); then
    PROBLEMS+=("the Docker engine at ${DOCKER_HOST:-the usual socket} does not answer: ${answer##*$'\n'}")
    return 1
  fi
  find_compose
  if ! engine_is_local; then
    PROBLEMS+=("the engine at ${DOCKER_HOST:-of the context} is on another host, where the files that containers mount are not; write docker_host as ssh://USER@HOST, or run this there")
    return 1
  fi
  say "  engine $answer at ${DOCKER_HOST:-the usual socket}, by ${COMPOSE[*]}"
}

check_compose() {
  local answer
  answer=$(compose_release config -q 2>&1) && return 0
  PROBLEMS+=("the Compose files of $ENVIRONMENT are not valid: $answer")
  return 1
}

check_images() { # present, or there is a way to get them
  local service image
  MISSING=()
  while read -r service image; do
    if [[ -n $DEPLOY_SERVICE && $service != "$DEPLOY_SERVICE" ]]; then continue; fi
    if [[ $MODE == missing ]] && ! docker image inspect "$image" >/dev/null 2>&1; then
      MISSING+=("$service")
      say "  $image is not there; it would be $(is_built "$service" && echo built || echo pulled)"
    fi
  done < <(images_in "$ENVIRONMENT_FOLDER")
}

is_built() { [[ ! -f $ROOT/$HANDED_OVER ]] && contains "$1" ${BUILT[@]+"${BUILT[@]}"}; } # elsewhere are no sources

check_space() {
  local folder root
  root=$(docker info --format '{{.DockerRootDir}}')
  for folder in "$root" "$BACKUP_FOLDER"; do check_folder "$folder"; done
}

check_folder() { # FOLDER, or the nearest one above it that is there
  local folder=$1 free
  while [[ ! -d $folder && $folder == */* && -n ${folder%/*} ]]; do folder=${folder%/*}; done
  free=$(df -Pk -- "${folder:-/}" | awk 'NR > 1 { print int($4 / 1024) }')
  if ((free < MIN_FREE_MIB)); then
    PROBLEMS+=("$1 has $free MiB left and a deploy wants $MIN_FREE_MIB; free some, or set MIN_FREE_MIB")
  fi
}

check_secrets() { # those that the containers mount
  local name file mode
  while read -r name; do
    file=$SECRETS_FOLDER/$name
    if [[ ! -f $file ]]; then
      PROBLEMS+=("the secret $name is not at $file; make it with: exporter secrets create -e $ENVIRONMENT")
      continue
    fi
    mode=$(stat -c %a -- "$file")
    if [[ $mode != 400 && $mode != 440 ]]; then
      PROBLEMS+=("the secret file $file has mode $mode and not 400 or 440; make it right with: chmod 400")
    fi
  done < <(secrets_in "$ENVIRONMENT_FOLDER")
}

# --- what a dry run says ----------------------------------------------------------------------------------------------

plan() {
  local what=${DEPLOY_SERVICE:-all services}
  if [[ -f $STATE_FOLDER/current ]]; then
    say "would first repair the deploy that was killed at the step \"$(field "$STATE_FOLDER/current" step)\""
  fi
  if [[ $PROTECTED == true ]]; then say "would ask for approval, and run scripts/backup.sh $ENVIRONMENT"; fi
  say "would tag the images that run now, so that they can come back"
  case $MODE in
    missing) say "would build or pull what is missing: ${MISSING[*]:-nothing}" ;;
    *) say "would $MODE the images of $what" ;;
  esac
  say "would start $what of $COMPOSE_PROJECT with tag $TAG, in this order: ${DEPLOY_SERVICE:-${ALL_SERVICES[*]}}"
  say "would verify within $VERIFY_SECONDS s, and take the release back if it is not healthy"
}

# --- the deploy -------------------------------------------------------------------------------------------------------

approve() {
  if [[ $PROTECTED != true || $APPROVED == true ]]; then return 0; fi
  confirm "$ENVIRONMENT is protected: deploy ${DEPLOY_SERVICE:-everything} with tag $TAG?" "$ENVIRONMENT" ||
    die "$ENVIRONMENT is protected and the deploy was not approved; approve it at a terminal, or with --yes"
}

release() { # SERVICE, or empty for all
  local what=--all
  DEPLOY_ID=$(date -u +%Y%m%dT%H%M%SZ)-$$
  DEPLOY_KIND=deploy
  DEPLOY_TAG=$TAG
  DEPLOY_BASE=$DEPLOY_ID
  DEPLOY_STARTED=$(date +%s)
  DEPLOY_SERVICE=$1
  DEPLOY_USER=$(who)
  enter prepare
  keep_before
  enter backup
  save_data || stop_unchanged "the backup failed"
  enter images
  fetch_images || stop_unchanged "the images could not be built or pulled"
  enter up
  FAILED=()
  WHY=
  if [[ -n $DEPLOY_SERVICE ]]; then what=$DEPLOY_SERVICE; fi
  if put_on "$ENVIRONMENT_FOLDER" "" "$what"; then
    enter verify
    if verify "$ENVIRONMENT_FOLDER" "$DEPLOY_SERVICE"; then
      enter record
      keep_good
      prune
      say "$PROJECT in $ENVIRONMENT: ${DEPLOY_SERVICE:-all services} with tag $DEPLOY_TAG, verified (deploy $DEPLOY_ID)"
      return 0
    fi
  else
    find_failed
  fi
  take_back
}

save_data() { # of a protected environment that runs
  if [[ $PROTECTED != true ]]; then return 0; fi
  if ((${#BACKUP_NAMES[@]} == 0)) || [[ ! -s $STATE_FOLDER/rollback/$DEPLOY_ID/before ]]; then
    say "nothing is to be backed up before this deploy"
    return 0
  fi
  "$ROOT/scripts/backup.sh" "$ENVIRONMENT"
}

fetch_images() {
  local service
  local -a only=() to_build=() to_pull=()
  if [[ -n $DEPLOY_SERVICE ]]; then only=("$DEPLOY_SERVICE"); fi
  case $MODE in
    pull) compose_release pull ${only[@]+"${only[@]}"} >&2 ;;
    build)
      for service in ${BUILT[@]+"${BUILT[@]}"}; do
        if [[ -z $DEPLOY_SERVICE || $service == "$DEPLOY_SERVICE" ]]; then to_build+=("$service"); fi
      done
      ((${#to_build[@]} == 0)) || compose_release build "${to_build[@]}" >&2
      ;;
    missing)
      for service in ${MISSING[@]+"${MISSING[@]}"}; do
        if is_built "$service"; then to_build+=("$service"); else to_pull+=("$service"); fi
      done
      { ((${#to_build[@]} == 0)) || compose_release build "${to_build[@]}" >&2; } &&
        { ((${#to_pull[@]} == 0)) || compose_release pull "${to_pull[@]}" >&2; }
      ;;
  esac
}

stop_unchanged() { # SENTENCE
  finish failed "$1"
  prune
  die "$1; nothing that runs was changed"
}

take_back() {
  local why=$WHY then="nothing ran before"
  say "the release is not healthy: $why"
  show_logs ${FAILED[@]+"${FAILED[@]}"}
  enter rollback
  if roll_back; then
    if [[ -s $STATE_FOLDER/rollback/$DEPLOY_BASE/before ]]; then then="what ran before runs again"; fi
    finish rolled_back "$why"
    prune
    die "tag $DEPLOY_TAG was taken back ($why); $then"
  fi
  show_logs ${FAILED[@]+"${FAILED[@]}"}
  finish rollback_failed "$why; after the roll-back: $WHY"
  die "tag $DEPLOY_TAG was taken back ($why), and what ran before is not healthy either: $WHY"
}

main "$@"
