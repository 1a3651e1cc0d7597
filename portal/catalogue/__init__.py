"""The catalogue: deployments, entitlements, DAGs and policies of the `gatehouse.toml` in force."""
