"""The workload by hand for each engine."""
