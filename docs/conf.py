"""Settings of Sphinx for this site. `.ci/docs` builds it, offline, from the sources alone."""

from __future__ import annotations

from stylize import __version__

project = "stylize"
version = release = __version__
copyright = "the authors of stylize, Apache License 2.0"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    # MathJax comes with this package: pages load nothing from elsewhere.
    "sphinx-mathjax-offline",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
nitpicky = False

# Markdown: the pages are read on code hosts, too, so they use little beyond CommonMark.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# Docstrings: Google style; single backticks are code, as in Markdown.
default_role = "literal"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_type_aliases = {
    name: name for name in ("ImageSource", "KeepColors", "MaskSource", "OnDownload", "OnMessage", "StyleSource")
}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
maximum_signature_line_length = 88

copybutton_exclude = ".linenos, .gp"

html_theme = "furo"
html_title = "stylize"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
