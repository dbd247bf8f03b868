"""POSIX shell scripts that run on an environment's host before the command; values are passed as arguments only."""

from __future__ import annotations

UNPACK = """
set -eu
umask 022
mkdir -p -- "$1"
cd -- "$1"
mkdir -- "$2.new"
tar -C "$2.new" -xf -
mv -- "$2.new" "$2"
ln -sfn -- "$2" current.new
mv -T -f -- current.new current
ls -1 -t | grep -v -e '^current' | tail -n "+$(($3 + 1))" | while IFS= read -r old; do rm -rf -- "./$old"; done
"""
"""FOLDER NAME KEPT: a tar on standard input becomes FOLDER/NAME, and `current` points to it; older ones are removed."""

COMMAND = """
exporter=$1 fits=$2 image=$3 folders=$4
shift 4
there=$(uname -n)
found=$("$exporter" version 2>/dev/null) || found=
if [ -z "$found" ]; then
  if ! docker image inspect "$image" >/dev/null 2>&1; then
    echo "$there: the command $exporter does not work there, and there is no image $image; install one of them in" >&2
    echo "version $fits, or set EXPORTER=/its/path in the environment's .env" >&2
    exit 1
  fi
  # Mount the host's Compose and client; the container sees the host's processes, files and name, like a host command.
  options="--rm --interactive --user 0:0 --network host --pid host --uts host --entrypoint /bin/sh"
  if [ -t 0 ]; then options="$options --tty"; fi
  set -- "$image" -c 'exec python -m exporter "$@"' sh "$@"
  for name in ON_BEHALF_OF TAG EXPORTER_CONFIG EXPORTER_ENVIRONMENT EXPORTER_ROOT; do set -- --env "$name" "$@"; done
  client=$(command -v docker)
  set -- --volume /var/run/docker.sock:/var/run/docker.sock --volume "$client:/usr/local/bin/docker:ro" "$@"
  for place in /usr/libexec /usr/lib /usr/local/libexec /usr/local/lib; do
    plugins=$place/docker/cli-plugins
    if [ -d "$plugins" ]; then set -- --volume "$plugins:$plugins:ro" "$@"; fi
  done
  IFS='
'
  for folder in $folders; do set -- --volume "$folder:$folder" "$@"; done
  IFS=' '
  exec docker run $options "$@"
fi
case $found in
  "$fits".*) exec "$exporter" "$@" ;;
esac
echo "$there: exporter $found is installed there, but $fits here; install the same version on both" >&2
exit 1
"""
"""EXPORTER FITS IMAGE FOLDERS ARGUMENT...: run the installed command, or else its image, in which FOLDERS, one per
line, are mounted at the same paths."""
