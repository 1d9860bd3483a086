"""The encoder in every instruction set that this CPU runs, beside onnxruntime on the same weights and oneDNN's matrix products alone:
one thread, in turns, medians.

  pip install -r bench/peers/requirements.txt
  script/build sosie encoder_products
  python bench/peers/encoder.py [--tokens 8,16,32,64,128,256] [--batch 1] [--rounds 5] [--f32] [--avx2-only]

onnxruntime and oneDNN choose their own instructions, the best that the CPU runs, whatever ours are forced to. With --avx2-only all of them
find a CPU without AVX-512 and VNNI (avx2_only.c). "of the peak": multiply-adds of our products, of those that the same instructions reach
in registers.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/encoder"))
import onnx_graph  # noqa: E402


def hide_newer_instructions():
    """Begins this program anew, its children included, on a CPU that seems to have AVX2 only."""
    if "avx2_only" in os.environ.get("LD_PRELOAD", ""):
        return
    library = ROOT / "build/avx2_only.so"
    library.parent.mkdir(exist_ok=True)
    source = pathlib.Path(__file__).with_name("avx2_only.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wl,-z,initfirst", "-o", library, source], check=True)
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"LD_PRELOAD": str(library)})


def default_model():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("SOSIE_MODEL_DIR") or f"{cache}/sosie/models/all-MiniLM-L6-v2"


def cpu():
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def ours(binary, model, precision, isa, tokens, batch):
    command = [binary, "bench", "embed", "--json", "--model", model, "--precision", precision, "--tokens", str(tokens), "--batch", str(batch), "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"SOSIE_FORCE_ISA": isa})
    return json.loads(done.stdout.strip().splitlines()[-1])["median_ms"]


def theirs(session, tokens, batch, seconds):
    ids = numpy.random.default_rng(tokens).integers(1000, 20000, (batch, tokens))
    feed = {"input_ids": ids, "attention_mask": numpy.ones_like(ids)}
    for _ in range(5):
        session.run(None, feed)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 20:
        start = time.perf_counter()
        session.run(None, feed)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def products(binary, rows):
    done = subprocess.run([binary, str(rows)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin"), help="the folder of sosie and encoder_products")
    parser.add_argument("--model", default=default_model())
    parser.add_argument("--tokens", default="8,16,32,64,128,256")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--f32", action="store_true", help="f32 beside onnxruntime's f32 instead")
    parser.add_argument("--avx2-only", action="store_true", help="as on a CPU without AVX-512 and VNNI")
    arguments = parser.parse_args()
    if arguments.avx2_only:
        hide_newer_instructions()
    sosie, probe = f"{arguments.bin}/sosie", f"{arguments.bin}/encoder_products"
    precision = "f32" if arguments.f32 else "int8"
    isas = [each["isa"] for each in products(probe, 8)["sets"]]
    print(f"{cpu()}: {', '.join(isas)}; one thread, batch {arguments.batch}, {precision}")
    head = "| tokens | onnxruntime, ms | oneDNN's products, ms | set | sosie, ms | times onnxruntime | products, ms | of oneDNN's | of the peak |"
    if arguments.f32:
        head, isas = "| tokens | onnxruntime, ms | sosie, ms | times onnxruntime |", isas[:1]
    print(f"{head}\n|{'---|' * (head.count('|') - 1)}")
    with tempfile.TemporaryDirectory() as scratch:
        session = onnx_graph.session(arguments.model, f"fused_{precision}", scratch)
        for tokens in map(int, arguments.tokens.split(",")):
            peer, one_dnn = [], []
            mine, alone, peaks = ({isa: [] for isa in isas} for _ in range(3))
            for _ in range(arguments.rounds):
                peer.append(theirs(session, tokens, arguments.batch, 0.5))
                for isa in isas:
                    mine[isa].append(ours(sosie, arguments.model, precision, isa, tokens, arguments.batch))
                if not arguments.f32:
                    told = products(probe, tokens * arguments.batch)
                    one_dnn.append(told["onednn_ms"])
                    for each in told["sets"]:
                        alone[each["isa"]].append(each["ms"])
                        peaks[each["isa"]].append(each["gmac_s"] / each["peak_gmac_s"])
            other = statistics.median(peer)
            for isa in isas:
                whole = statistics.median(mine[isa])
                if arguments.f32:
                    print(f"| {tokens} | {other:.2f} | {whole:.2f} | {other / whole:.2f} |", flush=True)
                    continue
                part, reference = statistics.median(alone[isa]), statistics.median(one_dnn)
                print(
                    f"| {tokens} | {other:.2f} | {reference:.2f} | {isa} | {whole:.2f} | {other / whole:.2f} | {part:.2f} | {reference / part:.2f} "
                    f"| {100 * statistics.median(peaks[isa]):.0f} % |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
