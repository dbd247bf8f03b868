#!/usr/bin/env bash
# Goes back to the images that ran before the last good deploy.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deploy-lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/deploy-lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/rollback.sh ENVIRONMENT [SERVICE] [--dry-run] [--yes]

Undoes the last good deploy: the images and Compose files that ran before it run again, and are verified as a deploy is.
Once more undoes the deploy before that one. With SERVICE, the last good deploy that held this service is undone for it
alone. After a deploy that was killed, its roll-back is finished instead. Data in volumes stays as it is.

  --dry-run    say what would be done; change nothing
  --yes        do not ask for approval, as in a pipeline
  -h, --help   this text

variables: STATE_FOLDER, EXPORTER (the command), EXPORTER_CONFIG (the catalog)
status: 0 it runs and is healthy, 1 it does not, 2 wrong usage
TEXT
}

APPROVED=false

main() {
  local -a words=()
  local service
  while (($#)); do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --dry-run) DRY_RUN=true ;;
      --yes) APPROVED=true ;;
      -*) die "unknown option $1; see --help" 2 ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  ((${#words[@]} == 1 || ${#words[@]} == 2)) || die "name an environment, and at most one service; see --help" 2
  load_environment "${words[0]}"
  service=${words[1]:-}
  if [[ -n $service ]] && ! contains "$service" "${ALL_SERVICES[@]}"; then
    die "unknown service $service; $ENVIRONMENT has ${ALL_SERVICES[*]}" 2
  fi
  need_exporter
  docker version >/dev/null || die "the Docker engine at ${DOCKER_HOST:-the usual socket} does not answer"
  find_compose
  if [[ $DRY_RUN == true ]]; then
    plan "$service"
    exit 0
  fi
  if [[ $PROTECTED == true && $APPROVED != true ]]; then
    confirm "$ENVIRONMENT is protected: go back to what ran before?" "$ENVIRONMENT" ||
      die "$ENVIRONMENT is protected and the roll-back was not approved; approve it at a terminal, or with --yes"
  fi
  take_lock
  need_restored
  repair
  if [[ $REPAIRED == rolled_back ]]; then
    say "$PROJECT in $ENVIRONMENT runs what ran before the killed deploy; run this once more to go back further"
    exit 0
  fi
  find_target "$service"
  go_back "$service"
}

plan() { # SERVICE
  if [[ -f $STATE_FOLDER/current ]]; then
    say "would finish the deploy that was killed at the step \"$(field "$STATE_FOLDER/current" step)\""
    return 0
  fi
  find_target "$1"
  say "would go back to what ran before deploy $TARGET:"
  while read -r name image _; do
    if [[ -z $1 || $name == "$1" ]]; then say "  $name $image"; fi
  done <"$STATE_FOLDER/rollback/$TARGET/before"
}

find_target() { # SERVICE: sets TARGET to the deploy that is undone
  TARGET=$("$EXPORTER" deploys undoable "--file=$STATE_FOLDER/deploys.jsonl" "--service=$1" --last=1) ||
    die "the records of deploys cannot be read: $STATE_FOLDER/deploys.jsonl"
  [[ -n $TARGET ]] || die "there is no good deploy ${1:+of $1 }that could be undone"
  [[ -s $STATE_FOLDER/rollback/$TARGET/before ]] || die "nothing ran before deploy $TARGET, so there is nothing to go back to"
  if [[ -n $1 ]] && ! grep -q "^$1 " "$STATE_FOLDER/rollback/$TARGET/before"; then
    die "$1 did not run before deploy $TARGET, so there is nothing to go back to"
  fi
}

go_back() { # SERVICE
  DEPLOY_ID=$(date -u +%Y%m%dT%H%M%SZ)-$$
  DEPLOY_KIND=rollback
  DEPLOY_BASE=$TARGET
  DEPLOY_TAG=$(cat -- "$STATE_FOLDER/rollback/$TARGET/tag" 2>/dev/null) || DEPLOY_TAG=
  DEPLOY_STARTED=$(date +%s)
  # What a deploy of one service changed is undone for that service.
  DEPLOY_SERVICE=${1:-$("$EXPORTER" deploys undoable "--file=$STATE_FOLDER/deploys.jsonl" --last=1 --show=service)}
  DEPLOY_USER=$(who)
  FAILED=()
  images_now | write_file "$STATE_FOLDER/rollback/$TARGET/undone"
  enter rollback
  if roll_back; then
    finish reverted ""
    prune
    say "$PROJECT in $ENVIRONMENT: ${DEPLOY_SERVICE:-all services} as before deploy $TARGET${DEPLOY_TAG:+, tag $DEPLOY_TAG}, verified"
    return 0
  fi
  show_logs ${FAILED[@]+"${FAILED[@]}"}
  finish rollback_failed "$WHY"
  die "what ran before deploy $TARGET is not healthy: $WHY"
}

main "$@"
