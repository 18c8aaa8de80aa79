"""What adapting a backbone costs, as ratios of pipelines measured side by side in one run."""
