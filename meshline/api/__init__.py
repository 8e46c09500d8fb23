"""The surfaces over HTTP. Everything is wired in `app.create_app`; only `settings` reads the environment."""
