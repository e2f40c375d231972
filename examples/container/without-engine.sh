#!/bin/sh
# The same without a container engine, on Linux: runs a command in a mount namespace of its own, where the home and
# the runtime directory are empty and the published directory is ~/.codex. The command must lie outside the home.
#   codex-authd publish "$HOME/codex-in-container"
#   sh without-engine.sh "$HOME/codex-in-container" codex exec --skip-git-repo-check 'what is 1+1?'
set -eu

published=$(realpath "$1")
shift
export CODEX_HOME="$HOME/.codex"
unset CODEX_AUTHD_SOCKET CODEX_AUTHD_TOKEN

exec unshare --user --map-root-user --mount sh -euc '
  published=$1
  shift
  cd /
  mount --bind "$published" /mnt
  mount -t tmpfs -o mode=0700 tmpfs "$HOME"
  if [ -d "${XDG_RUNTIME_DIR:-}" ]; then mount -t tmpfs -o mode=0700 tmpfs "$XDG_RUNTIME_DIR"; fi
  mkdir "$CODEX_HOME"
  mount --bind /mnt "$CODEX_HOME"
  umount /mnt
  cd "$HOME"
  exec "$@"
' sh "$published" "$@"
