"""HTTP in and out only: parse, call one service, dump. One file per resource."""
