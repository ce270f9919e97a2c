"""One module per command of `fleet`, imported only when it is used."""
