"""Swagger UI as published, fetched by scripts/vendor; a package so that it is installed along."""
