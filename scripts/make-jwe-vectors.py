#!/usr/bin/env python3
"""Writes tests/order_support/jwe.json, and what is encrypted in the D1 orders of tests/samples/orders: their card data, which stands beside them
as d1-*.card.json. Made by jwcrypto, a JOSE library that shares nothing with this program; their PIN blocks by psec.

    python3 -m venv V && V/bin/pip install jwcrypto && V/bin/python scripts/make-jwe-vectors.py
"""
import json
import pathlib

from importlib.metadata import version
from jwcrypto import jwe, jwk

root = pathlib.Path(__file__).resolve().parent.parent
orders = root / "tests/samples/orders"
ec = jwk.JWK.from_pem((orders / "ec.test.pem").read_bytes())
rsa = jwk.JWK.from_pem((orders / "rsa.test.pem").read_bytes())
card = (orders / "d1-everything.card.json").read_text()


def make(key, text=card, **header):
    every = ["ECDH-ES", "ECDH-ES+A256KW", "RSA-OAEP", "RSA-OAEP-256", "RSA1_5", "dir", "PBES2-HS256+A128KW", "A256KW",
             "A256GCM", "A192GCM", "A128GCM", "A128CBC-HS256", "A256CBC-HS512"]
    token = jwe.JWE(text.encode(), json.dumps(header), algs=every)
    token.add_recipient(key)
    return token.serialize(compact=True)


shared = jwk.JWK(kty="oct", k="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
good = dict(alg="ECDH-ES", enc="A256GCM", kid="order-ec-1")
oaep = dict(alg="RSA-OAEP-256", enc="A256GCM", kid="order-rsa-1")
cases = [
    ("ECDH-ES", True, make(ec, **good)),
    ("ECDH-ES with parties", True, make(ec, **good, apu="aXNzdWVy", apv="c3RhdGlvbg")),
    ("ECDH-ES with typ and cty", True, make(ec, **good, typ="JWE", cty="json")),
    ("RSA-OAEP-256", True, make(rsa, **oaep)),
    ("unlisted kid", False, make(ec, **{**good, "kid": "order-ec-9"})),
    ("kid of another alg", False, make(ec, **{**good, "kid": "order-rsa-1"})),
    ("A128GCM", False, make(ec, **{**good, "enc": "A128GCM"})),
    ("A192GCM", False, make(ec, **{**good, "enc": "A192GCM"})),
    ("A256CBC-HS512", False, make(ec, **{**good, "enc": "A256CBC-HS512"})),
    ("ECDH-ES+A256KW", False, make(ec, **{**good, "alg": "ECDH-ES+A256KW"})),
    ("RSA-OAEP", False, make(rsa, **{**oaep, "alg": "RSA-OAEP"})),
    ("RSA1_5", False, make(rsa, **{**oaep, "alg": "RSA1_5"})),
    ("dir", False, make(shared, **{**good, "alg": "dir"})),
    ("A256KW", False, make(shared, **{**good, "alg": "A256KW"})),
    ("PBES2", False, make(shared, **{**good, "alg": "PBES2-HS256+A128KW"})),
    ("compressed", False, make(ec, **good, zip="DEF")),
    ("for another key", False, make(jwk.JWK.generate(kty="EC", crv="P-256"), **good)),
    ("on another curve", False, make(jwk.JWK.generate(kty="EC", crv="P-384"), **good)),
]
out = {
    "source": f"jwcrypto {version('jwcrypto')}, scripts/make-jwe-vectors.py; recipients are the test keys in tests/samples/orders",
    "cases": [{"name": name, "opens": opens, "jwe": text} for name, opens, text in cases],
}
(root / "tests/order_support/jwe.json").write_text(json.dumps(out, indent=1) + "\n")
for name, key, header in [("instant", ec, good), ("central", rsa, oaep), ("thales", ec, good)]:
    path = orders / f"d1-{name}.json"
    order = json.loads(path.read_text())
    order["body"]["encryptedData"] = make(key, (orders / f"d1-{name}.card.json").read_text(), **header)
    path.write_text(json.dumps(order, indent=2) + "\n")
