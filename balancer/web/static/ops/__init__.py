"""The browser files of the operators' page: our own style and script, htmx and a font of others with their licences."""
