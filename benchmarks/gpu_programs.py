"""Compile the races' programs for a GPU that is not here: an H100, as XLA describes one.

python benchmarks/gpu_programs.py [--tasks digits-mlp,digits-cnn] [--lanes 64,512]

Needs 'ravine[cuda]', and no GPU. It shows that XLA's compiler for GPUs takes what a worker would
give it, how long that takes and what memory the programs need; how fast they are it cannot show.
Nothing is tuned by trial, as there is nothing to try it on.
"""

import argparse
import os
import sys
import time
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from ravine.execution.worker_backend import told
from ravine.experiment.engines import GPU

# As a GPU's worker is told, but that there is none: then the plug-in must not ask the driver.
os.environ |= told(GPU) | {"CUDA_VISIBLE_DEVICES": "-1", "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1"}
os.environ["XLA_FLAGS"] = "--xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false"
del os.environ["JAX_COMPILATION_CACHE_DIR"]

import jax
from jax._src import xla_bridge
from jax.experimental import topologies
from jax.sharding import NamedSharding, PartitionSpec

from ravine.rules import RULES
from ravine.tasks import find
from ravine.training import engine, gpu_engine
from ravine.training.programs import Shape

H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048
  shared_memory_per_block: 49152 shared_memory_per_core: 233472
  shared_memory_per_block_optin: 232448 registers_per_core_limit: 65536
  registers_per_block_limit: 65536 core_count: 132 fpus_per_core: 128
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98
  device_memory_size: 84929347584 cuda_compute_capability { major: 9 }
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
runtime_version { major: 12 minor: 9 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


def main() -> None:
    """Compile and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", default="digits-mlp,digits-cnn")
    parser.add_argument("--lanes", default="64,512")
    asked = parser.parse_args()
    if not entry_points(group="jax_plugins"):
        sys.exit("needs the compiler for GPUs: pip install 'ravine[cuda]'")
    topology = topologies.get_topology_desc("1x1x1", "cuda", target_config=H100, topology="1x1x1")
    where = NamedSharding(topologies.make_mesh(topology, (1,), ("x",)), PartitionSpec())
    # JAX asks which maker's a "gpu" is by looking for one (jax #23971).
    known = xla_bridge.canonicalize_platform
    xla_bridge.canonicalize_platform = lambda name: "cuda" if name == "gpu" else known(name)
    exporting: Any = partial(jax.export.export, platforms=["cuda"])
    jax.export.export = exporting
    for name in asked.tasks.split(","):
        task = find(name)
        network, data = engine.network_of(task), task.load()
        train, *held_out = ((split.x, split.y) for split in data)
        for rule in RULES:
            for lanes in map(int, asked.lanes.split(",")):
                shape = Shape(lanes, 4, 5, task.batch_size)
                drawn = tuple(network.draw(0))
                made = gpu_engine.export(network, RULES[rule](), shape, drawn, (train, held_out))
                found = [compiled(one, where) for one in made]
                seconds, needed = sum(s for s, _ in found), max(m for _, m in found)
                print(
                    f"{name}, {rule}, {lanes} lanes: {seconds:.1f} s, {needed / 1e6:.0f} MB",
                    flush=True,
                )


def compiled(exported: bytes, where: NamedSharding) -> tuple[float, float]:
    """How many seconds it took, and how many bytes it needs."""
    program = jax.export.deserialize(bytearray(exported))
    arguments, _ = jax.tree.unflatten(program.in_tree, program.in_avals)
    there = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=where), arguments
    )
    began = time.perf_counter()
    ready = jax.jit(program.call).lower(*there).compile()
    return time.perf_counter() - began, engine.memory(ready)


if __name__ == "__main__":
    main()
