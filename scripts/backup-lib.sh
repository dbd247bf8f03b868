#!/usr/bin/env bash
# What backup.sh and restore.sh share: what there is to save, encryption, the stores' own programs. Sourced after lib.sh.
#
# PLAN["NAME/KEY"] is what the catalog says of a thing to save, HELD["NAME/KEY"] what a backup holds; "/KEY" is of all.
# NAMES are the things that are saved now. Commands run inside a store's container; passwords are read there, from the
# container's own secret files, and never stand in an argument.

declare -A PLAN=() HELD=()
NAMES=()
HELPER_LABEL=exporter.helper
DRILL_LABEL=exporter.drill
BACKUP_IMAGE=${BACKUP_IMAGE:-busybox:1.37}
READY_SECONDS=${READY_SECONDS:-120}
WORK=

make_work() { # a private folder that goes when the script ends
  WORK=$(mktemp -d "$(work_prefix)XXXXXXXX")
  if [[ -n ${PLAN[/encryption]:-} && ${PLAN[/encryption]} == gpg ]]; then make_keyring; fi
}

make_keyring() { mkdir -m 700 -- "$WORK/gnupg"; }

work_prefix() { # of this folder of backups alone: whoever has its lock knows that no other run uses such a folder
  local sum
  sum=$(printf '%s' "${PLAN[/folder]}" | sha256sum)
  printf '%s' "${TMPDIR:-/tmp}/backup.${sum:0:16}."
}

remove_work() { # [FOLDER]
  local folder=${1:-$WORK}
  if [[ -z $folder ]]; then return 0; fi
  if [[ -d $folder/gnupg ]]; then gpgconf --homedir "$folder/gnupg" --kill all >/dev/null 2>&1 || true; fi
  rm -rf -- "$folder"
}

remove_leftovers() { # what killed runs have left: nobody else backs up, restores or drills now
  local path prefix
  prefix=$(work_prefix)
  remove_labelled "$HELPER_LABEL"
  remove_labelled "$DRILL_LABEL"
  for path in "$prefix"*; do
    if [[ -d $path && ! -L $path && -O $path ]]; then remove_work "$path"; fi
  done
  for path in "${PLAN[/folder]}"/*.partial "${PLAN[/folder]}"/*.removed; do
    if [[ -d $path && ! -L $path ]]; then
      say "removing ${path##*/}, which a run that was killed has left"
      rm -rf -- "$path"
    fi
  done
}

remove_labelled() { # LABEL: throw-away containers and volumes of this environment
  local deadline=$((SECONDS + READY_SECONDS)) complaint=
  local -a ids=()
  while :; do # one that is just ending by itself cannot be removed, and is gone a moment later
    mapfile -t ids < <(docker ps --all --quiet --filter "label=$1=$COMPOSE_PROJECT")
    if ((${#ids[@]} == 0)); then break; fi
    ((SECONDS < deadline)) || die "throw-away containers cannot be removed: ${ids[*]}: $complaint"
    complaint=$(docker rm --force --volumes "${ids[@]}" 2>&1 >/dev/null) || sleep 0.2
  done
  mapfile -t ids < <(docker volume ls --quiet --filter "label=$1=$COMPOSE_PROJECT")
  if ((${#ids[@]})); then docker volume rm --force "${ids[@]}" >/dev/null; fi
}

read_records() { # ARRAY FILE: "NAME KEY VALUE", each ended by a zero byte; sets FOUND to the names
  local -n into=$1
  local name key value
  FOUND=()
  while IFS= read -r -d '' name && IFS= read -r -d '' key && IFS= read -r -d '' value; do
    into["$name/$key"]=$value
    if [[ $key == kind ]]; then FOUND+=("$name"); fi
  done <"$2"
  ((${#into[@]})) || die "the exporter told nothing of what there is to save"
}

load_plan() { # -- [NAME]...: sets PLAN and NAMES
  local file
  export EXPORTER_ENVIRONMENT=$ENVIRONMENT
  file=$(mktemp)
  if ! "$EXPORTER" backups plan "$@" >"$file"; then
    rm -f -- "$file"
    exit 2
  fi
  read_records PLAN "$file"
  rm -f -- "$file"
  NAMES=(${FOUND[@]+"${FOUND[@]}"})
  ((${#NAMES[@]})) || die "the catalog saves nothing in $ENVIRONMENT; give a store or a volume a backup" 2
}

lock_backups() { # one backup, restore or drill at a time
  mkdir -p -- "${PLAN[/folder]}" || die "the folder ${PLAN[/folder]} cannot be made; run as a user who may, or set BACKUP_FOLDER"
  exec 9>>"${PLAN[/folder]}/.lock"
  flock --nonblock 9 || die "a backup, restore or drill of $ENVIRONMENT is under way; try again when it is done"
}

need_engine() {
  docker version --format '{{.Server.Version}}' >/dev/null || die "the Docker engine of $ENVIRONMENT does not answer"
}

need_helper() { # the image of throw-away containers that read and write volumes: any with sh, tar, find and stat
  docker image inspect "$BACKUP_IMAGE" >/dev/null 2>&1 || docker pull --quiet "$BACKUP_IMAGE" >/dev/null ||
    die "the image $BACKUP_IMAGE, which reads volumes, cannot be pulled; set BACKUP_IMAGE to one with sh, tar, find and stat"
}

step() { # SENTENCE: what is being done; when it fails, that is the error
  say "$1"
  printf '%s failed' "$1" >"$WORK/error"
}

fail() { # SENTENCE: this thing cannot be saved or restored
  printf '%s' "$1" >"$WORK/error"
  say "$1"
  exit 1
}

shown() { printf '%q' "$1"; }

# --- encryption -------------------------------------------------------------------------------------------------------

need_encryption() {
  case ${PLAN[/encryption]} in
    '') return 0 ;;
    age | gpg) ;;
    *) die "encryption by ${PLAN[/encryption]} is not known here" ;;
  esac
  command -v "${PLAN[/encryption]}" >/dev/null || die "backups are encrypted with ${PLAN[/encryption]}, which is not installed"
  [[ -r ${PLAN[/recipient]} ]] || die "the public key ${PLAN[/recipient]} cannot be read, so nothing can be encrypted"
}

encrypt() { # standard input to standard output
  case ${PLAN[/encryption]} in
    age) age --encrypt -R "${PLAN[/recipient]}" ;;
    gpg) gpg --homedir "$WORK/gnupg" --batch --no-tty --quiet --trust-model always --compress-algo none \
      --recipient-file "${PLAN[/recipient]}" --encrypt ;;
    *) cat ;;
  esac
}

need_identity() { # for what is encrypted: the tool, and the private key
  local tool=${HELD[/encryption]}
  [[ -n $tool ]] || return 0
  command -v "$tool" >/dev/null || die "this backup is encrypted with $tool, which is not installed"
  [[ -n ${BACKUP_IDENTITY_FILE:-} && -r ${BACKUP_IDENTITY_FILE:-} ]] ||
    die "this backup is encrypted with $tool; let BACKUP_IDENTITY_FILE name the file of the private key"
  if [[ $tool == gpg ]]; then
    [[ -d $WORK/gnupg ]] || make_keyring
    gpg --homedir "$WORK/gnupg" --batch --no-tty --quiet --import -- "$BACKUP_IDENTITY_FILE" 2>"$WORK/gpg" ||
      die "$BACKUP_IDENTITY_FILE is no private key that gpg can import"
  fi
}

decrypted() { # FILE
  case ${HELD[/encryption]} in
    age) age --decrypt -i "$BACKUP_IDENTITY_FILE" -- "$1" ;;
    gpg) gpg --homedir "$WORK/gnupg" --batch --no-tty --quiet --decrypt -- "$1" ;;
    *) cat -- "$1" ;;
  esac
}

# --- containers -------------------------------------------------------------------------------------------------------

one_container() { # SERVICE: the id of one that runs, else of one that does not; nothing where there is none
  local -a ids=()
  local state id found=
  mapfile -t ids < <(containers_of "$1")
  for id in ${ids[@]+"${ids[@]}"}; do
    state=$(docker inspect --format '{{.State.Running}}' "$id")
    if [[ -z $found || $state == true ]]; then found=$id; fi
    if [[ $state == true ]]; then break; fi
  done
  printf '%s' "$found"
}

image_of() { docker inspect --format '{{.Config.Image}}' "$1"; }

inside() { # CONTAINER SECRET COMMAND...: standard input goes along
  local container=$1 secret=$2
  shift 2
  docker exec -i "$container" sh -c "$WITH_PASSWORD" sh "$secret" "$@"
}

WITH_PASSWORD=$(
  cat <<'SH'
secret=$1
shift
if [ -n "$secret" ] && [ -r "/run/secrets/$secret" ]; then
  password=$(cat "/run/secrets/$secret")
  export PGPASSWORD="$password" REDISCLI_AUTH="$password" MONGO_PASSWORD="$password"
  export SECRET_FILE="/run/secrets/$secret"
fi
exec "$@"
SH
)

helper() { # OPTION... -- COMMAND...: a throw-away container without a network; standard input goes along
  local -a options=()
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  shift
  docker run --rm -i --network none --security-opt no-new-privileges --read-only --user 0:0 --log-driver none \
    --label "$HELPER_LABEL=$COMPOSE_PROJECT" "${options[@]}" --entrypoint "$1" "$BACKUP_IMAGE" "${@:2}"
}

CAPABILITIES_READ=(--cap-drop ALL --cap-add DAC_READ_SEARCH)
CAPABILITIES_WRITE=(--cap-drop ALL --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add DAC_READ_SEARCH --cap-add FOWNER
  --cap-add FSETID --cap-add MKNOD)

volume_of() { # NAME: the engine's name of a volume; one that is external has the catalog's own
  local label found=
  # Compose 1 labels a volume that has a name of its own with that name, Compose 2 with the key in the file.
  for label in "$1" "${COMPOSE_PROJECT}_$1"; do
    if [[ -n $found ]]; then break; fi
    found=$(docker volume ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT" \
      --filter "label=com.docker.compose.volume=$label")
  done
  if [[ -z $found ]] && docker volume inspect -- "$1" >/dev/null 2>&1; then found=$1; fi
  printf '%s' "$found"
}

volume_tar() { # VOLUME
  helper "${CAPABILITIES_READ[@]}" --mount "type=volume,source=$1,target=/volume,readonly" -- \
    tar -C /volume -cf - . </dev/null
}

fill_volume() { # VOLUME: it is emptied, and gets what the tar on standard input holds
  helper "${CAPABILITIES_WRITE[@]}" --mount "type=volume,source=$1,target=/volume" -- \
    sh -c 'find /volume -mindepth 1 -maxdepth 1 -exec rm -rf -- {} + && tar -C /volume -xpf -'
}

find_mount() { # CONTAINER PATH: sets MOUNT to the option by which another container has this path as well
  # Not --volumes-from: an engine refuses it where the container has a tmpfs, too ("no such volume").
  local type name source target nearest=
  MOUNT=()
  while IFS= read -r -d '' type && IFS= read -r -d '' name && IFS= read -r -d '' source && IFS= read -r -d '' target; do
    if [[ $type == volume ]]; then source=$name; fi
    if [[ $type != volume && $type != bind || "$2/" != "${target%/}"/* ]] || ((${#target} < ${#nearest})); then continue; fi
    nearest=$target
    MOUNT=(--mount "type=$type,$(csv_field "source=$source"),$(csv_field "target=$target")")
    if [[ $type == volume ]]; then MOUNT[1]+=,volume-nocopy; fi
  done < <(docker inspect --format '{{range .Mounts}}{{.Type}}{{"\x00"}}{{.Name}}{{"\x00"}}{{.Source}}{{"\x00"}}{{.Destination}}{{"\x00"}}{{end}}' "$1")
  ((${#MOUNT[@]})) || fail "the path $(shown "$2") of $(names_of "$1") lies on no volume"
}

csv_field() { # TEXT: as docker reads the value of --mount
  printf '"%s"' "${1//\"/\"\"}"
}

in_folder_of() { # CONTAINER FOLDER SCRIPT ARGUMENT...: a shell that sees this folder of a container, running or not
  find_mount "$1" "$2"
  helper "${CAPABILITIES_WRITE[@]}" "${MOUNT[@]}" -- sh -c "$3" sh "${@:4}"
}

wait_for() { # CONTAINER WHAT COMMAND...: until it succeeds
  local container=$1 what=$2 deadline=$((SECONDS + READY_SECONDS))
  shift 2
  until "$@" >/dev/null 2>&1; do
    is_running "$container" || fail "$what stopped while it was waited for: docker logs $container"
    ((SECONDS < deadline)) || fail "$what was not ready after $READY_SECONDS s: docker logs $container"
    sleep 0.3
  done
}

# --- PostgreSQL -------------------------------------------------------------------------------------------------------

conninfo() { # DATABASE: a bare name with an equals sign would be taken for connection settings
  local name=${1//\\/\\\\}
  printf "dbname='%s'" "${name//\'/\\\'}"
}

psql_in() { # CONTAINER SECRET USER DATABASE OPTION...
  local connection
  connection=$(conninfo "$4")
  inside "$1" "$2" env LC_ALL=C PGOPTIONS='-c lc_messages=C -c client_min_messages=error' \
    psql -X -w -q -A -t -v ON_ERROR_STOP=1 -U "$3" -d "$connection" "${@:5}"
}

# One line of JSON for each table: schema, table, rows. Tables of extensions come with the extension and not with a dump.
POSTGRESQL_COUNTS=$(
  cat <<'SQL'
SELECT format('SELECT json_build_array(%L::text, %L::text, count(*))::text FROM ONLY %I.%I', n.nspname, c.relname, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
\gexec
SQL
)

postgresql_counts() { # CONTAINER SECRET USER DATABASE
  psql_in "$@" <<<"$POSTGRESQL_COUNTS"
}

# TCP answers only after the image's entry point has set up a new data folder; the socket does already before.
wait_postgresql() { # CONTAINER USER
  wait_for "$1" PostgreSQL docker exec "$1" pg_isready -q -h 127.0.0.1 -U "$2" -d template1
}

# --- Redis ------------------------------------------------------------------------------------------------------------

REDIS_CLI=(redis-cli -e)

redis_client() { # NAME: how it is spoken to
  REDIS_CLI=(redis-cli -e -p "${PLAN["$1/port"]}")
  if [[ -n ${PLAN["$1/tls"]} ]]; then REDIS_CLI+=(--tls --insecure); fi
  if [[ -n ${PLAN["$1/user"]} ]]; then REDIS_CLI+=(--user "${PLAN["$1/user"]}"); fi
}

redis_in() { # CONTAINER SECRET COMMAND...: an error is a failure
  local answer
  answer=$(inside "$1" "$2" "${REDIS_CLI[@]}" "${@:3}" </dev/null) || return 1
  printf '%s\n' "${answer//$'\r'/}"
}

redis_config() { # CONTAINER SECRET KEY: empty where this version does not know it
  redis_in "$1" "$2" CONFIG GET "$3" | sed -n 2p
}

redis_field() { # KEY: of what INFO says, from standard input
  sed -n "s/^$1://p"
}

redis_answers() { [[ $(redis_in "$1" "$2" PING) == PONG ]]; }

wait_redis() { # CONTAINER SECRET: also until it has loaded its data
  wait_for "$1" Redis redis_answers "$1" "$2"
}

# --- MongoDB ----------------------------------------------------------------------------------------------------------

MONGO_PORT=27017
MONGO_TLS=
MONGO_HOST=

mongo_client() { # NAME: how it is spoken to
  MONGO_PORT=${PLAN["$1/port"]}
  MONGO_TLS=${PLAN["$1/tls"]}
}

# The tools take a password from a file or an argument; the file is a pipe, with YAML in it.
MONGO_TOOL=$(
  cat <<'SH'
user=$1
tool=$2
shift 2
if [ -z "${MONGO_PASSWORD:-}" ]; then exec "$tool" "$@"; fi
exec 4<&0
printf 'password: "%s"\n' "$(printf %s "$MONGO_PASSWORD" | sed -e 's/[\\"]/\\&/g' -e '$!s/$/\\n/' | tr -d '\n')" | {
  exec 3<&0 0<&4
  exec "$tool" "--username=$user" --authenticationDatabase=admin --config=/dev/fd/3 "$@"
}
SH
)

mongo_tool() { # CONTAINER SECRET USER TOOL OPTION...: only when it fails is shown what it says
  local -a server=(--host=127.0.0.1 "--port=$MONGO_PORT")
  if [[ -n $MONGO_TLS ]]; then server+=(--ssl --tlsInsecure); fi
  # Not --quiet: that would hide why it failed, too.
  if ! inside "$1" "$2" sh -c "$MONGO_TOOL" sh "$3" "$4" "${server[@]}" "${@:5}" 2>"$WORK/said"; then
    tail -n 20 -- "$WORK/said" >&2
    return 1
  fi
}

MONGO_SERVER=$(
  cat <<'JS'
const { MONGO_USER: user, MONGO_PASSWORD: password, MONGO_PORT: port, MONGO_TLS: tls } = process.env;
const login = password ? `${encodeURIComponent(user)}:${encodeURIComponent(password)}@` : '';
const server = new Mongo(`mongodb://${login}127.0.0.1:${port}/?directConnection=true${tls ? '&tls=true&tlsInsecure=true' : ''}`);
const isData = (name) => !['admin', 'config', 'local'].includes(name);
JS
)

# One line of JSON for each collection: database, collection, documents. Of users and roles those beside the
# administrator, whom the container's own variables make.
MONGO_COUNTS=$(
  cat <<'JS'
const tell = (database, name, filter) => print(JSON.stringify([database.getName(), name, Number(database.getCollection(name).countDocuments(filter))]));
const admin = server.getDB('admin');
tell(admin, 'system.roles', {});
tell(admin, 'system.users', { $nor: [{ user, db: 'admin' }] });
for (const name of admin.adminCommand({ listDatabases: 1 }).databases.map((each) => each.name).filter(isData).sort()) {
  const database = server.getDB(name);
  const collections = database.getCollectionInfos().filter((each) => each.type !== 'view').map((each) => each.name);
  for (const collection of collections.filter((each) => !each.startsWith('system.')).sort()) tell(database, collection, {});
}
JS
)

MONGO_DROP=$(
  cat <<'JS'
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter((line) => line);
for (const name of new Set(lines.map((line) => JSON.parse(line)[0]).filter(isData))) server.getDB(name).dropDatabase();
JS
)

mongo_script() { # CONTAINER SECRET USER SCRIPT: with standard input
  inside "$1" "$2" env "MONGO_USER=$3" "MONGO_PORT=$MONGO_PORT" "MONGO_TLS=$MONGO_TLS" \
    mongosh --nodb --quiet --norc --eval "$MONGO_SERVER"$'\n'"$4"
}

mongo_counts() { # CONTAINER SECRET USER
  # mongosh has its warnings on standard output as well, such as of a configuration that it does not understand.
  mongo_script "$1" "$2" "$3" "$MONGO_COUNTS" </dev/null | sed -n '/^\["/p'
}

mongo_drop() { # CONTAINER SECRET USER: the databases of the counts on standard input
  mongo_script "$1" "$2" "$3" "$MONGO_DROP" >/dev/null
}

# By the container's own address: while the image makes the first user, its server answers on loopback only.
MONGO_ANSWERS=$(
  cat <<'SH'
host=${1:-$HOSTNAME}
shift
exec mongosh --quiet --norc --host "$host" "$@"
SH
)

mongo_answers() { # CONTAINER
  local -a options=(--port "$MONGO_PORT")
  if [[ -n $MONGO_TLS ]]; then options+=(--tls --tlsAllowInvalidCertificates); fi
  inside "$1" "" sh -c "$MONGO_ANSWERS" sh "$MONGO_HOST" "${options[@]}" \
    --eval 'quit(db.runCommand({ hello: 1 }).isWritablePrimary ? 0 : 1)' </dev/null
}

wait_mongodb() { wait_for "$1" MongoDB mongo_answers "$1"; } # CONTAINER

# --- SQLite -----------------------------------------------------------------------------------------------------------

# Runs with Python in a container that has the service's volumes and user. The copy is made beside the file, where there
# is room for it. First line out, and first line in: quick_check and the rows of each table, as JSON. What is not
# what that line says does not take the file's place.
SQLITE_PROGRAM=$(
  cat <<'PY'
import json, os, shutil, sqlite3, sys, urllib.parse

what, path = sys.argv[1:]
copy = os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".backup-copy")


def remove(*suffixes):
    for suffix in suffixes:
        try:
            os.unlink(copy + suffix)
        except FileNotFoundError:
            pass


def facts():
    with open(copy, "rb+") as file:
        os.fsync(file.fileno())
    base = sqlite3.connect("file:" + urllib.parse.quote(copy) + "?mode=ro&immutable=1", uri=True)
    tables = base.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name")
    quoted = [(name, '"' + name.replace('"', '""') + '"') for (name,) in tables.fetchall()]
    rows = [[name, base.execute("SELECT count(*) FROM " + text).fetchone()[0]] for name, text in quoted]
    checks = [line for (line,) in base.execute("PRAGMA quick_check")]
    base.close()
    if checks != ["ok"]:
        sys.exit("quick_check of " + repr(path) + ": " + checks[0])
    return json.dumps({"quick_check": "ok", "tables": rows})


remove("", "-journal")
try:
    if what == "save":
        source = sqlite3.connect("file:" + urllib.parse.quote(path) + "?mode=rw", uri=True, timeout=30)
        target = sqlite3.connect(copy)
        source.backup(target, pages=4096, sleep=0.01)
        target.execute("PRAGMA journal_mode = DELETE")
        target.close()
        source.close()
        print(facts(), flush=True)
        with open(copy, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        expected = sys.stdin.buffer.readline().decode().strip()
        with open(copy, "xb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        found = facts()
        if found != expected:
            sys.exit(repr(path) + " stays as it is: " + found + " was to be restored, and " + expected + " was saved")
        if os.path.exists(path):
            shutil.copymode(path, copy)
        for suffix in ("-wal", "-shm", "-journal"):  # first: an old log beside a new file would be replayed into it
            if os.path.lexists(path + suffix):
                os.unlink(path + suffix)
        os.replace(copy, path)
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        os.fsync(folder)
except (OSError, sqlite3.Error) as error:
    sys.exit(repr(path) + ": " + str(error))
finally:
    remove("", "-journal")
PY
)

sqlite_in() { # CONTAINER save|restore PATH: beside the service's container, whether that runs or not
  local user image=${SQLITE_IMAGE:-}
  user=$(docker inspect --format '{{.Config.User}}' "$1")
  if [[ -z $image ]]; then image=$(image_of "$1"); fi
  find_mount "$1" "$3"
  docker run --rm -i --network none --security-opt no-new-privileges --read-only --log-driver none \
    --label "$HELPER_LABEL=$COMPOSE_PROJECT" "${MOUNT[@]}" --user "${user:-0}" --entrypoint python3 "$image" \
    -c "$SQLITE_PROGRAM" "$2" "$3"
}
