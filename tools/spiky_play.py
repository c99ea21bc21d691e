"""The playground and the drop zone as directives, ``{playground}`` and ``{drop-zone}``: a Sphinx extension.

Their code is in book/style; a page that has neither loads none of it.
"""

import io
from base64 import b64encode

import numpy as np
from docutils import nodes
from PIL import Image
from sphinx.util.docutils import SphinxDirective

from spikylib import dcbm, plots, svd

SCRIPTS = {"playground": ("rays", "spiky", "playground"), "drop-zone": ("rays", "spiky", "drop")}


def setup(app):
    for name in SCRIPTS:
        app.add_directive(name, Live)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Live(SphinxDirective):
    """What is live on a page: what stands for it in print and without JavaScript, its style and its code."""

    def run(self):
        parts = ['<link rel="stylesheet" href="../_static/play.css">', frame(self.name)]
        parts += [f'<script defer src="../_static/{script}.js"></script>' for script in SCRIPTS[self.name]]
        return [nodes.raw("", "\n".join(parts), format="html")]


def frame(name):
    """The element that the code fills, with a still picture or a sentence inside."""
    works = "on the page, in a browser with JavaScript"
    if name == "drop-zone":
        still = f"<p>Files are dropped {works}; the command above does more, without.</p>"
        return f'<div class="spiky-drop"><div class="play-still">{still}</div></div>'
    still = f"{''.join(_stills())}<p>A still picture: the sliders work {works}.</p>"
    return f'<div class="spiky-play"><div class="play-still">{still}</div></div>'


def _stills():
    """Three communities of a block model: their rays, and their matrix."""
    community = np.repeat([0, 1, 2], 100)
    degree = np.tile(np.linspace(1, 0.1, 100), 3)
    M = dcbm.DCBM(community, np.full((3, 3), 0.15) + 0.75 * np.eye(3), degree).mean()
    E = svd.truncated_svd(M, 3).embeddings()
    yield _image(
        plots.scatter3d(E, category=community),
        "Three rays from the origin, a community each, in three dimensions.",
    )
    yield _image(
        plots.heatmap({"": M}, label="entry of M", xlabel="item", ylabel="item"),
        "The matrix of the same items: three blocks on the diagonal, each fading from its top left corner.",
    )


def _image(figure, alt):
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=80, metadata={"Software": None})
    Image.open(drawn).convert("RGB").quantize(128).save(small, "png", optimize=True)
    return f'<img alt="{alt}" src="data:image/png;base64,{b64encode(small.getvalue()).decode()}">'
