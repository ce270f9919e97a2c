"""What a machine watches of a balancer: figures for Prometheus, with names and units as its conventions have them."""

import prometheus_client

# Else there were one more series beside each that is counted, which says since when; `process_start_time_seconds` does.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
