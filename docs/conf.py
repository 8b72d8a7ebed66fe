"""How the documentation becomes a site: `make docs` builds it into `output/docs`."""

from tap_orgvue import __version__

project = "tap-orgvue"
copyright = "the tap-orgvue contributors"  # noqa: A001 - Sphinx reads this name
version = release = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["README.md"]
# A link that leads nowhere is an error: the build runs with warnings as errors.
nitpicky = True
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

templates_path = ["templates"]
html_theme = "shibuya"
html_title = "tap-orgvue"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
