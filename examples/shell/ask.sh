#!/bin/sh
# Asks a question with nothing but curl: the credential comes from the daemon's socket.
#   sh ask.sh 'what is 1+1?'
set -eu

socket=${CODEX_AUTHD_SOCKET:-${XDG_RUNTIME_DIR:?is not set: name the socket in CODEX_AUTHD_SOCKET}/codex-authd/authd.sock}
account=${CODEX_AUTHD_ACCOUNT:-default}
question=$(printf '%s' "$1" | tr '\n\t' '  ' | sed 's/[\\"]/\\&/g')
body=$(printf '{"model":"%s","instructions":"Answer in one line.","store":false,"stream":true,"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"%s"}]}]}' "${MODEL:-gpt-5}" "$question")
answer=$(mktemp)
trap 'rm "$answer"' EXIT

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

# daemon PATH [OPTION...]: what the daemon answers, also if that is why it cannot.
daemon() {
  path=$1
  shift
  curl -sS --fail-with-body --unix-socket "$socket" "$@" "http://localhost$path?account=$account"
}

# field NAME: one of the credential. printf is a part of the shell, and what follows on it reads a pipe: every user of
# the machine can see the arguments of a program, so no token may be one.
field() {
  printf '%s' "$credential" | sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'
}

# Sends the question and prints the status. The headers that curl reads from stdin are in none of its arguments.
send() {
  {
    printf 'Authorization: Bearer %s\n' "$(field access_token)"
    printf 'ChatGPT-Account-ID: %s\n' "$(field account_id)"
  } | curl -sS -o "$answer" -w '%{http_code}' -H @- -H 'Content-Type: application/json' \
    -d "$body" "$(field base_url)/responses"
}

# One that stays valid for 5 minutes: if less is left, the daemon rotates first, and this waits for it.
credential=$(daemon /v1/credential -G -d min_valid=300) || fail "$credential"
status=$(send)

if [ "$status" = 401 ]; then
  # The server ended the token before its time: the daemon is told which one, and answers with the next.
  rejected=$(printf '{"fingerprint":"%s"}' "$(field fingerprint)")
  credential=$(daemon /v1/rejected -H 'Content-Type: application/json' -d "$rejected") || fail "$credential"
  status=$(send)
fi

[ "$status" = 200 ] || fail "HTTP $status: $(cat "$answer")"
sed -nE 's/^data: .*"response.output_item.done".*"text":"(([^"\\]|\\.)*)".*/\1/p' "$answer"
