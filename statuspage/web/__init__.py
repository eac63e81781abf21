"""Flask: public pages (rendered for publish/ and served live), subscribe, callbacks, console."""
