"""Everything that touches wasmtime. Runs in worker processes only."""
