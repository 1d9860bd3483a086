"""golden.py MODEL PROBE ...: whether the command PROBE (encoder_probe, or an emulator and encoder_probe) makes, in every instruction set that it
runs, int8 vectors of the bits that every CPU makes. One digest for all: what it covers may change only together with the fingerprint."""

import concurrent.futures
import hashlib
import os
import struct
import subprocess
import sys

TEXTS = ["", "a", "How do I reset my password?", "Wie setze ich mein Passwort zurück?", "你好，世界", "👩‍🚀 naïve café", "turn dark mode on", "turn dark mode off"]
TEXTS += [" ".join(f"{i * j} {'number' * (i % 3)} word" for j in range(i)) for i in (3, 9, 20, 41, 90)]
DIGEST = "e1d09985a8e25f0bcc69ca1605a34452a7ef9c35182b2bed6a8930cb365a1305"


def main():
    model, *probe = sys.argv[1:]
    texts = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in TEXTS)

    def same_bits(isa):
        env = os.environ | {"SOSIE_FORCE_ISA": isa}
        vectors = subprocess.run([*probe, "embed", model, "int8", "1", "32"], input=texts, stdout=subprocess.PIPE, check=True, env=env).stdout
        return hashlib.sha256(vectors).hexdigest() == DIGEST

    isas = subprocess.run([*probe, "isas"], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        same = dict(zip(isas, pool.map(same_bits, isas)))
    for isa in isas:
        print(f"{isa}: {'the same bits' if same[isa] else 'OTHER BITS'}")
    sys.exit(0 if all(same.values()) else 1)


if __name__ == "__main__":
    main()
