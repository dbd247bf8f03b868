#!/usr/bin/env bash
# The way of an environment from one set of images and files to another: steps and records of a deploy, what containers
# mount, starting, replacing, and the roll-back. Sourced after lib.sh.

KEPT_ROLLBACKS=5

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

MOUNTED_FILES=(exporter gateway prometheus alertmanager grafana/provisioning stores dashboards alert_rules)
MOUNTED_FILES+=(grafana/dashboards) # of releases whose environments had dashboards of their own
CHANGED_FILES=()

install_files() { # [FOLDER]: the files that a release kept, or the generated ones; sets CHANGED_FILES to what is now new
  # In place, not by renaming: a container that mounts one file would go on seeing the old one. What is half-written when
  # the power fails is written again by the next run, which finds the deploy that was killed.
  local from=${1:-} part path
  local -a parts=("${MOUNTED_FILES[@]}" config.yaml)
  CHANGED_FILES=()
  [[ -z $from || -d $from ]] || return 0 # what ran before was not brought there by these scripts
  if [[ -n ${DEPLOY_SERVICE:-} && -d $STATE_FOLDER/files ]]; then part_of "$DEPLOY_SERVICE"; fi
  mkdir -p -- "$STATE_FOLDER/files"
  for part in ${parts[@]+"${parts[@]}"}; do
    path=$ENVIRONMENT_FOLDER/$part
    case $part in
      config.yaml) path=$EXPORTER_CONFIG ;;
      dashboards | alert_rules) path=$ROOT/$part ;; # all environments share them
    esac
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
    exporter) parts=(config.yaml exporter) ;;
    grafana) parts=(grafana/provisioning dashboards) ;;
    prometheus) parts=(prometheus alert_rules) ;;
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
      stores* | dashboards | grafana/dashboards) continue ;; # read once, when the data is made; looked at by Grafana itself
      grafana/provisioning) service=grafana ;;
      alert_rules) service=prometheus ;;
      config.yaml) service=exporter ;;
      gateway) service=${GATEWAY:-gateway} ;;
    esac
    while IFS= read -r id; do
      if contains "$id" ${RUNNING[@]+"${RUNNING[@]}"} && is_running "$id"; then
        say "$service reads its files again"
        reload_one "$service" "$id" || return 1
      fi
    done < <(containers_of "$service")
  done
}

reload_one() { # SERVICE CONTAINER
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
  local folder=$1 service level='' its
  local -a there=() wanted=() batch=() seen=()
  shift
  mapfile -t there < <(compose_in "$folder" config --services)
  wanted=("$@")
  if [[ $1 == --all ]]; then wanted=("${ALL_SERVICES[@]}" ${there[@]+"${there[@]}"}); fi
  for service in "${wanted[@]}"; do
    if ! contains "$service" ${there[@]+"${there[@]}"} || contains "$service" ${seen[@]+"${seen[@]}"}; then continue; fi
    seen+=("$service")
    if is_left_out "$service"; then continue; fi
    its=$(level_of "$service")
    if [[ $its != "$level" ]]; then
      start_level "$folder" ${batch[@]+"${batch[@]}"} || return 1
      batch=()
      level=$its
    fi
    batch+=("$service")
  done
  start_level "$folder" ${batch[@]+"${batch[@]}"} || return 1
  [[ -n $DEPLOY_SERVICE ]] || remove_orphans "${ALL_SERVICES[@]}" "${there[@]}"
}

is_left_out() { # SERVICE: the gateway where all ports are open anyway, unless it was asked for; Compose 1 names it all the same
  [[ -n $GATEWAY_PROFILE && $1 == "$GATEWAY" && $DEPLOY_SERVICE != "$1" && -z $(containers_of "$1") ]]
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
    if [[ -n $service ]] && ! contains "$service" "$@"; then orphans+=("$id"); fi
  done < <(docker ps --all --no-trunc --filter "label=com.docker.compose.project=$COMPOSE_PROJECT" \
    --filter label=com.docker.compose.oneoff=False --format '{{.ID}} {{.Label "com.docker.compose.service"}}')
  if ((${#orphans[@]} == 0)); then return 0; fi
  say "removing what the catalog no longer has: $(names_of "${orphans[@]}")"
  remove_containers "${orphans[@]}"
}

remove_containers() { # CONTAINER...: they may end what they do
  { docker stop "$@" && docker rm --force "$@"; } >/dev/null
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
    say "$service: ${#new[@]} new replicas are healthy; the gateway asks them alone from now on"
    ask_alone "$service" "${new[@]}" || return 1
  fi
  remove_containers "${old[@]}" || return 1
  ask_all
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

# While old replicas stop, the gateway would still know them from the engine's DNS, for as long as it keeps an answer.
# What was sent to one in that moment would be lost, if it must not be sent twice. So before, the gateway gets the
# addresses of the new ones in the place of the name, and its workers that know the old ones end their requests.

DRAIN_SECONDS=30
WHOLE_GATEWAY= # its configuration as it is otherwise, while it asks some replicas alone

ask_alone() { # SERVICE CONTAINER...
  local service=$1 file=$STATE_FOLDER/files/gateway/nginx.conf id network changed deadline
  local -a addresses=() gateway=() before=() now=()
  shift
  mapfile -t gateway < <(containers_of "$GATEWAY")
  for network in "${shared[@]}"; do
    for id in "$@"; do
      addresses+=("$(docker inspect --format "{{with index .NetworkSettings.Networks \"$network\"}}{{.IPAddress}}{{end}}" "$id")")
    done
  done
  if ! changed=$(with_addresses "$service" "${addresses[*]}" "$file"); then
    # Its file is not the generated one: it is given the time to learn of the new ones.
    sleep "$((GATEWAY_RESOLVE_SECONDS + 1))"
    return 0
  fi
  WHOLE_GATEWAY=$(<"$file")
  printf '%s\n' "$changed" >"$file"
  mapfile -t before < <(workers "${gateway[@]}")
  for id in "${gateway[@]}"; do reload_one "$GATEWAY" "$id" || return 1; done
  deadline=$((SECONDS + DRAIN_SECONDS))
  while ((SECONDS < deadline)); do
    mapfile -t now < <(workers "${gateway[@]}")
    if ! any_of ${before[@]+"${before[@]}"} -- ${now[@]+"${now[@]}"}; then break; fi
    sleep 0.5
  done
}

workers() { # CONTAINER...: the process ids of nginx's workers
  local id
  for id in "$@"; do docker top "$id" -eo pid,args | awk '/nginx: worker process/ { print $1 }'; done
}

ask_all() { # whoever has the services' names, once the gateway no longer knows those that were stopped
  local id
  [[ -n $WHOLE_GATEWAY ]] || return 0
  # It asks the engine's DNS again so many seconds after the last answer; twice that leaves room on a busy host.
  sleep "$((2 * GATEWAY_RESOLVE_SECONDS))"
  printf '%s\n' "$WHOLE_GATEWAY" >"$STATE_FOLDER/files/gateway/nginx.conf"
  WHOLE_GATEWAY=
  while IFS= read -r id; do reload_one "$GATEWAY" "$id" || return 1; done < <(containers_of "$GATEWAY")
}

with_addresses() { # SERVICE ADDRESSES FILE: what is to be in the gateway's file; fails where it does not name the service
  [[ -f $3 ]] || return 1
  # The name stays, so that nginx goes on looking it up, and knows its replicas when it is asked again.
  awk -v service="$1" -v addresses="$2" '
    $1 == "server" && $3 == "resolve" && split($2, part, ":") == 2 && part[1] == service {
      settings = $0
      sub(/^.* resolve/, "", settings)
      count = split(addresses, address, " ")
      for (number = 1; number <= count; number++) print "server " address[number] ":" part[2] settings
      print "server " $2 " resolve down;"
      found = 1
      next
    }
    { print }
    END { exit !found }' "$3"
}

service_networks() { # FOLDER SERVICE: names of the service's networks, as the engine has them
  compose_in "$1" config | awk -v service="$2" -v project="$COMPOSE_PROJECT" '
    { word = $1; gsub(/[":\x27]/, "", word) }
    /^[^ ]/ { section = word }
    /^  [^ ]/ { name = word; inside = 0 }
    /^    [^ ]/ { inside = (section == "services" && name == service && word == "networks") }
    /^      [^ ]/ && inside { used[word]; any = 1 }
    /^    name: / && section == "networks" { named[name] = $2; gsub(/["\x27]/, "", named[name]) }
    END {
      if (!any) used["default"]
      for (network in used) print (network in named) ? named[network] : project "_" network
    }'
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
      remove_containers "${gone[@]}" || return 1
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
