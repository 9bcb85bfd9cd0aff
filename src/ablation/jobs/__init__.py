"""What a machine does for a study: shards of runs, devices, the cluster."""
