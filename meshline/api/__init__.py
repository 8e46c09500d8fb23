"""The surfaces over HTTP. Everything is wired in `app.create_app`; the use cases are those of `meshline.app`."""
