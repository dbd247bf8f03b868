#!/usr/bin/env bash
# Makes, lists, checks and rotates the secrets of one environment: files that Compose mounts, or secrets of a Swarm.
# A value goes from where it comes from into a file of the secrets folder, through pipes and builtins only: it is
# never an argument, an exported variable, a trace or a message. --help says the rest.
{ set +xa; } 2>/dev/null # with `bash -x` or `-a` a value would be shown, or handed to every program that is started
set -euo pipefail
export LC_ALL=C # sizes are bytes

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
umask 077
ulimit -c 0

MAX_BYTES=65536   # the daemon reads no more
PROMPT_BYTES=4095 # a terminal cuts longer lines off, without a word
CONTAINERS=:65532 # the group that compose.yaml gives every container that has a secret
SHORTEST=16 LONGEST=4096 # of the catalog's `generate`

usage() {
  cat <<'END'
usage: secrets.sh ENVIRONMENT list|create|rotate|check [NAME...] [OPTION...]

  list     every secret: present or missing, its age, what is wrong with it; never a value
  create   makes those that are missing; those that exist are kept, and get the right mode and owner
  rotate   gives new values, to those that are due if no NAME is given; the old one stays as NAME.previous
  check    what is missing, empty, due for rotation, or has the wrong mode or owner; exit status 1 if anything is

  --from-file FILE  the value is the content of FILE, or of standard input with -; for one NAME
  --prompt          the value is asked for, twice, without echo; only on a terminal
  --swarm           secrets of a Swarm, PROJECT-ENVIRONMENT-NAME-VERSION, in place of files; run it on a manager
  --dry-run         says what would be done, and touches nothing
  --yes             rotates without asking first
  --                the end of the options: what follows are names

Without --from-file and --prompt, a value comes from where the catalog says: a generator, an environment variable, a
file; and where there is none yet, from a prompt. No option takes a value: arguments can be read by every user of the
host. One line break at the end of a single line is not part of a value.

Environment:
  SECRETS_FOLDER  where the files are, mode 0700; otherwise as in the environment's .env, otherwise
                  /etc/PROJECT/ENVIRONMENT/secrets
  SECRETS_OWNER   UID, UID:GID or :GID of the files, as numbers; otherwise as in environment.sh, otherwise :65532

Compose mounts a file as it is, with its owner and mode, and a process without capabilities reads only what is its own,
root too. So files are of group 65532, which the generated compose.yaml adds to each container that has a secret, and
have mode 0440 in a folder that no other user may enter. With UID or UID:GID the file belongs to that user, and the
mode is 0400: for containers that all run as UID. Giving a file away needs root.

A value reaches a running container when it starts again; rotate says which services use it. A store keeps the
password that it was made with until it is changed inside it.

Exit status: 0 done, 1 not done or something was found, 2 wrong usage.
END
}

wrong_usage() {
  die "$*; secrets.sh --help says how it is used" 2
}

main() {
  parse "$@"
  load_environment "$environment"
  check_data
  select_names
  folder=$SECRETS_FOLDER
  [[ $folder == /* ]] || folder=$PWD/$folder
  [[ ! -e $folder || ( -d $folder && -r $folder && -x $folder ) ]] ||
    die "$folder is not a folder that $(id -un) may read; run this as its owner or as root"
  [[ -z $swarm ]] || list_swarm
  case $verb in
    list) list ;;
    check) check ;;
    create | rotate) change ;;
  esac
}

parse() {
  environment='' verb='' wanted=() from_file='' prompt='' swarm='' dry_run='' yes=''
  local words=()
  while (($#)); do
    case $1 in
      --help | -h) usage && exit 0 ;;
      --from-file)
        [[ -n ${2-} ]] || wrong_usage "--from-file needs a file, or - for standard input"
        from_file=$2
        shift
        ;;
      --prompt) prompt=1 ;;
      --swarm) swarm=1 ;;
      --dry-run) dry_run=1 ;;
      --yes) yes=1 ;;
      --)
        words+=("${@:2}")
        break
        ;;
      # Not repeated: it may be a value that somebody took for an option.
      -*) wrong_usage "there is an option that it does not have" ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  ((${#words[@]} >= 2)) || wrong_usage "an environment and one of list, create, rotate and check are needed"
  environment=${words[0]} verb=${words[1]} wanted=("${words[@]:2}")
  [[ $verb =~ ^(list|create|rotate|check)$ ]] || wrong_usage "the second word is one of list, create, rotate and check"
  if [[ -n $from_file || -n $prompt ]]; then
    [[ $verb =~ ^(create|rotate)$ ]] || wrong_usage "$verb takes no value"
    [[ -z $from_file || -z $prompt ]] || wrong_usage "--from-file and --prompt exclude one another"
    [[ -z $from_file || ${#wanted[@]} == 1 ]] || wrong_usage "--from-file is for one NAME"
  fi
}

# The arrays of environment.sh are parallel. What becomes part of a path or a length is looked at before use.
check_data() {
  local index name owner
  ((${#SECRET_SOURCE[@]} == ${#SECRETS[@]} && ${#SECRET_VALUE[@]} == ${#SECRETS[@]} &&
    ${#SECRET_ROTATE_SECONDS[@]} == ${#SECRETS[@]})) ||
    die "environment.sh of $environment is not whole; generate it again"
  declare -gA position=()
  for index in "${!SECRETS[@]}"; do
    name=${SECRETS[index]}
    [[ -n $name && $name != .* && $name != */* && ! $name =~ [[:cntrl:]] ]] ||
      die "environment.sh of $environment has a secret whose name cannot be that of a file"
    position[$name]=$index
  done
  for name in "${SECRETS[@]}"; do
    [[ -z ${position[$name.previous]-} ]] ||
      die "the secret $name.previous has the name under which the last value of $name is kept; rename it"
  done
  owner=${SECRETS_OWNER:-${SECRETS_OWNER_DEFAULT-$CONTAINERS}}
  [[ -z $owner || $owner =~ ^([0-9]+(:[0-9]+)?|:[0-9]+)$ ]] ||
    die "the owner of secrets is UID, UID:GID or :GID in numbers, not $owner"
  wanted_owner=$owner wanted_mode=0400
  [[ $owner != :* ]] || wanted_mode=0440
}

select_names() {
  local name
  local -A seen=()
  names=()
  for name in ${wanted[@]+"${wanted[@]}"}; do
    [[ -n $name && -n ${position[$name]-} ]] ||
      wrong_usage "$environment has no secret of a name that was given; there are: ${SECRETS[*]-}"
    [[ -n ${seen[$name]-} ]] || names+=("$name")
    seen[$name]=1
  done
  ((${#wanted[@]})) || names=(${SECRETS[@]+"${SECRETS[@]}"})
}

# --- looking ---------------------------------------------------------------------------------------------------------

# Sets `findings`, what is wrong with the secret, `age` in seconds or empty, and `due`.
inspect() {
  local seconds=${SECRET_ROTATE_SECONDS[${position[$1]}]%.*} now
  findings=() age='' due=''
  if [[ -n $swarm ]]; then inspect_swarm "$1"; else inspect_file "$1"; fi
  [[ -n $written ]] || return 0
  printf -v now '%(%s)T' -1
  age=$((now - written))
  if ((age < -60)); then
    findings+=("its time is in the future")
  elif [[ ${seconds:-0} != 0 ]] && ((age > seconds)); then
    due=1
    findings+=("due for rotation since $(span $((age - seconds)))")
  fi
}

inspect_file() {
  local file=$folder/$1 found mode owner
  written=''
  if [[ ! -e $file && ! -L $file ]]; then
    findings+=(missing)
  elif [[ -L $file || ! -f $file ]]; then
    findings+=("not a regular file")
  else
    found=$(stat -c '%04a %u:%g %Y' -- "$file")
    read -r mode owner written <<<"$found"
    [[ -s $file ]] || findings+=(empty)
    [[ $mode == "$wanted_mode" ]] || findings+=("mode $mode, not $wanted_mode")
    case $wanted_owner in
      '' | "$owner" | "${owner%:*}" | ":${owner#*:}") ;;
      *) findings+=("owner $owner, not $wanted_owner") ;;
    esac
  fi
}

span() {
  if (($1 >= 172800)); then
    printf '%s days' $(($1 / 86400))
  elif (($1 >= 7200)); then
    printf '%s hours' $(($1 / 3600))
  else
    printf '%s minutes' $(($1 > 0 ? $1 / 60 : 0))
  fi
}

list() {
  local name width=4 text state seconds rotation
  for name in "${names[@]}"; do ((${#name} <= width)) || width=${#name}; done
  printf "%-${width}s  %-11s  %-11s  %s\n" NAME AGE "ROTATE IN" STATE
  for name in "${names[@]}"; do
    inspect "$name"
    seconds=${SECRET_ROTATE_SECONDS[${position[$name]}]%.*}
    text=- rotation=- state=present
    [[ -z $age ]] || text=$(span "$age")
    if [[ -n $due ]]; then
      rotation=now
    elif [[ -n $age && ${seconds:-0} != 0 ]]; then
      rotation=$(span $((seconds - age)))
    fi
    if ((${#findings[@]})); then
      printf -v state '%s; ' "${findings[@]}"
      state=${state%; }
      [[ -z $age ]] || state="present; $state"
    fi
    printf "%-${width}s  %-11s  %-11s  %s\n" "$name" "$text" "$rotation" "$state"
  done
}

check() {
  local name finding found=0 mode file
  for name in ${names[@]+"${names[@]}"}; do
    inspect "$name"
    for finding in ${findings[@]+"${findings[@]}"}; do
      printf '%s: %s\n' "$name" "$finding"
      found=1
    done
  done
  if [[ -z $swarm && -d $folder ]]; then
    mode=$(stat -c %04a -- "$folder")
    if [[ $mode != 0700 ]]; then
      printf '%s: mode %s, not 0700\n' "$folder" "$mode"
      found=1
    fi
    for file in "$folder"/*; do
      [[ -f $file && -z ${position[${file##*/}]-} ]] || continue
      mode=$(stat -c %04a -- "$file")
      if [[ $mode != *00 ]]; then
        printf '%s: mode %s: others than its owner may use it\n' "${file##*/}" "$mode"
        found=1
      fi
    done
  fi
  ((found == 0)) || exit 1
  say "secrets of $environment: ${#names[@]} in order"
}

# --- changing --------------------------------------------------------------------------------------------------------

change() {
  local name todo=()
  [[ -n $dry_run ]] || prepare_folder # what is there is looked at under the lock
  for name in ${names[@]+"${names[@]}"}; do
    inspect "$name"
    if [[ $verb == create ]]; then
      if [[ -z $written && ${findings[*]} == missing ]]; then todo+=("$name"); else keep "$name"; fi
    elif [[ ${findings[*]-} == missing ]]; then
      ((${#wanted[@]} == 0)) || die "$name is missing; make it with: secrets.sh $environment create"
    elif ((${#wanted[@]})) || [[ -n $due ]]; then
      todo+=("$name")
    fi
  done
  if ((${#todo[@]} == 0)); then
    say "secrets of $environment: nothing to $verb"
    return
  fi
  for name in "${todo[@]}"; do choose_origin "$name"; done
  if [[ -n $dry_run ]]; then
    for name in "${todo[@]}"; do
      choose_origin "$name"
      say "would $verb $name $(in_words "$name")"
    done
    return
  fi
  [[ $verb == create ]] || ask_first "${todo[@]}"
  for name in "${todo[@]}"; do
    choose_origin "$name"
    stage "$name"
    if [[ -n $swarm ]]; then put_swarm "$name"; else put_file "$name"; fi
    [[ $verb == create ]] || say_users "$name"
  done
}

# An existing one keeps its value.
keep() {
  local file=$folder/$1
  if [[ -n $swarm ]] || ((${#findings[@]} == 0)); then
    say "$1 is there and is kept"
    return
  fi
  [[ -f $file && ! -L $file ]] || die "$file is not a regular file; look at it, and remove it"
  if [[ -n $dry_run ]]; then
    say "would keep $1, and set mode $wanted_mode${wanted_owner:+ and owner $wanted_owner}"
  else
    own "$file" "$wanted_owner" "$wanted_mode"
    say "$1 is there and is kept, with mode $wanted_mode${wanted_owner:+ and owner $wanted_owner}"
  fi
}

own() {
  if [[ -n $2 ]]; then chown -- "$2" "$1" || die "the owner of $1 cannot be set to $2; run this as root"; fi
  chmod -- "$3" "$1" || die "the mode of $1 cannot be set"
}

# Where a value comes from, decided without looking at it: given, prompt, generate, env or file.
choose_origin() {
  local source=${SECRET_SOURCE[${position[$1]}]} value=${SECRET_VALUE[${position[$1]}]}
  origin=prompt origin_file=''
  if [[ -n $from_file ]]; then
    origin=given origin_file=$from_file
    if [[ $from_file == - ]]; then
      [[ ! -t 0 ]] || die "$1: standard input is a terminal, which would show the value; use --prompt"
    else
      [[ -r $from_file && ! -d $from_file ]] || die "$1: the file $from_file cannot be read"
    fi
  elif [[ -n $prompt ]]; then
    origin=prompt
  elif [[ $source == generate ]]; then
    [[ $value =~ ^[1-9][0-9]{1,3}$ && $value -ge $SHORTEST && $value -le $LONGEST ]] ||
      die "$1: its length in environment.sh is not a number from $SHORTEST to $LONGEST"
    origin=generate
  elif [[ $source == env ]]; then
    [[ $value =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || die "$1: its variable in environment.sh has no possible name"
    ! printenv "$value" >/dev/null || origin="env"
  elif [[ $source == file ]]; then
    origin_file=$value
    [[ $value == /* ]] || origin_file=$ROOT/$value
    # One that has not changed since holds no new value.
    [[ ! -r $origin_file ]] || cmp -s -- "$origin_file" "$folder/$1" || origin="file"
  else
    die "$1: its source in environment.sh is none of file, env and generate"
  fi
  [[ $origin != prompt || -t 0 ]] ||
    die "$1 has no new value: its source in the catalog has none, and there is no terminal to ask at; use --from-file"
}

in_words() {
  case $origin in
    generate) printf 'with %s random characters' "${SECRET_VALUE[${position[$1]}]}" ;;
    env) printf 'from the variable %s' "${SECRET_VALUE[${position[$1]}]}" ;;
    prompt) printf 'from a prompt' ;;
    *) if [[ $origin_file == - ]]; then printf 'from standard input'; else printf 'from %s' "$origin_file"; fi ;;
  esac
}

ask_first() {
  local answer=''
  [[ -z $yes ]] || return 0
  [[ -t 0 ]] || die "rotate asks first, and there is no terminal; say --yes"
  printf 'Rotate %s of %s? [y/N] ' "$*" "$environment" >&2
  read -r answer || true
  [[ $answer == [yY] || $answer == [yY][eE][sS] ]] || die "nothing was rotated"
}

# One at a time. What a killed run left is removed here: whoever holds the lock knows that it is nobody's.
prepare_folder() {
  mkdir -p -- "$folder" || die "$folder cannot be made; run this as root, or set SECRETS_FOLDER"
  chmod 0700 -- "$folder" || die "the mode of $folder cannot be set; run this as its owner or as root"
  exec {lock}>"$folder/.lock" || die "$folder cannot be written; run this as its owner or as root"
  flock -n "$lock" || die "another secrets.sh is at work in $folder; wait for its end"
  rm -f -- "$folder"/.new.*
  trap 'rm -f -- "$folder"/.new.*' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# Sets `staged`: a file beside the secrets, which holds the new value and nothing else.
stage() {
  local size
  staged=$(mktemp -- "$folder/.new.XXXXXXXX") || die "nothing can be written in $folder"
  case $origin in
    generate) generate "${SECRET_VALUE[${position[$1]}]}" ;;
    prompt) ask "$1" ;;
    env) printenv "${SECRET_VALUE[${position[$1]}]}" ;;
    *) if [[ $origin_file == - ]]; then head -c $((MAX_BYTES + 1)); else head -c $((MAX_BYTES + 1)) <"$origin_file"; fi ;;
  esac >"$staged" {lock}>&- || die "$1: its new value could not be read and written"
  # printenv adds a line break; whoever writes one line with an editor or echo means the line.
  if [[ $origin == env || $(wc -l <"$staged") -eq 1 ]] && [[ $(tail -c 1 -- "$staged" | wc -l) -eq 1 ]]; then
    truncate -s -1 -- "$staged"
    [[ $origin == env || $(tail -c 1 -- "$staged" | tr -d '\0') != $'\r' ]] || truncate -s -1 -- "$staged"
  fi
  size=$(stat -c %s -- "$staged")
  ((size > 0)) || die "$1: the new value is empty"
  ((size <= MAX_BYTES)) || die "$1: the new value is larger than $MAX_BYTES bytes"
  [[ $origin != generate || $size -eq ${SECRET_VALUE[${position[$1]}]} ]] || die "$1: the generator ended too early"
}

# Letters and digits mean nothing to a shell, a URL, or a connection string; 62 of them are 5.9 bits each.
generate() {
  local length=$1 left
  # Read by whole blocks, so that nothing ends early and no signal of a broken pipe is taken for a failure.
  while :; do
    head -c 4096 /dev/urandom | tr -dc 'A-Za-z0-9' || return 1
    left=$(stat -c %s -- "$staged")
    ((left < length)) || break
  done
  truncate -s "$length" -- "$staged"
}

ask() {
  local first second
  printf '%s: ' "$1" >&2
  IFS= read -rs first || die "$1: nothing was entered"
  printf '\n%s again: ' "$1" >&2
  IFS= read -rs second || die "$1: nothing was entered"
  printf '\n' >&2
  [[ $first == "$second" ]] || die "$1: the two entries differ"
  ((${#first} < PROMPT_BYTES)) || die "$1: a terminal cuts so long a line off; use --from-file"
  printf '%s' "$first"
}

put_file() {
  local file=$folder/$1 owner=$wanted_owner
  if [[ $verb == rotate ]]; then
    ! cmp -s -- "$staged" "$file" || die "$1: the new value is the one that it has"
    # With SECRETS_OWNER_DEFAULT empty, the container that reads it today must go on doing so.
    owner=${owner:-$(stat -c %u:%g -- "$file")}
  fi
  own "$staged" "$owner" "$wanted_mode"
  to_disk "$staged"
  [[ $verb == create ]] || keep_previous "$file"
  mv -fT -- "$staged" "$file" || die "$file cannot be written"
  to_disk "$folder"
  say "$1: ${verb}d $(in_words "$1")"
}

# A copy, renamed too: whenever this is killed, NAME is whole, the old value or the new one.
keep_previous() {
  local copy
  copy=$(mktemp -- "$folder/.new.XXXXXXXX")
  cat -- "$1" >"$copy" || die "$1 cannot be copied"
  chmod 0400 -- "$copy"
  to_disk "$copy"
  mv -fT -- "$copy" "$1.previous"
}

# Some systems' sync takes no file.
to_disk() { sync -- "$1" 2>/dev/null || sync; }

say_users() {
  local users store user
  users=${SECRET_USED_BY[${position[$1]}]-}
  if [[ -z $users ]]; then
    say "$1: restart what uses it"
    return
  fi
  say "$1: restart what uses it: ${users//$'\n'/ }"
  while IFS= read -r user; do
    for store in ${STORES[@]+"${STORES[@]}"}; do
      [[ $user != "$store" ]] ||
        say "$1: the store $store may keep its old password until it is changed inside it: docs/secrets.md"
    done
  done < <(printf '%s\n' "$users")
}

# --- Swarm -----------------------------------------------------------------------------------------------------------

list_swarm() {
  in_swarm=$(docker secret ls --format '{{.Name}}') || die "the engine does not list its secrets; is it a manager of a Swarm?"
}

# Sets `versions`, the oldest first. A Swarm's secrets never change, so each value is a secret of its own.
find_versions() {
  local prefix=$COMPOSE_PROJECT-$1- name
  mapfile -t versions < <(
    printf '%s\n' "$in_swarm" | while IFS= read -r name; do
      [[ $name != "$prefix"* || ! ${name#"$prefix"} =~ ^[1-9][0-9]{0,8}$ ]] || printf '%s\n' "${name#"$prefix"}"
    done | sort -n
  )
}

inspect_swarm() {
  local created
  written=''
  find_versions "$1"
  if ((${#versions[@]} == 0)); then
    findings+=(missing)
    return
  fi
  created=$(docker secret inspect --format '{{.CreatedAt}}' -- "$COMPOSE_PROJECT-$1-${versions[-1]}")
  written=$(date -u -d "${created:0:19}" +%s)
}

put_swarm() {
  local name=$COMPOSE_PROJECT-$1 next=1 version
  find_versions "$1"
  ((${#versions[@]} == 0)) || next=$((versions[-1] + 1))
  docker secret create -- "$name-$next" - <"$staged" >/dev/null || die "$1: the Swarm did not take $name-$next"
  rm -f -- "$staged"
  say "$1: ${verb}d $(in_words "$1"), as $name-$next; compose.secrets.swarm.yaml takes it with $(version_variable "$1")=$next"
  for version in ${versions[@]+"${versions[@]:0:${#versions[@]}-1}"}; do
    docker secret rm -- "$name-$version" >/dev/null 2>&1 || say "$1: $name-$version is still in use and stays"
  done
}

version_variable() {
  local name=${1^^}
  printf '%s_VERSION' "${name//[^A-Z0-9]/_}"
}

main "$@"
