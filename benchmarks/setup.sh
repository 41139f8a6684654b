#!/usr/bin/env bash
# Builds the environments of the programs that dlcli is measured beside, each of the pinned packages
# of its list in benchmarks/environments/. One that is complete is left as it is.
#
#   benchmarks/setup.sh [--environments FOLDER] [NAME ...]
#
# 13 GB of disk on Linux, about ten minutes; FOLDER is dlcli-benchmarks in the user's cache directory
# unless given. Python 3.11. Every program that takes the same torch as dlcli shares one environment.
#
#   torch          torch 2.15: Lightning, skorch, Keras, fastai, pandas
#   scikit-learn   no torch at all
#   ludwig         torch 2.11: Ludwig imports torchaudio, whose last release (2.11) refuses others
#
# dlcli itself, the plain loop and the bound run in the Python that runs `python -m benchmarks`.
# AutoGluon is left out: its networks need another torch (below 2.14), another 6 GB, and choose their
# own architecture, so that the work would not be the same.
set -euo pipefail
lists=$(cd "$(dirname "$0")/environments" && pwd)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/dlcli-benchmarks
if [ "${1:-}" = --environments ]; then
  folder=${2:?--environments needs a folder}
  shift 2
fi
[ $# -gt 0 ] || set -- torch scikit-learn ludwig
for name in "$@"; do
  list=$lists/$name.txt
  if [ ! -f "$list" ]; then
    echo "no environment is called $name; there are $(cd "$lists" && echo *.txt | sed 's/\.txt//g')" >&2
    exit 2
  fi
  place=$folder/$name
  if cmp -s "$list" "$place/installed.txt"; then
    echo "$name: complete"
    continue
  fi
  mkdir -p "$folder"
  echo "$name: installing $(grep -c == "$list") packages"
  "${PYTHON:-python3}" -m venv "$place"
  "$place/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$list"
  cp "$list" "$place/installed.txt" # last, so that one which was interrupted is not taken for complete
done
