"""A bank's system and an issuer host, of programs of others: jwcrypto encrypts, psec makes PIN blocks, MACs and key blocks,
pyemv makes cryptograms. Test keys and public test values only. Arguments are a command and its values in hexadecimal; card data
comes as JSON."""

import base64
import inspect
import json
import sys

from jwcrypto import jwe, jwk
from psec import des, mac, pinblock, tr31
from pyemv import ac, cvn, kd

un = bytes.fromhex


def encrypt(alg, kid, pem, card):
    with open(pem, "rb") as file:
        key = jwk.JWK.from_pem(file.read())
    header = json.dumps({"alg": alg, "enc": "A256GCM", "kid": kid})
    envelope = jwe.JWE(card.encode(), protected=header)
    envelope.add_recipient(jwk.JWK.from_json(key.export_public()))
    return envelope.serialize(compact=True)


def open_jwe(pkcs8, text):
    """The plaintext, with a private key in PKCS#8 (DER)."""
    pem = "-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(un(pkcs8)).decode() + "\n-----END PRIVATE KEY-----\n"
    envelope = jwe.JWE()
    envelope.deserialize(text, jwk.JWK.from_pem(pem.encode()))
    return envelope.payload.decode()


def read_iso0(zpk, block, pan):
    return pinblock.decode_pinblock_iso_0(des.decrypt_tdes_ecb(un(zpk), un(block)), pan)


def read_iso4(pek, block, pan):
    return pinblock.decipher_pinblock_iso_4(un(pek), un(block), pan)


def pin_iso0(zpk, pin, pan):
    return des.encrypt_tdes_ecb(un(zpk), pinblock.encode_pinblock_iso_0(pin, pan)).hex().upper()


def pin_iso4(pek, pin, pan):
    return pinblock.encipher_pinblock_iso_4(un(pek), pin, pan).hex().upper()


def under_kek(kek, key):
    """The key under the KEK, and its check value."""
    return des.encrypt_tdes_ecb(un(kek), un(key)).hex().upper() + " " + des.generate_kcv(un(key), 3).hex().upper()


def block_mac(key, data):
    key = un(key)
    return mac.generate_retail_mac(key[:8], key[8:], un(data), 2, 4).hex().upper()


def host(imk, pan, psn):
    # The key for cryptograms is the one that counts here.
    return cvn.VisaCVN18(iss_mk_ac=un(imk), iss_mk_smi=un(imk), iss_mk_smc=un(imk), pan=pan, psn=psn)


def cryptogram(imk, pan, psn, cdol, aip, atc, iad):
    """From what CDOL1 of the sample product asks for: 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37."""
    data, parts = un(cdol), []
    for length in (6, 6, 2, 5, 2, 3, 1, 4):
        parts.append(data[:length])
        data = data[length:]
    names = ("tag_9f02", "tag_9f03", "tag_9f1a", "tag_95", "tag_5f2a", "tag_9a", "tag_9c", "tag_9f37")
    rest = {"tag_82": un(aip), "tag_9f36": un(atc), "tag_9f10": un(iad)}
    return host(imk, pan, psn).generate_ac(**dict(zip(names, parts)), **rest).hex().upper()


def answer(imk, pan, psn, arqc, atc, csu):
    """Issuer authentication data: ARPC by method 2, and the CSU behind it."""
    arpc = host(imk, pan, psn).generate_arpc(tag_9f26=un(arqc), tag_9f36=un(atc), csu=un(csu))
    return (arpc[:4] + un(csu)).hex().upper()


VERSIONS = {
    "Visa 0A": cvn.VisaCVN10,
    "Visa 12": cvn.VisaCVN18,
    "Visa 22": cvn.VisaCVN22,
    "Mastercard 10": cvn.MasterCardCVN16,
    "Mastercard 11": cvn.MasterCardCVN17,
    "Mastercard 14": cvn.MasterCardCVN20,
    "Mastercard 15": cvn.MasterCardCVN21,
}


def version(name, imk, pan, psn):
    return VERSIONS[name](iss_mk_ac=un(imk), iss_mk_smi=un(imk), iss_mk_smc=un(imk), pan=pan, psn=psn)


def asked(function, values):
    """Of these values what the function asks for."""
    return function(**{name: values[name] for name in inspect.signature(function).parameters if name in values})


def version_request(name, imk, pan, psn, cdol, aip, atc, iad):
    data, iad = un(cdol), un(iad)
    # Visa's version 17 (hexadecimal 11) by its primitives: amount, unpredictable number, counter, byte 5 of 9F10.
    if name == "Visa 11":
        key = kd.derive_icc_mk_a(un(imk), pan, psn)
        covered = data[:6] + data[25:29] + un(atc) + iad[4:5]
        return ac.generate_ac(key, covered, ac.PaddingType.VISA).hex().upper()
    values = {"tag_82": un(aip), "tag_9f36": un(atc), "tag_9f10": iad}
    for tag, length in (("9f02", 6), ("9f03", 6), ("9f1a", 2), ("95", 5), ("5f2a", 2), ("9a", 3), ("9c", 1), ("9f37", 4)):
        values["tag_" + tag], data = data[:length], data[length:]
    # Visa's verification results with their length; Mastercard's, and its counters.
    values["cvr"] = iad[3:7] if name.startswith("Visa") else iad[2:8]
    values["counters"] = iad[10:18]
    return asked(version(name, imk, pan, psn).generate_ac, values).hex().upper()


def version_answer(name, imk, pan, psn, arqc, atc):
    """Issuer authentication data: ARPC by method 1 and the response code, or by method 2 and the card status update."""
    code, csu = un("3030" if name.startswith("Visa") else "0010"), un("00820000")
    made = version(name, imk, pan, psn)
    values = {"tag_9f26": un(arqc), "tag_9f36": un(atc), "arpc_rc": code, "csu": csu}
    arpc = asked(made.generate_arpc, values)
    by_status = "csu" in inspect.signature(made.generate_arpc).parameters
    return (arpc[:4] + csu if by_status else arpc + code).hex().upper()


def wrap(kbpk, version, usage, mode, key):
    return tr31.wrap(un(kbpk), tr31.Header(version, usage, "T", mode, "00", "E"), un(key))


def unwrap(kbpk, block):
    header, key = tr31.unwrap(un(kbpk), block)
    return f"{header.version_id} {header.key_usage} {key.hex().upper()} {des.generate_kcv(key, 3).hex().upper()}"


def wrap_many(kbpk, keys, headers):
    """A key block for each header: version, usage, algorithm, mode, version number, exportability, optional blocks. Keys by
    their algorithm."""
    keys, made = json.loads(keys), []
    for version, usage, algorithm, mode, number, exportability, blocks in json.loads(headers):
        header = tr31.Header(version, usage, algorithm, mode, number, exportability)
        for name, data in blocks.items():
            header.blocks[name] = data
        made.append(tr31.wrap(un(kbpk), header, un(keys[algorithm])))
    return json.dumps(made)


def read_many(kbpk, blocks):
    """The header of each key block in the same form, and the key."""
    read = []
    for block in json.loads(blocks):
        header, key = tr31.unwrap(un(kbpk), block)
        # What pads the header is no block of its own.
        optional = {name: data for name, data in header.blocks.items() if name != "PB"}
        fields = [header.version_id, header.key_usage, header.algorithm, header.mode_of_use, header.version_num]
        read.append([fields + [header.exportability, optional], key.hex().upper()])
    return json.dumps(read)


COMMANDS = [version_request, version_answer, encrypt, open_jwe, read_iso0, read_iso4, pin_iso0, pin_iso4, under_kek, block_mac, cryptogram, answer, wrap, unwrap, wrap_many, read_many]

if __name__ == "__main__":
    print({command.__name__: command for command in COMMANDS}[sys.argv[1]](*sys.argv[2:]))
