"""Settings that come with the program: default.toml and examples."""
