"""Asks questions with Python's standard library alone: the credential comes from the daemon's socket.

    python3 ask.py 'what is 1+1?'
"""

import http.client
import json
import os
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request

SOCKET = os.environ.get("CODEX_AUTHD_SOCKET") or os.path.join(
    os.environ.get("XDG_RUNTIME_DIR", ""), "codex-authd", "authd.sock"
)
ACCOUNT = os.environ.get("CODEX_AUTHD_ACCOUNT") or "default"
WAIT_SECONDS = 60


class DaemonConnection(http.client.HTTPConnection):
    """HTTP over the daemon's Unix socket."""

    def __init__(self):
        # The daemon waits for a new token as long as it is asked to; its answer may take a little longer.
        super().__init__("localhost", timeout=WAIT_SECONDS + 10)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def ask_daemon(method, path, body=None, **query):
    """The credential that the daemon answers with; ends with what the daemon says is wrong."""
    query = urllib.parse.urlencode({"account": ACCOUNT, "wait": WAIT_SECONDS, **query})
    text, headers = None, {}
    if body is not None:
        text, headers = json.dumps(body), {"Content-Type": "application/json"}
    connection = DaemonConnection()
    try:
        connection.request(method, f"{path}?{query}", text, headers)
        response = connection.getresponse()
        answer = json.load(response)
    except OSError as error:
        sys.exit(f"the daemon does not answer at {SOCKET}: {error}")
    finally:
        connection.close()
    if response.status != 200:
        sys.exit(f"{answer['code']}: {answer['detail']}: {answer['hint']}")
    return answer


def read_credential():
    """One that stays valid for 5 minutes: if less is left, the daemon rotates first, and this waits for it."""
    return ask_daemon("GET", "/v1/credential", min_valid=300)


def next_credential(rejected):
    """Tells the daemon which token was answered with a 401; gives the next one."""
    return ask_daemon("POST", "/v1/rejected", {"fingerprint": rejected["fingerprint"]})


def send(credential, question):
    headers = {
        "Content-Type": "application/json",
        "Authorization": "Bearer " + credential["access_token"],
    }
    if credential["account_id"] is not None:
        headers["ChatGPT-Account-ID"] = credential["account_id"]
    content = [{"type": "input_text", "text": question}]
    body = {
        "model": os.environ.get("MODEL", "gpt-5"),
        "instructions": "Answer in one line.",
        "input": [{"type": "message", "role": "user", "content": content}],
        "store": False,
        "stream": True,
    }
    url = credential["base_url"] + "/responses"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as lines:
        return read_answer(lines)


def read_answer(lines):
    answer = ""
    for line in lines:
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[len(b"data: ") :])
        if event["type"] == "response.output_item.done" and event["item"]["type"] == "message":
            answer += "".join(part["text"] for part in event["item"]["content"])
    return answer


def ask(question):
    credential = read_credential()
    try:
        return send(credential, question)
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
    # The server ended the token before its time.
    return send(next_credential(credential), question)


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(ask(each))
