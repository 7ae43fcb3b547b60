"""What ``import pyodide`` gives a worker, and ``run_sync`` under it."""
