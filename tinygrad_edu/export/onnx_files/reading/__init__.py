"""The reader: an ONNX file as a module. Its pages, in reading order:

    operators   the table of operators, and those of elements
    arrays      shapes, taking and putting elements
    reductions  sums, orders, products, normalization
    networks    windows, sizes of images, attention, layers over time
    file        `tg.export.load_onnx`, which calls the others

No page needs one below it in this list.
"""
