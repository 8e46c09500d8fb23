"""The kernels of the index: functions over its arrays that numba compiles (`jit`), and nothing else."""
