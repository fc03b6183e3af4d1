"""The writer: a recorded model as the nodes of an ONNX file. Its pages, in reading order:

    written    an array that writes nodes instead of computing
    ufuncs     what NumPy's ufuncs write
    functions  what its functions write: shapes, joining, choosing
    orders     what goes along an axis: running sums, orders, quantiles
    products   einsum and its kin
    indexing   x[...], and writing into a copy
    layers     ops that are whole nodes, and formulas of ops
    windows    convolutions and pools
    recurrent  LSTM, GRU and RNN
    algebra    linear algebra of small matrices
    merging    one graph of two, for batches of any size
    joining    several nodes said by one
    comparing  onnxruntime's numbers beside the model's
    file       `tg.export.onnx`, which calls the others

No page needs one below it in this list.
"""
