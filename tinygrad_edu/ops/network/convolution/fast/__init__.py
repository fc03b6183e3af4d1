"""Convolution and max pooling by numba, where it is installed: the same sums, in less time.

    vectors    the processor's vectors, as functions that numba compiles
    layout     how images lie while they are computed with: channels beside each other
    kernels    the sums as numba compiles them
    direct, winograd, depthwise  the routes: each a page like that of the same route without numba
    pooling    max pooling of images

It comes with `pip install "tinygrad-edu[fast]"`. Nothing here is imported before a convolution takes one of these routes,
or images are pooled. The first call of a kernel compiles it, which takes seconds, and keeps what came out in numba's cache
on disk, where the next process finds it: beside these pages, or where they cannot be written, in the user's cache
directory; the variable NUMBA_CACHE_DIR names another. What overflows, or is no number, passes in silence: `np.errstate` is
not asked.
"""
