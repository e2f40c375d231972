#!/bin/sh
# Lists the models of the account, with the command line of the daemon. To be run by it:
#   codex-authd exec -- sh models.sh
# which sets the base URL, the account, and the socket and account that `codex-authd token` asks for.
set -eu

# Asked for anew at each request: the token in $CODEX_AUTHD_TOKEN is that of the start, and nothing renews it.
# It goes from a builtin through a pipe into curl, and so shows up in no list of processes.
get() {
  {
    printf 'Authorization: Bearer %s\n' "$(codex-authd token)"
    printf 'ChatGPT-Account-ID: %s\n' "${CODEX_AUTHD_ACCOUNT_ID:-}"
  } | curl -sS --fail-with-body -H @- "$CODEX_AUTHD_BASE_URL/$1"
}

get 'models?client_version=0.169.0'
