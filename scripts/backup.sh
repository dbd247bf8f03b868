#!/usr/bin/env bash
# Made by `exporter gen`. Saves the stores, volumes and configuration of an environment.
set -euo pipefail

usage="usage: scripts/backup.sh ENVIRONMENT [NAME]... [OPTION]...
The same as: exporter backup -e ENVIRONMENT [NAME]... [OPTION]..."
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

die() { # SENTENCE STATUS
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit "$2"
}

environment=${1:-}
[[ -n $environment ]] || die "name an environment; $usage" 2
if [[ $environment == -* ]]; then
  [[ $environment == -h || $environment == --help ]] || die "name the environment first; $usage" 2
  printf '%s\n\n' "$usage"
fi
# Both variables may stand in deploy/ENVIRONMENT/.env. Its text is data; nothing in it is expanded.
for name in EXPORTER EXPORTER_CONFIG; do
  if [[ -z ${!name:-} && -f $root/deploy/$environment/.env ]]; then
    value=$(sed -n "s/^$name=//p" "$root/deploy/$environment/.env" | tail -n 1)
    if [[ $value == \"*\" || $value == \'*\' ]]; then value=${value:1:-1}; fi
    printf -v "$name" '%s' "$value"
  fi
done
exporter=${EXPORTER:-exporter}
found=$("$exporter" version 2>/dev/null) ||
  die "the command $exporter does not work; install it with: pip install 'pageforge-exporter~=0.1.0'" 1
[[ $found == 0.1.* ]] ||
  die "this file was made by exporter 0.1.0 and $exporter is $found; install 0.1, or run: exporter gen" 1
export EXPORTER_CONFIG=${EXPORTER_CONFIG:-$root/config.yaml} EXPORTER_ROOT=$root
if [[ $environment == -* ]]; then exec "$exporter" backup --help; fi
EXPORTER_ENVIRONMENT=$environment exec "$exporter" backup "${@:2}"
