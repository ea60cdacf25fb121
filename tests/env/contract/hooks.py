"""Who speaks in each request: a person by their token, and on the routes of hosts a host by its proof.

The proof is signed over what is sent, so these requests pass the signature and reach what is behind it.
"""

import base64
import hashlib
import json
import os
import secrets
import time

import requests
import schemathesis
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

KIND = "application/vnd.soma.host-proof.v1+json"

with open(os.environ["SOMA_CONTRACT_WHO"], encoding="utf-8") as file:
    WHO = json.load(file)


class Host:
    def __init__(self, it):
        self.name = it["host"]
        self.key = serialization.load_pem_private_key(it["key"].encode(), None)
        self.key_id = "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(it["spki"])).digest()).decode().rstrip("=")

    def proof(self, method, path, body):
        says = {
            "at": str(time.time_ns() // 1_000_000),
            "body": "sha256:" + hashlib.sha256(body).hexdigest(),
            "deployment": WHO["deployment"],
            "host": self.name,
            "method": method,
            "nonce": secrets.token_urlsafe(24),
            "path": path,
        }
        payload = json.dumps(says, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
        signed = b"DSSEv1 %d %s %d %s" % (len(KIND), KIND.encode(), len(payload), payload)
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": KIND,
            "signatures": [{"keyid": self.key_id, "sig": base64.b64encode(signature).decode()}],
        }
        return base64.urlsafe_b64encode(json.dumps(envelope).encode()).rstrip(b"=").decode()


HOSTS = {role: Host(it) for role, it in WHO["hosts"].items()}


class Proof(requests.auth.AuthBase):
    def __call__(self, request):
        role = "review" if request.path_url.startswith("/v1/feed/reviews") else "host"
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        if isinstance(body, bytes):
            request.headers["soma-host-proof"] = HOSTS[role].proof(request.method, request.path_url, body)
        return request


schemathesis.auth.set_from_requests(Proof()).apply_to(tag="feed")
