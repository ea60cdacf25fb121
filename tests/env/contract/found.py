"""Founds a fresh server and writes down who the fuzzer may be.

Usage: found.py URL CODE FILE. The first operator (with two fresh factors), the owner of a tenant and publisher org with a
service account, a developer of it, and two hosts that joined: one that runs capsules, one that reviews. Everything
by the public routes; what cannot be made is an error.
"""

import base64
import hashlib
import hmac
import json
import struct
import sys
import time
import urllib.request

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

PASSWORD = "correct horse battery staple"


def ask(url, method, path, token=None, body=None):
    request = urllib.request.Request(url + path, method=method)
    if token:
        request.add_header("authorization", "Bearer " + token)
    data = None
    if body is not None:
        request.add_header("content-type", "application/json")
        data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, data, timeout=30) as answer:
            text = answer.read()
    except urllib.error.HTTPError as refused:
        sys.exit(f"contract: {method} {path} is {refused.code}: {refused.read().decode()}")
    return json.loads(text) if text else None


def totp(secret, at):
    """RFC 6238: SHA-1, 30 seconds, six digits."""
    mac = hmac.new(secret, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    start = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[start:start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def two_factors(url, token):
    """Adds an authenticator and proves it: the token of two fresh factors."""
    uri = ask(url, "POST", "/v1/auth/totp", token, {"password": PASSWORD})["uri"]
    text = uri.split("secret=")[1].split("&")[0]
    secret = base64.b32decode(text + "=" * (-len(text) % 8))
    now = time.time()
    ask(url, "PUT", "/v1/auth/totp", token, {"totp": totp(secret, now)})
    # A code counts once; the next one is taken already, as clocks differ.
    code = totp(secret, now + 30)
    return ask(url, "POST", "/v1/auth/step-up", token, {"totp": code})["access_token"]


def person(login):
    return {"login": login, "name": login, "password": PASSWORD}


def joined(url, operator, role, number):
    """A host of a role: its name and its key."""
    code = ask(url, "POST", "/v1/hosts/enrolments", operator, {"role": role})["token"]
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding, serialization.PublicFormat
    spki = key.public_key().public_bytes(encoding.DER, form.SubjectPublicKeyInfo)
    name = f"0000000000000000000000000{number}"
    enrol = {
        "address": f"http://127.0.0.1:{9000 + number}",
        "host": name,
        "role": role,
        "sealing_key": base64.b64encode(bytes([7] * 32)).decode(),
        "signing_key": base64.b64encode(spki).decode(),
        "version": "0.1.0",
    }
    ask(url, "POST", "/v1/hosts", code, enrol)
    private = key.private_bytes(encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"host": name, "key": private.decode(), "spki": base64.b64encode(spki).decode()}


def main(url, code, path):
    operator = ask(url, "POST", "/v1/bootstrap", body={"code": code, "person": person("root.person")})["access_token"]
    operator = two_factors(url, operator)
    roles = {"tenant": True, "publisher": True}
    made = ask(url, "POST", "/v1/orgs", operator, {"org": "acme", "name": "Acme", "roles": roles})
    accept = {"code": made["head"]["code"], "person": person("acme.owner")}
    owner = two_factors(url, ask(url, "POST", "/v1/invitations/accept", body=accept)["access_token"])
    offered = ask(url, "POST", "/v1/orgs/acme/invitations", owner, {"role": "developer"})
    accept = {"code": offered["code"], "person": person("acme.developer")}
    developer = ask(url, "POST", "/v1/invitations/accept", body=accept)["access_token"]
    ask(url, "POST", "/v1/orgs/acme/service-accounts", owner, {"account": "ci", "name": "CI", "caps": ["org:read"]})
    ask(url, "POST", "/v1/namespaces", owner, {"namespace": "acme"})
    who = {
        "deployment": ask(url, "GET", "/version")["deployment"],
        "tokens": {"operator": operator, "owner": owner, "developer": developer},
        "hosts": {role: joined(url, operator, role, n) for n, role in enumerate(["host", "review"], 1)},
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(who, file)


main(*sys.argv[1:])
