"""Writes the NumPy files of this folder: python make_arrays.py. Needs NumPy."""
import os
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
numbers = np.arange(-6, 6).reshape(2, 3, 2)
arrays = {}
for dtype in ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8", "|i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8"]:
    arrays[dtype] = numbers.astype(dtype)
for dtype in ["|u1", "<u2", "<u4", ">u4", "<u8", ">u8", "|b1"]:
    arrays[dtype] = np.abs(numbers).astype(dtype)
names = {"<": "le", ">": "be", "|": "b"}
for dtype, array in arrays.items():
    np.save(os.path.join(here, f"{names[dtype[0]]}_{dtype[1:]}.npy"), array)
np.save(os.path.join(here, "fortran.npy"), np.asfortranarray(numbers.astype("<f4")))
np.save(os.path.join(here, "fortran_be.npy"), np.asfortranarray(numbers.astype(">i4")))
np.save(os.path.join(here, "scalar.npy"), np.float32(2.5))
np.save(os.path.join(here, "empty.npy"), np.zeros((3, 0, 2), "f4"))
np.save(os.path.join(here, "objects.npy"), np.array([{"a": 1}], dtype=object), allow_pickle=True)
np.save(os.path.join(here, "records.npy"), np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
np.save(os.path.join(here, "dates.npy"), np.array(["2020-01-01"], dtype="datetime64[D]"))
np.save(os.path.join(here, "strings.npy"), np.array(["ab", "c"]))
np.savez(os.path.join(here, "plain.npz"), x=numbers.astype("<f4"), mask=np.ones((1, 3), "<i8"))
np.savez_compressed(os.path.join(here, "compressed.npz"), x=numbers.astype("<f4"), mask=np.ones((1, 3), "<i8"))
