"""The work on one machine: shards trained, devices, the cluster, controls searched for, checks of architectures."""
