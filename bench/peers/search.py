#!/usr/bin/env python3
"""Exact search of sosie beside NumPy and hnswlib, on the same vectors, one query at a time, one thread each.

    python bench/peers/search.py [--entries 100000] [--dimension 384] [--bench build/release/bin/search_bench]

Needs bench/peers/requirements.txt. The vectors are random points around random centres, of unit length; the queries are
drawn alike. The contestants take turns; medians over all rounds are printed. hnswlib is asked with the smallest `ef` whose
recall@1 is at least 0.99: it is approximate, the other two are not.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # Before NumPy loads its BLAS.

import hnswlib
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


def clustered(rng, centres, count):
    points = centres[rng.integers(0, len(centres), count)]
    points = points + 0.7 * rng.standard_normal(points.shape, dtype=np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def timed(search, queries):
    """Microseconds of each query, and what it found."""
    times, found = [], []
    for query in queries:
        start = time.perf_counter()
        nearest = search(query)
        times.append((time.perf_counter() - start) * 1e6)
        found.append(int(nearest))
    return times, found


def build_hnsw(vectors):
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=16, ef_construction=200, random_seed=1)
    index.set_num_threads(os.cpu_count())
    start = time.perf_counter()
    index.add_items(vectors)
    seconds = time.perf_counter() - start
    index.set_num_threads(1)
    return index, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bench", type=pathlib.Path, default=ROOT / "build/release/bin/search_bench")
    arguments = parser.parse_args()
    if not arguments.bench.exists():
        parser.error(f"{arguments.bench} is not built: cmake --build --preset release --target search_bench")

    rng = np.random.default_rng(arguments.seed)
    centres = rng.standard_normal((max(1, arguments.entries // 100), arguments.dimension), dtype=np.float32)
    vectors = clustered(rng, centres, arguments.entries)
    queries = clustered(rng, centres, arguments.queries)
    truth = np.argmax(queries.astype(np.float64) @ vectors.T.astype(np.float64), axis=1)

    def recall(found):
        # Rounding may swap two rows that are equally near: a row as near as the true one counts.
        near = np.einsum("ij,ij->i", queries.astype(np.float64), vectors[found].astype(np.float64))
        best = np.einsum("ij,ij->i", queries.astype(np.float64), vectors[truth].astype(np.float64))
        return float(np.mean(near >= best - 1e-6))

    hnsw, build_seconds = build_hnsw(vectors)
    for ef in (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024):
        hnsw.set_ef(ef)
        if recall(timed(lambda q: hnsw.knn_query(q, k=1)[0][0][0], queries)[1]) >= 0.99:
            break

    times = {"sosie": [], "NumPy": [], "hnswlib": []}
    recalls = {}
    with tempfile.TemporaryDirectory() as folder:
        files = pathlib.Path(folder, "vectors"), pathlib.Path(folder, "queries")
        vectors.astype("<f4").tofile(files[0])
        queries.astype("<f4").tofile(files[1])
        for _ in range(arguments.rounds):
            done = subprocess.run([arguments.bench, *files, str(arguments.dimension)], capture_output=True, text=True, check=True)
            own = json.loads(done.stdout)
            times["sosie"].append(own["median_us"])
            recalls["sosie"] = recall(own["nearest"])
            for name, search in (
                ("NumPy", lambda q: np.argmax(vectors @ q)),
                ("hnswlib", lambda q: hnsw.knn_query(q, k=1)[0][0][0]),
            ):
                taken, found = timed(search, queries)
                times[name].append(statistics.median(taken))
                recalls[name] = recall(found)

    medians = {name: statistics.median(values) for name, values in times.items()}
    notes = {
        "sosie": f"exact, {own['kernel']}: {own['gb_per_s']:.1f} GB/s, reading alone {own['read_gb_per_s']:.1f}",
        "NumPy": "exact, float32 matrix-vector product",
        "hnswlib": f"approximate, ef {ef}; {build_seconds:.0f} s to build with {os.cpu_count()} threads",
    }
    print(f"{arguments.entries} x {arguments.dimension}, {arguments.queries} queries, medians of {arguments.rounds} rounds\n")
    print(f"{'':10}{'us/query':>10}{'recall@1':>10}{'x sosie':>10}  ")
    for name, us in medians.items():
        print(f"{name:10}{us:10.0f}{recalls[name]:10.3f}{us / medians['sosie']:10.2f}  {notes[name]}")
    print(json.dumps({"median_us": medians, "recall": recalls, "ef": ef, "gb_per_s": own["gb_per_s"], "build_s": build_seconds}))


if __name__ == "__main__":
    main()
