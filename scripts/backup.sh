#!/usr/bin/env bash
# Saves an environment's stores, volumes and configuration into one backup, with checksums, and marks how it went.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=backup-lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/backup-lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/backup.sh ENVIRONMENT [NAME]... [--time-limit SECONDS] [--dry-run]

Saves the stores and volumes that have a backup in the catalog, and the configuration; or only those that are named.
Each is saved by its own means from the running container: pg_dump of every database and the globals, mongodump, a save
that Redis has finished, SQLite's online copy, a tar of a volume. The backup is sealed with a manifest of checksums,
encrypted and uploaded where the catalog says so, and only then are older ones removed, never the last good one.

When one thing cannot be saved, the others are, and the script ends with 1 and says which.

  --time-limit SECONDS   it is stopped and counts as failed after this time (3600); shorter than the schedule's step
  --dry-run              check everything and say what would be saved; change nothing
  -h, --help             this text

variables: BACKUP_FOLDER, EXPORTER (the command), EXPORTER_CONFIG (the catalog), BACKUP_IMAGE (reads volumes:
busybox:1.37), SQLITE_IMAGE (has python3, where the service's own image has not)
status: 0 all is saved, 1 something is not, 2 wrong usage, 124 the time limit was reached
TEXT
}

TIME_LIMIT=3600
PARTIAL=
BEGUN=false
FAILED_NAMES=()
MARKERS_WELL=true

main() {
  local -a words=() arguments=("$@")
  while (($#)); do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --time-limit)
        (($# > 1)) || die "--time-limit needs a value" 2
        TIME_LIMIT=$2
        shift
        ;;
      --time-limit=*) TIME_LIMIT=${1#*=} ;;
      --dry-run) DRY_RUN=true ;;
      -*) die "unknown option $1; see --help" 2 ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  ((${#words[@]})) || die "name an environment; see --help" 2
  [[ $TIME_LIMIT =~ ^[1-9][0-9]{0,8}$ ]] || die "--time-limit $(shown "$TIME_LIMIT") is no number of seconds" 2
  load_environment "${words[0]}"
  if [[ -z ${BACKUP_TIMED:-} ]]; then
    export BACKUP_TIMED=$TIME_LIMIT
    exec timeout --kill-after=60 "$TIME_LIMIT" bash "${BASH_SOURCE[0]}" "${arguments[@]}"
  fi
  unset BACKUP_TIMED
  need_exporter
  load_plan -- "${words[@]:1}"
  if [[ $DRY_RUN == true ]]; then
    preflight
    say "would save into ${PLAN[/folder]}: ${NAMES[*]}"
    exit 0
  fi
  command -v flock >/dev/null || die "flock is not installed"
  lock_backups
  trap 'exit 1' INT TERM HUP
  trap clean_up EXIT
  # From here on whatever keeps a backup from being made is in its marker.
  mark begin "${NAMES[@]}" --time-limit "$((TIME_LIMIT + 60))"
  BEGUN=true
  preflight
  remove_leftovers
  need_room
  make_work
  save_all
}

need_room() {
  local complaint
  complaint=$("$EXPORTER" backups room -- "${NAMES[@]}" 2>&1) || die "$complaint"
}

preflight() {
  local name
  need_encryption
  need_engine
  for name in "${NAMES[@]}"; do
    if [[ ${PLAN["$name/kind"]} == volume ]]; then need_helper; fi
  done
}

clean_up() { # also when it is stopped in the middle; what a kill leaves, the next run removes
  local status=$?
  trap - EXIT
  if [[ -n $PARTIAL ]]; then rm -rf -- "$PARTIAL"; fi
  remove_work
  if [[ $BEGUN == true ]]; then mark end "${NAMES[@]}" --error "${DIED:-it was stopped before it ended}"; fi
  exit "$status"
}

mark() { # a marker that cannot be written does not keep a backup from being made
  local moment=$1
  shift
  "$EXPORTER" backups mark "$moment" "$@" || MARKERS_WELL=false
}

save_all() {
  local id name status place why
  local -a saved=()
  local -A errors=()
  id=$(date -u +%Y%m%dT%H%M%SZ)
  while [[ -e ${PLAN[/folder]}/$id || -e ${PLAN[/folder]}/$id.partial ]]; do
    sleep 0.2
    id=$(date -u +%Y%m%dT%H%M%SZ)
  done
  mkdir -m 700 -- "${PLAN[/folder]}/$id.partial"
  PARTIAL=${PLAN[/folder]}/$id.partial
  for name in "${NAMES[@]}"; do
    say "== $name"
    # A function that is asked whether it succeeds is not stopped by errors within, so the question comes after.
    set +e
    (
      set -e
      trap - EXIT
      save "$name"
    )
    status=$?
    set -e
    if ((status == 0)); then
      saved+=("$name")
    else
      errors[$name]=$(cat -- "$WORK/error" 2>/dev/null) || true
      # Where that file is on a full disk it is empty.
      errors[$name]=${errors[$name]:-"saving $name failed"}
      rm -rf -- "${PARTIAL:?}/$name"
    fi
  done
  place=
  if ((${#saved[@]})); then
    if place=$("$EXPORTER" backups seal -- "$PARTIAL"); then
      PARTIAL=
      finish_backup "$place" || why=${WHY:-}
    else
      why="the backup could not be sealed"
    fi
  fi
  if [[ -n $PARTIAL ]]; then
    rm -rf -- "$PARTIAL"
    PARTIAL=
  fi
  for name in "${NAMES[@]}"; do
    if [[ -n ${errors[$name]:-} ]]; then
      mark end "$name" --error "${errors[$name]}"
      FAILED_NAMES+=("$name")
    elif [[ -n ${why:-} ]]; then
      mark end "$name" --error "$why"
      FAILED_NAMES+=("$name")
    else
      mark end "$name" --backup "$place"
    fi
  done
  BEGUN=false
  if [[ -n $place && -z ${why:-} ]]; then
    "$EXPORTER" backups prune || warn "an older backup is not good, or could not be removed; see above"
  fi
  for name in ${FAILED_NAMES[@]+"${FAILED_NAMES[@]}"}; do say "$name: ${errors[$name]:-$why}"; done
  if ((${#FAILED_NAMES[@]})); then die "not saved: ${FAILED_NAMES[*]}${place:+; the rest is in $place}"; fi
  [[ $MARKERS_WELL == true ]] || die "the backup $place is good, but its markers could not be written"
  say "saved into $place: ${saved[*]}"
  printf '%s\n' "${place##*/}"
}

finish_backup() { # FOLDER: what makes a sealed backup a good one; sets WHY when it fails
  if [[ -n ${PLAN[/bucket]} ]]; then
    say "uploading to the bucket ${PLAN[/bucket]}"
    "$EXPORTER" backups upload -- "$1" || {
      WHY="the upload to the bucket ${PLAN[/bucket]} failed, so the backup is on this host alone;"
      WHY+=" try again with: $EXPORTER backups upload $(shown "$1")"
      return 1
    }
  fi
}

save() { # NAME
  local name
  mkdir -- "$PARTIAL/$1"
  rm -f -- "$WORK/error"
  for name in $(field "$STATE_FOLDER/restoring" names); do
    [[ $name != "$1" ]] || fail "what is there of $1 is not worth saving: $(restore_left)"
  done
  "save_${PLAN["$1/kind"]}" "$1"
}

part() { # NAME FILE CONTENT [OBJECT]: notes a file that was made
  printf 'file\0%s\0%s\0%s\0' "$2" "$3" "${4:-}" >>"$PARTIAL/$1/.parts"
}

fact() { # NAME KEY VALUE
  printf 'fact\0%s\0%s\0\0' "$2" "$3" >>"$PARTIAL/$1/.parts"
}

running_store() { # NAME: sets CONTAINER
  local image
  CONTAINER=$(one_container "${PLAN["$1/service"]}")
  is_running "$CONTAINER" || fail "$1 does not run, so it cannot be saved"
  image=$(image_of "$CONTAINER")
  fact "$1" image "$image"
}

save_postgresql() { # NAME
  local name=$1 user=${PLAN["$1/user"]} secret=${PLAN["$1/secret"]} database number=0
  local -a databases=()
  running_store "$name"
  step "listing the databases of $name"
  psql_in "$CONTAINER" "$secret" "$user" template1 -c 'SHOW server_version' </dev/null >"$WORK/version"
  fact "$name" version "$(<"$WORK/version")"
  psql_in "$CONTAINER" "$secret" "$user" template1 -0 -c "SELECT datname FROM pg_database WHERE datallowconn \
    AND NOT datistemplate ORDER BY datname COLLATE \"C\"" </dev/null >"$WORK/databases"
  mapfile -d '' -t databases <"$WORK/databases"
  step "saving the roles and tablespaces of $name"
  inside "$CONTAINER" "$secret" pg_dumpall --globals-only -w -U "$user" -l template1 </dev/null | encrypt \
    >"$PARTIAL/$name/globals.sql"
  part "$name" globals.sql globals
  for database in "${databases[@]}"; do
    number=$((number + 1))
    save_database "$name" "$user" "$secret" "$database" "$(printf '%03d' "$number")"
  done
}

save_database() { # NAME USER SECRET DATABASE NUMBER: rows are counted in the snapshot that is dumped
  local name=$1 user=$2 secret=$3 database=$4 number=$5 snapshot line pid
  step "dumping the database $(shown "$database") of $name"
  coproc SESSION { psql_in "$CONTAINER" "$secret" "$user" "$database"; }
  pid=$SESSION_PID
  local from=${SESSION[0]} to=${SESSION[1]}
  printf '%s\n' 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;' 'SELECT pg_export_snapshot();' >&"$to"
  IFS= read -r snapshot <&"$from"
  printf '%s\n' "$POSTGRESQL_COUNTS" '\echo end' >&"$to"
  while IFS= read -r line <&"$from" && [[ $line != end ]]; do printf '%s\n' "$line"; done >"$WORK/counts"
  [[ $line == end ]] || fail "the rows of the database $(shown "$database") could not be counted"
  encrypt <"$WORK/counts" >"$PARTIAL/$name/$number.counts"
  inside "$CONTAINER" "$secret" pg_dump -Fc -w "--snapshot=$snapshot" -U "$user" -d "$(conninfo "$database")" \
    </dev/null | encrypt >"$PARTIAL/$name/$number.dump"
  printf 'COMMIT;\n\\q\n' >&"$to"
  wait "$pid"
  part "$name" "$number.dump" database "$database"
  part "$name" "$number.counts" counts "$database"
}

save_mongodb() { # NAME: a dump is no snapshot, so documents are counted before and after
  local name=$1 user=${PLAN["$1/user"]} secret=${PLAN["$1/secret"]}
  running_store "$name"
  mongo_client "$name"
  step "counting the documents of $name"
  mongo_counts "$CONTAINER" "$secret" "$user" >"$WORK/before"
  step "dumping $name"
  mongo_tool "$CONTAINER" "$secret" "$user" mongodump --archive --gzip </dev/null | encrypt >"$PARTIAL/$name/archive.gz"
  step "counting the documents of $name again"
  mongo_counts "$CONTAINER" "$secret" "$user" >"$WORK/after"
  encrypt <"$WORK/before" >"$PARTIAL/$name/before.counts"
  encrypt <"$WORK/after" >"$PARTIAL/$name/after.counts"
  part "$name" archive.gz archive
  part "$name" before.counts counts
  part "$name" after.counts counts-after
}

save_redis() { # NAME
  local name=$1 secret=${PLAN["$1/secret"]} folder file
  running_store "$name"
  redis_client "$name"
  step "asking $name for a save"
  redis_in "$CONTAINER" "$secret" INFO server | redis_field redis_version >"$WORK/version"
  fact "$name" version "$(<"$WORK/version")"
  folder=$(redis_config "$CONTAINER" "$secret" dir)
  file=$(redis_config "$CONTAINER" "$secret" dbfilename)
  wait_saved "$name" "$secret"
  step "copying what $name has saved"
  # A link stays the same file when Redis saves again in the meantime.
  docker exec -i "$CONTAINER" sh -c "$REDIS_COPY" sh "$folder" "$file" check </dev/null >"$WORK/check"
  docker exec -i "$CONTAINER" sh -c "$REDIS_COPY" sh "$folder" "$file" copy </dev/null | encrypt \
    >"$PARTIAL/$name/dump.rdb"
  sed -n -e 's/.*\] \([0-9]*\) keys read.*/keys \1/p' -e 's/.*\] \([0-9]*\) expires.*/expires \1/p' \
    "$WORK/check" >"$WORK/counts"
  [[ $(wc -l <"$WORK/counts") == 2 ]] || fail "redis-check-rdb of $name did not say how many keys were saved"
  encrypt <"$WORK/counts" >"$PARTIAL/$name/counts"
  fact "$name" dir "$folder"
  fact "$name" dbfilename "$file"
  part "$name" dump.rdb rdb
  part "$name" counts counts
}

REDIS_COPY=$(
  cat <<'SH'
set -e
cd -- "$1"
copy=.backup-copy.rdb
if [ "$3" = check ]; then
  rm -f -- "$copy"
  ln -- "$2" "$copy"
  exec redis-check-rdb "$copy"
fi
cat -- "$copy"
rm -f -- "$copy"
SH
)

wait_saved() { # NAME SECRET: a save that began after it was asked for, and went well
  local name=$1 secret=$2 before now answer info deadline=$((SECONDS + TIME_LIMIT))
  # The time of the last save has whole seconds, so within the same second a new one could not be told from it.
  before=$(redis_in "$CONTAINER" "$secret" LASTSAVE)
  while :; do
    now=$(redis_in "$CONTAINER" "$secret" TIME | sed -n 1p)
    if ((now > before)); then break; fi
    sleep 0.1
  done
  until answer=$(redis_in "$CONTAINER" "$secret" BGSAVE SCHEDULE) && [[ $answer == Background\ saving* ]]; do
    info=$(redis_in "$CONTAINER" "$secret" INFO persistence)
    [[ $(redis_field rdb_bgsave_in_progress <<<"$info") == 1 ]] || fail "$name refused to save: $answer"
    ((SECONDS < deadline)) || fail "$name was busy with another save until the time limit"
    sleep 0.3
    before=$(redis_in "$CONTAINER" "$secret" LASTSAVE)
  done
  while :; do
    info=$(redis_in "$CONTAINER" "$secret" INFO persistence)
    if [[ $(redis_field rdb_bgsave_in_progress <<<"$info") == 0 ]]; then
      [[ $(redis_field rdb_last_bgsave_status <<<"$info") == ok ]] || fail "$name could not save: its last save failed"
      if (($(redis_in "$CONTAINER" "$secret" LASTSAVE) > before)); then return 0; fi
    fi
    ((SECONDS < deadline)) || fail "$name did not finish its save by the time limit"
    sleep 0.2
  done
}

save_sqlite() { # NAME
  local name=$1 counts image=${SQLITE_IMAGE:-}
  CONTAINER=$(one_container "${PLAN["$name/service"]}")
  [[ -n $CONTAINER ]] || fail "${PLAN["$name/service"]} has no container, so the file of $name cannot be read"
  step "copying the file of $name"
  sqlite_in "$CONTAINER" save "${PLAN["$name/path"]}" </dev/null | {
    IFS= read -r counts
    printf '%s\n' "$counts" >"$WORK/counts"
    gzip | encrypt >"$PARTIAL/$name/database.gz"
  }
  encrypt <"$WORK/counts" >"$PARTIAL/$name/counts"
  if [[ -z $image ]]; then image=$(image_of "$CONTAINER"); fi
  fact "$name" image "$image"
  part "$name" database.gz sqlite
  part "$name" counts counts
}

save_volume() { # NAME
  local name=$1 volume
  volume=$(volume_of "${PLAN["$name/volume"]}")
  [[ -n $volume ]] || fail "the volume $name is not there"
  step "packing the volume $name"
  volume_tar "$volume" | "$EXPORTER" backups inventory --to "$WORK/counts" | gzip | encrypt \
    >"$PARTIAL/$name/volume.tar.gz"
  encrypt <"$WORK/counts" >"$PARTIAL/$name/counts"
  part "$name" volume.tar.gz volume
  part "$name" counts counts
}

save_configuration() { # NAME
  step "packing the configuration"
  "$EXPORTER" backups pack-configuration | gzip | encrypt >"$PARTIAL/$1/configuration.tar.gz"
  part "$1" configuration.tar.gz configuration
}

main "$@"
