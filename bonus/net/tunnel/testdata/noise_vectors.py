#!/usr/bin/env python3
"""Prints noise_vectors.txt, which noise_test.cpp reads: WireGuard's handshake written down once more from the whitepaper (sections 5.4.1
to 5.4.7), with Python's own BLAKE2s and the cryptography package, independent of the C++ code. Needs `cryptography`."""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


def h(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def mac(key, data):
    return hashlib.blake2s(data, digest_size=16, key=key).digest()


def kdf(key, data, count):
    secret = hmac.new(key, data, hashlib.blake2s).digest()
    out, last = [], b""
    for i in range(count):
        last = hmac.new(secret, last + bytes([i + 1]), hashlib.blake2s).digest()
        out.append(last)
    return out


def public(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def dh(secret, key):
    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(key))


def seal(key, plain, aad):
    return ChaCha20Poly1305(key).encrypt(bytes(12), plain, aad)


def rotl(x, n):
    return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF


def hchacha20(key, nonce):
    """draft-irtf-cfrg-xchacha-03, section 2.2."""
    s = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key)) + list(struct.unpack("<4I", nonce))

    def quarter(a, b, c, d):
        s[a] = (s[a] + s[b]) & 0xFFFFFFFF
        s[d] = rotl(s[d] ^ s[a], 16)
        s[c] = (s[c] + s[d]) & 0xFFFFFFFF
        s[b] = rotl(s[b] ^ s[c], 12)
        s[a] = (s[a] + s[b]) & 0xFFFFFFFF
        s[d] = rotl(s[d] ^ s[a], 8)
        s[c] = (s[c] + s[d]) & 0xFFFFFFFF
        s[b] = rotl(s[b] ^ s[c], 7)

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        quarter(0, 5, 10, 15)
        quarter(1, 6, 11, 12)
        quarter(2, 7, 8, 13)
        quarter(3, 4, 9, 14)
    return struct.pack("<8I", *(s[:4] + s[12:]))


def xseal(key, nonce, plain, aad):
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plain, aad)


def show(name, value):
    print(f"{name} {value.hex()}")


def handshake(label, psk):
    static_i, static_r = bytes([0x11] * 32), bytes([0x22] * 32)
    eph_i, eph_r = bytes([0x33] * 32), bytes([0x44] * 32)
    index_i, index_r = struct.pack("<I", 0x01020304), struct.pack("<I", 0x0A0B0C0D)
    # 1,700,000,000.5 s of Unix time, nanoseconds without their low 24 bits.
    stamp = struct.pack(">QI", 0x400000000000000A + 1_700_000_000, 500_000_000 & ~0xFFFFFF)

    ck = h(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
    hash_ = h(h(ck, b"WireGuard v1 zx2c4 Jason@zx2c4.com"), public(static_r))
    hash_ = h(hash_, public(eph_i))
    ck = kdf(ck, public(eph_i), 1)[0]
    ck, key = kdf(ck, dh(eph_i, public(static_r)), 2)
    sealed_static = seal(key, public(static_i), hash_)
    hash_ = h(hash_, sealed_static)
    ck, key = kdf(ck, dh(static_i, public(static_r)), 2)
    sealed_stamp = seal(key, stamp, hash_)
    hash_ = h(hash_, sealed_stamp)
    initiation = b"\x01\0\0\0" + index_i + public(eph_i) + sealed_static + sealed_stamp
    mac1 = mac(h(b"mac1----", public(static_r)), initiation)
    initiation += mac1
    cookie = bytes([0x55] * 16)
    initiation += mac(cookie, initiation)
    show(label + ".initiation", initiation)

    hash_ = h(hash_, public(eph_r))
    ck = kdf(ck, public(eph_r), 1)[0]
    ck = kdf(ck, dh(eph_r, public(eph_i)), 1)[0]
    ck = kdf(ck, dh(eph_r, public(static_i)), 1)[0]
    ck, tau, key = kdf(ck, psk, 3)
    hash_ = h(hash_, tau)
    response = b"\x02\0\0\0" + index_r + index_i + public(eph_r) + seal(key, b"", hash_)
    response += mac(h(b"mac1----", public(static_i)), response)
    response += bytes(16)
    show(label + ".response", response)
    from_initiator, from_responder = kdf(ck, b"", 2)
    show(label + ".from_initiator", from_initiator)
    show(label + ".from_responder", from_responder)

    nonce = bytes(range(24))
    reply = b"\x03\0\0\0" + index_i + nonce + xseal(h(b"cookie--", public(static_r)), nonce, cookie, mac1)
    show(label + ".cookie_reply", reply)
    data = b"\x04\0\0\0" + index_r + struct.pack("<Q", 5)
    plain = b"sixteen bytes..."
    data += ChaCha20Poly1305(from_initiator).encrypt(bytes(4) + struct.pack("<Q", 5), plain, b"")
    show(label + ".transport", data)


handshake("plain", bytes(32))
handshake("psk", bytes([0x66] * 32))
