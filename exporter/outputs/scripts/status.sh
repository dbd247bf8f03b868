#!/usr/bin/env bash
# Says what runs in an environment, how it got there, and who is changing it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/status.sh ENVIRONMENT [--json]

Shows the environment's containers with their health and images, the last deploys, who holds the lock, what was cut off
in the middle, and the markers of the last backups. Changes nothing.

  --json       for programs
  -h, --help   this text

variables: STATE_FOLDER, BACKUP_FOLDER, EXPORTER (the command)
status: 0 everything runs and is healthy, 1 something does not, 2 wrong usage
TEXT
}

DEPLOYS=5
JSON=false

main() {
  local environment=
  while (($#)); do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --json) JSON=true ;;
      --dry-run) ;; # it changes nothing anyway
      -*) die "unknown option $1; see --help" 2 ;;
      *)
        [[ -z $environment ]] || die "name one environment; see --help" 2
        environment=$1
        ;;
    esac
    shift
  done
  [[ -n $environment ]] || die "name an environment; see --help" 2
  load_environment "$environment"
  need_exporter
  docker version >/dev/null || die "the Docker engine at ${DOCKER_HOST:-the usual socket} does not answer"
  mapfile -t IDS < <(containers_of)
  if [[ $JSON == true ]]; then as_json; else as_text; fi
  ((${#IDS[@]})) && wait_healthy "$SECONDS" "${IDS[@]}"
}

as_text() {
  printf '%s in %s, tag %s\n\n' "$PROJECT" "$ENVIRONMENT" "$(running_tag)"
  {
    printf 'CONTAINER\tSTATE\tHEALTH\tIMAGE\tID\n'
    if ((${#IDS[@]})); then
      docker inspect --format '{{slice .Name 1}}{{"\t"}}{{.State.Status}}{{"\t"}}{{if .State.Health}}{{.State.Health.Status}}{{else}}-{{end}}{{"\t"}}{{.Config.Image}}{{"\t"}}{{slice .Image 7 19}}' "${IDS[@]}" | sort
    fi
  } | column -t -s $'\t'
  printf '\nLast deploys\n'
  "$EXPORTER" deploys list "--file=$STATE_FOLDER/deploys.jsonl" "--last=$DEPLOYS"
  printf '\n'
  if locked; then printf 'Locked by %s\n' "$(lock_holder)"; else printf 'Nobody changes it now\n'; fi
  if [[ -f $STATE_FOLDER/current ]]; then
    printf 'A deploy is at the step "%s"%s\n' "$(field "$STATE_FOLDER/current" step)" \
      "$(locked || echo ', and was killed there; the next deploy or rollback repairs it')"
  fi
  say_restore
  local marker
  for marker in "$BACKUP_FOLDER/$ENVIRONMENT"/markers/*.json; do
    if [[ -f $marker ]]; then printf 'Backup marker %s, of %s\n' "$marker" "$(date -u -r "$marker" +%Y-%m-%dT%H:%M:%SZ)"; fi
  done
}

say_restore() {
  local file=$STATE_FOLDER/restoring names
  [[ -f $file ]] || return 0
  names=$(field "$file" names)
  if locked; then
    printf 'A restore from the backup %s is under way; not put back yet: %s\n' "$(field "$file" backup)" "${names:-nothing}"
  elif [[ -n $names ]]; then
    printf 'A restore was cut off: %s\n' "$(restore_left)"
  else
    printf 'A restore put all back and did not come to its end: services that it stopped may not run; deploy.sh starts them\n'
  fi
}

running_tag() {
  if [[ -f $STATE_FOLDER/running/tag ]]; then cat -- "$STATE_FOLDER/running/tag"; else printf unknown; fi
}

locked() { # whether somebody holds it
  [[ -f $STATE_FOLDER/lock ]] && ! flock --nonblock "$STATE_FOLDER/lock" true
}

as_json() {
  printf '{"project": %s, "environment": %s, "tag": %s,\n "containers": [' \
    "$(json_text "$PROJECT")" "$(json_text "$ENVIRONMENT")" "$(json_text "$(running_tag)")"
  if ((${#IDS[@]})); then
    docker inspect --format '{"name": {{json (slice .Name 1)}}, "service": {{json (index .Config.Labels "com.docker.compose.service")}}, "state": {{json .State.Status}}, "health": {{if .State.Health}}{{json .State.Health.Status}}{{else}}null{{end}}, "image": {{json .Config.Image}}, "image_id": {{json .Image}}, "started": {{json .State.StartedAt}}}' "${IDS[@]}" |
      sort | paste -s -d ','
  fi
  printf '],\n "deploys": %s' "$("$EXPORTER" deploys list "--file=$STATE_FOLDER/deploys.jsonl" "--last=$DEPLOYS" --json)"
  printf ',\n "lock": %s' "$(if locked; then json_text "$(lock_holder)"; else printf null; fi)"
  printf ',\n "step": %s' "$(if [[ -f $STATE_FOLDER/current ]]; then json_text "$(field "$STATE_FOLDER/current" step)"; else printf null; fi)"
  printf ',\n "restore": %s' "$(restore_json)"
  printf ',\n "backups": {'
  local marker separator=
  for marker in "$BACKUP_FOLDER/$ENVIRONMENT"/markers/*.json; do
    [[ -f $marker ]] || continue
    printf '%s%s: %s' "$separator" "$(json_text "$(basename -- "$marker" .json)")" "$(json_text "$(<"$marker")")"
    separator=', '
  done
  printf '}}\n'
}

restore_json() { # one that is under way or was cut off, with the names that it has not put back
  local file=$STATE_FOLDER/restoring key
  if [[ ! -f $file ]]; then
    printf null
    return 0
  fi
  printf '{"cut_off": %s' "$(if locked; then printf false; else printf true; fi)"
  for key in backup names user since; do printf ', "%s": %s' "$key" "$(json_text "$(field "$file" "$key")")"; done
  printf '}'
}

json_text() { # TEXT: as a JSON string
  local text=$1 character
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  for character in n:$'\n' t:$'\t' r:$'\r'; do text=${text//"${character:2}"/\\${character:0:1}}; done
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}

main "$@"
