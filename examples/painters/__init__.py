"""The programs that paint the example pictures: one file for each picture, and what several pictures share.

Shared: `brush.py` (colours, filters, outlines), `noise.py`, `canvas.py` (oil paint), `paper.py` (watercolour) and
`tracer.py` (rays against solid shapes). A large scene has a second file for its houses, its land or its shapes.

Each program returns a picture (height, width, 3), float32, sRGB in [0, 1]. In the programs, `x` runs to the right, `y`
downwards, and in scenes `z` away from the viewer.
"""
