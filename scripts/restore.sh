#!/usr/bin/env bash
# Puts a backup back into an environment, or tries in throw-away containers whether it could be.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=deploy-lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/deploy-lib.sh"
# shellcheck source-path=SCRIPTDIR source=backup-lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/backup-lib.sh"

usage() {
  cat <<'TEXT'
usage: scripts/restore.sh ENVIRONMENT BACKUP [NAME]... [--yes] [--dry-run]
       scripts/restore.sh ENVIRONMENT --drill [BACKUP] [NAME]...

BACKUP is an id such as 20260102T030000Z, a folder, or latest. One that is not on this host is downloaded from the
bucket. Without names all is restored but the configuration, which is restored only when it is named.

Checksums are verified first. Then the services that write are stopped, only the store is started, the backup goes
into it, and what is there then is compared with what was counted when it was saved. The rest is started at the end,
and probed. A PostgreSQL database, Redis or SQLite file that cannot be restored keeps what it had; of a MongoDB and of
volumes nothing of before is kept, so make a backup first if it is worth keeping. A restore that failed or was cut off
is shown by status.sh, keeps deploy.sh and backup.sh from taking what is there for whole, and is completed by the next.

  --drill     restore into throw-away containers without a network, compare, and remove them: nothing that runs is
              touched. How it went is marked for the daemon.
  --yes       do not ask
  --dry-run   verify the backup and say what would be overwritten; change nothing
  -h, --help  this text

variables: BACKUP_IDENTITY_FILE (the private key of an encrypted backup), BACKUP_FOLDER, STATE_FOLDER, EXPORTER,
EXPORTER_CONFIG, BACKUP_IMAGE (writes volumes: busybox:1.37), SQLITE_IMAGE (has python3), READY_SECONDS (120)
status: 0 restored and healthy, 1 not, 2 wrong usage
TEXT
}

APPROVED=false
DRILL=false
DRILL_LIMIT=3600
FOLDER=
UNFINISHED=() # of a drill
TRIED=false
LEFT=() # what is not put back yet

main() {
  local -a words=()
  while (($#)); do
    case $1 in
      -h | --help) usage && exit 0 ;;
      --drill) DRILL=true ;;
      --yes) APPROVED=true ;;
      --dry-run) DRY_RUN=true ;;
      -*) die "unknown option $1; see --help" 2 ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  ((${#words[@]})) || die "name an environment; see --help" 2
  [[ $DRILL == true || ${#words[@]} -gt 1 ]] || die "name a backup, or latest; see --help" 2
  load_environment "${words[0]}"
  need_exporter
  load_plan --
  need_engine
  lock_backups
  if [[ $DRILL == true && $DRY_RUN == false ]]; then
    UNFINISHED=("${words[@]:2}")
    if ((${#UNFINISHED[@]} == 0)); then UNFINISHED=("${NAMES[@]}"); fi
  fi
  trap 'exit 1' INT TERM HUP
  trap clean_up EXIT
  if [[ $DRY_RUN == false ]]; then remove_leftovers; fi
  make_work
  find_backup "${words[1]:-latest}"
  choose "${words[@]:2}"
  need_identity
  if [[ $DRILL == true ]]; then drill_all; else restore_all; fi
}

clean_up() {
  local status=$?
  trap - EXIT
  if ((status != 2 && ${#UNFINISHED[@]})); then # a backup that is not whole, or cannot be opened, has failed the drill
    [[ $TRIED == true ]] || "$EXPORTER" backups mark drill-begin "${UNFINISHED[@]}" --time-limit "$DRILL_LIMIT" || true
    "$EXPORTER" backups mark drill-end "${UNFINISHED[@]}" --backup "${FOLDER##*/}" \
      --error "${DIED:-it was stopped before it ended}" || true
  fi
  if [[ $TRIED == true ]]; then (remove_labelled "$HELPER_LABEL" && remove_labelled "$DRILL_LABEL") || true; fi
  remove_work
  if ((${#LEFT[@]})); then say "$(restore_left)"; fi
  exit "$status"
}

find_backup() { # ID, FOLDER or latest: sets FOLDER, which is verified, and HELD
  local wanted=$1
  if [[ $wanted == latest ]]; then
    "$EXPORTER" backups list >"$WORK/list"
    if [[ ! -s $WORK/list && -n ${PLAN[/bucket]} ]]; then "$EXPORTER" backups list --s3 >"$WORK/list"; fi
    wanted=$(head -n 1 "$WORK/list")
    [[ -n $wanted ]] || die "there is no backup in ${PLAN[/folder]}${PLAN[/bucket]:+, and none in the bucket ${PLAN[/bucket]}}"
  fi
  if [[ $wanted == */* ]]; then
    FOLDER=$(cd -- "$wanted" 2>/dev/null && pwd -P) || die "there is no folder $(shown "$wanted")"
  else
    FOLDER=${PLAN[/folder]}/$wanted
  fi
  if [[ ! -e $FOLDER && $wanted != */* && -n ${PLAN[/bucket]} ]]; then
    say "downloading $wanted from the bucket ${PLAN[/bucket]}"
    "$EXPORTER" backups download -- "$wanted" >/dev/null ||
      die "the backup $wanted could not be got from the bucket ${PLAN[/bucket]}: see above"
  fi
  say "verifying $FOLDER"
  "$EXPORTER" backups verify -- "$FOLDER" || die "the backup $(shown "$wanted") cannot be restored: see above"
  "$EXPORTER" backups contents -- "$FOLDER" >"$WORK/contents"
  read_records HELD "$WORK/contents"
}

choose() { # [NAME]...: sets NAMES to what is restored
  local name
  local -a held=("${FOUND[@]}")
  NAMES=()
  if (($# == 0)); then
    for name in "${held[@]}"; do
      if [[ ${HELD["$name/kind"]} != configuration || $DRILL == true ]]; then NAMES+=("$name"); fi
    done
  fi
  for name in "$@"; do
    contains "$name" "${held[@]}" || die "$FOLDER has nothing of $(shown "$name"); it has ${held[*]}" 2
    NAMES+=("$name")
  done
  for name in ${NAMES[@]+"${NAMES[@]}"}; do
    [[ ${PLAN["$name/kind"]:-} == "${HELD["$name/kind"]}" ]] ||
      die "$name is ${HELD["$name/kind"]} in the backup and ${PLAN["$name/kind"]:-nothing} in the catalog" 2
    if [[ ${HELD["$name/kind"]} == volume || ${HELD["$name/kind"]} == redis ]]; then need_helper; fi
  done
  ((${#NAMES[@]})) || die "the backup holds only the configuration; name it to restore it"
}

file_of() { # NAME CONTENT [OBJECT]: its path in the backup
  local number
  for ((number = 0; number < ${HELD["$1/files"]}; number++)); do
    if [[ ${HELD["$1/file/$number/content"]} == "$2" && (-z ${3+set} || ${HELD["$1/file/$number/object"]} == "$3") ]]; then
      printf '%s' "$FOLDER/${HELD["$1/file/$number/path"]}"
      return 0
    fi
  done
  fail "the backup of $1 has no $2"
}

stored() { # NAME CONTENT [OBJECT]: what is in it
  local path
  path=$(file_of "$@")
  decrypted "$path"
}

# --- into the environment ---------------------------------------------------------------------------------------------

restore_all() {
  local name folder=$ENVIRONMENT_FOLDER status
  local -a writers=() running=()
  for name in "${NAMES[@]}"; do
    read -r -a writers <<<"${writers[*]-} ${PLAN["$name/writers"]}"
  done
  mapfile -t writers < <(printf '%s\n' ${writers[@]+"${writers[@]}"} | sort -u)
  cover_left
  say "This overwrites in $ENVIRONMENT, by the backup ${FOLDER##*/}: ${NAMES[*]}"
  say "Stopped meanwhile: ${writers[*]:-nothing}"
  if [[ $DRY_RUN == true ]]; then exit 0; fi
  if [[ $APPROVED == false ]]; then
    confirm "What is there now is lost." "$ENVIRONMENT" || die "nothing was restored: it was not confirmed (--yes does it unasked)"
  fi
  check_keys
  take_lock
  cover_left # again: nobody else restores now
  [[ -d $STATE_FOLDER/files ]] || install_files || die "the files that containers mount cannot be written to $STATE_FOLDER/files"
  if [[ -n $(restore_left) ]]; then
    say "completing what a restore that was cut off has left"
    for name in "${NAMES[@]}"; do writers+=(${PLAN["$name/service"]:+"${PLAN["$name/service"]}"}); done # it may still run in there
  fi
  LEFT=("${NAMES[@]}")
  note_left
  stop_services ${writers[@]+"${writers[@]}"}
  for name in "${NAMES[@]}"; do
    say "== $name"
    set +e
    (
      set -e
      trap - EXIT
      rm -f -- "$WORK/error"
      "restore_${HELD["$name/kind"]}" "$name"
    )
    status=$?
    set -e
    ((status == 0)) || die "$name was not restored: $(cat -- "$WORK/error" 2>/dev/null)"
    LEFT=("${LEFT[@]:1}")
    note_left
  done
  if [[ ${NAMES[*]} == configuration ]]; then
    rm -f -- "$STATE_FOLDER/restoring"
    exit 0
  fi
  say "== starting the rest"
  compose up -d --no-build >&2 || die "all is restored, but not everything could be started"
  rm -f -- "$STATE_FOLDER/restoring"
  if [[ -d $STATE_FOLDER/running ]]; then folder=$STATE_FOLDER/running; fi
  if ! verify "$folder"; then
    show_logs ${FAILED[@]+"${FAILED[@]}"}
    die "all is restored, but $ENVIRONMENT is not healthy: $WHY"
  fi
  say "restored from ${FOLDER##*/}, and healthy: ${NAMES[*]}"
}

note_left() { # what status.sh tells, and other scripts must not take for whole
  local backup=$FOLDER
  if [[ $FOLDER == "${PLAN[/folder]}/${FOLDER##*/}" ]]; then backup=${FOLDER##*/}; fi
  printf '%s\n' "names=${LEFT[*]-}" "backup=$(shown "$backup")" "user=$(who)" "since=$(date -u +%Y-%m-%dT%H:%M:%SZ)" |
    write_file "$STATE_FOLDER/restoring"
}

cover_left() { # this restore puts back all that one which was cut off has not
  local name
  for name in $(field "$STATE_FOLDER/restoring" names); do
    contains "$name" "${NAMES[@]}" || die "$(restore_left); this one leaves out $name"
  done
}

check_keys() { # the private key fits, before anything is stopped
  local name
  [[ -n ${HELD[/encryption]} ]] || return 0
  for name in "${NAMES[@]}"; do
    decrypted "$FOLDER/${HELD["$name/file/0/path"]}" | head -c 1 >"$WORK/first" 2>/dev/null || true
    [[ -s $WORK/first ]] || die "$BACKUP_IDENTITY_FILE does not open this backup"
  done
}

stop_services() { # SERVICE...
  local -a ids=()
  (($#)) || return 0
  mapfile -t ids < <(containers_of "$@")
  if ((${#ids[@]})); then
    say "stopping $*"
    docker stop "${ids[@]}" >/dev/null
  fi
}

start_store() { # NAME: it alone; sets CONTAINER
  step "starting $1 alone"
  compose up -d --no-deps --no-build "${PLAN["$1/service"]}" >&2
  CONTAINER=$(one_container "${PLAN["$1/service"]}")
}

make_container() { # SERVICE: without starting it, so that its volumes are there; sets CONTAINER
  CONTAINER=$(one_container "$1")
  if [[ -z $CONTAINER ]]; then
    compose up --no-start --no-deps --no-build "$1" >&2
    CONTAINER=$(one_container "$1")
  fi
  [[ -n $CONTAINER ]] || fail "no container of $1 could be made"
}

restore_postgresql() { # NAME
  start_store "$1"
  postgresql_into "$1" "$CONTAINER" "${PLAN["$1/user"]}" "${PLAN["$1/secret"]}"
}

restore_mongodb() {
  start_store "$1"
  mongo_client "$1"
  mongodb_into "$1" "$CONTAINER" "${PLAN["$1/user"]}" "${PLAN["$1/secret"]}"
}

restore_redis() { # not started: what a restore that was cut off has left is no beginning
  make_container "${PLAN["$1/service"]}"
  redis_client "$1"
  redis_into "$1" "$CONTAINER" "${PLAN["$1/secret"]}"
}

restore_sqlite() {
  make_container "${PLAN["$1/service"]}"
  sqlite_into "$1" sqlite_in "$CONTAINER" restore "${PLAN["$1/path"]}"
}

restore_volume() {
  local name=$1 service volume
  local -a writers=()
  volume=$(volume_of "${PLAN["$name/volume"]}")
  if [[ -z $volume ]]; then
    for service in ${PLAN["$name/writers"]}; do make_container "$service"; done
    volume=$(volume_of "${PLAN["$name/volume"]}")
  fi
  [[ -n $volume ]] || fail "the volume $name is not there, and no service makes it"
  read -r -a writers <<<"${PLAN["$name/writers"]}"
  stop_services ${writers[@]+"${writers[@]}"} # a store may have been started meanwhile, to be restored itself
  volume_into "$name" "$volume"
}

restore_configuration() {
  step "putting back the configuration below ${PLAN[/root]}"
  stored "$1" configuration | gzip -d | "$EXPORTER" backups unpack-configuration -- "${PLAN[/root]}"
}

# --- each kind, into whatever container it is given -------------------------------------------------------------------

POSTGRESQL_ASIDE=$(
  cat <<'SQL'
SELECT 'before_restore_' || md5(:'name') AS aside \gset
SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = :'aside') AS killed,
  EXISTS (SELECT 1 FROM pg_database WHERE datname = :'name') AS there \gset
SQL
)

postgresql_into() { # NAME CONTAINER USER SECRET: each database is made anew beside the old one, which stays until it is good
  local name=$1 container=$2 user=$3 secret=$4 number status
  wait_postgresql "$container" "$user"
  step "restoring the roles and tablespaces of $name"
  # What exists already is no error (42710); whatever else is, is one.
  stored "$name" globals | psql_in "$container" "$secret" "$user" template1 -v ON_ERROR_STOP=0 -v VERBOSITY=sqlstate \
    >/dev/null 2>"$WORK/complaints"
  if grep -v 'ERROR:  42710$' "$WORK/complaints" >&2; then fail "the roles of $name could not be restored"; fi
  keep_password "$container" "$secret" "$user"
  for ((number = 0; number < ${HELD["$name/files"]}; number++)); do
    if [[ ${HELD["$name/file/$number/content"]} != database ]]; then continue; fi
    set +e
    (
      set -e
      trap - EXIT
      database_into "$name" "$container" "$user" "$secret" "${HELD["$name/file/$number/object"]}"
    )
    status=$?
    set -e
    if ((status)); then
      put_back "$container" "$secret" "$user" "${HELD["$name/file/$number/object"]}"
      exit 1
    fi
  done
}

keep_password() { # CONTAINER SECRET USER: the secret may have been changed since; services read it, so it holds
  psql_in "$1" "$2" "$3" template1 -v "user=$3" <<'SQL'
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
\set password `[ -z "$SECRET_FILE" ] || cat "$SECRET_FILE"`
SELECT :'password' <> '' AS known \gset
\if :known
ALTER ROLE :"user" PASSWORD :'password';
\endif
SQL
}

database_into() { # NAME CONTAINER USER SECRET DATABASE
  local name=$1 container=$2 user=$3 secret=$4 database=$5
  step "restoring the database $(shown "$database") of $name"
  psql_in "$container" "$secret" "$user" template1 -v "name=$database" >/dev/null <<SQL
$POSTGRESQL_ASIDE
\\if :killed
DROP DATABASE IF EXISTS :"name" WITH (FORCE);
\\elif :there
ALTER DATABASE :"name" ALLOW_CONNECTIONS false;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :'name';
ALTER DATABASE :"name" RENAME TO :"aside";
\\endif
SQL
  stored "$name" database "$database" | inside "$container" "$secret" pg_restore --create --exit-on-error -w -U "$user" \
    -d "$(conninfo template1)"
  step "comparing the rows of the database $(shown "$database") of $name"
  postgresql_counts "$container" "$secret" "$user" "$database" >"$WORK/counts"
  stored "$name" counts "$database" >"$WORK/expected"
  compare "the database $(shown "$database") of $name"
  psql_in "$container" "$secret" "$user" template1 -v "name=$database" >/dev/null <<SQL
$POSTGRESQL_ASIDE
DROP DATABASE IF EXISTS :"aside" WITH (FORCE);
SQL
}

put_back() { # CONTAINER SECRET USER DATABASE: what it was before
  say "putting back the database $(shown "$4") as it was"
  psql_in "$1" "$2" "$3" template1 -v "name=$4" >/dev/null <<SQL
$POSTGRESQL_ASIDE
\\if :killed
DROP DATABASE IF EXISTS :"name" WITH (FORCE);
ALTER DATABASE :"aside" RENAME TO :"name";
ALTER DATABASE :"name" ALLOW_CONNECTIONS true;
\\endif
SQL
}

compare() { # WHAT
  if ! diff -- "$WORK/expected" "$WORK/counts" >"$WORK/difference"; then
    head -n 20 "$WORK/difference" >&2
    fail "$1 is not what was saved (see above)"
  fi
}

mongodb_into() { # NAME CONTAINER USER SECRET
  local name=$1 container=$2 user=$3 secret=$4
  wait_mongodb "$container"
  stored "$name" counts >"$WORK/before"
  stored "$name" counts-after >"$WORK/after"
  # mongorestore leaves alone what is not in the archive, so collections that came since would stay.
  step "dropping the databases that $name is to have again"
  cat -- "$WORK/before" "$WORK/after" | mongo_drop "$container" "$secret" "$user"
  # Users apart: with --drop those who are there would get their old passwords, the administrator as well, though the
  # secret may have been changed since. Services read the secret, so it holds.
  step "restoring $name"
  stored "$name" archive | mongo_tool "$container" "$secret" "$user" mongorestore --drop --stopOnError \
    '--nsExclude=admin.system.*' --archive --gzip
  if grep -q '^\["admin",.*,[1-9][0-9]*\]$' "$WORK/before" "$WORK/after"; then
    step "restoring the users and roles of $name"
    stored "$name" archive | mongo_tool "$container" "$secret" "$user" mongorestore --stopOnError \
      '--nsInclude=admin.system.*' --archive --gzip
  fi
  step "comparing the documents of $name"
  mongo_counts "$container" "$secret" "$user" >"$WORK/counts"
  # Documents that came or went while it was saved may be there or not, and users who were there before stay.
  awk '
    { key = $0; sub(/,[0-9]+\]$/, "", key); count = $0; sub(/.*,/, "", count); count += 0 }
    FILENAME == ARGV[1] { before[key] = count; next }
    FILENAME == ARGV[2] { after[key] = count; next }
    { there[key] = count }
    END {
      for (key in after) if (key in before) {
        low = before[key] < after[key] ? before[key] : after[key]
        high = before[key] + after[key] - low
        more = there[key] > high && key !~ /^\["admin",/
        if (!(key in there) || there[key] < low || more) { print key "]"; wrong = 1 }
      }
      exit wrong
    }' "$WORK/before" "$WORK/after" "$WORK/counts" >&2 || fail "$name is not what was saved (see above)"
}

REDIS_FILES=$(
  cat <<'SH'
set -e
what=$1
cd -- "$2"
aside=.before-restore
others() { # COMMAND...: for each file that is not aside; not by find, which goes on when the command fails
  for each in * .[!.]* ..?*; do
    if [ "$each" != "$aside" ] && there "./$each"; then "$@" "./$each"; fi
  done
}
there() { [ -e "$1" ] || [ -L "$1" ]; }
move() { # of a move that was cut off, what is aside already is the one worth keeping
  if there "$aside/$1"; then rm -rf -- "$1"; else mv -- "$1" "$aside/"; fi
}
move_up() { mv -f -- "$1" ..; }
rm -rf "$aside.old"
case $what in
  aside) # of a restore that was killed, too
    mkdir -p "$aside"
    if [ -e "$aside/.complete" ]; then
      others rm -rf --
    else
      others move
      : >"$aside/.complete"
    fi
    ;;
  put)
    others rm -rf --
    cat >"./$3"
    if [ -n "$4" ]; then cp -- "./$3" "./$4"; fi
    others chown "$(stat -c %u:%g .)" --
    ;;
  back)
    others rm -rf --
    rm -f "$aside/.complete"
    (cd -- "$aside" && others move_up)
    rmdir "$aside"
    ;;
  forget) # in one step: what is there by half is never taken for what was there before
    mv "$aside" "$aside.old"
    rm -rf "$aside.old"
    ;;
esac
sync
SH
)

redis_files() { # CONTAINER WHAT FOLDER [FILE...]
  in_folder_of "$1" "$3" "$REDIS_FILES" "${@:2}"
}

redis_into() { # NAME CONTAINER SECRET: Redis reads its files only when it starts
  local name=$1 container=$2 secret=$3 folder=${HELD["$1/fact/dir"]} status
  step "moving what $name has aside"
  docker stop "$container" >/dev/null
  redis_files "$container" aside "$folder" </dev/null
  set +e
  (
    set -e
    trap - EXIT
    redis_file_into "$name" "$container" "$secret" "$folder"
  )
  status=$?
  set -e
  if ((status)); then
    say "putting back $name as it was"
    docker stop "$container" >/dev/null
    redis_files "$container" back "$folder" </dev/null
    docker start "$container" >/dev/null
    exit 1
  fi
  redis_files "$container" forget "$folder" </dev/null
}

redis_file_into() { # NAME CONTAINER SECRET FOLDER
  local name=$1 container=$2 secret=$3 folder=$4 file log=
  docker start "$container" >/dev/null
  wait_redis "$container" "$secret"
  [[ $(redis_config "$container" "$secret" dir) == "$folder" ]] ||
    fail "$name keeps its data no longer in $folder, where it was saved from"
  file=$(redis_config "$container" "$secret" dbfilename)
  # With an append-only file the dump is not read. But a dump is a good beginning of one, in every version from 5 on.
  if [[ $(redis_config "$container" "$secret" appendonly) == yes ]]; then
    log=$(redis_config "$container" "$secret" appendfilename)
  fi
  docker stop "$container" >/dev/null
  step "restoring $name"
  stored "$name" rdb | redis_files "$container" put "$folder" "$file" "$log"
  docker start "$container" >/dev/null
  wait_redis "$container" "$secret"
  step "comparing the keys of $name"
  redis_in "$container" "$secret" INFO keyspace >"$WORK/keyspace"
  stored "$name" counts >"$WORK/expected"
  # Keys with a time to live may have ended since; all others must be there.
  awk '
    FILENAME == ARGV[1] { saved[$1] = $2; next }
    match($0, /keys=[0-9]+/) {
      keys += substr($0, RSTART + 5, RLENGTH - 5)
      match($0, /expires=[0-9]+/)
      expires += substr($0, RSTART + 8, RLENGTH - 8)
    }
    END {
      print saved["keys"] " keys were saved, " saved["expires"] + 0 " of them with an end; " keys + 0 " are there, " expires + 0 " of them with an end"
      exit !(keys - expires == saved["keys"] - saved["expires"] && expires <= saved["expires"])
    }' "$WORK/expected" "$WORK/keyspace" >&2 || fail "$name has not the keys that were saved"
}

sqlite_into() { # NAME COMMAND...: a Python that puts what it reads in its place
  local name=$1
  shift
  step "restoring the file of $name, where its rows are those that were saved,"
  stored "$name" counts >"$WORK/expected"
  stored "$name" sqlite | gzip -d | cat -- "$WORK/expected" - | "$@"
}

volume_into() { # NAME VOLUME
  local name=$1 volume=$2
  step "filling the volume $name"
  stored "$name" volume | gzip -d | fill_volume "$volume"
  step "comparing the files of $name"
  volume_tar "$volume" | "$EXPORTER" backups inventory >"$WORK/counts"
  stored "$name" counts >"$WORK/expected"
  compare "the volume $name"
}

# --- the drill --------------------------------------------------------------------------------------------------------

drill_all() {
  local name status
  local -a failed=()
  if [[ $DRY_RUN == true ]]; then
    say "would try ${FOLDER##*/} in throw-away containers: ${NAMES[*]}"
    exit 0
  fi
  "$EXPORTER" backups mark drill-begin "${NAMES[@]}" --time-limit "$DRILL_LIMIT" ||
    die "nothing was tried: the markers cannot be written"
  UNFINISHED=("${NAMES[@]}")
  TRIED=true
  check_keys
  for name in "${NAMES[@]}"; do
    say "== $name"
    set +e
    (
      set -e
      trap - EXIT
      rm -f -- "$WORK/error"
      "drill_${HELD["$name/kind"]}" "$name"
    )
    status=$?
    set -e
    UNFINISHED=("${UNFINISHED[@]:1}")
    if ((status == 0)); then
      "$EXPORTER" backups mark drill-end "$name" --backup "${FOLDER##*/}" || failed+=("$name")
    else
      failed+=("$name")
      "$EXPORTER" backups mark drill-end "$name" --backup "${FOLDER##*/}" \
        --error "$(cat -- "$WORK/error" 2>/dev/null || printf 'it failed')" || true
    fi
    remove_labelled "$DRILL_LABEL"
  done
  if ((${#failed[@]})); then die "the backup ${FOLDER##*/} does not restore: ${failed[*]}"; fi
  say "the backup ${FOLDER##*/} restores: ${NAMES[*]}"
}

throw_away() { # NAME OPTION...: a container of the image that was saved from; sets CONTAINER
  local name=$1
  shift
  step "starting a throw-away $name"
  CONTAINER=$(docker run --detach --network none --label "$DRILL_LABEL=$COMPOSE_PROJECT" "$@" "${HELD["$name/fact/image"]}")
}

drill_postgresql() {
  local user=${PLAN["$1/user"]}
  throw_away "$1" --env "POSTGRES_USER=$user" --env POSTGRES_HOST_AUTH_METHOD=trust # it has no network
  postgresql_into "$1" "$CONTAINER" "$user" ""
}

drill_mongodb() {
  throw_away "$1"
  MONGO_HOST=127.0.0.1 # it has no other address, and no first user to wait for
  mongodb_into "$1" "$CONTAINER" "${PLAN["$1/user"]}" ""
}

drill_redis() {
  throw_away "$1" --volume "${HELD["$1/fact/dir"]}"
  redis_into "$1" "$CONTAINER" ""
}

drill_sqlite() {
  sqlite_into "$1" docker run --rm -i --network none --log-driver none --label "$DRILL_LABEL=$COMPOSE_PROJECT" --user 0 \
    --volume /drill --entrypoint python3 "${HELD["$1/fact/image"]}" -c "$SQLITE_PROGRAM" restore /drill/database
}

drill_volume() {
  local volume
  volume=$(docker volume create --label "$DRILL_LABEL=$COMPOSE_PROJECT")
  volume_into "$1" "$volume"
}

drill_configuration() {
  step "unpacking the configuration"
  mkdir -- "$WORK/configuration"
  stored "$1" configuration | gzip -d | "$EXPORTER" backups unpack-configuration -- "$WORK/configuration"
}

main "$@"
